//! Two streams that meet by key and time.

//! Steps without windows: remembering, limiting, looking up.

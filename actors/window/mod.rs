//! Windows: spans of time, and what is said of the records in them.

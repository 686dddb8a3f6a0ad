//! Watershed.
pub use watershed_core as core;

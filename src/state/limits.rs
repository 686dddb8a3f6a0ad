//! The bounds of what is written and believed, by name.

/// How large things may be. What is larger is refused before memory is given to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest object that is written or read.
    pub object_bytes_max: u64,
    /// The largest manifest.
    pub manifest_bytes_max: u64,
    /// How many objects the manifests of one store may name together, and a listing may hold.
    pub objects_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { object_bytes_max: 4 << 30, manifest_bytes_max: 64 << 20, objects_max: 1_000_000 }
    }
}

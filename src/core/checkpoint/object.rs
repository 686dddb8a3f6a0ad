//! What the checkpoint store keeps, and how it is named.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The blake3 hash of an object's bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContentHash(pub [u8; 32]);

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An immutable object of the checkpoint store: where it is, and what it must be to be believed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Its path in the store: relative, of plain components, with `/` between them.
    pub path: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// The hash of its bytes.
    pub hash: ContentHash,
}

//! The bytes of one piece of saved state.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Bytes, or how they are made when somebody comes to them: all pieces of a large state together may not fit into
/// memory.
#[derive(Clone)]
pub(super) enum Piece {
    Bytes(Vec<u8>),
    Made(Arc<dyn Fn() -> Vec<u8> + Send + Sync>),
}

impl Piece {
    pub(super) fn bytes(&self) -> Cow<'_, [u8]> {
        match self {
            Piece::Bytes(bytes) => Cow::Borrowed(bytes),
            Piece::Made(make) => Cow::Owned(make()),
        }
    }
}

impl PartialEq for Piece {
    fn eq(&self, other: &Piece) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Piece {}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes().fmt(f)
    }
}

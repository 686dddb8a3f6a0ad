//! The key of one element: the stream's key, and what tells the element from the others under it.

use serde::{Deserialize, Serialize};

use crate::key::hash_key;
use crate::{Data, Key, Shape};

/// A key within a key. It is hashed as a whole, to be found among many, and belongs to the key group of the outer one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Entry<K, E>(pub(super) K, pub(super) E);

impl<K: Key, E: Key> Data for Entry<K, E> {
    fn shape() -> Shape {
        Shape::generic("", &[K::shape(), E::shape()])
    }

    fn group_hash(&self) -> Option<u64> {
        Some(hash_key(&self.0))
    }
}

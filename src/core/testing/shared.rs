//! The shared state of an operator under test, as its test sees it.

use std::collections::BTreeMap;

use crate::shared::{LocalReplica, Refusal, Replica, Resolver, Shared};
use crate::{Data, Epoch, Key, SubtaskId, VertexId};

/// A shared state of an operator under test: the test is another subtask of the same node.
pub struct SharedView<'a, K, V, R> {
    pub(super) replica: &'a LocalReplica,
    pub(super) shared: &'a Shared<K, V, R>,
    pub(super) epoch: Epoch,
}

/// The subtask that the test writes as.
const TEST: SubtaskId = SubtaskId { vertex: VertexId(u32::MAX), index: 0 };

impl<K: Key, V: Data, R: Resolver<V>> SharedView<'_, K, V, R> {
    /// What the operator reads of a key.
    pub fn read(&self, key: &K) -> R::Value {
        self.replica().table_of(self.shared).read(self.epoch, key)
    }

    /// Updates a key.
    ///
    /// # Errors
    ///
    /// Where the resolver refuses the update, or where it is too large.
    pub fn update(&self, key: &K, update: R::Update) -> Result<(), Refusal> {
        self.replica().update((TEST, self.epoch), self.shared, key, update)
    }

    /// All keys and what the operator reads of them.
    pub fn entries(&self) -> BTreeMap<K, R::Value> {
        self.replica().table_of(self.shared).entries(self.epoch)
    }

    fn replica(&self) -> &dyn Replica {
        self.replica
    }
}

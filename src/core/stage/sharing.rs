//! How the steps of a chain come to shared state: through the replica of their site, in the epoch of their subtask.
//!
//! Which states a stage may come to is noted once, when the chain is opened. A chain that uses none pays nothing: no record
//! is looked at for it.

use std::cell::Cell;

use crate::causal::VectorClock;
use crate::shared::{AnyShared, Refusal, Replica, Resolver, Shared};
use crate::stage::TaskContext;
use crate::{Data, Key, SharedId};

/// A shared state that a stage uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedUse {
    /// The number of the stage in its chain.
    pub stage: u16,
    /// The state.
    pub state: AnyShared,
}

/// What a subtask knows of its use of shared state.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    declared: Vec<(u16, SharedId)>,
    /// Whether anything was read or updated since anybody asked. Reading changes nothing but this.
    touched: Cell<bool>,
}

impl TaskContext {
    /// Notes which shared states the stages of the chain may come to. Called once, when the chain is opened.
    pub(crate) fn declare_shared(&mut self, uses: &[SharedUse]) {
        self.sharing.declared = uses.iter().map(|SharedUse { stage, state }| (*stage, state.id())).collect();
    }

    /// Whether shared state was read or updated since this was asked: to be asked after each batch. From then on what the
    /// subtask sends may depend on all that its site has applied.
    pub fn take_touched_shared(&mut self) -> bool {
        self.sharing.touched.take()
    }

    /// Reads a shared state for a stage.
    pub(super) fn read_shared<K: Key, V: Data, R: Resolver<V>>(
        &self,
        stage: u16,
        shared: &Shared<K, V, R>,
        key: &K,
    ) -> R::Value {
        self.replica(stage, shared).table_of(shared).read(self.epoch, key)
    }

    /// Updates a shared state for a stage.
    pub(super) fn update_shared<K: Key, V: Data, R: Resolver<V>>(
        &self,
        stage: u16,
        shared: &Shared<K, V, R>,
        key: &K,
        update: R::Update,
    ) -> Result<(), Refusal> {
        self.replica(stage, shared).update((self.info.subtask, self.epoch), shared, key, update)
    }

    /// All that the subtask may have seen of shared state.
    pub(super) fn seen_shared(&self) -> VectorClock {
        self.shared.as_ref().map_or_else(VectorClock::new, |replica| replica.applied(self.epoch))
    }

    /// The site's replica, for a stage that may come to a state.
    fn replica<K, V, R>(&self, stage: u16, shared: &Shared<K, V, R>) -> &dyn Replica {
        if !self.sharing.declared.contains(&(stage, shared.id())) {
            panic!(
                "{:?} uses the shared state {name:?} and does not declare it: let its fn shared(&self) return the \
                 handle of {name:?}, as in vec![self.{name}.any()]",
                self.info.uids[usize::from(stage)],
                name = shared.name(),
            );
        }
        self.sharing.touched.set(true);
        self.shared.as_deref().expect("a subtask that uses shared state is given the replica of its site")
    }
}

#[cfg(test)]
mod tests;

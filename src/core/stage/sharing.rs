//! How the steps of a chain come to shared state: through the replica of their site, in the epoch of their subtask.
//!
//! Which states a stage may come to is noted once, when the chain is opened. A chain that uses none pays nothing: no record
//! is looked at for it. What a stage has read it [remembers](Recall) until the table changes, since most tables are read for each
//! record and written now and then.

use std::any::Any;
use std::cell::{Cell, RefCell};

use crate::causal::VectorClock;
use crate::shared::{AnyShared, Recall, Refusal, Replica, Resolver, Shared};
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
#[derive(Default)]
pub(super) struct Sharing {
    declared: Vec<(u16, SharedId)>,
    /// What is remembered of each that is declared: a [`Recall`] of its types, once it was read.
    recalled: RefCell<Vec<Option<Box<dyn Any + Send>>>>,
    /// Whether anything was read or updated since anybody asked. Reading changes nothing but this.
    touched: Cell<bool>,
}

impl TaskContext {
    /// Notes which shared states the stages of the chain may come to. Called once, when the chain is opened.
    pub(crate) fn declare_shared(&mut self, uses: &[SharedUse]) {
        self.sharing.declared = uses.iter().map(|SharedUse { stage, state }| (*stage, state.id())).collect();
        self.forget_shared();
    }

    /// Forgets what was read: the subtask is given another replica, or none.
    pub(crate) fn forget_shared(&mut self) {
        self.sharing.recalled.get_mut().clear();
        self.sharing.recalled.get_mut().resize_with(self.sharing.declared.len(), || None);
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
        let place = self.declared(stage, shared);
        self.sharing.touched.set(true);
        let mut recalled = self.sharing.recalled.borrow_mut();
        let recall =
            recalled[place].get_or_insert_with(|| Box::new(Recall::of(self.replica().table_of(shared))));
        let recall: &mut Recall<K, V, R> =
            recall.downcast_mut().expect("a shared state has the types of its handle");
        match recall.find(self.epoch, key) {
            Some(value) => value,
            None => recall.ask(self.replica().table_of(shared), self.epoch, key),
        }
    }

    /// Updates a shared state for a stage.
    pub(super) fn update_shared<K: Key, V: Data, R: Resolver<V>>(
        &self,
        stage: u16,
        shared: &Shared<K, V, R>,
        key: &K,
        update: R::Update,
    ) -> Result<(), Refusal> {
        let _ = self.declared(stage, shared);
        self.sharing.touched.set(true);
        self.replica().update((self.info.subtask, self.epoch), shared, key, update)
    }

    /// All that the subtask may have seen of shared state.
    pub(super) fn seen_shared(&self) -> VectorClock {
        self.shared.as_ref().map_or_else(VectorClock::new, |replica| replica.applied(self.epoch))
    }

    /// The place of a state among those that are declared, for a stage that may come to it.
    #[inline]
    fn declared<K, V, R>(&self, stage: u16, shared: &Shared<K, V, R>) -> usize {
        let wanted = (stage, shared.id());
        match self.sharing.declared.iter().position(|declared| *declared == wanted) {
            Some(place) => place,
            None => self.undeclared(stage, shared.name()),
        }
    }

    #[cold]
    fn undeclared(&self, stage: u16, name: &str) -> ! {
        panic!(
            "{:?} uses the shared state {name:?} and does not declare it: let its fn shared(&self) return the \
             handle of {name:?}, as in vec![self.{name}.any()]",
            self.info.uids[usize::from(stage)],
        )
    }

    /// The site's replica.
    fn replica(&self) -> &dyn Replica {
        self.shared.as_deref().expect("a subtask that uses shared state is given the replica of its site")
    }
}

#[cfg(test)]
mod tests;

//! What really happened: known to nobody in the cluster, and what everything is measured by.

use std::collections::{BTreeMap, BTreeSet};

use watershed_core::causal::Dot;
use watershed_core::{Epoch, Run};

use crate::violation::{Invariant, Violation};

/// A key of shared state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(pub(crate) u8);

/// An update, by a name that is its own whatever dot it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UpdateId(usize);

/// The updates that somebody has applied or seen.
pub(crate) type Updates = BTreeSet<UpdateId>;

#[derive(Clone, Copy)]
struct Made {
    dot: Dot,
    key: Key,
    /// The execution that made it, counted by the world itself.
    execution: Run,
}

/// All updates of all runs, and what the checkpoints hold.
#[derive(Default)]
pub(crate) struct History {
    made: Vec<Made>,
    names: BTreeMap<Dot, UpdateId>,
    checkpoints: BTreeMap<Epoch, Updates>,
}

impl History {
    /// Takes note of an update.
    pub(crate) fn make(&mut self, dot: Dot, key: Key, execution: Run) -> Result<UpdateId, Violation> {
        let id = UpdateId(self.made.len());
        self.made.push(Made { dot, key, execution });
        match self.names.insert(dot, id) {
            Some(_) => Invariant::DotsAreUnique.broken(format!("{dot} was made twice")),
            None => Ok(id),
        }
    }

    pub(crate) fn dot(&self, id: UpdateId) -> Dot {
        self.made[id.0].dot
    }

    pub(crate) fn named(&self, dot: Dot) -> Option<UpdateId> {
        self.names.get(&dot).copied()
    }

    /// The updates of a key among these.
    pub(crate) fn of_key(&self, key: Key, among: &Updates) -> Updates {
        among.iter().copied().filter(|id| self.made[id.0].key == key).collect()
    }

    /// Takes note of a complete checkpoint of an execution: what it began from and what it made up to the epoch.
    pub(crate) fn complete(&mut self, epoch: Epoch, base: Option<Epoch>, execution: Run) {
        let made = self.made.iter().enumerate();
        let closed = made.filter(|(_, made)| made.execution == execution && made.dot.lane.epoch <= epoch);
        let closed: Updates = closed.map(|(index, _)| UpdateId(index)).collect();
        let all = self.checkpoint(base).union(&closed).copied().collect();
        self.checkpoints.insert(epoch, all);
    }

    /// What a checkpoint holds; nothing, where it is the very beginning.
    pub(crate) fn checkpoint(&self, epoch: Option<Epoch>) -> Updates {
        epoch.map(|epoch| self.checkpoints[&epoch].clone()).unwrap_or_default()
    }

    /// Whether an update belongs to the history that this execution, which began from this checkpoint, is part of.
    pub(crate) fn has_happened(&self, id: UpdateId, execution: Run, base: Option<Epoch>) -> bool {
        self.made[id.0].execution == execution
            || base.is_some_and(|base| self.checkpoints[&base].contains(&id))
    }
}

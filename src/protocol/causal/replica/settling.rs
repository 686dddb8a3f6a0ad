//! Lanes that get no more updates, and epochs that everybody has whole.

use watershed_core::causal::VectorClock;
use watershed_core::{Counter, Epoch};

use super::{Replica, ReplicaEffect};
use crate::causal::Size;
use crate::{Outcome, Tick};

impl<D: Clone + Size> Replica<D> {
    /// Whether this site has applied all lanes up to an epoch, and no more will come of them: all that a checkpoint of
    /// that epoch has of shared state. Known before the epoch is settled, for which all others must have it too.
    pub fn has_whole(&self, epoch: Epoch) -> bool {
        if epoch <= self.applied.settled() || self.peers.any_settled(epoch) {
            return true;
        }
        let are_closed = self.passed >= epoch && self.peers.iter().all(|(_, peer)| peer.closed >= epoch);
        are_closed && self.peers.finals(epoch).all(|dot| self.applied.has(dot))
    }

    /// The own lanes up to an epoch are closed: tells the others at once.
    pub(super) fn passed(&mut self, now: Tick, epoch: Epoch, effects: &mut Vec<ReplicaEffect<D>>) -> Outcome {
        if epoch <= self.passed {
            return if epoch == self.passed { Outcome::Duplicate } else { Outcome::Stale };
        }
        self.passed = epoch;
        if !self.peers.is_empty() {
            self.tell(now, effects);
        }
        Outcome::Applied
    }

    /// A checkpoint is decided: it has saved the lanes up to its epoch.
    pub(super) fn completed(&mut self, epoch: Epoch, effects: &mut Vec<ReplicaEffect<D>>) -> Outcome {
        if epoch <= self.completed {
            return if epoch == self.completed { Outcome::Duplicate } else { Outcome::Stale };
        }
        // This site has not voted for it.
        if epoch > self.passed {
            return Outcome::Unexpected;
        }
        self.completed = epoch;
        self.unsettled.insert(epoch);
        // A later one stands for it. As long as each is settled in time, all sites settle the same ones.
        if self.unsettled.len() > self.config.limits.epochs_max {
            self.unsettled.pop_first();
        }
        self.settle(effects);
        self.truncate();
        Outcome::Applied
    }

    /// Settles the completed checkpoints whose lanes everybody has, one after the other.
    pub(super) fn settle(&mut self, effects: &mut Vec<ReplicaEffect<D>>) {
        while let Some(&epoch) = self.unsettled.first()
            && self.all_have(epoch)
        {
            self.unsettled.pop_first();
            self.applied.settle(epoch);
            self.peers.settle(epoch);
            self.pulls.settle(epoch);
            assert!(!self.held.has_up_to(epoch), "what all have applied does not wait here");
            effects.push(ReplicaEffect::Settle { epoch });
        }
    }

    /// Drops from the log what nobody will ask for.
    pub(super) fn truncate(&mut self) {
        let settled = self.applied.settled();
        self.log.truncate(self.completed, |lane| {
            if lane.epoch <= settled { Counter(u64::MAX) } else { self.peers.applied_by_all(lane) }
        });
    }

    /// Whether all sites have closed their lanes up to an epoch and applied those of all.
    fn all_have(&self, epoch: Epoch) -> bool {
        if self.peers.any_settled(epoch) {
            return true;
        }
        let own = self.applied.clock().dots().filter(|dot| dot.lane.site == self.config.own);
        let mut finals: VectorClock = own.filter(|dot| dot.lane.epoch <= epoch).collect();
        self.peers.finals(epoch).for_each(|dot| finals.see(dot));
        self.applied.covers(&finals) && self.peers.all_have(epoch, &finals)
    }
}

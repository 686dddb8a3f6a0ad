//! Checkpoints: what is saved at each barrier, and whether all of it together is a consistent cut.

use std::collections::BTreeSet;

use watershed_core::Epoch;
use watershed_core::causal::{Dot, VectorClock};
use watershed_protocol::causal::ReplicaEvent;

use crate::world::{Id, Violation, World};

/// How many of a hundred checkpoints are given up when all has been saved.
const GIVEN_UP: usize = 30;

/// A checkpoint under way.
pub(crate) struct Cut {
    epoch: Epoch,
    /// What each task that has passed the barrier knew, and its clock.
    snapshots: Vec<(BTreeSet<Id>, VectorClock)>,
    /// What the sites have saved of their own updates.
    saved: BTreeSet<Id>,
    finals: Vec<Dot>,
}

impl World {
    /// Begins a checkpoint, if none is under way.
    pub(crate) fn trigger(&mut self) {
        if self.cut.is_some() {
            return;
        }
        // Numbers of checkpoints that never came to anything are left out.
        let epoch = Epoch(self.last_epoch.0 + 1 + self.lots.below(2) as u64);
        self.last_epoch = epoch;
        self.cut = Some(Cut { epoch, snapshots: Vec::new(), saved: BTreeSet::new(), finals: Vec::new() });
        for source in 0..usize::from(self.sites) {
            self.tasks[source].barrier = Some(epoch);
        }
    }

    /// A task passes a barrier.
    pub(crate) fn pass(&mut self, task: usize, epoch: Epoch) {
        let passing = &mut self.tasks[task];
        passing.epoch = Epoch(epoch.0 + 1);
        let home = passing.home;
        let snapshot = (passing.knows.clone(), passing.session.clock().clone());
        let cut = self.cut.as_mut().expect("a barrier is that of the checkpoint under way");
        cut.snapshots.push(snapshot);
        let is_last = self.tasks.iter().all(|task| task.home != home || task.epoch > epoch);
        if is_last {
            self.save(home, epoch);
        }
        let is_complete = self.tasks.iter().all(|task| task.epoch > epoch);
        if is_complete {
            self.decide();
        }
    }

    /// A site saves its own updates when its last task has passed the barrier.
    fn save(&mut self, home: usize, epoch: Epoch) {
        if self.rules.lanes {
            self.feed(home, ReplicaEvent::Passed { epoch });
        }
        let replica = &self.homes[home].replica;
        let cut = self.cut.as_mut().expect("a checkpoint is under way");
        if self.rules.lanes {
            cut.saved.extend(replica.own_log(epoch).map(|update| update.delta.0));
            cut.finals.extend(replica.finals(epoch));
        } else {
            // With one counter, what there is when the last task passes is all that can be named.
            let own = (0..).zip(&self.made).filter(|(_, made)| usize::from(made.dot.lane.site.0) == home);
            cut.saved.extend(own.clone().map(|(id, _)| id));
            cut.finals.extend(own.map(|(_, made)| made.dot).max());
        }
    }

    fn decide(&mut self) {
        let cut = self.cut.take().expect("a checkpoint is under way");
        self.check(&cut);
        if self.lots.hit(GIVEN_UP) {
            self.given_up += 1;
            return;
        }
        self.decided += 1;
        self.base.extend(cut.saved);
        cut.finals.iter().for_each(|dot| self.finals.see(*dot));
        if self.rules.lanes {
            self.orders.extend((0..self.homes.len()).map(|home| (home, cut.epoch)));
            self.newest_decided = cut.epoch;
        }
    }

    /// Looks whether a checkpoint is a consistent cut.
    fn check(&mut self, cut: &Cut) {
        let within: BTreeSet<Id> = self.base.union(&cut.saved).copied().collect();
        let mut finals = self.finals.clone();
        cut.finals.iter().for_each(|dot| finals.see(*dot));
        let before = (0..).zip(&self.made).filter(|(_, made)| made.epoch <= cut.epoch).map(|(id, _)| id);
        let checks = [
            (Violation::NotThePrefix, before.eq(within.iter().copied())),
            (Violation::Orphan, cut.snapshots.iter().all(|(knows, _)| knows.is_subset(&within))),
            (Violation::ClockBeyond, cut.snapshots.iter().all(|(_, clock)| finals.covers(clock))),
            (Violation::NotClosed, within.iter().all(|id| self.made[*id as usize].causes.is_subset(&within))),
        ];
        self.violations.extend(checks.iter().filter(|(_, holds)| !holds).map(|(violation, _)| *violation));
    }

    /// Some site hears of a decided checkpoint.
    pub(crate) fn hear_of_decision(&mut self) {
        // Each site hears of them in their order.
        let at = self.orders.iter().position(|(home, _)| self.still != Some(*home));
        if let Some((home, epoch)) = at.and_then(|at| self.orders.remove(at)) {
            self.feed(home, ReplicaEvent::Completed { epoch });
        }
    }
}

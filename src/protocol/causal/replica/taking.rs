//! Updates of other sites: taken once, in causal order, or made to wait.

use watershed_core::Site;
use watershed_core::causal::Lane;

use super::held::is_ready;
use super::{Replica, ReplicaEffect};
use crate::causal::{Size, Update};
use crate::{Outcome, Tick};

impl<D: Clone + Size> Replica<D> {
    /// A peer broadcasts an update, which has to be its own.
    pub(super) fn heard(
        &mut self,
        now: Tick,
        from: Site,
        update: Update<D>,
        effects: &mut Vec<ReplicaEffect<D>>,
    ) -> Outcome {
        let lane = update.stamp.dot.lane;
        if self.peers.get(from).is_none() {
            return Outcome::Unexpected;
        }
        // Runs are fenced where messages come in. What slips through does no harm, and is nobody's mistake.
        if lane.run != self.config.run {
            return Outcome::Stale;
        }
        if lane.site != from {
            return Outcome::Unexpected;
        }
        self.take(now, update, effects)
    }

    /// A peer answers a pull: with updates of any site, in their order.
    pub(super) fn answered(
        &mut self,
        now: Tick,
        from: Site,
        lane: Lane,
        updates: Vec<Update<D>>,
        effects: &mut Vec<ReplicaEffect<D>>,
    ) -> Outcome {
        if self.peers.get(from).is_none() || updates.len() > self.config.limits.piece_updates_max {
            return Outcome::Unexpected;
        }
        if lane.run != self.config.run {
            return Outcome::Stale;
        }
        if updates.is_empty() || updates.iter().any(|update| update.stamp.dot.lane != lane) {
            return Outcome::Unexpected;
        }
        // It was asked for, and then asked for elsewhere.
        if lane.site != from && !self.pulls.is_asked(from, lane) {
            return Outcome::Stale;
        }
        let applied_before = self.applied.clock().get(lane);
        let mut answer = Outcome::Duplicate;
        for update in updates {
            match self.take(now, update, effects) {
                Outcome::Applied => answer = Outcome::Applied,
                Outcome::Duplicate | Outcome::Stale => {}
                Outcome::Unexpected => return Outcome::Unexpected,
            }
        }
        if answer == Outcome::Applied {
            // SUBTLE: only a lane that has moved is asked on at once. Where there was no room for the answer, the same
            // question would bring the same answer, as fast as the messages go; the next round asks again.
            let (missing, limits) = (self.missing_of(lane), &self.config.limits);
            let is_moving = self.applied.clock().get(lane) > applied_before;
            let more = self.pulls.answered(now, from, lane, missing.filter(|_| is_moving), limits);
            effects.extend(more.map(|(from, gap)| ReplicaEffect::Pull { from, gap }));
        }
        answer
    }

    /// Applies an update of another site, or lets it wait.
    fn take(&mut self, now: Tick, update: Update<D>, effects: &mut Vec<ReplicaEffect<D>>) -> Outcome {
        let dot = update.stamp.dot;
        if !self.can_exist(dot) {
            return Outcome::Unexpected;
        }
        if self.applied.has(dot) || self.held.has(dot) {
            return Outcome::Duplicate;
        }
        if !self.believes_update(&update) {
            return Outcome::Unexpected;
        }
        let ahead = self.clocks.lead(now, dot.lane.site, update.stamp.time);
        if ahead > self.config.limits.skew_max {
            effects.push(ReplicaEffect::Distrust { site: dot.lane.site, ahead });
            return Outcome::Unexpected;
        }
        if is_ready(&update, &self.applied) {
            self.apply(update, effects);
            while let Some(update) = self.held.release(&self.applied) {
                self.apply(update, effects);
            }
        } else {
            self.held.hold(update, &self.config.limits);
        }
        Outcome::Applied
    }

    fn apply(&mut self, update: Update<D>, effects: &mut Vec<ReplicaEffect<D>>) {
        self.applied.see(update.stamp.dot);
        self.hybrid.observe(update.stamp.time);
        self.log.keep(update.clone(), &self.config.limits);
        effects.push(ReplicaEffect::Apply(update));
    }
}

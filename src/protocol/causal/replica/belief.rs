//! What a replica believes of what others say, so that nobody's mistake gets into its clocks.

use watershed_core::causal::{Dot, Lane, VectorClock};
use watershed_core::{Counter, Site};

use super::{Gossip, Replica};
use crate::EPOCH_JUMP_MAX;
use crate::causal::{Size, Update};

impl<D: Clone + Size> Replica<D> {
    /// Whether there can be all the updates that a clock names. One that names others is that of no correct task of this
    /// run, and must not get into a session: it would wait for ever.
    pub fn is_plausible(&self, clock: &VectorClock) -> bool {
        clock.len() <= self.lanes_max() && clock.dots().all(|dot| self.can_exist(dot))
    }

    /// Whether there can be such an update.
    pub(super) fn can_exist(&self, Dot { lane, counter }: Dot) -> bool {
        let newest = self.passed.max(self.completed);
        let is_ours = lane.run == self.config.run && lane.site.0 < self.config.sites;
        let is_near = lane.epoch.0 <= newest.0.saturating_add(EPOCH_JUMP_MAX);
        is_ours
            && is_near
            && counter > Counter(0)
            && (lane.epoch <= self.applied.settled() || counter <= self.newest_possible(lane))
    }

    /// The newest update that a lane can have.
    fn newest_possible(&self, lane: Lane) -> Counter {
        let applied = self.applied.clock().get(lane);
        match self.peers.get(lane.site) {
            // The lane is our own.
            None => applied,
            Some(peer) if lane.epoch <= peer.closed => peer.applied.get(lane).max(applied),
            Some(_) => Counter(applied.0.saturating_add(self.config.limits.log_updates_max as u64)),
        }
    }

    /// Whether a correct site can have made this update.
    pub(super) fn believes_update(&self, update: &Update<D>) -> bool {
        let dot = update.stamp.dot;
        let can_cause = |dep: Dot| {
            dep.lane.epoch <= dot.lane.epoch && (dep.lane != dot.lane || dep.counter < dot.counter)
        };
        self.can_exist(dot)
            && self.is_plausible(&update.deps)
            && update.deps.dots().all(can_cause)
            && !self.opens_too_many(dot.lane, self.lanes_of_another_max())
    }

    /// Whether what a peer tells of itself and others can be true.
    pub(super) fn believes_gossip(&self, from: Site, gossip: &Gossip) -> bool {
        let newest = self.passed.max(self.completed);
        gossip.clocks.len() <= usize::from(self.config.sites)
            && gossip.closed.0 <= newest.0.saturating_add(EPOCH_JUMP_MAX)
            && gossip.settled <= gossip.closed
            && gossip.settled <= self.passed
            && self.is_plausible(&gossip.applied)
            && self.closes_all_it_made(from, gossip)
            && self.has_what_all_have(gossip)
    }

    /// Whether the lanes that a peer calls closed end behind all that is known of them.
    fn closes_all_it_made(&self, from: Site, gossip: &Gossip) -> bool {
        let known = self.applied.clock().dots().map(|dot| dot.lane);
        let mut closed = known
            .chain(self.held.lanes())
            .filter(|lane| lane.site == from && lane.epoch <= gossip.closed && lane.epoch > gossip.settled);
        closed.all(|lane| {
            let last_held = self.held.ends(lane).map(|(_, last)| last);
            Some(gossip.applied.get(lane)) >= last_held
                && gossip.applied.get(lane) >= self.applied.clock().get(lane)
        })
    }

    /// Whether this site has applied all of what a peer says that everybody has applied.
    fn has_what_all_have(&self, gossip: &Gossip) -> bool {
        let missing = |claim: &VectorClock| !self.applied.covers(&claim.up_to(gossip.settled));
        gossip.settled <= self.applied.settled()
            || !(self.held.has_up_to(gossip.settled)
                || self.peers.iter().any(|(_, peer)| missing(&peer.applied)))
    }

    /// Whether a lane would be one more than its site may have open.
    pub(super) fn opens_too_many(&self, lane: Lane, max: usize) -> bool {
        let clock = self.applied.clock();
        let open = || clock.dots().filter(|dot| dot.lane.site == lane.site).count();
        clock.get(lane) == Counter(0) && open() >= max
    }

    /// How many lanes of another site may be open here: some may be settled there and not here.
    fn lanes_of_another_max(&self) -> usize {
        self.config.limits.epochs_max.saturating_mul(2)
    }

    fn lanes_max(&self) -> usize {
        self.lanes_of_another_max().saturating_mul(usize::from(self.config.sites))
    }
}

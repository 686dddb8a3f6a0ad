//! Anti-entropy: telling the others how far this site is, and asking for what it lacks.

use std::collections::BTreeSet;

use watershed_core::causal::Lane;
use watershed_core::{Counter, ProcessingTime, Site};

use super::pulls::Missing;
use super::{Gap, Gossip, Replica, ReplicaEffect};
use crate::causal::Size;
use crate::{Outcome, Tick};

impl<D: Clone + Size> Replica<D> {
    /// Tells the others, and asks for what has been missing since the last round.
    pub(super) fn round(
        &mut self,
        now: Tick,
        wall: ProcessingTime,
        effects: &mut Vec<ReplicaEffect<D>>,
    ) -> Outcome {
        if self.peers.is_empty() || now < self.gossip_at {
            return Outcome::Stale;
        }
        self.clocks.read(now, wall);
        self.gossip_at = now.after(self.config.limits.gossip_interval);
        self.tell(now, effects);
        let missing = self.missing();
        let asked = self.pulls.round(now, missing, self.applied.clock(), &self.config.limits);
        effects.extend(asked.into_iter().map(|(from, gap)| ReplicaEffect::Pull { from, gap }));
        Outcome::Applied
    }

    /// Tells the others how far this site is.
    pub(super) fn tell(&self, now: Tick, effects: &mut Vec<ReplicaEffect<D>>) {
        effects.push(ReplicaEffect::Gossip(Gossip {
            run: self.config.run,
            sent: now,
            applied: self.applied.clock().clone(),
            closed: self.passed,
            settled: self.applied.settled(),
            clocks: self.clocks.bearings(),
        }));
    }

    pub(super) fn hear_gossip(
        &mut self,
        now: Tick,
        from: Site,
        gossip: &Gossip,
        effects: &mut Vec<ReplicaEffect<D>>,
    ) -> Outcome {
        if self.peers.get(from).is_none() {
            return Outcome::Unexpected;
        }
        if gossip.run != self.config.run {
            return Outcome::Stale;
        }
        if !self.believes_gossip(from, gossip) {
            return Outcome::Unexpected;
        }
        let mut is_news = false;
        if self.clocks.hear(now, from, gossip.sent) {
            self.gossip_at = now;
            is_news = true;
        }
        if let Some((_, offset)) = gossip.clocks.iter().find(|(site, _)| *site == self.config.own) {
            is_news |= self.clocks.learn(from, *offset);
        }
        is_news |= self.peers.learn(from, gossip, self.applied.settled());
        self.settle(effects);
        self.truncate();
        if is_news { Outcome::Applied } else { Outcome::Duplicate }
    }

    /// A peer asks for updates.
    pub(super) fn pulled(&self, by: Site, gap: Gap, effects: &mut Vec<ReplicaEffect<D>>) -> Outcome {
        if self.peers.get(by).is_none() {
            return Outcome::Unexpected;
        }
        if gap.lane.run != self.config.run || gap.lane.epoch <= self.applied.settled() {
            return Outcome::Stale;
        }
        if gap.up_to <= gap.after {
            return Outcome::Unexpected;
        }
        let updates = self.log.piece(gap, &self.config.limits);
        // Who has cut off the beginning says nothing: the asker turns to another.
        if updates.is_empty() {
            return Outcome::Stale;
        }
        effects.push(ReplicaEffect::Answer { to: by, lane: gap.lane, updates });
        Outcome::Applied
    }

    /// What others have and this site has not, in the order of the lanes.
    fn missing(&self) -> Vec<Missing> {
        let named = self.peers.iter().flat_map(|(_, peer)| peer.applied.dots().map(|dot| dot.lane));
        let lanes: BTreeSet<Lane> = named.collect();
        lanes.into_iter().filter_map(|lane| self.missing_of(lane)).collect()
    }

    /// What others have of a lane and this site has not.
    pub(super) fn missing_of(&self, lane: Lane) -> Option<Missing> {
        let applied = self.applied.clock().get(lane);
        let more = self.peers.iter().filter(|(_, peer)| peer.applied.get(lane) > applied);
        let (have, counters): (Vec<Site>, Vec<Counter>) =
            more.map(|(site, peer)| (site, peer.applied.get(lane))).unzip();
        let first_held = self.held.ends(lane).map(|(first, _)| first);
        let gap = Gap::between(lane, applied, first_held, counters.into_iter().max()?)?;
        Some(Missing { gap, have })
    }
}

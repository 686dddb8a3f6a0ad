//! Updates that wait for what they depend on.

use std::collections::BTreeMap;

use watershed_core::causal::{Dot, Lane};
use watershed_core::{Counter, Epoch};

use super::{ReplicaLimits, Tally};
use crate::causal::{Applied, Size, Update};

/// Updates that came before others that they follow or depend on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Held<D> {
    lanes: BTreeMap<Lane, BTreeMap<Counter, Update<D>>>,
    tally: Tally,
    dropped: u64,
}

impl<D: Size> Held<D> {
    pub(super) fn new() -> Self {
        Held { lanes: BTreeMap::new(), tally: Tally::default(), dropped: 0 }
    }

    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    /// How many were dropped for want of room, to be pulled later.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn has(&self, dot: Dot) -> bool {
        self.lanes.get(&dot.lane).is_some_and(|updates| updates.contains_key(&dot.counter))
    }

    /// The first update of a lane that waits, and the last.
    pub(super) fn ends(&self, lane: Lane) -> Option<(Counter, Counter)> {
        let updates = self.lanes.get(&lane)?;
        Some((*updates.first_key_value()?.0, *updates.last_key_value()?.0))
    }

    /// Lets an update wait. Where there is no room, it and all of its lane that waits is dropped: it can be had again.
    pub(super) fn hold(&mut self, update: Update<D>, limits: &ReplicaLimits) {
        let Dot { lane, counter } = update.stamp.dot;
        self.tally.add(update.bytes());
        self.lanes.entry(lane).or_default().insert(counter, update);
        if self.tally.updates > limits.held_updates_max || self.tally.bytes > limits.held_bytes_max {
            self.dropped += self.drop_lane(lane);
        }
    }

    /// Takes out an update that waits no longer: the next of its lane, with all that it depends on applied.
    pub(super) fn release(&mut self, applied: &Applied) -> Option<Update<D>> {
        let ready = self.lanes.values().filter_map(|updates| updates.values().next());
        let dot = ready.into_iter().find(|update| is_ready(update, applied))?.stamp.dot;
        let updates = self.lanes.get_mut(&dot.lane).expect("it was found there");
        let update = updates.remove(&dot.counter).expect("it was found there");
        if updates.is_empty() {
            self.lanes.remove(&dot.lane);
        }
        self.tally.remove(update.bytes());
        Some(update)
    }

    /// The lanes of which something waits.
    pub(super) fn lanes(&self) -> impl Iterator<Item = Lane> {
        self.lanes.keys().copied()
    }

    /// Whether anything of the lanes up to an epoch waits.
    pub(super) fn has_up_to(&self, epoch: Epoch) -> bool {
        self.lanes.keys().any(|lane| lane.epoch <= epoch)
    }

    fn drop_lane(&mut self, lane: Lane) -> u64 {
        let dropped = self.lanes.remove(&lane).unwrap_or_default();
        dropped.values().for_each(|update| self.tally.remove(update.bytes()));
        dropped.len() as u64
    }
}

/// Whether an update is the next of its lane and all that it depends on has been applied.
pub(super) fn is_ready<D>(update: &Update<D>, applied: &Applied) -> bool {
    let Dot { lane, counter } = update.stamp.dot;
    counter.0 == applied.clock().get(lane).0 + 1 && applied.covers(&update.deps)
}

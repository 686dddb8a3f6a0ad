//! The updates that somebody may still ask for.
//!
//! ```text
//!   own update:      kept until a completed checkpoint has saved it AND all sites have applied it
//!   another's:       kept until all sites have applied it, or there is no more room: its own site has it still
//! ```

use std::collections::{BTreeMap, VecDeque};

use watershed_core::causal::{Dot, Lane};
use watershed_core::{Counter, Epoch, Site};

use super::{Gap, ReplicaLimits};
use crate::causal::{Size, Update};

/// How much there is of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tally {
    /// How many updates.
    pub updates: usize,
    /// How many bytes they take, about.
    pub bytes: usize,
}

impl Tally {
    pub(super) fn add(&mut self, bytes: usize) {
        self.updates += 1;
        self.bytes += bytes;
    }

    pub(super) fn remove(&mut self, bytes: usize) {
        self.updates -= 1;
        self.bytes -= bytes;
    }
}

/// Applied updates by lane, each lane without a gap.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct OpLog<D> {
    own: Site,
    lanes: BTreeMap<Lane, VecDeque<Update<D>>>,
    own_tally: Tally,
    others_tally: Tally,
}

impl<D: Clone + Size> OpLog<D> {
    pub(super) fn new(own: Site) -> Self {
        OpLog { own, lanes: BTreeMap::new(), own_tally: Tally::default(), others_tally: Tally::default() }
    }

    /// How much of the site's own there is.
    pub(super) fn own_tally(&self) -> Tally {
        self.own_tally
    }

    /// How much of the others' there is.
    pub(super) fn others_tally(&self) -> Tally {
        self.others_tally
    }

    /// Keeps an update that has just been applied.
    pub(super) fn keep(&mut self, update: Update<D>, limits: &ReplicaLimits) {
        let lane = update.stamp.dot.lane;
        self.tally(lane).add(update.bytes());
        self.lanes.entry(lane).or_default().push_back(update);
        while lane.site != self.own && self.others_are_too_much(limits) && self.drop_first(lane).is_some() {}
    }

    /// Up to a piece of what a gap asks for, from its beginning; nothing if the beginning is not here.
    pub(super) fn piece(&self, gap: Gap, limits: &ReplicaLimits) -> Vec<Update<D>> {
        let Some(lane) = self.lanes.get(&gap.lane) else { return Vec::new() };
        let Some(first) = lane.front().map(|update| update.stamp.dot.counter) else { return Vec::new() };
        let Some(skipped) = (gap.after.0 + 1).checked_sub(first.0) else { return Vec::new() };
        let (mut piece, mut bytes) = (Vec::new(), 0);
        let wanted = lane.iter().skip(usize::try_from(skipped).unwrap_or(usize::MAX));
        for update in wanted.take_while(|update| update.stamp.dot.counter <= gap.up_to) {
            bytes += update.bytes();
            if piece.len() == limits.piece_updates_max
                || (bytes > limits.piece_bytes_max && !piece.is_empty())
            {
                break;
            }
            piece.push(update.clone());
        }
        piece
    }

    /// The site's own updates of the epochs behind `after`, up to `up_to`.
    pub(super) fn own_between(&self, after: Epoch, up_to: Epoch) -> impl Iterator<Item = &Update<D>> {
        let own = self.own;
        let wanted = move |lane: &Lane| lane.site == own && lane.epoch > after && lane.epoch <= up_to;
        self.lanes.iter().filter(move |(lane, _)| wanted(lane)).flat_map(|(_, updates)| updates)
    }

    /// Drops of each lane what comes before the counter that all sites have applied, but nothing of the site's own that
    /// is not saved.
    pub(super) fn truncate(&mut self, saved: Epoch, applied_by_all: impl Fn(Lane) -> Counter) {
        let may_go = |lane: &&Lane| lane.site != self.own || lane.epoch <= saved;
        let lanes: Vec<Lane> = self.lanes.keys().filter(may_go).copied().collect();
        for lane in lanes {
            let all = applied_by_all(lane);
            while self.first(lane).is_some_and(|first| first.counter <= all) {
                self.drop_first(lane);
            }
        }
    }

    fn first(&self, lane: Lane) -> Option<Dot> {
        self.lanes.get(&lane)?.front().map(|update| update.stamp.dot)
    }

    fn drop_first(&mut self, lane: Lane) -> Option<()> {
        let updates = self.lanes.get_mut(&lane)?;
        let dropped = updates.pop_front()?;
        if updates.is_empty() {
            self.lanes.remove(&lane);
        }
        self.tally(lane).remove(dropped.bytes());
        Some(())
    }

    fn tally(&mut self, lane: Lane) -> &mut Tally {
        if lane.site == self.own { &mut self.own_tally } else { &mut self.others_tally }
    }

    fn others_are_too_much(&self, limits: &ReplicaLimits) -> bool {
        self.others_tally.updates > limits.log_updates_max || self.others_tally.bytes > limits.log_bytes_max
    }
}

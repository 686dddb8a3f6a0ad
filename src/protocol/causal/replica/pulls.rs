//! Who is asked for what is missing, and when somebody else is asked.

use std::collections::BTreeMap;

use watershed_core::causal::{Lane, VectorClock};
use watershed_core::{Counter, Epoch, Site};

use super::{Gap, ReplicaLimits};
use crate::Tick;

/// A gap, and the sites that have what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) gap: Gap,
    /// In their order; at least one.
    pub(super) have: Vec<Site>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pull {
    from: Site,
    due: Tick,
}

/// The pulls that are not answered, one for each lane at most, and so many at once.
///
/// What others have and we have not is mostly just under way. So a lane is pulled only if it has not moved from one round
/// to the next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pulls {
    asked: BTreeMap<Lane, Pull>,
    /// What was applied at the last round.
    last_round: VectorClock,
    /// The lane that was pulled last: the next round begins behind it, so that none starves for want of places.
    last_lane: Option<Lane>,
}

impl Pulls {
    pub(super) const fn new() -> Self {
        Pulls { asked: BTreeMap::new(), last_round: VectorClock::new(), last_lane: None }
    }

    /// Goes through what is missing and says who is to be asked for what.
    pub(super) fn round(
        &mut self,
        now: Tick,
        mut missing: Vec<Missing>,
        applied: &VectorClock,
        limits: &ReplicaLimits,
    ) -> Vec<(Site, Gap)> {
        self.asked.retain(|lane, _| missing.iter().any(|missing| missing.gap.lane == *lane));
        let last_round = std::mem::replace(&mut self.last_round, applied.clone());
        missing.retain(|Missing { gap, have: _ }| gap.after == last_round.get(gap.lane));
        let behind_last = missing.partition_point(|missing| Some(missing.gap.lane) <= self.last_lane);
        missing.rotate_left(behind_last);
        missing.iter().filter_map(|missing| self.ask(now, missing, limits)).collect()
    }

    /// Asks for one gap, unless it is asked for already or there is no place.
    fn ask(&mut self, now: Tick, missing: &Missing, limits: &ReplicaLimits) -> Option<(Site, Gap)> {
        let lane = missing.gap.lane;
        // One whose time is over takes no place: it is kept to know whom to ask next.
        let taken = self.asked.values().filter(|pull| now < pull.due).count();
        let from = match self.asked.get(&lane) {
            Some(pull) if now < pull.due => return None,
            Some(_) | None if taken >= limits.pulls_max => return None,
            Some(pull) => next_after(pull.from, &missing.have),
            // A lane's own site has all of it.
            None => *missing.have.iter().find(|site| **site == lane.site).unwrap_or(&missing.have[0]),
        };
        self.last_lane = Some(lane);
        self.asked.insert(lane, Pull { from, due: now.after(limits.pull_retry) });
        Some((from, missing.gap))
    }

    /// Whether a site was asked for this lane.
    pub(super) fn is_asked(&self, from: Site, lane: Lane) -> bool {
        self.asked.get(&lane).is_some_and(|pull| pull.from == from)
    }

    /// Takes note that a site has answered with something new, and asks it on for what is to be had at once.
    pub(super) fn answered(
        &mut self,
        now: Tick,
        from: Site,
        lane: Lane,
        missing: Option<Missing>,
        limits: &ReplicaLimits,
    ) -> Option<(Site, Gap)> {
        if !self.is_asked(from, lane) {
            return None;
        }
        self.asked.remove(&lane);
        let Missing { gap, have } = missing?;
        if !have.contains(&from) {
            return None;
        }
        self.asked.insert(lane, Pull { from, due: now.after(limits.pull_retry) });
        Some((from, gap))
    }

    pub(super) fn settle(&mut self, epoch: Epoch) {
        self.asked.retain(|lane, _| lane.epoch > epoch);
        self.last_round.forget(epoch);
        self.last_lane = self.last_lane.filter(|lane| lane.epoch > epoch);
    }
}

/// The site that comes after one, in a circle.
fn next_after(site: Site, sites: &[Site]) -> Site {
    *sites.iter().find(|other| **other > site).unwrap_or(&sites[0])
}

impl Gap {
    /// What lies between what is applied and the first update that waits, or the last one that somebody has.
    pub(super) fn between(
        lane: Lane,
        applied: Counter,
        held: Option<Counter>,
        known: Counter,
    ) -> Option<Gap> {
        let up_to = held.map_or(known, |first| known.min(Counter(first.0 - 1)));
        (up_to > applied).then_some(Gap { lane, after: applied, up_to })
    }
}

//! Values that are named by the updates that brought them, and the names of those that are gone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use watershed_core::Data;
use watershed_core::causal::{Dot, Lane};
use watershed_core::shared::{Refusal, Settled, Stamp};

/// Values, each under the dot of the update that brought it.
///
/// A value is taken away by its dot, so only by somebody who has seen it: what was added at the same time has another
/// dot, and stays. The dots of values that are gone are remembered, for whoever takes away may be heard before, or more
/// often, than who has added. (Shapiro et al., *Conflict-free Replicated Data Types*, 2011: the OR-set.)
///
/// SUBTLE: a dot is remembered until the lane *of the removal* has settled, not that of the value. Both would be safe,
/// since by then the value cannot come again. But a removal may be made, in an open lane, after the lane of its value
/// has settled: a site that hears it late would keep what another has forgotten, and equal sets of updates would give
/// different states. Therefore the newest lane that removes a dot is kept with it.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub struct Dotted<V> {
    live: BTreeMap<Dot, V>,
    gone: BTreeMap<Dot, Lane>,
}

impl<V: Clone> Dotted<V> {
    /// The values that are there, in the order of their dots.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.live.values()
    }

    /// The dots of those values that satisfy a condition.
    pub(super) fn dots(&self, condition: impl Fn(&V) -> bool) -> impl Iterator<Item = Dot> {
        self.live.iter().filter(move |(_, value)| condition(value)).map(|(dot, _)| *dot)
    }

    /// The delta that takes away what bears one of these dots, and brings a value or none.
    pub(super) fn delta(replaced: impl Iterator<Item = Dot>, value: Option<V>, stamp: &Stamp) -> Self {
        Dotted {
            live: value.map(|value| (stamp.dot, value)).into_iter().collect(),
            gone: replaced.map(|dot| (dot, stamp.dot.lane)).collect(),
        }
    }

    pub(super) fn join(&mut self, other: &Dotted<V>) {
        for (dot, lane) in &other.gone {
            self.live.remove(dot);
            let known = self.gone.entry(*dot).or_insert(*lane);
            *known = (*known).max(*lane);
        }
        for (dot, value) in &other.live {
            if !self.gone.contains_key(dot) {
                self.live.entry(*dot).or_insert_with(|| value.clone());
            }
        }
    }

    /// Refuses a delta that brings what others brought, or takes away what its writer cannot have seen.
    pub(super) fn check(&self, stamp: &Stamp) -> Result<(), Refusal> {
        let Lane { run, epoch, .. } = stamp.dot.lane;
        let is_own = self.live.keys().all(|dot| *dot == stamp.dot);
        let was_seen = self.gone.iter().all(|(dot, lane)| {
            *lane == stamp.dot.lane && *dot != stamp.dot && (dot.lane.run, dot.lane.epoch) <= (run, epoch)
        });
        if is_own && was_seen {
            return Ok(());
        }
        Err(Refusal::Update(format!("{} claims what others did, or has not happened", stamp.dot)))
    }

    pub(super) fn settle(&mut self, settled: Settled) {
        self.gone.retain(|_, lane| !settled.has(*lane));
    }
}

impl<V> Default for Dotted<V> {
    fn default() -> Self {
        Dotted { live: BTreeMap::new(), gone: BTreeMap::new() }
    }
}

/// A dot names one value, so that equal names are equal values.
impl<V> PartialEq for Dotted<V> {
    fn eq(&self, other: &Self) -> bool {
        self.live.keys().eq(other.live.keys()) && self.gone == other.gone
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::causal::HybridTime;
    use watershed_core::testing::Stamps;
    use watershed_core::{Epoch, Run};

    use super::*;

    fn settled(epoch: u64) -> Settled {
        Settled { run: Run(1), epoch: Epoch(epoch), time: HybridTime::at(0) }
    }

    #[test]
    fn a_value_that_comes_after_its_removal_stays_gone() {
        let (mut here, mut there) = (Stamps::of(0), Stamps::of(1));
        let added = Dotted::delta([].into_iter(), Some('a'), &here.at(1));
        let removed = Dotted::delta(added.dots(|_| true), None, &there.at(2));
        let mut state = removed.clone();
        state.join(&added);
        assert_eq!((state.values().count(), state), (0, removed));
    }

    #[test]
    fn a_removal_is_remembered_until_its_own_lane_has_settled() {
        let (mut here, mut there) = (Stamps::of(0), Stamps::of(1));
        there.pass_barrier();
        let added = Dotted::delta([].into_iter(), Some('a'), &here.at(1));
        let removed = Dotted::delta(added.dots(|_| true), None, &there.at(2));

        let mut early = added.clone();
        early.join(&removed);
        early.settle(settled(1));
        let mut late = added;
        late.settle(settled(1));
        late.join(&removed);
        assert_eq!(early, late);

        early.settle(settled(2));
        assert_eq!(early, Dotted::default());
    }

    #[test]
    fn of_two_removals_the_newer_lane_counts_in_whichever_order_they_come() {
        let (mut here, mut there) = (Stamps::of(0), Stamps::of(1));
        let added = Dotted::delta([].into_iter(), Some('a'), &here.at(1));
        let one = Dotted::<char>::delta(added.dots(|_| true), None, &here.at(2));
        there.pass_barrier();
        let other = Dotted::delta(added.dots(|_| true), None, &there.at(2));
        let (mut first, mut second) = (one.clone(), other.clone());
        first.join(&other);
        second.join(&one);
        assert_eq!(first, second);
        first.settle(settled(1));
        assert_eq!(first, other);
    }

    #[test]
    fn who_brings_or_removes_what_it_cannot_is_refused() {
        let (mut here, mut there) = (Stamps::of(0), Stamps::of(1));
        let (stamp, foreign) = (here.at(1), there.at(1));
        let added = Dotted::delta([].into_iter(), Some('a'), &stamp);
        assert_eq!(added.check(&stamp), Ok(()));
        assert!(added.check(&foreign).is_err(), "another's value");
        let itself = Dotted::delta([stamp.dot].into_iter(), Some('a'), &stamp);
        assert!(itself.check(&stamp).is_err(), "what it brings itself");
        there.pass_barrier();
        let future = Dotted::<char>::delta([there.at(2).dot].into_iter(), None, &stamp);
        assert!(future.check(&stamp).is_err(), "what happens in a later epoch");
    }
}

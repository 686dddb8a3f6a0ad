//! A number that only grows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use watershed_core::Data;
use watershed_core::causal::Lane;
use watershed_core::shared::{Refusal, Resolver, Settled, Stamp};

/// Counts up: all that is added on all sites. The total stops at the greatest `u64`.
///
/// ```
/// use watershed_actors::resolver::GrowCounter;
/// use watershed_core::shared::Resolver;
/// use watershed_core::testing::Stamps;
///
/// let (mut here, mut there) = (Stamps::of(0), Stamps::of(1));
/// let mut seen = Default::default();
/// let five = GrowCounter.update(&seen, 5, &here.at(1))?;
/// let two = GrowCounter.update(&seen, 2, &there.at(1))?;
/// GrowCounter.join(&mut seen, &five);
/// GrowCounter.join(&mut seen, &two);
/// assert_eq!(GrowCounter.value(&seen), 7);
/// # Ok::<(), watershed_core::shared::Refusal>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct GrowCounter;

/// What was added in each lane that may still bring more, and in all others together.
///
/// A delta holds the new total of its lane, and the greater of two totals of a lane is the newer one: that is why a
/// delta may come twice. One total for each site would not do: its tasks add in two epochs at once, and who reads in the
/// older one must not see what belongs to the younger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Data)]
pub struct LaneTotals {
    settled: u64,
    lanes: BTreeMap<Lane, u64>,
}

impl LaneTotals {
    /// The total over all lanes.
    pub fn total(&self) -> u64 {
        self.lanes.values().fold(self.settled, |total, lane| total.saturating_add(*lane))
    }

    /// The delta that adds something in a lane; nothing, where it adds 0.
    pub(super) fn add(&self, amount: u64, lane: Lane) -> LaneTotals {
        let before = self.lanes.get(&lane).copied().unwrap_or_default();
        let after = (amount > 0).then(|| (lane, before.saturating_add(amount)));
        LaneTotals { settled: 0, lanes: after.into_iter().collect() }
    }

    pub(super) fn join(&mut self, other: &LaneTotals) {
        self.settled = self.settled.max(other.settled);
        for (lane, theirs) in &other.lanes {
            let ours = self.lanes.entry(*lane).or_default();
            *ours = (*ours).max(*theirs);
        }
    }

    /// Refuses a delta that says something of other lanes than its own.
    pub(super) fn check(&self, stamp: &Stamp) -> Result<(), Refusal> {
        if self.settled == 0 && self.lanes.keys().all(|lane| *lane == stamp.dot.lane) {
            return Ok(());
        }
        Err(Refusal::Update(format!("{} counts for others than itself", stamp.dot)))
    }

    pub(super) fn settle(&mut self, settled: Settled) {
        self.lanes.retain(|lane, total| {
            let is_settled = settled.has(*lane);
            if is_settled {
                self.settled = self.settled.saturating_add(*total);
            }
            !is_settled
        });
    }
}

impl Resolver<u64> for GrowCounter {
    type State = LaneTotals;
    type Update = u64;
    type Value = u64;

    fn update(&self, state: &LaneTotals, amount: u64, stamp: &Stamp) -> Result<LaneTotals, Refusal> {
        Ok(state.add(amount, stamp.dot.lane))
    }

    fn join(&self, state: &mut LaneTotals, other: &LaneTotals) {
        state.join(other);
    }

    fn value(&self, state: &LaneTotals) -> u64 {
        state.total()
    }

    fn check(&self, _: &LaneTotals, delta: &LaneTotals, stamp: &Stamp) -> Result<(), Refusal> {
        delta.check(stamp)
    }

    fn settle(&self, state: &mut LaneTotals, settled: Settled) -> bool {
        state.settle(settled);
        false
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::causal::HybridTime;
    use watershed_core::testing::Stamps;
    use watershed_core::{Epoch, Run};

    use super::*;

    #[test]
    fn a_delta_that_comes_twice_counts_once() {
        let mut here = Stamps::of(0);
        let mut state = LaneTotals::default();
        for amount in [2, 3] {
            let delta = GrowCounter.update(&state, amount, &here.at(1)).unwrap();
            GrowCounter.join(&mut state, &delta);
            GrowCounter.join(&mut state, &delta);
        }
        assert_eq!(state.total(), 5);
    }

    #[test]
    fn lanes_that_have_settled_become_one_number() {
        let mut here = Stamps::of(0);
        let mut state = LaneTotals::default();
        for amount in [2, 3, 4] {
            let delta = state.add(amount, here.at(1).dot.lane);
            state.join(&delta);
            here.pass_barrier();
        }
        state.settle(Settled { run: Run(1), epoch: Epoch(2), time: HybridTime::at(0) });
        assert_eq!((state.settled, state.lanes.len(), state.total()), (5, 1, 9));
        state.settle(Settled { run: Run(2), epoch: Epoch(0), time: HybridTime::at(0) });
        assert_eq!(state, LaneTotals { settled: 9, lanes: BTreeMap::new() });
    }

    #[test]
    fn a_total_stops_where_numbers_end_however_lanes_are_put_together() {
        let (mut here, mut there) = (Stamps::of(0), Stamps::of(1));
        let mut state = LaneTotals::default();
        let most = state.add(u64::MAX, here.at(1).dot.lane);
        state.join(&most);
        let more = state.add(7, there.at(1).dot.lane);
        state.join(&more);
        assert_eq!(state.total(), u64::MAX);
        state.settle(Settled { run: Run(1), epoch: Epoch(1), time: HybridTime::at(0) });
        assert_eq!(state.total(), u64::MAX);
    }

    #[test]
    fn who_counts_for_another_lane_is_refused() {
        let (mut here, mut there) = (Stamps::of(0), Stamps::of(1));
        let stamp = here.at(1);
        let delta = LaneTotals::default().add(1, stamp.dot.lane);
        assert_eq!(delta.check(&stamp), Ok(()));
        assert!(delta.check(&there.at(1)).is_err());
        assert!(LaneTotals { settled: 1, lanes: BTreeMap::new() }.check(&stamp).is_err());
    }
}

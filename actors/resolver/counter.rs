//! A number that goes up and down.

use serde::{Deserialize, Serialize};
use watershed_core::Data;
use watershed_core::shared::{Refusal, Resolver, Settled, Stamp};

use super::LaneTotals;

/// Counts up and down: the sum of all that is added on all sites.
///
/// The sum is exact as long as neither the ups nor the downs exceed a `u64` by themselves; beyond that they stop there.
/// It is read as the nearest `i64`.
///
/// ```
/// use watershed_actors::resolver::Counter;
/// use watershed_core::shared::Resolver;
/// use watershed_core::testing::Stamps;
///
/// let (mut here, mut there) = (Stamps::of(0), Stamps::of(1));
/// let mut stock = Default::default();
/// let delivered = Counter.update(&stock, 10, &here.at(1))?;
/// let sold = Counter.update(&stock, -4, &there.at(1))?;
/// Counter.join(&mut stock, &delivered);
/// Counter.join(&mut stock, &sold);
/// assert_eq!(Counter.value(&stock), 6);
/// # Ok::<(), watershed_core::shared::Refusal>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter;

/// Two numbers that only grow: of what was added, and of what was taken away.
///
/// Their difference by itself could not be joined: of two totals of a lane, nothing would say which is the newer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Data)]
pub struct CounterState {
    up: LaneTotals,
    down: LaneTotals,
}

impl Resolver<i64> for Counter {
    type State = CounterState;
    type Update = i64;
    type Value = i64;

    fn update(&self, state: &CounterState, amount: i64, stamp: &Stamp) -> Result<CounterState, Refusal> {
        let (up, down) = if amount > 0 { (amount.unsigned_abs(), 0) } else { (0, amount.unsigned_abs()) };
        let lane = stamp.dot.lane;
        Ok(CounterState { up: state.up.add(up, lane), down: state.down.add(down, lane) })
    }

    fn join(&self, state: &mut CounterState, other: &CounterState) {
        state.up.join(&other.up);
        state.down.join(&other.down);
    }

    fn value(&self, state: &CounterState) -> i64 {
        let sum = i128::from(state.up.total()) - i128::from(state.down.total());
        sum.clamp(i64::MIN.into(), i64::MAX.into()) as i64
    }

    fn check(&self, _: &CounterState, delta: &CounterState, stamp: &Stamp) -> Result<(), Refusal> {
        delta.up.check(stamp)?;
        delta.down.check(stamp)
    }

    fn settle(&self, state: &mut CounterState, settled: Settled) -> bool {
        state.up.settle(settled);
        state.down.settle(settled);
        false
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::testing::Stamps;

    use super::*;

    fn counted(amounts: &[i64]) -> i64 {
        let (mut here, mut state) = (Stamps::of(0), CounterState::default());
        for amount in amounts {
            let delta = Counter.update(&state, *amount, &here.at(1)).unwrap();
            Counter.join(&mut state, &delta);
        }
        Counter.value(&state)
    }

    #[test]
    fn ups_and_downs_add_up() {
        assert_eq!(counted(&[5, -7, 0, 1]), -1);
    }

    #[test]
    fn the_sum_is_exact_beyond_its_range_and_read_as_what_is_nearest() {
        assert_eq!(counted(&[i64::MIN, -1]), i64::MIN);
        assert_eq!(counted(&[i64::MAX, 1]), i64::MAX);
        assert_eq!(counted(&[i64::MAX, 1, -1]), i64::MAX);
        assert_eq!(counted(&[i64::MIN, -1, 2]), i64::MIN + 1);
    }

    #[test]
    fn who_counts_down_for_another_lane_is_refused() {
        let (mut here, mut there) = (Stamps::of(0), Stamps::of(1));
        let stamp = here.at(1);
        let delta = Counter.update(&CounterState::default(), -3, &stamp).unwrap();
        assert_eq!(Counter.check(&CounterState::default(), &delta, &stamp), Ok(()));
        assert!(Counter.check(&CounterState::default(), &delta, &there.at(1)).is_err());
    }
}

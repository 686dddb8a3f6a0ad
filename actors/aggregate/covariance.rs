//! How two numbers vary together.

use serde::{Deserialize, Serialize};
use watershed_core::{Data, EventTime};

use super::{Aggregate, Number};

/// The covariance of pairs of numbers, by Welford's recurrence. A NaN makes it NaN.
#[derive(Clone, Copy, Debug)]
pub struct Covariance {
    sample: bool,
}

impl Covariance {
    /// Of pairs that are all there are; `None` of none.
    pub fn population() -> Self {
        Covariance { sample: false }
    }

    /// Of pairs that stand for more; `None` of fewer than two.
    pub fn sample() -> Self {
        Covariance { sample: true }
    }
}

/// A count, two means, and the sum of products of the distances from them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, Data)]
pub struct CovarianceState {
    count: u64,
    mean_left: f64,
    mean_right: f64,
    products: f64,
}

impl<L: Number, R: Number> Aggregate<(L, R)> for Covariance {
    type Accumulator = CovarianceState;
    type Out = Option<f64>;

    fn empty(&self) -> CovarianceState {
        CovarianceState::default()
    }
    fn add(&self, state: &mut CovarianceState, (left, right): &(L, R), _time: EventTime) {
        state.count += 1;
        let from_old = left.float() - state.mean_left;
        state.mean_left += from_old / state.count as f64;
        state.mean_right += (right.float() - state.mean_right) / state.count as f64;
        state.products += from_old * (right.float() - state.mean_right);
    }
    fn merge(&self, state: &mut CovarianceState, other: &CovarianceState) {
        if state.count == 0 || other.count == 0 {
            if state.count == 0 {
                *state = *other;
            }
            return;
        }
        let count = state.count + other.count;
        let (left, right) = (other.mean_left - state.mean_left, other.mean_right - state.mean_right);
        let share = other.count as f64 / count as f64;
        state.products += other.products + left * right * state.count as f64 * share;
        state.mean_left += left * share;
        state.mean_right += right * share;
        state.count = count;
    }
    fn result(&self, state: &CovarianceState) -> Option<f64> {
        let least = if self.sample { 2 } else { 1 };
        (state.count >= least).then(|| state.products / (state.count - (least - 1)) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::testing::{merges_and_retracts, result};

    #[test]
    fn numbers_that_rise_together_vary_together() {
        let pairs = [(1_i32, 2.0), (2, 4.0), (3, 6.0), (4, 8.0)];
        assert_eq!(result(&Covariance::population(), &pairs), Some(2.5));
        assert_eq!(result(&Covariance::sample(), &pairs), Some(10.0 / 3.0));
        assert_eq!(result(&Covariance::sample(), &pairs[..1]), None);
    }

    #[test]
    fn parts_merge_to_the_whole() {
        let pairs: Vec<(f64, f64)> = (0..30).map(|i| (f64::from(i % 5), f64::from(i % 7) - 90.0)).collect();
        merges_and_retracts(&Covariance::sample(), &pairs, |a, b| {
            a.zip(*b).map_or(a == b, |(a, b)| (a - b).abs() < 1e-9)
        });
    }
}

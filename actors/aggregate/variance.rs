//! How far numbers lie from their mean.

use serde::{Deserialize, Serialize};
use watershed_core::{Data, EventTime};

use super::{Aggregate, Number};

/// The variance of numbers, by Welford's recurrence; parts are merged by Chan's formula. A NaN makes it
/// NaN.
#[derive(Clone, Copy, Debug)]
pub struct Variance {
    sample: bool,
}

impl Variance {
    /// Of numbers that are all there are: the mean squared distance; `None` of none.
    pub fn population() -> Self {
        Variance { sample: false }
    }

    /// Of numbers that stand for more: the sum of squared distances by one less than their count; `None` of fewer
    /// than two.
    pub fn sample() -> Self {
        Variance { sample: true }
    }
}

/// A count, a mean, and the sum of squared distances from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, Data)]
pub struct VarianceState {
    count: u64,
    mean: f64,
    squares: f64,
}

impl<N: Number> Aggregate<N> for Variance {
    type Accumulator = VarianceState;
    type Out = Option<f64>;

    fn empty(&self) -> VarianceState {
        VarianceState::default()
    }
    fn add(&self, state: &mut VarianceState, value: &N, _time: EventTime) {
        state.count += 1;
        let from_old = value.float() - state.mean;
        state.mean += from_old / state.count as f64;
        state.squares += from_old * (value.float() - state.mean);
    }
    fn merge(&self, state: &mut VarianceState, other: &VarianceState) {
        if state.count == 0 || other.count == 0 {
            if state.count == 0 {
                *state = *other;
            }
            return;
        }
        let count = state.count + other.count;
        let apart = other.mean - state.mean;
        let share = other.count as f64 / count as f64;
        state.squares += other.squares + apart * apart * state.count as f64 * share;
        state.mean += apart * share;
        state.count = count;
    }
    fn result(&self, state: &VarianceState) -> Option<f64> {
        let least = if self.sample { 2 } else { 1 };
        (state.count >= least).then(|| state.squares / (state.count - (least - 1)) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::testing::{merges_and_retracts, result};

    #[test]
    fn the_variance_is_the_mean_square_of_distances() {
        let values = [2_i32, 4, 4, 4, 5, 5, 7, 9];
        assert_eq!(result(&Variance::population(), &values), Some(4.0));
        assert_eq!(result(&Variance::sample(), &values), Some(32.0 / 7.0));
        assert_eq!(result(&Variance::sample(), &[1.0]), None);
        assert_eq!(result::<f64, _>(&Variance::population(), &[]), None);
    }

    #[test]
    fn parts_with_far_means_merge_without_cancelling() {
        let values: Vec<f64> = (0..40).map(|i| 1e9 + f64::from(i % 7) * 0.5).collect();
        merges_and_retracts(&Variance::population(), &values, |a, b| {
            a.zip(*b).map_or(a == b, |(a, b)| (a - b).abs() < 1e-6)
        });
    }
}

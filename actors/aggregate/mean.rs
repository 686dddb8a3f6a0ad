//! The arithmetic mean of numbers.

use serde::{Deserialize, Serialize};
use watershed_core::{Data, EventTime};

use super::{Aggregate, Number};

/// The mean of numbers; `None` of none. Of integers it is exact until the last division.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mean;

/// A total and the number of its parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, Data)]
pub struct MeanState<N> {
    total: N,
    count: u64,
}

impl<N: Number> Aggregate<N> for Mean {
    type Accumulator = MeanState<N::Total>;
    type Out = Option<f64>;
    const INVERTIBLE: bool = N::EXACT;

    #[inline]
    fn empty(&self) -> Self::Accumulator {
        MeanState { total: N::Total::default(), count: 0 }
    }
    #[inline]
    fn add(&self, mean: &mut Self::Accumulator, value: &N, _time: EventTime) {
        mean.total = N::plus(mean.total, value.total());
        mean.count += 1;
    }
    #[inline]
    fn merge(&self, mean: &mut Self::Accumulator, other: &Self::Accumulator) {
        mean.total = N::plus(mean.total, other.total);
        mean.count += other.count;
    }
    #[inline]
    fn retract(&self, mean: &mut Self::Accumulator, other: &Self::Accumulator) {
        mean.total = N::minus(mean.total, other.total);
        mean.count -= other.count;
    }
    #[inline]
    fn result(&self, mean: &Self::Accumulator) -> Option<f64> {
        (mean.count > 0).then(|| N::total_float(mean.total) / mean.count as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::testing::{merges_and_retracts, result};

    #[test]
    fn the_mean_of_nothing_is_none() {
        assert_eq!(result::<u32, _>(&Mean, &[]), None);
        assert_eq!(result(&Mean, &[1_u32, 2, 6]), Some(3.0));
        assert_eq!(result(&Mean, &[-1.5, 0.5]), Some(-0.5));
    }

    #[test]
    fn means_of_parts_weigh_by_their_counts() {
        merges_and_retracts(&Mean, &[3_i64, -9, 27, 4], Option::eq);
    }
}

//! The sum of numbers.

use watershed_core::EventTime;

use super::{Aggregate, Number};

/// Adds numbers up; see [`Number`] for how integers and floats do that.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum;

impl<N: Number> Aggregate<N> for Sum {
    type Accumulator = N::Total;
    type Out = N::Total;
    const INVERTIBLE: bool = N::EXACT;

    #[inline]
    fn empty(&self) -> N::Total {
        N::Total::default()
    }
    #[inline]
    fn add(&self, total: &mut N::Total, value: &N, _time: EventTime) {
        *total = N::plus(*total, value.total());
    }
    #[inline]
    fn merge(&self, total: &mut N::Total, other: &N::Total) {
        *total = N::plus(*total, *other);
    }
    #[inline]
    fn retract(&self, total: &mut N::Total, other: &N::Total) {
        *total = N::minus(*total, *other);
    }
    #[inline]
    fn result(&self, total: &N::Total) -> N::Total {
        *total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::testing::{merges_and_retracts, result};

    #[test]
    fn integers_add_up_exactly_in_sixty_four_bits() {
        assert_eq!(result(&Sum, &[200_u8, 200, 200]), 600);
        assert_eq!(result(&Sum, &[-5_i32, 3]), -2);
        merges_and_retracts(&Sum, &[i64::MAX, 17, -4, i64::MIN], i64::eq);
    }

    #[test]
    fn floats_add_up_and_a_nan_shows() {
        assert_eq!(result(&Sum, &[0.5_f32, 0.25]), 0.75);
        assert!(result(&Sum, &[1.0, f64::NAN, 2.0]).is_nan());
        merges_and_retracts(&Sum, &[0.1, 0.2, 0.7, 1e3], |a: &f64, b| (a - b).abs() < 1e-9);
    }
}

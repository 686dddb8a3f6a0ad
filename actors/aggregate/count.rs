//! How many values there were.

use watershed_core::EventTime;

use super::Aggregate;

/// Counts values of any type.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count;

impl<T> Aggregate<T> for Count {
    type Accumulator = u64;
    type Out = u64;
    const INVERTIBLE: bool = true;

    #[inline]
    fn empty(&self) -> u64 {
        0
    }
    #[inline]
    fn add(&self, count: &mut u64, _value: &T, _time: EventTime) {
        *count += 1;
    }
    #[inline]
    fn merge(&self, count: &mut u64, other: &u64) {
        *count += other;
    }
    #[inline]
    fn retract(&self, count: &mut u64, other: &u64) {
        *count -= other;
    }
    #[inline]
    fn result(&self, count: &u64) -> u64 {
        *count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::testing::{merges_and_retracts, result};

    #[test]
    fn counts_whatever_comes() {
        assert_eq!(result(&Count, &["a", "b", "a"]), 3);
        merges_and_retracts(&Count, &[1, 2, 3], u64::eq);
    }
}

//! All values as they are.

use watershed_core::{Data, EventTime};

use super::Aggregate;

/// Keeps all values, in the order of their times; of the same time, in the order in which they came.
///
/// The state grows with the records: a window that can be aggregated should be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Collect;

impl<T: Data> Aggregate<T> for Collect {
    type Accumulator = Vec<(EventTime, T)>;
    type Out = Vec<T>;

    fn empty(&self) -> Self::Accumulator {
        Vec::new()
    }
    fn add(&self, kept: &mut Self::Accumulator, value: &T, time: EventTime) {
        kept.push((time, value.clone()));
    }
    fn merge(&self, kept: &mut Self::Accumulator, other: &Self::Accumulator) {
        kept.extend_from_slice(other);
    }
    fn result(&self, kept: &Self::Accumulator) -> Vec<T> {
        self.finish(kept.clone())
    }
    fn finish(&self, mut kept: Self::Accumulator) -> Vec<T> {
        kept.sort_by_key(|(time, _)| *time);
        kept.into_iter().map(|(_, value)| value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::testing::{merges_and_retracts, result};

    #[test]
    fn values_come_in_the_order_of_their_times() {
        assert_eq!(result(&Collect, &['b', 'a']), ['b', 'a']);
        merges_and_retracts(&Collect, &['b', 'a', 'c'], Vec::eq);
    }
}

//! The greatest of values.

use watershed_core::{Data, EventTime};

use super::Aggregate;

/// The `k` greatest values, greatest first. Equal values count each.
///
/// Records are ranked by a field with [`of`](super::AggregateOf::of), as a pair with what is to be known of them:
/// `TopK::new(3).of(|bid: &Bid| (bid.price, bid.id))`.
#[derive(Clone, Copy, Debug)]
pub struct TopK {
    k: usize,
}

impl TopK {
    /// Keeps so many values.
    pub fn new(k: usize) -> Self {
        TopK { k }
    }
}

impl<T: Data + Ord> Aggregate<T> for TopK {
    type Accumulator = Vec<T>;
    type Out = Vec<T>;

    fn empty(&self) -> Vec<T> {
        Vec::new()
    }
    fn add(&self, kept: &mut Vec<T>, value: &T, _time: EventTime) {
        let place = kept.partition_point(|better| better >= value);
        if place < self.k {
            kept.truncate(self.k - 1);
            kept.insert(place, value.clone());
        }
    }
    fn merge(&self, kept: &mut Vec<T>, other: &Vec<T>) {
        other.iter().for_each(|value| self.add(kept, value, EventTime::MIN));
    }
    fn result(&self, kept: &Vec<T>) -> Vec<T> {
        kept.clone()
    }
    fn finish(&self, kept: Vec<T>) -> Vec<T> {
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::testing::{merges_and_retracts, result};

    #[test]
    fn keeps_the_greatest_in_their_order() {
        assert_eq!(result(&TopK::new(3), &[4, 9, 1, 9, 5]), [9, 9, 5]);
        assert_eq!(result(&TopK::new(3), &[4]), [4]);
        assert!(result(&TopK::new(0), &[4]).is_empty());
        merges_and_retracts(&TopK::new(2), &[4, 9, 1, 9, 5], Vec::eq);
    }
}

//! The values that come most often.

use std::collections::BTreeMap;

use watershed_core::{Data, EventTime};

use super::Aggregate;

/// The `k` most frequent values with their counts, most frequent first; of equally frequent ones, the
/// lesser first.
///
/// Counts are exact, so the state grows with the number of distinct values.
#[derive(Clone, Copy, Debug)]
pub struct MostFrequent {
    k: usize,
}

impl MostFrequent {
    /// Says so many values.
    pub fn new(k: usize) -> Self {
        MostFrequent { k }
    }
}

impl<T: Data + Ord> Aggregate<T> for MostFrequent {
    type Accumulator = BTreeMap<T, u64>;
    type Out = Vec<(T, u64)>;
    const INVERTIBLE: bool = true;

    fn empty(&self) -> Self::Accumulator {
        BTreeMap::new()
    }
    fn add(&self, counts: &mut Self::Accumulator, value: &T, _time: EventTime) {
        match counts.get_mut(value) {
            Some(count) => *count += 1,
            None => drop(counts.insert(value.clone(), 1)),
        }
    }
    fn merge(&self, counts: &mut Self::Accumulator, other: &Self::Accumulator) {
        for (value, more) in other {
            match counts.get_mut(value) {
                Some(count) => *count += more,
                None => drop(counts.insert(value.clone(), *more)),
            }
        }
    }
    fn retract(&self, counts: &mut Self::Accumulator, other: &Self::Accumulator) {
        for (value, fewer) in other {
            let count = counts.get_mut(value).expect("what is retracted was merged before");
            *count -= fewer;
            if *count == 0 {
                counts.remove(value);
            }
        }
    }
    fn result(&self, counts: &Self::Accumulator) -> Self::Out {
        let mut ranked: Vec<(&T, &u64)> = counts.iter().collect();
        // The map is in the order of values, and the sort keeps it among equal counts.
        ranked.sort_by(|a, b| b.1.cmp(a.1));
        ranked.into_iter().take(self.k).map(|(value, count)| (value.clone(), *count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::testing::{merges_and_retracts, result};

    #[test]
    fn counts_rank_and_values_break_ties() {
        let found = result(&MostFrequent::new(2), &['c', 'b', 'a', 'b', 'a', 'd']);
        assert_eq!(found, [('a', 2), ('b', 2)]);
        merges_and_retracts(&MostFrequent::new(9), &['c', 'b', 'a', 'b', 'a'], Vec::eq);
    }
}

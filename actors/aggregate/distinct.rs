//! How many different values there were, nearly.

use std::hash::Hash;

use hyperloglockless::HyperLogLog;
use serde::{Deserialize, Serialize};
use watershed_core::{Data, EventTime, hash_key};

use super::Aggregate;

/// The number of different values: exact up to 256, by HyperLogLog with a standard error of 1.6 % above.
///
/// The result depends on the values only: not on their order, the parallelism or the machine. The state is
/// 2 KiB while exact, and 4 KiB for ever after.
#[derive(Clone, Copy, Debug, Default)]
pub struct ApproxDistinct;

/// Up to how many different values are counted exactly.
const EXACT_MAX: usize = 256;
/// The base-2 logarithm of the number of registers.
const PRECISION: u8 = 12;

/// The different values: their hashes while they are few, a sketch when they are many.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum DistinctState {
    /// Hashes in ascending order.
    Few(Vec<u64>),
    /// Registers.
    Many(HyperLogLog),
}

impl Data for DistinctState {}

impl DistinctState {
    fn insert(&mut self, hash: u64) {
        match self {
            DistinctState::Few(hashes) => {
                let Err(place) = hashes.binary_search(&hash) else { return };
                hashes.insert(place, hash);
                if hashes.len() > EXACT_MAX {
                    let mut sketch = HyperLogLog::seeded(PRECISION, 0);
                    hashes.iter().for_each(|hash| sketch.insert_hash(*hash));
                    *self = DistinctState::Many(sketch);
                }
            }
            DistinctState::Many(sketch) => sketch.insert_hash(hash),
        }
    }

    fn merge(&mut self, other: &DistinctState) {
        match (&mut *self, other) {
            (_, DistinctState::Few(hashes)) => hashes.iter().for_each(|hash| self.insert(*hash)),
            (DistinctState::Few(hashes), DistinctState::Many(sketch)) => {
                let mut sketch = sketch.clone();
                hashes.iter().for_each(|hash| sketch.insert_hash(*hash));
                *self = DistinctState::Many(sketch);
            }
            (DistinctState::Many(into), DistinctState::Many(sketch)) => {
                into.union(sketch).expect("all sketches have the same precision");
            }
        }
    }
}

impl<T: Hash> Aggregate<T> for ApproxDistinct {
    type Accumulator = DistinctState;
    type Out = u64;

    fn empty(&self) -> DistinctState {
        DistinctState::Few(Vec::new())
    }
    fn add(&self, state: &mut DistinctState, value: &T, _time: EventTime) {
        // Hashed twice: one round leaves patterns of the value in some bits, and a sketch looks at each.
        state.insert(hash_key(&hash_key(value)));
    }
    fn merge(&self, state: &mut DistinctState, other: &DistinctState) {
        state.merge(other);
    }
    fn result(&self, state: &DistinctState) -> u64 {
        match state {
            DistinctState::Few(hashes) => hashes.len() as u64,
            DistinctState::Many(sketch) => sketch.count() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::testing::{merges_and_retracts, result};

    #[test]
    fn few_values_are_counted_exactly() {
        assert_eq!(result(&ApproxDistinct, &["a", "b", "a"]), 2);
        let values: Vec<u32> = (0..256).chain(0..256).collect();
        assert_eq!(result(&ApproxDistinct, &values), 256);
    }

    #[test]
    fn many_values_are_counted_nearly() {
        for count in [1_000_u64, 20_000, 300_000] {
            let values: Vec<u64> = (0..count).collect();
            let found = result(&ApproxDistinct, &values) as f64 / count as f64;
            assert!((found - 1.0).abs() < 0.06, "{found} of {count}");
        }
    }

    #[test]
    fn the_order_of_merging_does_not_show() {
        let values: Vec<u16> = (0..300).collect();
        merges_and_retracts(&ApproxDistinct, &values, u64::eq);
    }
}

//! The median and its kin, nearly.

use serde::{Deserialize, Serialize};
use sketches_ddsketch::{Config, DDSketch};
use watershed_core::{Data, EventTime};

use super::{Aggregate, Number};

/// Quantiles of numbers, each within 1 % of a value that has that rank (by `DDSketch`).
///
/// Values that are not finite are passed over. The state is some hundred counters, however many values there are.
#[derive(Clone, Debug)]
pub struct Quantiles {
    ranks: Vec<f64>,
}

impl Quantiles {
    /// The quantiles of these ranks, from 0 (the least value) to 1 (the greatest).
    ///
    /// # Panics
    ///
    /// Where a rank is not from 0 to 1.
    pub fn new(ranks: &[f64]) -> Self {
        assert!(ranks.iter().all(|rank| (0.0..=1.0).contains(rank)), "ranks lie between 0 and 1");
        Quantiles { ranks: ranks.to_vec() }
    }
}

/// Counters of values by their magnitude.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QuantileState(DDSketch);

impl Data for QuantileState {}

impl<N: Number> Aggregate<N> for Quantiles {
    type Accumulator = QuantileState;
    /// One value for each rank, or none at all where there was no value.
    type Out = Vec<f64>;

    fn empty(&self) -> QuantileState {
        QuantileState(DDSketch::new(Config::defaults()))
    }
    fn add(&self, state: &mut QuantileState, value: &N, _time: EventTime) {
        let value = value.float();
        if value.is_finite() {
            state.0.add(value);
        }
    }
    fn merge(&self, state: &mut QuantileState, other: &QuantileState) {
        state.0.merge(&other.0).expect("all sketches have the same configuration");
    }
    fn result(&self, state: &QuantileState) -> Vec<f64> {
        let value = |rank: &f64| state.0.quantile(*rank).expect("ranks lie between 0 and 1");
        self.ranks.iter().filter_map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::testing::{merges_and_retracts, result};

    #[test]
    fn quantiles_are_within_one_in_a_hundred() {
        let values: Vec<i32> = (-500..=500).rev().collect();
        let found = result(&Quantiles::new(&[0.0, 0.25, 0.9, 1.0]), &values);
        for (found, exact) in found.iter().zip([-500.0, -250.0, 400.0, 500.0_f64]) {
            assert!((found - exact).abs() <= exact.abs() * 0.011, "{found} for {exact}");
        }
    }

    #[test]
    fn what_is_not_finite_is_passed_over() {
        let quantiles = Quantiles::new(&[0.5]);
        assert!(result(&quantiles, &[f64::NAN, f64::INFINITY]).is_empty());
        assert_eq!(result(&quantiles, &[f64::NAN, 0.0]), [0.0]);
    }

    #[test]
    fn parts_merge_to_the_whole() {
        let values: Vec<f64> = (1..60).map(|i| f64::from(i * i) - 700.0).collect();
        merges_and_retracts(&Quantiles::new(&[0.1, 0.5, 0.99]), &values, Vec::eq);
    }
}

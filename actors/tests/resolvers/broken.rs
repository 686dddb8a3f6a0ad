//! Resolvers with mistakes that are easily made. Each must be found out, or the executions are too tame.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use watershed_actors::resolver::{LastWriter, SetUpdate, Write, Written};
use watershed_actors::source::Dice;
use watershed_core::causal::HybridTime;
use watershed_core::shared::{Refusal, Resolver, Settled, Stamp};
use watershed_core::{Data, Site};

use crate::SEEDS;
use crate::scripts::{Counts, Elements, Writes};
use crate::world::{self, Script, Told};

/// What went wrong in those executions in which something did.
fn found<S: Script>() -> Vec<String> {
    let found: Vec<String> = (0..SEEDS).filter_map(|seed| world::run::<S>(seed).err()).collect();
    println!("found in {} of {SEEDS} executions, first: {:?}", found.len(), found.first());
    found
}

/// A mean that is joined by taking the mean of two.
#[derive(Clone, Default)]
struct MeanOfMeans;

impl Resolver<f64> for MeanOfMeans {
    type State = Option<f64>;
    type Update = f64;
    type Value = Option<f64>;

    fn update(&self, _: &Option<f64>, reading: f64, _: &Stamp) -> Result<Option<f64>, Refusal> {
        Ok(Some(reading))
    }

    fn join(&self, state: &mut Option<f64>, other: &Option<f64>) {
        *state = match (*state, *other) {
            (Some(one), Some(other)) => Some(one.midpoint(other)),
            (one, other) => one.or(other),
        };
    }

    fn value(&self, state: &Option<f64>) -> Option<f64> {
        *state
    }
}

#[derive(Default)]
struct Readings;

impl Script for Readings {
    type Of = f64;
    type Resolver = MeanOfMeans;

    fn resolver(&self) -> MeanOfMeans {
        MeanOfMeans
    }

    fn next(&mut self, _: &Option<f64>, dice: &mut Dice) -> f64 {
        dice.unit()
    }

    fn expected(&self, told: &[&Told<f64>]) -> Option<f64> {
        let sum: f64 = told.iter().map(|told| told.update).sum();
        (!told.is_empty()).then(|| sum / told.len() as f64)
    }
}

#[test]
fn a_mean_of_means_is_found_out() {
    assert_eq!(found::<Readings>().len() as u64, SEEDS);
}

/// A counter with one total for each site, whatever the epoch.
#[derive(Clone, Default)]
struct CounterOfSites;

/// What was added and taken away on each site.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, Data)]
struct SiteTotals(BTreeMap<Site, (i64, i64)>);

impl Resolver<i64> for CounterOfSites {
    type State = SiteTotals;
    type Update = i64;
    type Value = i64;

    fn update(&self, state: &SiteTotals, amount: i64, stamp: &Stamp) -> Result<SiteTotals, Refusal> {
        let site = stamp.dot.lane.site;
        let (up, down) = state.0.get(&site).copied().unwrap_or_default();
        Ok(SiteTotals([(site, (up + amount.max(0), down - amount.min(0)))].into()))
    }

    fn join(&self, state: &mut SiteTotals, other: &SiteTotals) {
        for (site, (up, down)) in &other.0 {
            let total = state.0.entry(*site).or_default();
            *total = (total.0.max(*up), total.1.max(*down));
        }
    }

    fn value(&self, state: &SiteTotals) -> i64 {
        state.0.values().map(|(up, down)| up - down).sum()
    }
}

#[test]
fn a_counter_without_lanes_is_found_out() {
    let found = found::<Counts<CounterOfSites>>();
    assert!(found.len() as u64 > SEEDS / 2);
    assert!(
        found.iter().all(|why| why.starts_with("as of epoch")),
        "its joins are lawful, its sums are wrong"
    );
}

/// A counter whose deltas hold what was added, and not the new total.
#[derive(Clone, Default)]
struct CounterOfSteps;

impl Resolver<i64> for CounterOfSteps {
    type State = i64;
    type Update = i64;
    type Value = i64;

    fn update(&self, _: &i64, amount: i64, _: &Stamp) -> Result<i64, Refusal> {
        Ok(amount)
    }

    fn join(&self, state: &mut i64, other: &i64) {
        *state += other;
    }

    fn value(&self, state: &i64) -> i64 {
        *state
    }
}

#[test]
fn a_counter_that_counts_again_what_comes_again_is_found_out() {
    assert_eq!(found::<Counts<CounterOfSteps>>().len() as u64, SEEDS);
}

/// A set that knows elements by themselves, not by the updates that added them.
#[derive(Clone, Default)]
struct SetWithoutDots;

/// What was added and what was removed.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, Data)]
struct TwoSets {
    added: BTreeSet<u8>,
    removed: BTreeSet<u8>,
}

impl Resolver<u8> for SetWithoutDots {
    type State = TwoSets;
    type Update = SetUpdate<u8>;
    type Value = BTreeSet<u8>;

    fn update(&self, state: &TwoSets, update: SetUpdate<u8>, _: &Stamp) -> Result<TwoSets, Refusal> {
        let (added, removed) = match update {
            SetUpdate::Add(element) => ([element].into(), BTreeSet::new()),
            SetUpdate::Remove(element) => (BTreeSet::new(), [element].into()),
            SetUpdate::Clear => (BTreeSet::new(), state.added.clone()),
        };
        Ok(TwoSets { added, removed })
    }

    fn join(&self, state: &mut TwoSets, other: &TwoSets) {
        state.added.extend(&other.added);
        state.removed.extend(&other.removed);
    }

    fn value(&self, state: &TwoSets) -> BTreeSet<u8> {
        &state.added - &state.removed
    }
}

#[test]
fn a_set_without_dots_is_found_out() {
    let found = found::<Elements<SetWithoutDots>>();
    assert!(found.len() as u64 > SEEDS / 2);
    assert!(
        found.iter().all(|why| why.starts_with("as of epoch")),
        "its joins are lawful, its elements wrong"
    );
}

/// The last writer, but a removal is forgotten as soon as its lane has settled, whatever may still come.
#[derive(Clone, Default)]
struct HastyWriter;

impl Resolver<u8> for HastyWriter {
    type State = Option<Written<u8>>;
    type Update = Write<u8>;
    type Value = Option<u8>;

    fn update(&self, state: &Self::State, write: Write<u8>, stamp: &Stamp) -> Result<Self::State, Refusal> {
        LastWriter.update(state, write, stamp)
    }

    fn join(&self, state: &mut Self::State, other: &Self::State) {
        LastWriter.join(state, other);
    }

    fn value(&self, state: &Self::State) -> Option<u8> {
        LastWriter.value(state)
    }

    fn settle(&self, state: &mut Self::State, settled: Settled) -> bool {
        LastWriter.settle(state, Settled { time: HybridTime(u64::MAX), ..settled })
    }
}

#[test]
fn a_last_writer_that_forgets_too_early_is_found_out() {
    assert!(!found::<Writes<HastyWriter>>().is_empty());
}

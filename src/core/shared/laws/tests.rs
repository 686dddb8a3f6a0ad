//! Resolvers that keep the laws, and one that breaks each.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::causal::{HybridTime, Lane};
use crate::shared::doubles::{Count, Counts, Most, Tag, Tagged, Tags};
use crate::shared::{Refusal, Settled, Stamp};
use crate::testing::verify_resolver;
use crate::{KeyGroups, Pipeline};

const EFFORT: Effort = Effort { steps_max: 10, seeds: 40 };

/// What is found of a resolver, in words; nothing where it keeps the laws.
fn found<V: Data, R>(resolver: &R, updates: &[R::Update]) -> String
where
    R: Resolver<V, State: Sync + Debug, Update: Debug, Value: Serialize>,
{
    let telling =
        Telling { state: &|state: &R::State| format!("{state:?}"), update: &|update| format!("{update:?}") };
    let broken = find_broken::<V, R>(resolver, updates, EFFORT, &telling);
    broken.map(|broken| broken.to_string()).unwrap_or_default()
}

fn tags() -> Vec<Tag> {
    let [x, y] = ["x", "y"].map(str::to_owned);
    vec![Tag::Add(x.clone()), Tag::Add(y), Tag::Remove(x)]
}

#[test]
fn resolvers_that_keep_the_laws_pass() {
    verify_resolver::<u64, _>(&Most, &[1, 5, 5, u64::MAX]);
    verify_resolver::<u64, _>(&Count, &[1, 2, 5]);
    verify_resolver::<String, _>(&Tags, &tags());
}

#[test]
#[should_panic(expected = "joining with the default changes nothing, but here")]
fn a_broken_law_is_a_panic() {
    verify_resolver::<u64, _>(&Broke(Fault::Last), &[1, 2]);
}

/// A number for each key, joined in one of many wrong ways.
#[derive(Clone)]
struct Broke(Fault);

#[derive(Clone)]
enum Fault {
    /// What is joined last stays.
    Last,
    /// Numbers are added.
    Sum,
    /// The mean of two is taken.
    Mean,
    /// The default is larger than some.
    Bottom,
    /// What is taken depends on what else there is.
    Check,
    /// Nothing is taken.
    Refuse,
    /// Each update is another.
    Counter(Arc<AtomicU64>),
    /// Settled numbers are forgotten.
    Settle,
}

impl Resolver<u64> for Broke {
    type State = u64;
    type Update = u64;
    type Value = u64;

    fn update(&self, _: &u64, update: u64, _: &Stamp) -> Result<u64, Refusal> {
        let drawn =
            if let Fault::Counter(drawn) = &self.0 { drawn.fetch_add(1, Ordering::Relaxed) } else { 0 };
        Ok(update + drawn)
    }

    fn join(&self, state: &mut u64, other: &u64) {
        *state = match &self.0 {
            Fault::Last => *other,
            Fault::Sum => *state + other,
            Fault::Mean => u64::midpoint(*state, *other),
            Fault::Bottom => (*state).max(*other).max(2),
            Fault::Check | Fault::Refuse | Fault::Counter(_) | Fault::Settle => (*state).max(*other),
        }
    }

    fn value(&self, state: &u64) -> u64 {
        *state
    }

    fn check(&self, state: &u64, _: &u64, _: &Stamp) -> Result<(), Refusal> {
        let refuses = matches!(self.0, Fault::Refuse) || (matches!(self.0, Fault::Check) && *state >= 4);
        if refuses { Err(Refusal::Update("never".to_owned())) } else { Ok(()) }
    }

    fn examples(&self) -> Vec<u64> {
        vec![1, 2]
    }

    fn settle(&self, state: &mut u64, _: Settled) -> bool {
        if let Fault::Settle = self.0 {
            *state = 0;
        }
        false
    }
}

#[test]
fn a_number_that_is_joined_wrongly_is_found_out() {
    let law =
        |fault| found::<u64, _>(&Broke(fault), &[1, 2, 4]).lines().next().unwrap_or_default().to_owned();
    assert_eq!(law(Fault::Last), "joining with the default changes nothing, but here");
    assert_eq!(law(Fault::Sum), "what is joined twice counts once, but here");
    assert_eq!(law(Fault::Mean), "joining with the default changes nothing, but here");
    assert_eq!(law(Fault::Bottom), "joining with the default changes nothing, but here");
    assert_eq!(law(Fault::Check), "what update makes is taken elsewhere, but here");
    assert_eq!(law(Fault::Refuse), "some of the updates are taken, but here");
    let drawn = Arc::default();
    assert_eq!(law(Fault::Counter(drawn)), "one update makes one delta, however often it is asked, but here");
    assert_eq!(law(Fault::Settle), "what has settled reads as before, but here");
}

#[cfg(debug_assertions)]
#[test]
fn a_pipeline_refuses_a_resolver_that_breaks_a_law_with_its_own_examples() {
    let pipeline = Pipeline::new("test", KeyGroups::default());
    let _handle = pipeline.shared::<u8, _, _>("odd", Broke(Fault::Sum));
    let error = pipeline.plan().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the resolver of the shared state \"odd\" breaks a law: what is joined twice counts once, but here\n  \
         a is [01] as MessagePack\n  a joined with a is [02] as MessagePack\nafter\n  \
         update 1 of site 0 in epoch 1 of run 1: [01] as MessagePack"
    );
}

#[test]
fn a_counterexample_is_small() {
    assert_eq!(
        found::<u64, _>(&Broke(Fault::Sum), &[7]),
        "what is joined twice counts once, but here\n  a is 7\n  a joined with a is 14\nafter\n  \
         update 1 of site 0 in epoch 1 of run 1: 7"
    );
}

/// Counts without a lane for each site and epoch.
#[derive(Clone)]
struct OneLane;

impl Resolver<u64> for OneLane {
    type State = BTreeMap<u16, u64>;
    type Update = u64;
    type Value = u64;

    fn update(&self, state: &BTreeMap<u16, u64>, update: u64, stamp: &Stamp) -> Result<Self::State, Refusal> {
        let site = stamp.dot.lane.site.0;
        Ok(BTreeMap::from([(site, state.get(&site).copied().unwrap_or_default() + update)]))
    }

    fn join(&self, state: &mut BTreeMap<u16, u64>, other: &BTreeMap<u16, u64>) {
        for (site, total) in other {
            let own = state.entry(*site).or_default();
            *own = (*own).max(*total);
        }
    }

    fn value(&self, state: &BTreeMap<u16, u64>) -> u64 {
        state.values().sum()
    }
}

#[test]
fn a_lattice_is_not_blamed_for_what_it_means() {
    assert_eq!(found::<u64, _>(&OneLane, &[1, 2]), "", "it loses updates, and all sites lose the same");
}

/// A resolver that settles more than it may: all lanes.
#[derive(Clone)]
struct Hasty;

impl Resolver<u64> for Hasty {
    type State = Counts;
    type Update = u64;
    type Value = u64;

    fn update(&self, state: &Counts, update: u64, stamp: &Stamp) -> Result<Counts, Refusal> {
        Count.update(state, update, stamp)
    }

    fn join(&self, state: &mut Counts, other: &Counts) {
        Count.join(state, other);
    }

    fn value(&self, state: &Counts) -> u64 {
        Count.value(state)
    }

    fn settle(&self, state: &mut Counts, settled: Settled) -> bool {
        let hasty = Settled { epoch: crate::Epoch(u64::MAX), ..settled };
        Count.settle(state, hasty)
    }
}

#[test]
fn settling_what_is_still_open_is_found_out() {
    let told = found::<u64, _>(&Hasty, &[1, 2]);
    assert!(told.contains("settle"), "{told}");
}

/// A set that forgets at once what it has removed.
#[derive(Clone)]
struct Forgetful;

impl Resolver<String> for Forgetful {
    type State = Tagged;
    type Update = Tag;
    type Value = std::collections::BTreeSet<String>;

    fn update(&self, state: &Tagged, update: Tag, stamp: &Stamp) -> Result<Tagged, Refusal> {
        Tags.update(state, update, stamp)
    }

    fn join(&self, state: &mut Tagged, other: &Tagged) {
        Tags.join(state, other);
        state.removed.clear();
    }

    fn value(&self, state: &Tagged) -> Self::Value {
        Tags.value(state)
    }
}

#[test]
fn a_set_that_forgets_what_was_removed_is_found_out() {
    assert!(!found::<String, _>(&Forgetful, &tags()).is_empty());
}

/// A number whose bytes tell how it came to be.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize, crate::Data)]
struct Told {
    number: u64,
    joined: u64,
}

impl PartialEq for Told {
    fn eq(&self, other: &Told) -> bool {
        self.number == other.number
    }
}

#[derive(Clone)]
struct Telltale;

impl Resolver<u64> for Telltale {
    type State = Told;
    type Update = u64;
    type Value = u64;

    fn update(&self, _: &Told, number: u64, _: &Stamp) -> Result<Told, Refusal> {
        Ok(Told { number, joined: 0 })
    }

    fn join(&self, state: &mut Told, other: &Told) {
        *state = Told { number: state.number.max(other.number), joined: state.joined + 1 };
    }

    fn value(&self, state: &Told) -> u64 {
        state.number
    }
}

#[test]
fn equal_states_with_different_bytes_are_found_out() {
    let told = found::<u64, _>(&Telltale, &[1]);
    assert!(told.starts_with("equal states have equal MessagePack, but here"), "{told}");
}

/// The newest number by time, which forgets the time of what has settled, though older ones may still come.
#[derive(Clone)]
struct Careless;

impl Resolver<u64> for Careless {
    type State = Option<(HybridTime, Lane, u64)>;
    type Update = u64;
    type Value = Option<u64>;

    fn update(&self, _: &Self::State, number: u64, stamp: &Stamp) -> Result<Self::State, Refusal> {
        Ok(Some((stamp.time, stamp.dot.lane, number)))
    }

    fn join(&self, state: &mut Self::State, other: &Self::State) {
        *state = (*state).max(*other);
    }

    fn value(&self, state: &Self::State) -> Option<u64> {
        state.map(|(_, _, number)| number)
    }

    fn settle(&self, state: &mut Self::State, settled: Settled) -> bool {
        if let Some((time, lane, _)) = state
            && settled.has(*lane)
        {
            *time = HybridTime(0);
        }
        false
    }
}

#[test]
fn an_older_time_in_a_later_lane_is_not_overlooked() {
    let told = found::<u64, _>(&Careless, &[1, 2]);
    assert!(!told.is_empty());
}

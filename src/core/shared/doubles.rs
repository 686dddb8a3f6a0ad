//! Resolvers for tests, as small as they can be.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::causal::{Dot, HybridTime, Lane};
use crate::shared::{Refusal, Resolver, Settled, Stamp};
use crate::{Counter, Data, Epoch, Run, Site, SubtaskId, VertexId};

/// The largest number.
#[derive(Clone, Debug)]
pub(crate) struct Most;

impl Resolver<u64> for Most {
    type State = Option<u64>;
    type Update = u64;
    type Value = Option<u64>;

    fn update(&self, _: &Option<u64>, update: u64, _: &Stamp) -> Result<Option<u64>, Refusal> {
        if update == u64::MAX { Err(Refusal::Update("too much".to_owned())) } else { Ok(Some(update)) }
    }

    fn join(&self, state: &mut Option<u64>, other: &Option<u64>) {
        *state = (*state).max(*other);
    }

    fn value(&self, state: &Option<u64>) -> Option<u64> {
        *state
    }

    fn check(&self, _: &Option<u64>, delta: &Option<u64>, _: &Stamp) -> Result<(), Refusal> {
        if delta.is_some() { Ok(()) } else { Err(Refusal::Update("it says nothing".to_owned())) }
    }
}

/// Counts: for each lane its own total, and one sum of the lanes that are settled.
#[derive(Clone, Debug)]
pub(crate) struct Count;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Data)]
pub(crate) struct Counts {
    pub(crate) settled: u64,
    pub(crate) lanes: BTreeMap<Lane, u64>,
}

impl Resolver<u64> for Count {
    type State = Counts;
    type Update = u64;
    type Value = u64;

    fn update(&self, state: &Counts, update: u64, stamp: &Stamp) -> Result<Counts, Refusal> {
        let lane = stamp.dot.lane;
        let total = state.lanes.get(&lane).copied().unwrap_or_default() + update;
        Ok(Counts { settled: 0, lanes: BTreeMap::from([(lane, total)]) })
    }

    fn join(&self, state: &mut Counts, other: &Counts) {
        state.settled = state.settled.max(other.settled);
        for (lane, total) in &other.lanes {
            let own = state.lanes.entry(*lane).or_default();
            *own = (*own).max(*total);
        }
    }

    fn value(&self, state: &Counts) -> u64 {
        state.settled + state.lanes.values().sum::<u64>()
    }

    fn settle(&self, state: &mut Counts, settled: Settled) -> bool {
        let Counts { settled: sum, lanes } = state;
        lanes.retain(|lane, total| {
            let open = !settled.has(*lane);
            *sum += if open { 0 } else { *total };
            open
        });
        false
    }
}

/// A set whose removals remember what they have removed, until nothing can bring it back.
#[derive(Clone, Debug)]
pub(crate) struct Tags;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
pub(crate) enum Tag {
    Add(String),
    Remove(String),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Data)]
pub(crate) struct Tagged {
    added: BTreeMap<Dot, String>,
    pub(crate) removed: BTreeSet<Dot>,
}

impl Resolver<String> for Tags {
    type State = Tagged;
    type Update = Tag;
    type Value = BTreeSet<String>;

    fn update(&self, state: &Tagged, update: Tag, stamp: &Stamp) -> Result<Tagged, Refusal> {
        Ok(match update {
            Tag::Add(tag) => Tagged { added: BTreeMap::from([(stamp.dot, tag)]), ..Tagged::default() },
            Tag::Remove(tag) => {
                let removed = state.added.iter().filter(|(_, other)| **other == tag).map(|(dot, _)| *dot);
                Tagged { removed: removed.collect(), ..Tagged::default() }
            }
        })
    }

    fn join(&self, state: &mut Tagged, other: &Tagged) {
        state.added.extend(other.added.clone());
        state.removed.extend(&other.removed);
        let Tagged { added, removed } = state;
        added.retain(|dot, _| !removed.contains(dot));
    }

    fn value(&self, state: &Tagged) -> BTreeSet<String> {
        state.added.values().cloned().collect()
    }

    fn settle(&self, state: &mut Tagged, settled: Settled) -> bool {
        state.removed.retain(|dot| !settled.has(dot.lane));
        false
    }
}

/// The stamp of an update of run 1.
pub(crate) fn stamp(epoch: u64, site: u16, counter: u64) -> Stamp {
    let lane = Lane { run: Run(1), epoch: Epoch(epoch), site: Site(site) };
    let writer = SubtaskId { vertex: VertexId(0), index: u32::from(site) };
    Stamp { dot: Dot { lane, counter: Counter(counter) }, time: HybridTime(counter), writer }
}

//! State that subtasks share: counted by some, witnessed by another, over restarts and lost nodes.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use serde::{Deserialize, Serialize};
use watershed_core::causal::Lane;
use watershed_core::shared::{AnyShared, Refusal, Resolver, Settled, Shared, Stamp};
use watershed_core::{Chain, Stream};

use super::poison::{Table, lasting, slowly};
use super::*;
use crate::PoisonConfig;

/// How much was counted in each lane, and in those that are settled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Counted {
    settled: u64,
    lanes: BTreeMap<Lane, u64>,
}

impl Data for Counted {}

/// Adds up what is counted on all sites.
#[derive(Clone, Copy)]
pub(super) struct Count;

impl Resolver<u64> for Count {
    type State = Counted;
    type Update = u64;
    type Value = u64;

    fn update(&self, state: &Counted, more: u64, stamp: &Stamp) -> Result<Counted, Refusal> {
        let lane = stamp.dot.lane;
        let total = state.lanes.get(&lane).copied().unwrap_or_default() + more;
        Ok(Counted { settled: 0, lanes: BTreeMap::from([(lane, total)]) })
    }

    fn join(&self, state: &mut Counted, other: &Counted) {
        state.settled = state.settled.max(other.settled);
        for (lane, total) in &other.lanes {
            let known = state.lanes.entry(*lane).or_default();
            *known = (*known).max(*total);
        }
    }

    fn value(&self, state: &Counted) -> u64 {
        state.settled + state.lanes.values().sum::<u64>()
    }

    fn settle(&self, state: &mut Counted, settled: Settled) -> bool {
        let (past, open) =
            std::mem::take(&mut state.lanes).into_iter().partition(|(lane, _)| settled.has(*lane));
        state.lanes = open;
        let past: BTreeMap<Lane, u64> = past;
        state.settled += past.values().sum::<u64>();
        false
    }
}

type Total = Shared<u8, u64, Count>;

/// Counts each number where all can see it, and passes it on. One that is told to panics once.
#[derive(Clone)]
struct Counting {
    total: Total,
    panics: Option<Arc<AtomicBool>>,
}

impl Operator for Counting {
    type Key = u64;
    type In = u64;
    type Out = u64;
    type State = ();

    fn shared(&self) -> Vec<AnyShared> {
        vec![self.total.any()]
    }

    fn on_record(&self, n: u64, (): &mut (), cx: &mut impl Context<Self>) {
        let panics = n == COUNT / 2 && self.panics.as_ref().is_some_and(|panics| panics.swap(false, SeqCst));
        assert!(!panics, "this number panics once");
        cx.update(&self.total, &0, 1).expect("a count is small");
        cx.emit(n);
    }
}

/// Says how many numbers have come, and how many it reads were counted.
#[derive(Clone)]
struct Witness {
    total: Total,
}

impl Operator for Witness {
    type Key = u8;
    type In = u64;
    type Out = (u64, u64);
    type State = u64;

    fn shared(&self) -> Vec<AnyShared> {
        vec![self.total.any()]
    }

    fn on_record(&self, _: u64, came: &mut u64, cx: &mut impl Context<Self>) {
        *came += 1;
        cx.emit((*came, cx.read(&self.total, &0)));
    }
}

const COUNT: u64 = 4000;

/// Has numbers counted by several subtasks and witnessed by one.
pub(super) fn witnessed<C: Chain<Out = u64> + 'static>(
    pipeline: &Pipeline,
    numbers: Stream<C>,
    panics: Option<Arc<AtomicBool>>,
    table: Table<(u64, u64)>,
) {
    let total = pipeline.shared("total", Count);
    let counted = numbers.rebalance().key_by(|n| n % 16).process(Counting { total: total.clone(), panics });
    counted.key_by(|_| 0_u8).process(Witness { total }).sink(table);
}

/// Whoever has received a number sees at least what its sender had seen: the number, counted. In the end each was counted
/// once.
#[track_caller]
pub(super) fn expect_witnessed(rows: &[(u64, u64)], count: u64) {
    let came: Vec<u64> = rows.iter().map(|(came, _)| *came).collect();
    assert_eq!(came, (1..=count).collect::<Vec<_>>(), "each came once");
    let too_few = rows.iter().find(|(came, counted)| counted < came);
    assert_eq!(too_few, None, "so many came, and so many were counted");
    assert_eq!(rows.last(), Some(&(count, count)), "in the end each was counted once");
}

#[test]
fn what_was_counted_before_a_restart_is_counted_once() {
    let pipeline = pipeline();
    let (table, panics) = (Table::new(), Arc::new(AtomicBool::new(true)));
    let numbers = pipeline.source(Numbers::up_to(COUNT)).map(slowly);
    witnessed(&pipeline, numbers, Some(panics.clone()), table.clone());
    let (config, storage) = lasting(PoisonConfig::default());
    let summary = crate::run(&Rc::new(pipeline.plan().unwrap()), &config, storage, |_| {}).unwrap();
    assert_eq!((summary.end, summary.checkpoints.restarts), (JobEnd::Complete, 1));
    assert!(!panics.load(SeqCst));
    expect_witnessed(&table.sorted(), COUNT);
}

#[test]
fn a_job_that_keeps_nothing_shares_too() {
    let pipeline = pipeline();
    let table = Table::new();
    witnessed(&pipeline, pipeline.source(Numbers::up_to(COUNT)), None, table.clone());
    run(&pipeline, &config(2, 64)).unwrap();
    expect_witnessed(&table.sorted(), COUNT);
}

//! The program that the nodes of these tests run.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};

use watershed_core::{Chain, Position, Source, SourceError, Stream};

use super::super::agree::limited;
use super::super::poison::Table;
use super::super::reins::{Reined, Reins};
use super::super::shared::witnessed;
use super::super::*;
use crate::CheckpointConfig;
use crate::cluster::{JobSpec, Planned, Programs};

/// Numbers whose splits cannot be listed at first: that is done by the coordinator, which panics.
#[derive(Clone)]
struct Fragile {
    numbers: Reined,
    panics: Option<Arc<AtomicU32>>,
}

impl Source for Fragile {
    type Out = u64;
    type Split = ();
    type Reader = <Reined as Source>::Reader;

    fn splits(&self, parallelism: u32) -> Result<Vec<()>, SourceError> {
        let left = |panics: &Arc<AtomicU32>| panics.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1));
        assert!(self.panics.as_ref().is_none_or(|panics| left(panics).is_err()), "this listing panics");
        self.numbers.splits(parallelism)
    }

    fn open(&self, split: &(), from: Option<Position>) -> Result<Self::Reader, SourceError> {
        self.numbers.open(split, from)
    }

    fn gives_times(&self) -> bool {
        true
    }

    fn describe(&self, split: &()) -> String {
        self.numbers.describe(split)
    }
}

/// How often the coordinators of the job `panics` still panic.
pub(super) static PANICS: LazyLock<Arc<AtomicU32>> = LazyLock::new(|| Arc::new(AtomicU32::new(2)));

/// The jobs that are watched, each by one test.
pub(super) const SLOW: &str = "slow";
pub(super) const ALONE: &str = "alone";
pub(super) const NARROW: &str = "narrow";

/// How many numbers of a job that is watched have been read, how many have been received, and how many have been under way
/// at most. Only the first of them means something where the job goes back to a checkpoint.
pub(super) struct Watch {
    pub(super) read: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) worst: AtomicU64,
}

impl Watch {
    const fn new() -> Self {
        Watch { read: AtomicU64::new(0), received: AtomicU64::new(0), worst: AtomicU64::new(0) }
    }

    /// What is watched of a job.
    pub(super) fn of(job: &str) -> &'static Watch {
        static WATCHES: [(&str, Watch); 3] =
            [(SLOW, Watch::new()), (ALONE, Watch::new()), (NARROW, Watch::new())];
        let found = WATCHES.iter().find(|(name, _)| *name == job);
        &found.expect("a job is watched by one of these names").1
    }

    /// Begins anew.
    pub(super) fn reset(&self) {
        [&self.read, &self.received, &self.worst].into_iter().for_each(|count| count.store(0, SeqCst));
    }

    fn receives(&self) {
        let under_way = self.read.load(SeqCst).saturating_sub(self.received.fetch_add(1, SeqCst));
        self.worst.fetch_max(under_way, SeqCst);
    }
}

/// Whether the operator of the job `gated` stands still.
pub(super) static GATE: AtomicBool = AtomicBool::new(false);

/// A job whose operator stands still while the gate is closed, and is waited for when it is to stop.
fn gated<C: Chain<Out = u64> + 'static>(numbers: Stream<C>, pipeline: &Pipeline) -> Result<Planned, String> {
    let passed = numbers.map(|n| {
        while GATE.load(SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        n
    });
    passed.rebalance().discard();
    let config = Config { stop_within: Duration::from_secs(300), ..config(1, 64) };
    let plan = pipeline.plan().map_err(|error| error.to_string())?;
    Ok(Planned { plan, config, backend: None })
}

/// The parameter of a job that goes on until the test has done.
pub(super) const ENDLESS: &str = "endless";

/// Doubles numbers on several nodes.
pub(super) struct Doubling {
    pub(super) table: Table<(u64, u64)>,
    /// What the exchange is called; the same on all nodes, unless somebody runs another program.
    pub(super) uid: &'static str,
    /// How far the jobs read that are to go on until the test has done.
    pub(super) reins: Arc<Reins>,
}

impl Programs for Doubling {
    fn plan(&self, spec: &JobSpec) -> Result<Planned, String> {
        assert!(!spec.parameters.contains_key("undrawable"), "this pipeline cannot be drawn");
        let count = spec.parameters.get("count").and_then(|count| count.parse().ok()).unwrap_or(20_000);
        let pause = spec.parameters.get("pause").and_then(|pause| pause.parse().ok()).unwrap_or(0);
        let pipeline = pipeline();
        let panics = spec.parameters.contains_key("panics").then(|| PANICS.clone());
        let is_endless = spec.parameters.contains_key(ENDLESS);
        let reins = if is_endless { self.reins.clone() } else { Reins::up_to(count) };
        let numbers = pipeline.source(Fragile { numbers: Reined(reins), panics }).map(move |n| {
            if n % 100 == 0 && pause > 0 {
                std::thread::sleep(Duration::from_millis(pause));
            }
            n
        });
        let interval =
            spec.parameters.get("interval").and_then(|interval| interval.parse().ok()).unwrap_or(100);
        if spec.parameters.contains_key("gated") {
            return gated(numbers, &pipeline);
        }
        let checkpoints = CheckpointConfig {
            interval: Some(Duration::from_millis(interval)),
            ..CheckpointConfig::default()
        };
        let config = Config { checkpoints, ..config(2, 64) };
        if spec.parameters.contains_key("agrees") {
            limited(&pipeline, numbers, None, self.table.clone());
            let plan = pipeline.plan().map_err(|error| error.to_string())?;
            return Ok(Planned { plan, config, backend: None });
        }
        if spec.parameters.contains_key("shared") {
            witnessed(&pipeline, numbers, None, self.table.clone());
            let plan = pipeline.plan().map_err(|error| error.to_string())?;
            return Ok(Planned { plan, config, backend: None });
        }
        let bytes = spec.parameters.get("bytes").and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
        let watch = spec.parameters.get("watched").map(|job| Watch::of(job));
        let heavy = numbers.map(move |n| {
            if let Some(watch) = watch {
                watch.read.fetch_add(1, SeqCst);
            }
            (n, "x".repeat(bytes))
        });
        let received = heavy.uid(self.uid).rebalance().flat_map(move |(n, _)| {
            if let Some(watch) = watch {
                watch.receives();
                std::thread::sleep(Duration::from_micros(500));
            }
            [n, n]
        });
        received.key_by(|n| *n).process(Burst).sink(self.table.clone());
        let plan = pipeline.plan().map_err(|error| error.to_string())?;
        Ok(Planned { plan, config, backend: None })
    }
}

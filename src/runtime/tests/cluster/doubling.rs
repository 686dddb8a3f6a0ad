//! The program that the nodes of these tests run.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};

use watershed_core::testing::Numbers;
use watershed_core::{Position, Source, SourceError};

use super::super::agree::limited;
use super::super::poison::Table;
use super::super::shared::witnessed;
use super::super::*;
use crate::CheckpointConfig;
use crate::cluster::{JobSpec, Planned, Programs};

/// Numbers whose splits cannot be listed at first: that is done by the coordinator, which panics.
#[derive(Clone)]
struct Fragile {
    numbers: Numbers,
    panics: Option<Arc<AtomicU32>>,
}

impl Source for Fragile {
    type Out = u64;
    type Split = ();
    type Reader = <Numbers as Source>::Reader;

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

/// How many numbers of the job `watched` have been read and not received, and the most there ever were.
pub(super) static UNDER_WAY: AtomicU64 = AtomicU64::new(0);
pub(super) static WORST: AtomicU64 = AtomicU64::new(0);

/// Doubles numbers on several nodes.
pub(super) struct Doubling {
    pub(super) table: Table<(u64, u64)>,
    /// What the exchange is called; the same on all nodes, unless somebody runs another program.
    pub(super) uid: &'static str,
}

impl Programs for Doubling {
    fn plan(&self, spec: &JobSpec) -> Result<Planned, String> {
        let count = spec.parameters.get("count").and_then(|count| count.parse().ok()).unwrap_or(20_000);
        let pause = spec.parameters.get("pause").and_then(|pause| pause.parse().ok()).unwrap_or(0);
        let pipeline = pipeline();
        let panics = spec.parameters.contains_key("panics").then(|| PANICS.clone());
        let numbers = pipeline.source(Fragile { numbers: Numbers::up_to(count), panics }).map(move |n| {
            if n % 100 == 0 && pause > 0 {
                std::thread::sleep(Duration::from_millis(pause));
            }
            n
        });
        let interval =
            spec.parameters.get("interval").and_then(|interval| interval.parse().ok()).unwrap_or(100);
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
        let watched = spec.parameters.contains_key("watched");
        let heavy = numbers.map(move |n| {
            if watched {
                UNDER_WAY.fetch_add(1, SeqCst);
            }
            (n, "x".repeat(bytes))
        });
        let received = heavy.uid(self.uid).rebalance().flat_map(move |(n, _)| {
            if watched {
                WORST.fetch_max(UNDER_WAY.fetch_sub(1, SeqCst), SeqCst);
                std::thread::sleep(Duration::from_micros(500));
            }
            [n, n]
        });
        received.key_by(|n| *n).process(Burst).sink(self.table.clone());
        let plan = pipeline.plan().map_err(|error| error.to_string())?;
        Ok(Planned { plan, config, backend: None })
    }
}

//! What all sessions know of the cluster with which they work.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use watershed::actors::source::Dice;

use super::history::{self, History};
use super::session::Session;
use super::told::Told;

/// How long all operations may take, at most: so long, and a moment for each.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(600), Duration::from_millis(40));

/// What sessions are to do.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    /// How many operations all of them together try.
    pub(crate) operations: usize,
    /// How many sessions there are.
    pub(crate) sessions: u64,
    /// At which level lists are read.
    pub(crate) level: String,
    /// What decides who does what, as far as clocks and nodes allow.
    pub(crate) seed: u64,
}

/// What all sessions know.
pub(crate) struct World {
    workload: Workload,
    nodes: Vec<SocketAddr>,
    histories: Mutex<BTreeMap<u64, Arc<History>>>,
    counted: AtomicUsize,
    /// A run in which somebody else has written: nothing that is read there can be judged.
    foreign: OnceLock<u64>,
    ends_at: Instant,
}

impl World {
    /// With nodes that answer there.
    pub(crate) fn new(workload: Workload, nodes: Vec<SocketAddr>) -> Self {
        let ends_at = Instant::now() + PATIENCE.0 + PATIENCE.1 * workload.operations as u32;
        World {
            workload,
            nodes,
            histories: Mutex::default(),
            counted: AtomicUsize::new(0),
            foreign: OnceLock::new(),
            ends_at,
        }
    }

    /// Has all sessions work until there is nothing more to do; `meanwhile` is done beside them.
    pub(crate) fn work(&self, meanwhile: impl FnOnce()) {
        std::thread::scope(|scope| {
            for number in 0..self.workload.sessions {
                scope.spawn(move || Session::new(self, number, self.workload.seed).work());
            }
            meanwhile();
        });
    }

    /// Any node: nobody knows which of them live.
    pub(super) fn node(&self, dice: &mut Dice) -> SocketAddr {
        self.nodes[dice.below(self.nodes.len() as u64) as usize]
    }

    pub(super) fn level(&self) -> &str {
        &self.workload.level
    }

    pub(super) fn sessions(&self) -> u64 {
        self.workload.sessions
    }

    /// The history of a run that has begun.
    pub(crate) fn history(&self, run: u64) -> Arc<History> {
        self.histories().entry(run).or_default().clone()
    }

    /// Ends the work: somebody else has written in a run.
    pub(super) fn found_foreign(&self, run: u64) {
        // The first one is as good as any.
        let _ = self.foreign.set(run);
    }

    /// A run in which somebody else has written, if there is one.
    pub(crate) fn foreign(&self) -> Option<u64> {
        self.foreign.get().copied()
    }

    /// Whether nothing has been written in a run.
    pub(crate) fn is_new(&self, run: u64) -> bool {
        !self.histories().contains_key(&run)
    }

    /// The history of a run that begins, and the newest before it that has one.
    pub(crate) fn begin_history(&self, run: u64) -> (Arc<History>, Option<u64>) {
        let mut histories = self.histories();
        let before = histories.range(..run).next_back().map(|(before, _)| *before);
        (histories.entry(run).or_default().clone(), before)
    }

    /// What was done and told in each run of the job.
    pub(crate) fn told(&self) -> Vec<(u64, Told)> {
        history::told(&self.histories())
    }

    fn histories(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<History>>> {
        self.histories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation.
    pub(super) fn count(&self) {
        self.counted.fetch_add(1, Relaxed);
    }

    /// Whether so many operations were tried as there were to be.
    pub(crate) fn is_done(&self) -> bool {
        self.counted() >= self.workload.operations
    }

    /// Whether there is something to do yet, and time for it.
    pub(crate) fn wants_more(&self) -> bool {
        !self.is_done() && self.foreign().is_none() && Instant::now() < self.ends_at
    }

    /// Waits a moment for what is not there.
    pub(crate) fn pause(&self) {
        std::thread::sleep(Duration::from_millis(20));
    }

    /// How many operations were tried.
    pub(crate) fn counted(&self) -> usize {
        self.counted.load(Relaxed)
    }
}

//! What all sessions know of the cluster with which they work.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use watershed::actors::source::Dice;

use crate::drive::Plan;
use crate::history::History;

/// How long all operations may take, at most: so long, and a moment for each.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(600), Duration::from_millis(40));

/// What all sessions know.
pub(crate) struct World {
    plan: Plan,
    nodes: Vec<SocketAddr>,
    histories: Mutex<BTreeMap<u64, Arc<History>>>,
    counted: AtomicUsize,
    ends_at: Instant,
}

impl World {
    /// With nodes that answer there.
    pub(crate) fn new(plan: Plan, nodes: Vec<SocketAddr>) -> Self {
        let ends_at = Instant::now() + PATIENCE.0 + PATIENCE.1 * plan.operations as u32;
        World { plan, nodes, histories: Mutex::default(), counted: AtomicUsize::new(0), ends_at }
    }

    /// Any node: nobody knows which of them live.
    pub(crate) fn node(&self, dice: &mut Dice) -> SocketAddr {
        self.nodes[dice.below(self.nodes.len() as u64) as usize]
    }

    pub(crate) fn level(&self) -> &'static str {
        self.plan.level
    }

    pub(crate) fn sessions(&self) -> u64 {
        self.plan.sessions
    }

    /// The history of a run that has begun.
    pub(crate) fn history(&self, run: u64) -> Arc<History> {
        self.histories().entry(run).or_default().clone()
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

    /// All histories, by their runs.
    pub(crate) fn histories(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<History>>> {
        self.histories.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation.
    pub(crate) fn count(&self) {
        self.counted.fetch_add(1, Relaxed);
    }

    pub(crate) fn is_done(&self) -> bool {
        self.counted.load(Relaxed) >= self.plan.operations
    }

    pub(crate) fn wants_more(&self) -> bool {
        !self.is_done() && Instant::now() < self.ends_at
    }

    /// Waits a moment for what is not there.
    pub(crate) fn pause(&self) {
        std::thread::sleep(Duration::from_millis(20));
    }

    /// Waits until so many operations were tried.
    pub(crate) fn wait_for(&self, operations: usize) {
        while self.counted.load(Relaxed) < operations && self.wants_more() {
            self.pause();
        }
    }
}

//! What a running job shows of itself: counters that subtasks raise once a batch and anybody may read.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use watershed_core::stage::Counters;
use watershed_core::{Epoch, EventTime, Plan, SubtaskId, VertexId, Watermark};

/// The counters of a job's subtasks.
#[derive(Debug)]
pub(crate) struct Board {
    vertices: Vec<VertexBoard>,
    /// The newest checkpoint that is complete, 0 before the first.
    completed: AtomicU64,
    /// When it was completed, in milliseconds since `begun`; `NEVER` where that was not here.
    completed_at: AtomicU64,
    begun: Instant,
    /// How many runs have begun here.
    runs: AtomicU64,
    /// How long barriers have held subtasks up, the newest last.
    pauses: Arc<Pauses>,
    /// How often the job has gone back to its last checkpoint.
    restarts: AtomicU64,
}

/// How long barriers have held subtasks up.
#[derive(Debug, Default)]
pub(crate) struct Pauses(Mutex<VecDeque<Duration>>);

/// How many pauses are remembered.
const PAUSES_MAX: usize = 10_000;

impl Pauses {
    /// A subtask has handled a barrier: flushed, prepared, and taken its state out.
    pub(crate) fn paused(&self, pause: Duration) {
        let mut pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pauses.len() == PAUSES_MAX {
            pauses.pop_front();
        }
        pauses.push_back(pause);
    }

    fn sorted(&self) -> Vec<Duration> {
        let pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sorted: Vec<Duration> = pauses.iter().copied().collect();
        sorted.sort_unstable();
        sorted
    }
}

/// A time that does not come.
const NEVER: u64 = u64::MAX;

/// How the checkpoints of a job stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointReport {
    /// The newest that is complete.
    pub completed: Option<Epoch>,
    /// How long ago that was, where it was in this process.
    pub age: Option<Duration>,
    /// How many runs have begun in this process, restored and all.
    pub runs: u64,
    /// How many barriers subtasks have handled, of those remembered.
    pub barriers: usize,
    /// How long one of them held its subtask up: the longest of 50 in 100.
    pub pause_p50: Duration,
    /// The longest of 99 in 100.
    pub pause_p99: Duration,
    /// The longest.
    pub pause_max: Duration,
    /// How often the job has failed here and gone back to its last checkpoint.
    pub restarts: u64,
}

/// The counters of a vertex's subtasks.
#[derive(Debug)]
struct VertexBoard {
    name: String,
    is_source: bool,
    is_sink: bool,
    subtasks: Vec<Arc<SubtaskBoard>>,
}

/// The counters of one subtask.
#[derive(Debug)]
pub(crate) struct SubtaskBoard {
    records_in: AtomicU64,
    records_out: AtomicU64,
    late: AtomicU64,
    dead_letters: AtomicU64,
    watermark: AtomicI64,
}

/// What a vertex has done so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VertexReport {
    /// Its operators' names, joined by arrows.
    pub name: String,
    /// Whether it reads from the world.
    pub is_source: bool,
    /// Whether it writes to the world.
    pub is_sink: bool,
    /// What its subtasks have counted.
    pub counters: Counters,
    /// The watermark of its hindmost subtask.
    pub watermark: Watermark,
}

impl Board {
    pub(crate) fn new(plan: &Plan, default: u32) -> Self {
        let subtasks = |id| (0..plan.parallelism_of(id, default)).map(|_| Arc::default()).collect();
        let vertices = plan.vertices.iter().map(|vertex| VertexBoard {
            name: vertex.name(),
            is_source: vertex.is_source,
            is_sink: vertex.is_sink,
            subtasks: subtasks(vertex.id),
        });
        Board {
            vertices: vertices.collect(),
            completed: AtomicU64::new(0),
            completed_at: AtomicU64::new(NEVER),
            begun: Instant::now(),
            runs: AtomicU64::new(0),
            restarts: AtomicU64::new(0),
            pauses: Arc::default(),
        }
    }

    pub(crate) fn subtask(&self, vertex: VertexId, index: u32) -> Arc<SubtaskBoard> {
        self.vertices[vertex.0 as usize].subtasks[index as usize].clone()
    }

    /// The counters of a subtask, where there is such a one.
    pub(crate) fn find(&self, subtask: SubtaskId) -> Option<&SubtaskBoard> {
        let vertex = self.vertices.get(subtask.vertex.0 as usize)?;
        vertex.subtasks.get(subtask.index as usize).map(AsRef::as_ref)
    }

    /// A run has begun, from a checkpoint or from nothing.
    pub(crate) fn began(&self, base: Option<Epoch>) {
        self.runs.fetch_add(1, Relaxed);
        self.completed.store(base.map_or(0, |epoch| epoch.0), Relaxed);
    }

    /// A checkpoint is complete.
    pub(crate) fn completed(&self, epoch: Epoch) {
        self.completed.store(epoch.0, Relaxed);
        let since = self.begun.elapsed().as_millis();
        self.completed_at.store(u64::try_from(since).unwrap_or(NEVER), Relaxed);
    }

    /// The job goes back to its last checkpoint.
    pub(crate) fn restarted(&self) {
        self.restarts.fetch_add(1, Relaxed);
    }

    /// How the checkpoints stand.
    pub(crate) fn checkpoints(&self) -> CheckpointReport {
        let completed = Some(Epoch(self.completed.load(Relaxed))).filter(|epoch| epoch.0 > 0);
        let pauses = self.pauses.sorted();
        let of =
            |percent: usize| pauses.get((pauses.len() * percent / 100).min(pauses.len().saturating_sub(1)));
        let of = |percent| of(percent).copied().unwrap_or_default();
        let at = Some(self.completed_at.load(Relaxed)).filter(|at| *at != NEVER).map(Duration::from_millis);
        CheckpointReport {
            completed,
            age: at.filter(|_| completed.is_some()).map(|at| self.begun.elapsed().saturating_sub(at)),
            runs: self.runs.load(Relaxed),
            restarts: self.restarts.load(Relaxed),
            barriers: pauses.len(),
            pause_p50: of(50),
            pause_p99: of(99),
            pause_max: of(100),
        }
    }

    /// Where subtasks tell how long barriers held them up.
    pub(crate) fn pauses(&self) -> Arc<Pauses> {
        self.pauses.clone()
    }

    /// What each vertex has done so far.
    pub(crate) fn report(&self) -> Vec<VertexReport> {
        self.vertices
            .iter()
            .map(|vertex| {
                let mut counters = Counters::default();
                vertex.subtasks.iter().for_each(|subtask| counters += subtask.counters());
                let watermark = vertex.subtasks.iter().map(|subtask| subtask.watermark()).min();
                VertexReport {
                    name: vertex.name.clone(),
                    is_source: vertex.is_source,
                    is_sink: vertex.is_sink,
                    counters,
                    watermark: watermark.unwrap_or_default(),
                }
            })
            .collect()
    }
}

/// How far a subtask has come.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Standing {
    counters: Counters,
    watermark: Watermark,
}

impl SubtaskBoard {
    /// How far the subtask has come.
    pub(crate) fn standing(&self) -> Standing {
        Standing { counters: self.counters(), watermark: self.watermark() }
    }

    /// Shows what another node has told.
    pub(crate) fn set(&self, Standing { counters, watermark }: Standing) {
        self.show(&counters, watermark);
    }
}

impl Default for SubtaskBoard {
    fn default() -> Self {
        let zero = AtomicU64::default;
        SubtaskBoard {
            records_in: zero(),
            records_out: zero(),
            late: zero(),
            dead_letters: zero(),
            watermark: AtomicI64::new(Watermark::MIN.0.as_millis()),
        }
    }
}

impl SubtaskBoard {
    pub(crate) fn show(&self, counters: &Counters, watermark: Watermark) {
        self.records_in.store(counters.records_in, Relaxed);
        self.records_out.store(counters.records_out, Relaxed);
        self.late.store(counters.late, Relaxed);
        self.dead_letters.store(counters.dead_letters, Relaxed);
        self.watermark.store(watermark.0.as_millis(), Relaxed);
    }

    fn counters(&self) -> Counters {
        Counters {
            records_in: self.records_in.load(Relaxed),
            records_out: self.records_out.load(Relaxed),
            late: self.late.load(Relaxed),
            dead_letters: self.dead_letters.load(Relaxed),
        }
    }

    fn watermark(&self) -> Watermark {
        Watermark(EventTime::from_millis(self.watermark.load(Relaxed)))
    }
}

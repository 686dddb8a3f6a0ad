//! What a running job shows of itself: counters that subtasks raise once a batch and anybody may read.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use watershed_core::stage::Counters;
use watershed_core::{Epoch, EventTime, Plan, SubtaskId, VertexId, Watermark};

/// The counters of a job's subtasks.
#[derive(Debug)]
pub(crate) struct Board {
    vertices: Vec<VertexBoard>,
    newest: Mutex<Newest>,
    /// How many runs have begun here.
    runs: AtomicU64,
    /// How long barriers have held subtasks up, the newest last.
    pauses: Arc<Pauses>,
    /// How often the job has gone back to its last checkpoint.
    restarts: AtomicU64,
}

/// The newest checkpoints.
#[derive(Clone, Copy, Debug, Default)]
struct Newest {
    /// The last that was triggered here, and when.
    triggered: Option<(Epoch, Instant)>,
    /// The last that is complete.
    completed: Option<Epoch>,
    /// When it was completed, where that was here.
    completed_at: Option<Instant>,
    /// How long that took from when it was triggered, where both were here.
    took: Option<Duration>,
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

/// How the checkpoints of a job stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointReport {
    /// The newest that is complete.
    pub completed: Option<Epoch>,
    /// How long ago that was, where it was in this process.
    pub age: Option<Duration>,
    /// How long that took from when it was triggered, where both were in this process.
    pub took: Option<Duration>,
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
            newest: Mutex::default(),
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
        let mut newest = self.newest();
        if newest.completed != base {
            // It was completed somewhere else.
            *newest = Newest { completed: base, ..Newest::default() };
        }
    }

    /// The barrier of a checkpoint is sent.
    pub(crate) fn triggered(&self, epoch: Epoch) {
        self.newest().triggered = Some((epoch, Instant::now()));
    }

    /// A checkpoint is complete.
    pub(crate) fn completed(&self, epoch: Epoch) {
        let (mut newest, now) = (self.newest(), Instant::now());
        let triggered = newest.triggered.filter(|(triggered, _)| *triggered == epoch);
        newest.took = triggered.map(|(_, at)| now.duration_since(at));
        (newest.completed, newest.completed_at) = (Some(epoch), Some(now));
    }

    fn newest(&self) -> MutexGuard<'_, Newest> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The job goes back to its last checkpoint.
    pub(crate) fn restarted(&self) {
        self.restarts.fetch_add(1, Relaxed);
    }

    /// How the checkpoints stand.
    pub(crate) fn checkpoints(&self) -> CheckpointReport {
        let Newest { completed, completed_at, took, .. } = *self.newest();
        let pauses = self.pauses.sorted();
        let of =
            |percent: usize| pauses.get((pauses.len() * percent / 100).min(pauses.len().saturating_sub(1)));
        let of = |percent| of(percent).copied().unwrap_or_default();
        CheckpointReport {
            completed,
            age: completed_at.map(|at| at.elapsed()),
            took,
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

#[cfg(test)]
mod tests {
    use watershed_core::testing::Numbers;
    use watershed_core::{KeyGroups, Pipeline};

    use super::*;

    #[test]
    fn how_long_a_checkpoint_took_is_told_of_one_that_was_triggered_and_completed_here() {
        let pipeline = Pipeline::new("counting", KeyGroups::default());
        pipeline.source(Numbers::up_to(1)).discard();
        let board = Board::new(&pipeline.plan().expect("the plan is complete"), 1);
        let told = || {
            let CheckpointReport { completed, age, took, .. } = board.checkpoints();
            (completed.map(|epoch| epoch.0), age.is_some(), took.is_some())
        };
        assert_eq!(told(), (None, false, false));
        board.began(Some(Epoch(4)));
        assert_eq!(told(), (Some(4), false, false), "it was completed by whoever led before");
        board.triggered(Epoch(5));
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(told(), (Some(4), false, false), "it is under way");
        board.completed(Epoch(5));
        assert_eq!(told(), (Some(5), true, true));
        assert!(board.checkpoints().took >= Some(Duration::from_millis(5)));
        board.triggered(Epoch(6));
        board.began(Some(Epoch(5)));
        assert_eq!(told(), (Some(5), true, true), "it is the same as before");
        board.completed(Epoch(7));
        assert_eq!(told(), (Some(7), true, false), "it was triggered by somebody else");
    }
}

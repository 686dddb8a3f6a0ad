//! What a subtask's chain works with: its place in the plan, its outbox, the clock, the counters.

use std::sync::Arc;
use std::task::Waker;

use crate::shared::Replica;
use crate::spi::SinkPlace;
use crate::stage::care::Care;
use crate::stage::outbox::{Outbox, OutputInfo};
use crate::stage::sharing::Sharing;
use crate::stage::side::{DEAD_LETTERS, SideOutlet};
use crate::state::{Backend, BackendError};
use crate::{
    Data, DeadLetter, Epoch, EventTime, JobId, KeyGroupRange, KeyGroups, Lineage, Origin, ProcessingTime,
    Run, SideOutput, SubtaskId,
};
use serde::{Deserialize, Serialize};

/// A subtask's place in the plan.
#[derive(Clone, Debug)]
pub struct TaskInfo {
    /// The job's name.
    pub job: String,
    /// The job's history.
    pub lineage: Lineage,
    /// Which execution of the job this is.
    pub run: Run,
    /// Which subtask this is.
    pub subtask: SubtaskId,
    /// How many subtasks its vertex has.
    pub parallelism: u32,
    /// Into how many groups the job's keys are divided.
    pub key_groups: KeyGroups,
    /// The uids of the chain's stages, by their number.
    pub uids: Vec<String>,
    /// The edges that leave the vertex.
    pub outputs: Vec<OutputInfo>,
    /// How many records make a batch that is handed over at once.
    pub batch_records: usize,
}

impl TaskInfo {
    /// The key groups of this subtask, if its input is keyed.
    pub fn key_group_range(&self) -> KeyGroupRange {
        self.key_groups.range(self.subtask.index, self.parallelism)
    }

    /// The number of the main output, where it is the only one of its name.
    pub(super) fn main_output(&self) -> usize {
        let main = self.outputs.iter().position(|output| output.side.is_none());
        main.expect("an exchange leads somewhere")
    }
}

/// What a subtask has seen and done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Records that came in, or were read.
    pub records_in: u64,
    /// Records that went out, or were written.
    pub records_out: u64,
    /// Records that came too late to be used.
    pub late: u64,
    /// Pieces of input that were set aside.
    pub dead_letters: u64,
}

impl std::ops::AddAssign for Counters {
    fn add_assign(&mut self, other: Counters) {
        self.records_in += other.records_in;
        self.records_out += other.records_out;
        self.late += other.late;
        self.dead_letters += other.dead_letters;
    }
}

/// Whether a stage has asked for a pause of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Input may come.
    Free,
    /// None before this time.
    Until(ProcessingTime),
    /// None before a wake-up.
    Woken,
    /// None before a wake-up, nor before this time.
    WokenAndUntil(ProcessingTime),
}

impl Hold {
    /// What is left of the wish after a wake-up.
    #[must_use]
    pub const fn woken(self) -> Hold {
        match self {
            Hold::Free | Hold::Woken => Hold::Free,
            Hold::Until(until) | Hold::WokenAndUntil(until) => Hold::Until(until),
        }
    }

    /// Both wishes.
    #[must_use]
    pub fn and(self, other: Hold) -> Hold {
        match (self, other) {
            (Hold::Free, wish) | (wish, Hold::Free) => wish,
            (Hold::Woken, Hold::Woken) => Hold::Woken,
            (Hold::Until(a), Hold::Until(b)) => Hold::Until(a.max(b)),
            (Hold::Woken, Hold::Until(until) | Hold::WokenAndUntil(until))
            | (Hold::Until(until) | Hold::WokenAndUntil(until), Hold::Woken) => Hold::WokenAndUntil(until),
            (Hold::WokenAndUntil(a), Hold::Until(b) | Hold::WokenAndUntil(b))
            | (Hold::Until(a), Hold::WokenAndUntil(b)) => Hold::WokenAndUntil(a.max(b)),
        }
    }
}

/// An error at an edge of the pipeline, or a state that cannot be restored: ends the job.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// A source could not be opened or read.
    #[error(transparent)]
    Source(#[from] crate::SourceError),
    /// A sink could not be opened or written.
    #[error(transparent)]
    Sink(#[from] crate::SinkError),
    /// A saved state could not be read.
    #[error(transparent)]
    State(#[from] crate::StateError),
    /// The place for state that does not fit into memory failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Records that came from another node could not be read.
    #[error("records from another node cannot be read: {0}")]
    Frame(Box<dyn std::error::Error + Send + Sync>),
}

impl TaskError {
    /// Whether input or output is lost for good, see [`SourceError::lost`](crate::SourceError::lost) and
    /// [`SinkError::lost`](crate::SinkError::lost).
    pub fn is_lost(&self) -> bool {
        match self {
            TaskError::Sink(error) => error.is_lost(),
            TaskError::Source(error) => error.is_lost(),
            TaskError::State(_) | TaskError::Backend(_) | TaskError::Frame(_) => false,
        }
    }
}

/// What the stages of one subtask's chain work with.
pub struct TaskContext {
    /// The subtask's place in the plan.
    pub info: Arc<TaskInfo>,
    /// Which job of its name this is.
    pub job_id: JobId,
    /// The checkpoint that the run goes on from, if there is one.
    pub base: Option<Epoch>,
    /// Where state lies that does not fit into memory; `None` where all has to.
    pub backend: Option<Arc<dyn Backend>>,
    /// Batches that are ready to be handed over.
    pub outbox: Outbox,
    /// What has been seen and done.
    pub counters: Counters,
    /// Whether a stage has asked for a pause.
    pub hold: Hold,
    /// How far the source of the current input had been read.
    pub origin: Option<Origin>,
    /// The first error of an edge, until the runtime takes it.
    pub error: Option<TaskError>,
    /// What the subtask knows where it has to be careful.
    pub care: Option<Box<Care>>,
    /// The site's replica of all shared state, where the subtask uses any.
    pub shared: Option<Arc<dyn Replica>>,
    /// The epoch of what is worked on now: that of the last barrier that has passed, and one.
    pub epoch: Epoch,
    pub(super) sharing: Sharing,
    now: ProcessingTime,
    waker: Waker,
    sides: Vec<SideOutlet>,
    split: usize,
    refused: Vec<Refused>,
}

/// A value that a stage has refused, until its source says where it came from.
struct Refused {
    number: u16,
    reason: String,
    value: Vec<u8>,
    time: EventTime,
}

impl TaskContext {
    /// The context of a subtask that is about to be opened.
    pub fn new(info: Arc<TaskInfo>, waker: Waker) -> Self {
        TaskContext {
            outbox: Outbox::new(&info.outputs, info.batch_records),
            sides: info
                .outputs
                .iter()
                .enumerate()
                .filter_map(|(edge, output)| Some(output.side.as_ref()?.open(edge, &info)))
                .collect(),
            job_id: JobId(info.job.clone()),
            base: None,
            info,
            backend: None,
            counters: Counters::default(),
            hold: Hold::Free,
            origin: None,
            error: None,
            care: None,
            shared: None,
            epoch: Epoch(1),
            sharing: Sharing::default(),
            now: ProcessingTime::default(),
            waker,
            split: 0,
            refused: Vec::new(),
        }
    }

    /// Whose output a sink of this uid writes.
    pub(super) fn sink_place(&self, operator: String) -> SinkPlace {
        let TaskInfo { lineage, run, subtask, parallelism, .. } = *self.info;
        let (job, job_id, base) = (self.info.job.clone(), self.job_id.clone(), self.base);
        SinkPlace { job, job_id, operator, lineage, run, subtask, parallelism, base }
    }

    /// The wall clock, as it was last set.
    #[inline]
    pub fn now(&self) -> ProcessingTime {
        self.now
    }

    /// Sets the wall clock. It never goes back.
    pub fn set_now(&mut self, now: ProcessingTime) {
        self.now = self.now.max(now);
    }

    /// Wakes this subtask from any thread.
    #[inline]
    pub fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Which of the subtask's splits is being read, counted from 0 within the subtask.
    #[inline]
    pub fn split(&self) -> usize {
        self.split
    }

    /// Sets the split that is being read.
    pub fn set_split(&mut self, split: usize) {
        self.split = split;
    }

    /// Emits a value to a side output; drops it where nobody listens.
    pub fn side<S: Data>(&mut self, output: &SideOutput<S>, value: S, time: EventTime) {
        for side in self.sides.iter_mut().filter(|side| side.is(output.name())) {
            side.push(value.clone(), time, &mut self.outbox, self.origin);
        }
    }

    /// Sets a piece of input aside in the name of stage `number`.
    pub fn dead_letter(&mut self, number: u16, mut letter: DeadLetter, time: EventTime) {
        self.counters.dead_letters += 1;
        letter.operator.clone_from(&self.info.uids[number as usize]);
        self.side(&DEAD_LETTERS, letter, time);
    }

    /// Refuses a value, in MessagePack, in the name of stage `number` of a source's chain. It becomes a dead letter
    /// when the source says where the value came from.
    #[cold]
    pub(super) fn refuse(&mut self, number: u16, reason: String, value: Vec<u8>, time: EventTime) {
        self.refused.push(Refused { number, reason, value, time });
    }

    /// Whether the source is to say where a refused value came from.
    #[inline]
    pub(crate) fn has_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// Sets the refused values aside: they came from `origin`, and were read from `bytes`, where they are known.
    #[cold]
    pub(crate) fn place_refused(&mut self, origin: &str, bytes: Option<&[u8]>) {
        for Refused { number, mut reason, value, time } in std::mem::take(&mut self.refused) {
            if bytes.is_none() {
                reason += "; the record is kept as MessagePack";
            }
            let letter = DeadLetter::new(origin, reason, bytes.unwrap_or(&value));
            self.dead_letter(number, letter, time);
        }
    }

    /// Keeps the first error of an edge for the runtime.
    #[cold]
    pub fn fail(&mut self, error: impl Into<TaskError>) {
        self.error.get_or_insert(error.into());
    }

    /// Asks for a pause of the input, beside what was asked for before.
    pub fn hold(&mut self, hold: Hold) {
        self.hold = self.hold.and(hold);
    }

    /// Makes the partial batch of the dead letters ready to be handed over. Refused values whose source has had no
    /// time to say where they came from are among them.
    pub fn flush_dead_letters(&mut self) {
        self.place_refused("a place that was still to be told", None);
        for side in self.sides.iter_mut().filter(|side| side.is(DEAD_LETTERS.name())) {
            side.flush(&mut self.outbox, self.origin);
        }
    }

    /// Makes the partial batches of the side outputs ready to be handed over.
    pub fn flush_sides(&mut self) {
        for side in &mut self.sides {
            side.flush(&mut self.outbox, self.origin);
        }
    }
}

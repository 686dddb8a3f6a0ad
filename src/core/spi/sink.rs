//! Exits: what is written is staged first, and a checkpoint makes it true.

use std::fmt;

use crate::{Data, Epoch, EventTime, JobId, Lineage, MESSAGE_BYTES_MAX, Run, SubtaskId, VertexId, excerpt};

/// An exit of a pipeline.
///
/// The three verbs are those of two-phase commit. What was written since the last `prepare` is made
/// durable but not visible by the next one, and visible by `commit`, which may be asked for again and again
/// for the same thing. Without checkpoints, a job prepares and commits once, at its end.
pub trait Sink: Clone + Send + 'static {
    /// What goes in.
    type In: Data;
    /// What a prepared epoch needs to be committed by anybody: saved in the checkpoint.
    type Staged: Data;
    /// What writes, one for each subtask.
    type Writer: Writer<In = Self::In, Staged = Self::Staged>;

    /// Whether it writes on standard output, so that whoever shows progress on the same terminal keeps out of
    /// its way. The default is no.
    const PRINTS: bool = false;

    /// Called once for each subtask of a run, before anything else. From here on, a writer of an older
    /// [run](SinkPlace::run) must not come through any more, where the world outside can tell them apart.
    ///
    /// # Errors
    ///
    /// Where the place to write to cannot be reached: the run does not start.
    fn open(&self, place: &SinkPlace) -> Result<Self::Writer, SinkError>;
}

/// Whose output a writer writes. Together with an epoch, it names what is staged for ever: no two runs of a
/// job's history have the same number, and no epoch is handed out twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkPlace {
    /// The job's name.
    pub job: String,
    /// Which job of that name.
    pub job_id: JobId,
    /// The sink's uid.
    pub operator: String,
    /// The job's history.
    pub lineage: Lineage,
    /// The execution.
    pub run: Run,
    /// Which subtask.
    pub subtask: SubtaskId,
    /// How many subtasks the sink has.
    pub parallelism: u32,
    /// The checkpoint that this run goes on from: the newest that is known to be decided. None where it begins a job. Nothing
    /// behind it can have been committed in this history, unless the record of what was decided is not whole.
    pub base: Option<Epoch>,
}

impl SinkPlace {
    /// The only subtask of a sink of this uid, in the first run of a job: for tests.
    pub fn alone(operator: &str) -> Self {
        SinkPlace {
            job: "test".to_owned(),
            job_id: JobId("test".to_owned()),
            operator: operator.to_owned(),
            lineage: Lineage(0),
            run: Run(1),
            subtask: SubtaskId { vertex: VertexId(0), index: 0 },
            parallelism: 1,
            base: None,
        }
    }

    /// Another subtask of so many.
    #[must_use]
    pub fn of(mut self, index: u32, parallelism: u32) -> Self {
        (self.subtask.index, self.parallelism) = (index, parallelism);
        self
    }

    /// The same subtask in another run.
    #[must_use]
    pub fn in_run(mut self, run: u32) -> Self {
        self.run = Run(run);
        self
    }

    /// The same subtask in a run that goes on from a checkpoint.
    #[must_use]
    pub fn going_on_from(mut self, base: u64) -> Self {
        self.base = Some(Epoch(base));
        self
    }
}

/// Writes for one subtask of a sink.
///
/// A run that goes on from a checkpoint calls `commit` for each epoch that the checkpoint names as staged, oldest
/// first, then `resume`, and then `write` and so on. A run that begins a job calls neither.
pub trait Writer: Send + 'static {
    /// What goes in.
    type In: Data;
    /// See [`Sink::Staged`].
    type Staged: Data;

    /// Called at most once, before the first record: the job goes on from a checkpoint, and what it has made
    /// visible stays. The staged epochs of that checkpoint have been committed by then, each by the writer of
    /// the same subtask or, where there are fewer now, by another. The default does nothing.
    ///
    /// Whatever else earlier runs of this job and history have prepared will never be decided, and is taken back
    /// here. A writer that is not resumed begins a job: whatever it finds in its place is of an earlier one.
    ///
    /// # Errors
    ///
    /// Where the place is not as the checkpoint left it: the job does not start. So it is where the place has committed
    /// an epoch behind [`SinkPlace::base`]: then the job's record of what it decided has lost its end, and going on would write a
    /// second time what is there.
    fn resume(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Called for each record.
    ///
    /// # Errors
    ///
    /// Where it cannot be written: the job stops with the error.
    fn write(&mut self, record: Self::In, time: EventTime) -> Result<(), SinkError>;

    /// Called when the stream pauses: hands what is buffered on to whoever watches. Nothing becomes
    /// durable or visible that was not. The default does nothing.
    ///
    /// # Errors
    ///
    /// As [`Writer::write`].
    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Called at each barrier and at the end: makes what was written since the last call durable, without
    /// making it visible. `None` where nothing was written that needs a commit.
    ///
    /// # Errors
    ///
    /// Where it cannot be made durable: the checkpoint is declined.
    fn prepare(&mut self, epoch: Epoch) -> Result<Option<Self::Staged>, SinkError>;

    /// Called after the decision: makes a staged epoch visible. Called again where the first call's
    /// outcome is unknown, so doing it twice must be the same as doing it once.
    ///
    /// # Errors
    ///
    /// Where it is not certain that the epoch is visible: the call is repeated, for ever if need be. Where it is
    /// certain that the epoch is gone and will never be visible, [`SinkError::lost`] stops the job instead.
    fn commit(&mut self, staged: Self::Staged) -> Result<(), SinkError>;

    /// Called when a staged epoch will never be decided: takes it back.
    ///
    /// # Errors
    ///
    /// Where it cannot be taken back; it stays invisible all the same.
    fn abort(&mut self, staged: Self::Staged) -> Result<(), SinkError>;
}

/// Output that cannot be opened, written, prepared or committed.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {why}")]
pub struct SinkError {
    what: String,
    why: String,
    lost: bool,
}

impl SinkError {
    /// An error about `what` (a path, a table), because of `why`; of what is longer than
    /// [`MESSAGE_BYTES_MAX`] the beginning.
    pub fn new(what: impl Into<String>, why: impl fmt::Display) -> Self {
        let cut = |text: String| excerpt(&text, MESSAGE_BYTES_MAX).into_owned();
        SinkError { what: cut(what.into()), why: cut(why.to_string()), lost: false }
    }

    /// Staged output that is neither visible nor to be had any more (somebody has rolled it back, a database was
    /// restored from a backup), or visible output of which nobody knows any more that it was decided. No repetition
    /// helps; going on would lose it, or write it again, silently.
    pub fn lost(what: impl Into<String>, why: impl fmt::Display) -> Self {
        SinkError { lost: true, ..SinkError::new(what, why) }
    }

    /// Whether output is lost for good.
    pub fn is_lost(&self) -> bool {
        self.lost
    }
}

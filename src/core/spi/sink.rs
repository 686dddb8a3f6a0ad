//! Exits: what is written is staged first, and a checkpoint makes it true.

use std::fmt;

use crate::{Data, Epoch, EventTime, MESSAGE_BYTES_MAX, SubtaskId, excerpt};

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

    /// Called once for each subtask before the first record.
    ///
    /// # Errors
    ///
    /// Where the place to write to cannot be reached: the job does not start.
    fn open(&self, subtask: SubtaskId, parallelism: u32) -> Result<Self::Writer, SinkError>;
}

/// Writes for one subtask of a sink.
pub trait Writer: Send + 'static {
    /// What goes in.
    type In: Data;
    /// See [`Sink::Staged`].
    type Staged: Data;

    /// Called at most once, before the first record: the job goes on from a checkpoint, and what it has made
    /// visible stays. The staged epochs of that checkpoint have been committed by then, each by the writer of
    /// the same subtask or, where there are fewer now, by another. The default does nothing.
    ///
    /// A writer that is not resumed begins a job: whatever it finds in its place is of an earlier one.
    ///
    /// # Errors
    ///
    /// Where the place is not as the checkpoint left it: the job does not start.
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
    /// Where it is not certain that the epoch is visible: the call is repeated.
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
}

impl SinkError {
    /// An error about `what` (a path, a table), because of `why`; of what is longer than
    /// [`MESSAGE_BYTES_MAX`] the beginning.
    pub fn new(what: impl Into<String>, why: impl fmt::Display) -> Self {
        let cut = |text: String| excerpt(&text, MESSAGE_BYTES_MAX).into_owned();
        SinkError { what: cut(what.into()), why: cut(why.to_string()) }
    }
}

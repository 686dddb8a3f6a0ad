//! A subtask's work with its types hidden: what the runtime drives.
//!
//! The runtime knows no record type. It gives a [`Task`] its input a batch at a time, takes ready batches
//! out of the [outbox](crate::stage::Outbox) after each call, and calls again where a step says so.

mod chain;
mod port;
mod source;

pub use chain::ChainTask;
pub use port::{NoPorts, OnePort, Ports, TwoPorts};
pub use source::{SourceHead, SplitTask};

use std::time::Duration;

use crate::shared::AnyShared;
use crate::spi::{Guarantee, Polled, SourceError, SplitLog};
use crate::stage::{Snapshot, Taken, TaskContext, TaskError};
use crate::state::{Glance, LayerKind, LookError, Looked};
use crate::{
    AnyBatch, Epoch, KeyGroup, KeyGroups, PortId, Position, ProcessingTime, StateError, Step, Watermark,
};
use serde::{Deserialize, Serialize};

/// One subtask's chain, from its input to its tail.
pub trait Task: Send {
    /// Called once, on the arbiter where the subtask will live.
    ///
    /// # Errors
    ///
    /// Where a sink cannot be opened.
    fn open(&mut self, cx: &mut TaskContext) -> Result<(), TaskError>;

    /// Takes records out of a batch. [`Step::Again`] where some are left because the outbox is full.
    fn feed(&mut self, port: PortId, batch: &mut AnyBatch, cx: &mut TaskContext) -> Step;

    /// Whether any operator of the chain uses shared state. Where it is so, [`TaskContext::shared`] is set before the
    /// task is opened, and records come only once the site has applied what their sender had seen.
    fn uses_shared(&self) -> bool;

    /// Advances the watermark; call again with the same one on [`Step::Again`].
    fn watermark(&mut self, watermark: Watermark, cx: &mut TaskContext) -> Step;

    /// Fires what the wall clock has reached.
    fn processing_time(&mut self, cx: &mut TaskContext) -> Step;

    /// When [`Task::processing_time`] is wanted next.
    fn deadline(&self) -> Option<ProcessingTime>;

    /// Lets stages look at what woke them.
    fn wake(&mut self, cx: &mut TaskContext);

    /// Makes all partial batches ready, and flushes a sink.
    fn flush(&mut self, cx: &mut TaskContext);

    /// For a sink: the job goes on from a checkpoint, and what that one staged has been committed.
    ///
    /// # Errors
    ///
    /// Where the place to write to is not as the checkpoint left it.
    fn resume(&mut self) -> Result<(), TaskError>;

    /// First half of two-phase commit, for a sink.
    ///
    /// # Errors
    ///
    /// Where the output cannot be made durable.
    fn prepare(&mut self, epoch: Epoch) -> Result<Option<Vec<u8>>, TaskError>;

    /// Second half of two-phase commit, for a sink.
    ///
    /// # Errors
    ///
    /// Where it is not certain that the output is visible.
    fn commit(&mut self, staged: &[u8]) -> Result<(), TaskError>;

    /// The other second half.
    ///
    /// # Errors
    ///
    /// Where the output could not be taken back.
    fn abort(&mut self, staged: &[u8]) -> Result<(), TaskError>;

    /// Takes the state of all stages out, for a layer of this kind, to be written beside the stream.
    fn save(&mut self, kind: LayerKind, cx: &TaskContext) -> Taken;

    /// Restores the state of all stages, before the first record.
    ///
    /// # Errors
    ///
    /// Where the saved bytes do not fit the state's types.
    fn load(&mut self, snapshot: &Snapshot, cx: &TaskContext) -> Result<(), StateError>;

    /// What the stage of this number has of a key, for somebody outside the job. Called between two calls of the others.
    fn look(&mut self, number: u16, glance: Glance<'_>) -> Looked;
}

/// A source's subtask: a chain that is fed by reading splits.
pub trait SourceTask: Send {
    /// The chain behind the source.
    fn chain(&self) -> &dyn Task;

    /// The chain behind the source, to be called.
    fn chain_mut(&mut self) -> &mut dyn Task;

    /// Opens a split; its number within the subtask is how many were opened before. `log` is there for a source that
    /// can use it.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened.
    fn open_split(
        &mut self,
        split: &Split,
        from: Option<Position>,
        log: Option<&dyn SplitLog>,
    ) -> Result<(), TaskError>;

    /// Reads some records of a split.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    fn poll(&mut self, split: usize, budget: usize, cx: &mut TaskContext) -> Result<Polled, SourceError>;

    /// How far a split has come.
    fn split_watermark(&self, split: usize, cx: &TaskContext) -> Watermark;

    /// After how much silence a split is left out of the watermark.
    fn split_idle_after(&self) -> Option<Duration>;

    /// Where a reader of the split would go on.
    fn position(&self, split: usize) -> Position;

    /// Tells the reader of a split what the job's checkpoints need no more.
    fn forget(&mut self, split: usize, before: Position);
}

/// A split of a source with its type hidden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// The split's name for a person.
    pub name: String,
    /// The split as MessagePack.
    pub bytes: Vec<u8>,
}

/// A task, by what it takes its input from.
pub enum AnyTask {
    /// Takes batches from other subtasks.
    Chain(Box<dyn Task>),
    /// Reads splits.
    Source(Box<dyn SourceTask>),
}

/// Makes the tasks of a vertex's subtasks.
pub trait TaskFactory: Send {
    /// A fresh task with empty state.
    fn task(&self) -> AnyTask;

    /// Lists the splits of a source; none for other vertices.
    ///
    /// # Errors
    ///
    /// Where the input cannot be found.
    fn splits(&self, parallelism: u32) -> Result<Vec<Split>, SourceError>;

    /// The name for a person of a split that a checkpoint has saved as MessagePack.
    ///
    /// # Errors
    ///
    /// Where the bytes are no split of this source.
    fn describe(&self, split: &[u8]) -> Result<String, TaskError>;

    /// The shared states that the operators of the chain use; one may be named more than once.
    fn shared(&self) -> Vec<AnyShared>;

    /// What a source holds to when the job is killed, with ingress logs or without; other vertices hold to everything.
    fn guarantee(&self, logged: bool) -> Guarantee {
        let _ = logged;
        Guarantee::ExactlyOnce
    }

    /// The key group of a key that comes as MessagePack, by the state of the stage of this number; `None` where nobody can
    /// look at that by key.
    fn group_of(&self, number: u16, key: &[u8], groups: KeyGroups) -> Option<Result<KeyGroup, LookError>>;

    /// What the stage of this number had of a key when a snapshot of the key's group was taken.
    ///
    /// # Errors
    ///
    /// Where the saved bytes do not fit the state's types. What the look finds is in the answer.
    fn look_back(
        &self,
        number: u16,
        uids: &[String],
        snapshot: &Snapshot,
        glance: Glance<'_>,
    ) -> Result<Looked, StateError>;
}

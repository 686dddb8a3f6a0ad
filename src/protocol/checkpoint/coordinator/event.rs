//! What a coordinator hears.

use serde::{Deserialize, Serialize};
use watershed_core::checkpoint::{Change, Manifest, Meta, ObjectRef, Pointer, Vote};
use watershed_core::{Epoch, SubtaskId};

use crate::checkpoint::{Authority, Roster, Swapped};

/// What a [`Coordinator`](super::Coordinator) hears.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CoordinatorEvent {
    /// This node is to lead the job, and its meta store holds this.
    Campaign {
        /// What the driver has read.
        meta: Meta,
        /// Where a person wants to go back to; `None` goes on from the newest decision.
        fork: Option<Fork>,
    },
    /// The answer to [`CoordinatorEffect::Swap`](super::CoordinatorEffect::Swap).
    Swapped {
        /// What was asked for.
        change: Change,
        /// What became of it.
        result: Swapped,
    },
    /// The answer to [`CoordinatorEffect::ReadMeta`](super::CoordinatorEffect::ReadMeta), or any later
    /// linearizable read.
    MetaRead(Meta),
    /// The meta store could not be read.
    MetaUnread,
    /// The manifest asked for was found, and is what its pointer says.
    Loaded(Manifest),
    /// The manifest asked for cannot be had.
    LoadFailed(Failure),
    /// A subtask has resolved what was staged, loaded its part and waits for the start.
    Restored {
        /// In whose name it was told to.
        authority: Authority,
        /// The subtask.
        subtask: SubtaskId,
    },
    /// All input of a subtask has ended and has been worked on; a source has read its splits to the end.
    Ended {
        /// The run.
        authority: Authority,
        /// The subtask.
        subtask: SubtaskId,
    },
    /// A subtask is prepared.
    Voted {
        /// The run.
        authority: Authority,
        /// The checkpoint.
        epoch: Epoch,
        /// The vote, with its subtask in it.
        vote: Vote,
    },
    /// A subtask cannot prepare.
    Declined {
        /// The run.
        authority: Authority,
        /// The checkpoint.
        epoch: Epoch,
        /// The subtask.
        subtask: SubtaskId,
        /// What hinders it.
        reason: String,
    },
    /// A subtask has committed all that it had staged up to this checkpoint.
    Committed {
        /// The run.
        authority: Authority,
        /// The checkpoint.
        epoch: Epoch,
        /// The subtask.
        subtask: SubtaskId,
    },
    /// A subtask is gone: it failed, or its node was not heard of for too long.
    Lost {
        /// The run that it belonged to.
        authority: Authority,
        /// The subtask.
        subtask: SubtaskId,
        /// What happened to it.
        failure: Failure,
    },
    /// A subtask has failed at a record that is counted on its own, see [`Quarantine`](crate::Quarantine): the run
    /// ends, and does not count among those that end without a checkpoint.
    Poisoned {
        /// The run that it belonged to.
        authority: Authority,
        /// The subtask.
        subtask: SubtaskId,
        /// What happened to it.
        reason: String,
    },
    /// The manifest is durable.
    ManifestWritten {
        /// The checkpoint.
        epoch: Epoch,
        /// Where it is.
        object: ObjectRef,
    },
    /// The manifest is not durable, or it is not known whether it is. What was written is left alone.
    ManifestFailed {
        /// The checkpoint.
        epoch: Epoch,
        /// What hindered it.
        reason: String,
    },
    /// Somebody wants something.
    Request {
        /// The driver's number for it.
        request: RequestId,
        /// What is wanted.
        wish: Wish,
    },
    /// From now on the job is to run with these subtasks: the run ends, and the next one begins from the newest
    /// checkpoint. Before the first run, it only replaces the roster.
    Rescale(Roster),
    /// The same subtasks are to live elsewhere: the run ends, and the next one begins from the newest checkpoint.
    Move,
    /// A store cannot be trusted any more: what it has lost is not known, and it will not tell. The job ends; whoever
    /// brings it to life again finds what is really there.
    Broken {
        /// What was seen.
        reason: String,
    },
    /// Another coordinator reigns, or the lease on the reign has run out.
    Deposed,
    /// The time of [`Machine::deadline`](crate::Machine::deadline) has come.
    Deadline,
}

/// Where a person wants the job to go back to. It begins a new history.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fork {
    /// To its very beginning.
    Beginning,
    /// To a checkpoint.
    Checkpoint(Pointer),
}

/// The driver's number for a request, given back with its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId(pub u64);

/// What somebody may want of a running job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Wish {
    /// A checkpoint now.
    Checkpoint,
    /// A checkpoint now, kept until that person deletes it.
    Savepoint,
    /// A savepoint, and the end of the run once all that it covers is committed. The job can go on from it.
    Suspend,
    /// No further input, and then the regular end of the job. It cannot go on.
    Drain,
    /// The end of the run, as soon as all that is decided is committed; see [`Over::Cancelled`](super::Over::Cancelled).
    Cancel,
}

/// Why something cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Failure {
    /// For a person.
    pub reason: String,
    /// Whether another run would fail in the same way, so that the job is given up at once.
    pub permanent: bool,
}

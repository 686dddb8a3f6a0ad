//! What a coordinator wants done.

use std::fmt;

use serde::{Deserialize, Serialize};
use watershed_core::checkpoint::{Manifest, Pointer, Xid};
use watershed_core::{Epoch, SubtaskId};

use super::cancelling::InDoubt;
use super::event::{RequestId, Wish};
use crate::checkpoint::{Authority, Part, Permit, Swap, Violation};

/// What a [`Coordinator`](super::Coordinator) wants done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CoordinatorEffect {
    /// Change the meta store. Answered by `Swapped`, once.
    Swap(Swap),
    /// Read the meta store, linearizably: what it holds now or later, not earlier. Answered by `MetaRead` or
    /// `MetaUnread`.
    ReadMeta,
    /// Read the manifest of a decided checkpoint. Answered by `Loaded` or `LoadFailed`.
    LoadManifest(Pointer),
    /// Set a subtask up: first refuse older runs outside (fence), then commit `part.staged`, then take back
    /// whatever else the job's earlier runs have prepared, then load the rest of the part. Answered by
    /// `Restored`.
    Restore {
        /// In whose name.
        authority: Authority,
        /// The subtask.
        subtask: SubtaskId,
        /// Epochs up to this one were handed out before this run, and their barriers are old.
        after: Epoch,
        /// The right to commit what is staged; `None` where nothing was ever decided, and nothing is staged.
        permit: Option<Permit>,
        /// What it is restored with.
        part: Part,
    },
    /// Let a subtask begin.
    Start {
        /// In whose name.
        authority: Authority,
        /// The subtask.
        subtask: SubtaskId,
    },
    /// Begin a checkpoint at these subtasks: the sources, and those whose input has ended, which no barrier
    /// reaches any more. The checkpoint may have been triggered at others before.
    Trigger {
        /// In whose name.
        authority: Authority,
        /// The checkpoint.
        epoch: Epoch,
        /// The newest checkpoint that is complete, whose layers the snapshots may stand on.
        completed: Option<Epoch>,
        /// What it is for.
        intent: Intent,
        /// At whom.
        at: Vec<SubtaskId>,
    },
    /// Tell every subtask that a checkpoint has been given up. Information only: it may be lost.
    AbortNote {
        /// In whose name.
        authority: Authority,
        /// The checkpoint.
        epoch: Epoch,
    },
    /// Tell the sources to read no more and to end as if their input were over.
    Drain {
        /// In whose name.
        authority: Authority,
    },
    /// Make the manifest durable, with the driver's wall-clock time as `taken_at`. Answered by
    /// `ManifestWritten` or `ManifestFailed`.
    WriteManifest(Box<Manifest>),
    /// Tell a subtask to commit what it has staged up to an epoch. Answered by `Committed`; repeated until then.
    Commit {
        /// In whose name.
        authority: Authority,
        /// The right to it, with the epoch.
        permit: Permit,
        /// The subtask.
        subtask: SubtaskId,
        /// What it had staged when it voted, oldest first.
        xids: Vec<Xid>,
    },
    /// Checkpoints below this epoch, other than savepoints, and what only they refer to may be deleted. Nothing
    /// that a decided commit may still need is among them.
    Forget {
        /// The oldest checkpoint to keep.
        before: Epoch,
    },
    /// End the run: all its subtasks stop.
    EndRun {
        /// The run.
        authority: Authority,
        /// What for.
        reason: EndReason,
        /// Where this is known, the newest decision: what is staged of later epochs will never be decided, and
        /// sinks that can take it back do. Otherwise they leave it to the next run's restore.
        take_back_after: Option<Option<Epoch>>,
    },
    /// Answer a request.
    Answer {
        /// Which.
        request: RequestId,
        /// What became of it.
        answer: Answer,
    },
    /// Tell whoever watches the job.
    Report(Report),
}

/// What a checkpoint is for, as far as a source has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Intent {
    /// To recover from. A source that has paused for an earlier epoch goes on reading.
    Checkpoint,
    /// To stop: read nothing behind the barrier, until another trigger comes that is none of this kind.
    Suspend,
}

/// Why a run ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// A subtask was lost, or took too long to be restored.
    Lost {
        /// Which, where it was one.
        subtask: Option<SubtaskId>,
        /// What happened.
        reason: String,
    },
    /// A subtask failed at a record that is counted on its own.
    Poisoned {
        /// Which.
        subtask: SubtaskId,
        /// What happened.
        reason: String,
    },
    /// The votes of a checkpoint were no consistent cut.
    Violated,
    /// The job is to run with other subtasks.
    Rescaled,
    /// Its subtasks are to live elsewhere.
    Moved,
    /// The job goes back to a checkpoint that a person chose.
    Forked,
    /// This coordinator no longer reigns.
    Deposed,
    /// All input has been worked on, and all output committed.
    Finished,
    /// Somebody asked for a savepoint and the end.
    Suspended,
    /// Somebody asked for the end.
    Cancelled,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The checkpoint that was wanted is decided, or the end that was wanted has come.
    Done(Option<Pointer>),
    /// It is not to be had.
    Refused {
        /// What was wanted.
        wish: Wish,
        /// For a person.
        reason: String,
    },
}

/// What a watcher of the job hears.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Report {
    /// Every subtask has been restored, and the run has begun.
    Running {
        /// The run.
        authority: Authority,
        /// The checkpoint that it began from.
        base: Option<Epoch>,
    },
    /// A checkpoint is decided.
    Completed(Pointer),
    /// A checkpoint was given up.
    GivenUp {
        /// The checkpoint.
        epoch: Epoch,
        /// Why.
        reason: String,
    },
    /// The store of a decision did not answer; nothing is decided either way before it has been read back.
    Uncertain(Epoch),
    /// The votes of a checkpoint were no consistent cut.
    Violated(Epoch, Violation),
    /// All that a checkpoint staged is committed.
    Committed(Epoch),
    /// The job runs, but has failed to checkpoint or to commit several times in a row.
    Degraded {
        /// The last failure.
        reason: String,
    },
    /// What made the job degraded is over.
    Healthy,
    /// The run has ended, and another will follow.
    Restarting {
        /// Why.
        reason: EndReason,
    },
    /// Another coordinator reigns.
    Following,
    /// The job is over.
    Over(Over),
}

/// How a job's life under this coordinator ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Over {
    /// All input has been worked on, and all output committed.
    Finished,
    /// It stopped at a savepoint and can go on from it.
    Suspended(Pointer),
    /// Somebody ended it. It can go on from its newest checkpoint.
    Cancelled {
        /// What is decided and could not be committed in the time that there was; nothing, as a rule.
        in_doubt: Option<InDoubt>,
    },
    /// It cannot go on.
    Failed {
        /// Why.
        reason: String,
    },
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EndReason::Lost { subtask: Some(subtask), reason } | EndReason::Poisoned { subtask, reason } => {
                write!(f, "subtask {subtask} was lost: {reason}")
            }
            EndReason::Lost { subtask: None, reason } => f.write_str(reason),
            EndReason::Violated => f.write_str("the votes of a checkpoint were no consistent cut"),
            EndReason::Rescaled => f.write_str("the job is rescaled"),
            EndReason::Moved => f.write_str("the job is moved to other nodes"),
            EndReason::Forked => f.write_str("the job goes back to an older checkpoint"),
            EndReason::Deposed => f.write_str("another coordinator reigns"),
            EndReason::Finished => f.write_str("all input has been worked on"),
            EndReason::Suspended => f.write_str("the job is suspended"),
            EndReason::Cancelled => f.write_str("the job is cancelled"),
        }
    }
}

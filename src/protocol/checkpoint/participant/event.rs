//! What a participant hears.

use serde::{Deserialize, Serialize};
use watershed_core::Epoch;
use watershed_core::checkpoint::{Staged, Vote, Xid};

use crate::checkpoint::{Authority, Part};

/// What a [`Participant`](super::Participant) hears: from the coordinator, in whose name is said, and from its
/// own subtask.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ParticipantEvent {
    /// The coordinator says what to go on from.
    Restore {
        /// In whose name.
        authority: Authority,
        /// Epochs up to this one were handed out before this run.
        after: Epoch,
        /// What to go on from.
        part: Part,
    },
    /// All that was staged is resolved, and the part loaded.
    Loaded,
    /// The coordinator lets the subtask begin.
    Start {
        /// In whose name.
        authority: Authority,
    },
    /// The cut is complete: all that comes before the barrier has been worked on, and nothing else. Comes from
    /// the [`Alignment`](crate::Alignment), and at a source or where all input has ended from the trigger.
    Cut {
        /// The checkpoint.
        epoch: Epoch,
    },
    /// The output before the cut is staged durably; `None` where there was none, or the subtask is no sink.
    Prepared {
        /// The checkpoint.
        epoch: Epoch,
        /// What is staged.
        staged: Option<Staged>,
    },
    /// The state as of the cut is durable too. What is staged is not for the caller to list.
    Saved {
        /// The checkpoint.
        epoch: Epoch,
        /// The vote but for its `staged`.
        vote: Vote,
    },
    /// The output could not be staged or the state not saved.
    Failed {
        /// The checkpoint.
        epoch: Epoch,
        /// What hindered it.
        reason: String,
    },
    /// The coordinator says that a checkpoint is decided.
    Commit {
        /// In whose name.
        authority: Authority,
        /// The checkpoint.
        epoch: Epoch,
        /// What the subtask had staged when it voted.
        xids: Vec<Xid>,
    },
    /// What was to be committed is visible.
    CommitDone {
        /// Which.
        xid: Xid,
    },
    /// It is not certain that what was to be committed is visible.
    CommitFailed {
        /// Which.
        xid: Xid,
    },
    /// The coordinator says that it has given a checkpoint up.
    AbortNote {
        /// In whose name.
        authority: Authority,
        /// The checkpoint.
        epoch: Epoch,
    },
    /// The coordinator ends the run.
    EndRun {
        /// In whose name.
        authority: Authority,
        /// Where this is known, the newest decision: what is staged of later epochs is to be taken back.
        take_back_after: Option<Option<Epoch>>,
    },
    /// Somebody was heard who acts in this name.
    Heard {
        /// The name.
        authority: Authority,
    },
}

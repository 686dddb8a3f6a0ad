//! What a participant wants done.

use watershed_core::checkpoint::{Staged, Vote};
use watershed_core::{Epoch, SubtaskId};

use crate::checkpoint::{Authority, Part};

/// What a [`Participant`](super::Participant) wants done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ParticipantEffect {
    /// At a sink: refuse older runs outside, then commit these in their order, then take back whatever else
    /// earlier runs of the job have prepared.
    Resolve {
        /// In whose name.
        authority: Authority,
        /// What to commit.
        staged: Vec<Staged>,
    },
    /// Load the part (what it has staged is resolved by now). Answered by `Loaded`.
    Load {
        /// The barriers of epochs up to this one are old.
        after: Epoch,
        /// What to load.
        part: Part,
    },
    /// Tell the coordinator that the subtask waits for the start.
    Restored {
        /// The run.
        authority: Authority,
        /// The subtask.
        subtask: SubtaskId,
    },
    /// Begin to work.
    Begin,
    /// Send the barrier on, behind all output before the cut. Stage the output of a sink before the cut, durably;
    /// answered by `Prepared`. Then save the state as of the cut, in the background; answered by `Saved`. Or
    /// `Failed`, once.
    Snapshot(Epoch),
    /// Do not go on saving the state of this checkpoint. What is staged for it stays.
    Abandon(Epoch),
    /// Tell the coordinator that the subtask is prepared.
    Vote {
        /// The run.
        authority: Authority,
        /// The checkpoint.
        epoch: Epoch,
        /// The whole vote.
        vote: Vote,
    },
    /// Tell the coordinator that the subtask cannot prepare.
    Decline {
        /// The run.
        authority: Authority,
        /// The checkpoint.
        epoch: Epoch,
        /// The subtask.
        subtask: SubtaskId,
        /// Why.
        reason: String,
    },
    /// Make what is staged visible; doing it again is doing nothing. Answered by `CommitDone` or
    /// `CommitFailed`.
    Commit(Staged),
    /// Tell the coordinator that all up to this checkpoint is visible.
    Committed {
        /// The run.
        authority: Authority,
        /// The checkpoint.
        epoch: Epoch,
        /// The subtask.
        subtask: SubtaskId,
    },
    /// Take back what will never be decided.
    TakeBack(Staged),
    /// Tell whoever sent this in an older name that it is fenced.
    Refuse {
        /// The newest name heard.
        newest: Authority,
    },
    /// Stop, and write nothing more to the world outside.
    Exit,
}

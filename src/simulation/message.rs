//! What nodes tell each other about checkpoints, in MessagePack.
//!
//! Any of these may be lost, repeated and overtaken. What must not be lost for good is said again with each sign of life:
//! how every subtask stands.

use serde::{Deserialize, Serialize};
use watershed_core::checkpoint::{Vote, Xid};
use watershed_core::{Epoch, Site, SubtaskId};
use watershed_protocol::checkpoint::{Authority, Part};

use crate::agenda::Life;
use crate::node::shared::Word;

/// A message from one node to another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Message {
    /// A sign of life, with all subtasks that live on the node.
    Beat {
        life: Life,
        subtasks: Vec<(SubtaskId, Authority, Standing)>,
    },
    /// Set a subtask up, in this life of the node; the others live on these nodes.
    Restore {
        life: Life,
        authority: Authority,
        subtask: SubtaskId,
        after: Epoch,
        part: Part,
        places: Vec<(SubtaskId, usize)>,
    },
    Start {
        authority: Authority,
        subtask: SubtaskId,
    },
    Trigger {
        authority: Authority,
        subtask: SubtaskId,
        epoch: Epoch,
        completed: Option<Epoch>,
    },
    AbortNote {
        authority: Authority,
        epoch: Epoch,
    },
    Commit {
        authority: Authority,
        subtask: SubtaskId,
        epoch: Epoch,
        xids: Vec<Xid>,
    },
    EndRun {
        authority: Authority,
        take_back_after: Option<Option<Epoch>>,
    },
    /// Somebody has heard of a newer run or reign.
    Fenced {
        newest: Authority,
    },
    Restored {
        authority: Authority,
        subtask: SubtaskId,
    },
    Voted {
        authority: Authority,
        epoch: Epoch,
        vote: Vote,
    },
    Declined {
        authority: Authority,
        epoch: Epoch,
        subtask: SubtaskId,
        reason: String,
    },
    Committed {
        authority: Authority,
        epoch: Epoch,
        subtask: SubtaskId,
    },
    /// What one replica of shared state tells another.
    Word {
        authority: Authority,
        from: Site,
        word: Word,
    },
}

/// How a subtask stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Standing {
    Restoring,
    Restored,
    Working,
    /// Its input has ended and has been worked on.
    Ended,
    /// It cannot go on.
    Broken(String),
}

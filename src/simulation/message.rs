//! What nodes tell each other about checkpoints, in MessagePack.
//!
//! Any of these may be lost, repeated and overtaken. What must not be lost for good is said again with each sign of life:
//! how every subtask stands.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use watershed_core::checkpoint::{RollBack, Vote, Xid};
use watershed_core::{Epoch, Site, SubtaskId, VertexId};
use watershed_protocol::Panicked;
use watershed_protocol::checkpoint::{Authority, Intent, Part};

use crate::agenda::Life;
use crate::node::care::{Care, LeftOut};
use crate::node::shared::Word;

/// A message from one node to another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Message {
    /// A sign of life, with all subtasks that live on the node.
    Beat {
        life: Life,
        subtasks: Vec<(SubtaskId, Authority, Standing)>,
    },
    /// Set a subtask up, in this life of the node.
    Restore {
        life: Life,
        authority: Authority,
        subtask: SubtaskId,
        beginning: Beginning,
        part: Part,
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
        intent: Intent,
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
    /// A checkpoint is decided.
    Completed {
        authority: Authority,
        epoch: Epoch,
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
        /// What the subtask has left out so far.
        left_out: LeftOut,
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

/// How a run begins: what all its subtasks are told alike.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Beginning {
    /// Epochs up to this one were handed out before.
    pub(crate) after: Epoch,
    /// The number of the job's shape, and the node of each subtask.
    pub(crate) shape: usize,
    pub(crate) places: BTreeMap<SubtaskId, usize>,
    /// How the job has come to this run.
    pub(crate) roll_backs: Vec<RollBack>,
    /// Which vertices have to be careful.
    pub(crate) care: BTreeMap<VertexId, Care>,
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
    /// It has panicked.
    Panicked(Panicked),
}

//! The few facts that are decided, not saved.

use serde::{Deserialize, Serialize};

use crate::checkpoint::{Agreed, ObjectRef};
use crate::{Epoch, Lineage, Run, Term};

/// How many times that a job was set back are remembered. Tokens from before the oldest are as good as expired.
pub const ROLL_BACKS_MAX: usize = 256;

/// What the meta store holds of one job. Every change is one compare-and-swap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Meta {
    /// The reign of the newest leader.
    pub term: Term,
    /// The newest execution.
    pub run: Run,
    /// The history that the newest execution belongs to.
    pub lineage: Lineage,
    /// THE decision: the newest checkpoint that is complete.
    pub completed: Option<Pointer>,
    /// Epochs up to this one have been handed out, used or burnt, and are never handed out again.
    pub burnt: Epoch,
    /// The newest times that the job was set back, oldest first: at most [`ROLL_BACKS_MAX`].
    pub roll_backs: Vec<RollBack>,
    /// Whether the job has come to its end: its last checkpoint is complete, and all that it staged committed.
    pub finished: bool,
    /// What was agreed on. Going back to a checkpoint takes nothing of it back.
    #[serde(default, skip_serializing_if = "Agreed::is_empty")]
    pub agreed: Agreed,
}

/// Names the manifest of a decided checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pointer {
    /// The history.
    pub lineage: Lineage,
    /// The checkpoint.
    pub epoch: Epoch,
    /// Its manifest.
    pub manifest: ObjectRef,
}

/// A job was set back to a checkpoint: what came after it in earlier runs never happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RollBack {
    /// The execution that began with it.
    pub run: Run,
    /// Its history.
    pub lineage: Lineage,
    /// The checkpoint it began from; `None` at the very beginning.
    pub base: Option<Epoch>,
}

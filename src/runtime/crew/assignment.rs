//! What a crew is told of a run: who lives where, and what each of its own subtasks goes on from.
//!
//! The layout itself (subtasks, channels) is not sent: each node computes it from the same plan.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use watershed_core::checkpoint::RollBack;
use watershed_core::stage::{Care, Shunned};
use watershed_core::{Epoch, SubtaskId, VertexId};
use watershed_protocol::checkpoint::{Authority, Part};

use crate::split::Assigned;

/// What a crew is told of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Assignment {
    pub(crate) authority: Authority,
    /// Epochs up to this one were handed out before this run.
    pub(crate) after: Epoch,
    /// How the job has come to this run: the newest times that it was set back, this one last.
    pub(crate) roll_backs: Vec<RollBack>,
    /// The checkpoint that the job goes on from, if it has one.
    pub(crate) base: Option<Epoch>,
    /// How many subtasks a vertex has that does not say.
    pub(crate) parallelism: u32,
    pub(crate) batch_records: usize,
    /// Which crew each slot of the job is on.
    pub(crate) slots: Vec<u16>,
    /// The nodes of the crews, by their numbers.
    pub(crate) nodes: Vec<String>,
    /// The number of the crew that is told.
    pub(crate) crew: u16,
    /// What its subtasks have to do.
    pub(crate) duties: BTreeMap<SubtaskId, Duty>,
    /// What the subtasks of a vertex are to be careful about.
    pub(crate) care: BTreeMap<VertexId, CareOrder>,
}

/// Why a crew cannot begin its part of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hindrance {
    /// For a person.
    pub(crate) reason: String,
    /// Whether it would be the same another time.
    pub(crate) permanent: bool,
}

impl Hindrance {
    /// It may be gone with the next run.
    pub(crate) fn passing(reason: impl ToString) -> Self {
        Hindrance { reason: reason.to_string(), permanent: false }
    }

    /// It is there until a person does something.
    pub(crate) fn lasting(reason: impl ToString) -> Self {
        Hindrance { reason: reason.to_string(), permanent: true }
    }
}

/// What one subtask has to do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Duty {
    /// What it goes on from.
    pub(crate) part: Part,
    /// What a source's subtask is to read.
    pub(crate) splits: Vec<Assigned>,
}

/// What subtasks are to be careful about.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CareOrder {
    pub(crate) barriers: u32,
    pub(crate) shunned: Vec<Shunned>,
}

impl CareOrder {
    pub(crate) fn care(&self) -> Box<Care> {
        Box::new(Care::new(self.barriers, self.shunned.clone()))
    }
}

impl Assignment {
    /// Which crew a slot is on.
    pub(crate) fn crew_of(&self, slot: usize) -> u16 {
        self.slots[slot]
    }

    /// The place of a slot among those of its own crew: subtasks of one slot share an arbiter.
    pub(crate) fn rank_of(&self, slot: usize) -> usize {
        let crew = self.slots[slot];
        self.slots[..slot].iter().filter(|one| **one == crew).count()
    }
}

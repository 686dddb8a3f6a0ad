//! What is decided of a cluster: a few KiB, alike on all of its coordinators.
//!
//! ```text
//!   ClusterState ── jobs ── name ─ JobRecord ── Meta       what is decided of the job's checkpoints
//!                │                           ├─ spec       what was submitted
//!                │                           ├─ wanted     what a person wants of it
//!                │                           └─ outcome    how it ended
//!                ├─ nodes ─ name ─ NodeRecord ── incarnation
//!                └─ token_keys                  what clients' tokens are sealed with
//! ```
//!
//! It changes by [`apply`](ClusterState::apply) alone, a pure function: each coordinator applies the same changes in
//! the same order, so nothing here may ask for the time, a random number, or a setting of its own node.

mod change;
pub mod limits;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use watershed_core::checkpoint::Meta;

pub use change::{Change, ClusterChange, Refusal};

/// What is decided of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterState {
    /// The jobs by name: those that live, and of those that have ended the last one of each name.
    pub jobs: BTreeMap<String, JobRecord>,
    /// The nodes that have ever taken part, by name.
    pub nodes: BTreeMap<String, NodeRecord>,
    /// The number that the next job gets.
    pub next_job_number: u32,
    /// With what the nodes seal the tokens that clients are given, the newest last.
    #[serde(default)]
    pub token_keys: Vec<TokenSecret>,
}

/// A key that all nodes of the cluster share. Its secret is in no log: it is not printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenSecret {
    /// Its number, which was never another key's.
    pub id: u32,
    /// The secret.
    pub secret: [u8; 32],
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSecret").field("id", &self.id).finish_non_exhaustive()
    }
}

/// One job of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRecord {
    /// Tells it from all other jobs of the cluster, also from those that had its name. From 1, and never reused.
    pub number: u32,
    /// What was submitted.
    pub spec: JobSpec,
    /// What is decided of its checkpoints.
    pub meta: Meta,
    /// What a person wants of it.
    pub wanted: Wanted,
    /// How it ended; `None` while it lives.
    pub outcome: Option<Outcome>,
    /// How often it has been brought to life: once when it was first run, and again after each failure.
    pub lives: u32,
    /// Whether it stands still, as is wanted: it has taken the savepoint from which it can go on, and all that is decided
    /// is committed. Until then somebody has to bring it there.
    #[serde(default)]
    pub rests: bool,
}

/// What is to be run, as it was submitted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// The pipeline's name.
    pub pipeline: String,
    /// The pipeline's parameters.
    pub parameters: BTreeMap<String, String>,
    /// Settings of the run, such as the interval of checkpoints, named as on the command line.
    pub settings: BTreeMap<String, String>,
    /// How many subtasks a vertex has that does not say so itself.
    pub parallelism: u32,
    /// Where its subtasks go.
    pub placement: Placement,
    /// Who submitted it, for people to read.
    pub submitted_by: String,
}

/// How the subtasks of a job are laid on the nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Placement {
    /// Over as many nodes as there are, so that each has little to do.
    #[default]
    Spread,
    /// On as few nodes as will do, so that little crosses the network.
    Pack,
}

/// What a person wants of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// It runs.
    #[default]
    Running,
    /// It stands still, and can be run again from where it stopped.
    Suspended,
    /// It ends without having read its input to the end.
    Cancelled,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It has read its input to the end, and all that it wrote is there.
    Finished,
    /// A person ended it.
    Cancelled,
    /// It cannot go on.
    Failed {
        /// Why.
        reason: String,
    },
}

/// One node that has taken part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// The number of its newest life. An older one that comes back, or a copy of its disk, is refused.
    pub incarnation: u64,
}

impl JobRecord {
    /// Whether it has not ended.
    pub fn lives_on(&self) -> bool {
        self.outcome.is_none()
    }
}

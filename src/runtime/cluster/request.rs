//! What a person may ask of a cluster, through any of its nodes, and what is answered.

use std::collections::BTreeMap;
use std::time::Duration;

use actix::Message;
use serde::{Deserialize, Serialize};
use watershed_cluster::{JobSpec, Outcome};
use watershed_core::checkpoint::{Agreement, Register};
use watershed_link::RemoteMessage;
use watershed_protocol::agree::{Proposal, Refused};

use crate::agree::Reading;
use crate::board::{CheckpointReport, VertexReport};

/// What a person may ask of a cluster. It is answered by the leader.
#[derive(Clone, Debug, Message, Serialize, Deserialize)]
#[rtype(result = "Result<Answer, Problem>")]
#[non_exhaustive]
pub enum Request {
    /// Run this.
    Submit {
        /// The name of the job.
        name: String,
        /// What to run.
        spec: JobSpec,
    },
    /// Which jobs are there?
    Jobs,
    /// How does a job stand?
    Status {
        /// The name of the job.
        job: String,
    },
    /// End a job.
    Cancel {
        /// The name of the job.
        job: String,
        /// How.
        how: CancelHow,
    },
    /// Let a job go on that was stopped at a savepoint.
    Resume {
        /// The name of the job.
        job: String,
    },
    /// Take a checkpoint of a job that is kept until somebody deletes it.
    Savepoint {
        /// The name of the job.
        job: String,
    },
    /// Go on with another number of subtasks.
    Rescale {
        /// The name of the job.
        job: String,
        /// How many subtasks a vertex has that does not say.
        parallelism: u32,
    },
    /// Forget a job that has ended.
    Remove {
        /// The name of the job.
        job: String,
    },
    /// Which nodes are there?
    Nodes,
    /// Have something agreed on by the nodes of a job.
    Agree {
        /// The name of the job.
        job: String,
        /// What.
        proposal: Proposal,
        /// How long it may take.
        within: Duration,
    },
    /// What have the nodes of a job agreed on?
    Agreed {
        /// The name of the job.
        job: String,
        /// Where.
        register: Register,
        /// How long it may take.
        within: Duration,
    },
}

/// How a job is to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CancelHow {
    /// At once.
    #[default]
    Now,
    /// At a savepoint.
    WithSavepoint,
    /// By reading no more, and finishing what was read.
    Drain,
}

impl RemoteMessage for Request {
    const NAME: &'static str = "watershed/request";
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Answer {
    /// The job is accepted.
    Submitted {
        /// Its name.
        job: String,
        /// Its number.
        number: u32,
    },
    /// The jobs.
    Jobs(Vec<JobReport>),
    /// One job.
    Job(Box<JobReport>),
    /// The savepoint, by its epoch; `None` where the job ended without one.
    Savepoint {
        /// The job.
        job: String,
        /// The epoch of the checkpoint.
        epoch: Option<u64>,
    },
    /// It is done.
    Done,
    /// The nodes.
    Nodes(Vec<NodeReport>),
    /// What was agreed on, or why nothing was.
    Agreed(Result<Agreement, Refused>),
    /// What a register is read as; `None` where nothing was ever agreed on.
    Register(Result<Option<Reading>, Refused>),
}

/// How a job stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JobReport {
    /// Its name.
    pub job: String,
    /// Its number, which is never another job's.
    pub number: u32,
    /// What was submitted.
    pub spec: JobSpec,
    /// Where it is in its life.
    pub state: JobState,
    /// What it waits for, or why it failed.
    pub reason: Option<String>,
    /// The execution that it is in.
    pub run: Option<u32>,
    /// How many subtasks a vertex has that does not say.
    pub parallelism: u32,
    /// How many of its slots each node has.
    pub slots: BTreeMap<String, u32>,
    /// What its vertices have done since this run's nodes began.
    pub vertices: Vec<VertexReport>,
    /// How its checkpoints stand.
    pub checkpoints: CheckpointReport,
}

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// It waits for room.
    Waiting,
    /// It runs, or is being restored.
    Running,
    /// It was stopped at a savepoint.
    Suspended,
    /// It has read its input to the end, and all that it wrote is there.
    Finished,
    /// A person ended it.
    Cancelled,
    /// It cannot go on.
    Failed,
}

impl JobState {
    /// Where a job with this outcome is.
    pub(crate) fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Finished => JobState::Finished,
            Outcome::Cancelled => JobState::Cancelled,
            Outcome::Failed { .. } => JobState::Failed,
        }
    }
}

/// How a node stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeReport {
    /// Its name.
    pub node: String,
    /// Which of its lives this is.
    pub incarnation: u64,
    /// Where other nodes reach it.
    pub address: String,
    /// Where its HTTP interface is.
    pub http: Option<String>,
    /// Whether it is heard of.
    pub alive: bool,
    /// Whether it is about to leave.
    pub leaving: bool,
    /// Whether it may lead.
    pub coordinator: bool,
    /// Whether it leads.
    pub leader: bool,
    /// How many slots it has.
    pub slots: u32,
    /// How many of them are in use.
    pub used: u32,
    /// How much of its processors is in use, in percent.
    pub busy_percent: u32,
    /// How much memory its process has, in bytes.
    pub memory_bytes: u64,
}

/// Why a request is not granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{what}")]
pub struct Problem {
    /// What kind of problem it is.
    pub kind: ProblemKind,
    /// What it is, and what to do.
    pub what: String,
}

/// What kind of problem hinders a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemKind {
    /// There is no such job.
    NotFound,
    /// It does not fit to how things stand.
    Conflict,
    /// What was asked for makes no sense.
    Invalid,
    /// No leader answers.
    Unavailable,
    /// Another node leads, or none yet. [`NodeHandle::request`](super::NodeHandle::request) asks again for a while.
    NotLeading,
}

impl Problem {
    pub(crate) fn new(kind: ProblemKind, what: impl ToString) -> Self {
        Problem { kind, what: what.to_string() }
    }
}

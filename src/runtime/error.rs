//! How a job can end that does not end well.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use watershed_core::state::BackendError;
use watershed_core::{
    EventTime, Guarantee, KeyGroup, PlanError, SourceError, SubtaskId, excerpt, stage::TaskError,
};
use watershed_protocol::checkpoint::InDoubt;
use watershed_state::inspect::InspectError;
use watershed_state::{StoreError, to_json};

use crate::migration::{Migration, Obstacle, Reshaped};

/// Why a job did not finish.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// The plan cannot be run.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A source's input or a sink's output was not there when the job was to start; nothing has run.
    #[error("the job did not start: {operator}: {error}")]
    Start {
        /// The operator.
        operator: String,
        /// What was wrong.
        error: TaskError,
    },
    /// The state directory is not this job's, is in use, or cannot be read.
    #[error(transparent)]
    State(#[from] StoreError),
    /// The place for state that does not fit into memory could not be made.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// There is no such checkpoint to go back to.
    #[error(transparent)]
    Checkpoint(#[from] InspectError),
    /// The state directory is of another plan, and this one cannot go on from it, or nobody has allowed it.
    #[error("{}", other_plan(.0))]
    OtherPlan(Box<Migration>),
    /// A source cannot hold to what the job asks for; nothing was opened.
    #[error(
        "source {operator} holds to {holds}, and the job asks for {asked}: what it has read when the job is killed cannot \
         be read again; let it log what arrives (a socket or standard input does unless it is made .without_log(), a source \
         of your own with `can_log` and `open_logged`), or ask for less ([checkpoints] guarantee = \"{holds}\", or --guarantee {holds})"
    )]
    Guarantee {
        /// The uid of the source.
        operator: String,
        /// What it can hold to.
        holds: Guarantee,
        /// What the job asks for.
        asked: Guarantee,
    },
    /// It could not begin on another node.
    #[error("{reason}")]
    Elsewhere {
        /// Why, with the operator.
        reason: String,
        /// Whether input or output is lost for good.
        is_lost: bool,
    },
    /// The job cannot go on, for a reason that no subtask told.
    #[error("the job cannot go on: {reason}")]
    Stopped {
        /// Why.
        reason: String,
    },
    /// The job was cancelled, and its sinks could not commit all that was decided in the time that there was.
    #[error(
        "the job was cancelled, and {0}; see to its sinks: what they still hold prepared of these is to be committed, and \
         not to be taken back"
    )]
    InDoubt(InDoubt),
    /// Something failed while the job ran.
    #[error(transparent)]
    Failed(Box<Failure>),
}

impl JobError {
    /// An input that was not there.
    pub(crate) fn input(operator: String, error: SourceError) -> Self {
        JobError::Start { operator, error: error.into() }
    }
}

/// Says in a line what is different, and what to do.
fn other_plan(migration: &Migration) -> String {
    let Migration { checkpoint, added, removed, reshaped, obstacles, .. } = migration;
    if !obstacles.is_empty() {
        let told = obstacles.iter().map(|Obstacle { operator, what }| match operator {
            Some(operator) => format!("{operator}: {what}"),
            None => what.clone(),
        });
        let told: Vec<_> = told.collect();
        return format!("the plan cannot go on from checkpoint {checkpoint}: {}", told.join("; "));
    }
    let changes = added.iter().map(|uid| format!("+ {uid}"));
    let changes = changes.chain(removed.iter().map(|uid| format!("- {uid}")));
    let reshaped = reshaped
        .iter()
        .map(|Reshaped { operator, before, now }| format!("~ {operator}: emitted {before}, emits {now}"));
    let changes: Vec<_> = changes.chain(reshaped).collect();
    let changes = if changes.is_empty() { "the order or the routing".to_owned() } else { changes.join("; ") };
    format!(
        "the state directory is of another plan ({changes}), and this one can go on from its checkpoint \
         {checkpoint}: allow it (--allow-other-plan), or choose another state directory"
    )
}

/// What failed, and where.
#[derive(Debug)]
pub struct Failure {
    /// The uid of the operator.
    pub operator: String,
    /// The subtask.
    pub subtask: SubtaskId,
    /// How many subtasks its vertex has.
    pub parallelism: u32,
    /// The group of the key that was being handled, where it is known.
    pub key_group: Option<KeyGroup>,
    /// That key as JSON, where it can be written.
    pub key: Option<String>,
    /// When the timer was set for that was being fired, where one was.
    pub timer: Option<String>,
    /// How far which split had been read, where it is known.
    pub origin: Option<String>,
    /// The record that was being handled, where it is known.
    pub record: Option<RecordAtHand>,
    /// What happened.
    pub cause: Cause,
    /// What to do, where there is something to do.
    pub advice: Option<String>,
}

/// The record that was being handled when a subtask panicked. It is known where the subtask had panicked before, and
/// let records in one by one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordAtHand {
    /// Its event time.
    pub time: EventTime,
    /// The record as it entered the operator's chain, as MessagePack.
    pub bytes: Arc<[u8]>,
}

/// What happened.
#[derive(Debug)]
pub enum Cause {
    /// The operator's code panicked.
    Panic {
        /// The message.
        message: String,
        /// File, line and column, where known.
        location: Option<Box<str>>,
    },
    /// An edge of the pipeline failed.
    Error(TaskError),
    /// An edge of the pipeline failed on another node.
    Elsewhere {
        /// What was told of it.
        message: String,
        /// Whether another run would fail in the same way.
        is_final: bool,
    },
}

impl Failure {
    /// Whether another run would fail in the same way, as far as the failure itself tells.
    pub(crate) fn is_final(&self) -> bool {
        match &self.cause {
            Cause::Panic { .. } => false,
            // What was saved will not be read by the next run either.
            Cause::Error(error) => error.is_lost() || matches!(error, TaskError::State(_)),
            Cause::Elsewhere { is_final, .. } => *is_final,
        }
    }
}

impl JobError {
    /// Whether input or output is lost for good.
    pub(crate) fn is_lost(&self) -> bool {
        match self {
            JobError::Start { error, .. } => error.is_lost(),
            JobError::Elsewhere { is_lost, .. } => *is_lost,
            _ => false,
        }
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "operator {} (subtask {} of {}", self.operator, self.subtask.index + 1, self.parallelism)?;
        if let Some(group) = self.key_group {
            write!(f, ", key group {}", group.0)?;
        }
        if let Some(key) = &self.key {
            write!(f, ", key {}", excerpt(key, QUOTE_BYTES_MAX))?;
        }
        if let Some(timer) = &self.timer {
            write!(f, ", the timer at {timer}")?;
        }
        if let Some(origin) = &self.origin {
            write!(f, ", {origin}")?;
        }
        match &self.cause {
            Cause::Panic { message, location: Some(location) } => {
                write!(f, ") panicked at {location}: {message}")
            }
            Cause::Panic { message, location: None } => write!(f, ") panicked: {message}"),
            Cause::Error(error) => write!(f, ") failed: {error}"),
            Cause::Elsewhere { message, .. } => write!(f, ") failed: {message}"),
        }?;
        if let Some(RecordAtHand { time, bytes }) = &self.record {
            write!(f, "; the record was {} of {time}", quoted(bytes))?;
        }
        self.advice.as_ref().map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

/// How much of a record or a key a message quotes.
const QUOTE_BYTES_MAX: usize = 512;

/// A record in MessagePack as a message may quote it: the beginning of its JSON.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    match to_json(bytes) {
        Ok(json) => excerpt(&json.to_string(), QUOTE_BYTES_MAX).into_owned(),
        Err(_) => "one that cannot be written".to_owned(),
    }
}

//! Why there is no answer.

use serde::{Deserialize, Serialize};
use watershed_core::causal::Lane;
use watershed_core::{Counter, Epoch, Lineage, Run, SplitId};

use super::Level;

/// Why a question is not answered, or an update is not made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum QueryError {
    /// There is no such job.
    #[error("there is no job {job:?}; there are: {}", listed(known))]
    NoJob {
        /// The name that was asked for.
        job: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The job has no such state.
    #[error("the job has no state {name:?}; it has: {}", listed(known))]
    NoState {
        /// The name that was asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The job has no such source, or the source has no such split yet.
    #[error(
        "the job has read from no split {split} of a source {name:?}; it has read from: {}",
        listed(known)
    )]
    NoInput {
        /// The uid of the source.
        name: String,
        /// The split.
        split: SplitId,
        /// From which it has, each as `uid:split`.
        known: Vec<String>,
    },
    /// The key is none of the state's.
    #[error("the key cannot be read: {reason}")]
    NoKey {
        /// What is wrong with it.
        reason: String,
    },
    /// The state is not answered for at this level.
    #[error("this state cannot be asked for at the level {level}: {why}")]
    Unfit {
        /// The level.
        level: Level,
        /// Why, and what to do.
        why: String,
    },
    /// What is needed for an answer is not there, and did not come in time.
    #[error("there is no answer yet: {missing} is missing; ask again, or ask another node")]
    Unavailable {
        /// What is missing.
        missing: String,
    },
    /// The asker has seen what was undone by a failure.
    #[error("{}", rolled_back(*from_run, *to_run, *base, undone))]
    RolledBack {
        /// The run that was seen.
        from_run: Run,
        /// The run that there is now.
        to_run: Run,
        /// The checkpoint to which the job was set back; `None` where that was the very beginning.
        base: Option<Epoch>,
        /// What was seen and never happened.
        undone: Vec<Undone>,
    },
    /// The job was set back by hand and has begun another history.
    #[error(
        "the token is of history {from}, and the job is in history {to} since it was restored by hand: get a new token"
    )]
    Forked {
        /// The history that was seen.
        from: Lineage,
        /// The one that there is now.
        to: Lineage,
    },
    /// The token is too old for anybody to know what has become of what it names.
    #[error("the token has expired: get a new one")]
    TokenExpired,
    /// The token is none, or somebody else's.
    #[error("{why}")]
    TokenInvalid {
        /// What is wrong with it.
        why: String,
    },
    /// The clock of the node is ahead, so that an update would win over later ones of others.
    #[error(
        "the clock of the node is {ahead_ms} ms ahead, and {max_ms} are taken: set the clocks of the nodes"
    )]
    ClockSkew {
        /// By how many milliseconds.
        ahead_ms: u64,
        /// How many are taken.
        max_ms: u64,
    },
    /// The job does not run: only its checkpoints can be asked for.
    #[error("job {job:?} does not run now: ask for its newest checkpoint, or wait until it runs")]
    NotRunning {
        /// The job.
        job: String,
    },
    /// The state's resolver does not take the update, or its bytes are none.
    #[error("the update is not taken: {why}")]
    Refused {
        /// Why.
        why: String,
    },
    /// The state is an operator's own.
    #[error("{state:?} is the state of an operator, which only the operator changes: send it a record")]
    ReadOnly {
        /// The state.
        state: String,
    },
    /// Something has more bytes than are taken.
    #[error("{what} has {found} bytes, and {max} are taken")]
    TooLarge {
        /// What.
        what: String,
        /// How many it has.
        found: u64,
        /// How many are taken.
        max: u64,
    },
    /// Too many questions wait already.
    #[error("{max} questions wait already: ask again later")]
    Busy {
        /// How many may wait.
        max: u64,
    },
    /// There is no such checkpoint.
    #[error("{}", no_checkpoint(*asked, *newest))]
    NoCheckpoint {
        /// The one that was asked for; `None` for the newest.
        asked: Option<Epoch>,
        /// The newest there is.
        newest: Option<Epoch>,
    },
    /// A checkpoint cannot be read.
    #[error("the checkpoint cannot be read: {why}")]
    Unreadable {
        /// Why.
        why: String,
    },
    /// Nobody knows whether the update was made: the node that was to make it does not answer.
    #[error("it is not known whether the update was made: {why}; read the key before you try again")]
    Unknown {
        /// What has happened.
        why: String,
    },
}

/// Updates that were seen and never happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// Their lane.
    pub lane: Lane,
    /// The last of them that was seen. Of those before it in the lane none has happened either.
    pub up_to: Counter,
    /// The run whose beginning has undone them.
    pub by: Run,
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn rolled_back(from: Run, to: Run, base: Option<Epoch>, undone: &[Undone]) -> String {
    let base = base.map_or("its beginning".to_owned(), |epoch| format!("checkpoint {epoch}"));
    let lanes: Vec<String> =
        undone.iter().map(|undone| format!("{} up to update {}", undone.lane, undone.up_to)).collect();
    format!(
        "the token is of run {from}, and the job was set back to {base} and is in run {to}; what never happened: {}; \
         ask with `rebase` to go on without it",
        lanes.join(", ")
    )
}

fn no_checkpoint(asked: Option<Epoch>, newest: Option<Epoch>) -> String {
    match (asked, newest) {
        (Some(asked), Some(newest)) => {
            format!("checkpoint {asked} is not kept, or was never complete; the newest is {newest}")
        }
        (_, None) | (None, Some(_)) => "no checkpoint of the job is complete yet".to_owned(),
    }
}

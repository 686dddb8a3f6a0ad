//! What may be asked, and what may be changed.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watershed_core::Epoch;
use watershed_protocol::causal::Submitted;

use super::limits::WAIT_DEFAULT;

/// Asks for the value of one key of a job's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// The name of a shared state; or the uid of an operator, and behind a `/` that of a piece of its state.
    pub state: String,
    /// The key as MessagePack.
    #[serde(with = "serde_bytes")]
    pub key: Vec<u8>,
    /// What is promised of the answer.
    pub level: Level,
    /// What the asker has seen: the newest token that it was given.
    pub token: Option<String>,
    /// Whether an asker who has seen what was undone is answered as if it had seen only what is left, instead of being
    /// refused. The answer says so.
    pub rebase: bool,
    /// What the asker has put into the job's sources, beside what its token names: up to
    /// [`INPUTS_MAX`](super::limits::INPUTS_MAX) splits. The token of the answer names it, until a complete checkpoint has
    /// worked on it.
    pub inputs: Vec<Submitted>,
    /// Whether to wait for a complete checkpoint that has worked on all that the asker has put in, also where a failure has
    /// made the job read it again; it is answered as of that checkpoint, and of [`AsOf::Latest`] alone. What else the asker
    /// has seen and a failure has undone is let go of, as with `rebase`.
    pub await_input: bool,
    /// How long the answer may be waited for, up to [`WAIT_MAX`](super::limits::WAIT_MAX). Where it is nothing, what is not
    /// there is not waited for.
    pub wait: Duration,
}

/// Changes one key of a shared state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// The name of the shared state.
    pub state: String,
    /// The key as MessagePack.
    #[serde(with = "serde_bytes")]
    pub key: Vec<u8>,
    /// What is changed: the update of the state's resolver, as MessagePack.
    #[serde(with = "serde_bytes")]
    pub delta: Vec<u8>,
    /// What the writer has seen: the update comes after all of it, on all nodes.
    pub token: Option<String>,
    /// Whether to answer only when a complete checkpoint has the update, so that no failure undoes it.
    pub durable: bool,
    /// How long what the token names, and the checkpoint, may be waited for, up to
    /// [`WAIT_MAX`](super::limits::WAIT_MAX).
    pub wait: Duration,
}

/// What is promised of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// What whoever is asked has now. It may lack what others have, or what the asker has seen.
    #[default]
    Eventual,
    /// Nothing older than what the token names.
    Causal,
    /// What a complete checkpoint has: one consistent cut through all state of the job, which no failure undoes.
    AsOf(AsOf),
    /// The newest there is, as if there were one copy only.
    Linearizable,
}

/// A complete checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AsOf {
    /// The newest one.
    #[default]
    Latest,
    /// This one, as long as it is kept.
    Epoch(Epoch),
}

impl Query {
    /// Asks for what is there now, without a token.
    pub fn new(state: impl Into<String>, key: Vec<u8>) -> Self {
        Query {
            state: state.into(),
            key,
            level: Level::default(),
            token: None,
            rebase: false,
            inputs: Vec::new(),
            await_input: false,
            wait: WAIT_DEFAULT,
        }
    }
}

impl Update {
    /// An update without a token, answered when it is made.
    pub fn new(state: impl Into<String>, key: Vec<u8>, delta: Vec<u8>) -> Self {
        Update { state: state.into(), key, delta, token: None, durable: false, wait: WAIT_DEFAULT }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Level::Eventual => f.write_str("eventual"),
            Level::Causal => f.write_str("causal"),
            Level::AsOf(AsOf::Latest) => f.write_str("as of the newest checkpoint"),
            Level::AsOf(AsOf::Epoch(epoch)) => write!(f, "as of checkpoint {epoch}"),
            Level::Linearizable => f.write_str("linearizable"),
        }
    }
}

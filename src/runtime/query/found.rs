//! What is answered.

use serde::{Deserialize, Serialize};
use watershed_core::{Epoch, Run};

/// The answer to a [`Query`](super::Query) or an [`Update`](super::Update).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The value as MessagePack, structs as maps by the names of their fields; `None` where there is nothing of the key,
    /// and after an update, for which nothing is read.
    #[serde(with = "serde_bytes")]
    pub value: Option<Vec<u8>>,
    /// What the asker has seen by now, to be shown with the next question.
    pub token: String,
    /// The run that answers, or that the checkpoint was taken of.
    pub run: Run,
    /// The checkpoint that was read, where one was asked for.
    pub as_of: Option<Epoch>,
    /// Whether a complete checkpoint has all that the token names of the job, so that no failure undoes it. An update for which that
    /// was asked, and whose answer says no, is made, but its checkpoint was not complete in time.
    pub durable: bool,
    /// Whether the asker had seen what was undone, and is answered as if it had not.
    pub rebased: bool,
    /// The node that answers; nothing where there is one process only.
    pub node: String,
}

//! Why a client has no answer.

use std::time::Duration;

use watershed_core::Run;
use watershed_runtime::query::QueryError;
use watershed_server::view::ProblemDocument;

/// Why a client has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// An address is none of a node.
    #[error("{0}")]
    Address(String),
    /// No node answers, or the one that was asked broke off. An update may have been made.
    #[error("{0}")]
    Unreachable(String),
    /// A node says why there is no answer: what was seen was undone, is not there yet, cannot be asked for, ..
    #[error(transparent)]
    Refused(Box<QueryError>),
    /// A node does not take the request at all.
    #[error("{}", .0.detail)]
    Problem(Box<ProblemDocument>),
    /// Whatever answers is no node of this version.
    #[error("the answer is not one of a node of this version: {0}")]
    Strange(String),
    /// A key or an update cannot be sent, or a value is not of the type that is asked for.
    #[error("{what} does not fit: {reason}")]
    Value {
        /// Which.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// Whoever answers has not heard that the job went on: what it has is older than what was seen.
    #[error("node {node} answers for run {answered}, and run {seen} was seen: ask another node, or later")]
    OlderRun {
        /// The node.
        node: String,
        /// The run that it is in.
        answered: Run,
        /// The run that was seen.
        seen: Run,
    },
    /// No complete checkpoint has all that was seen, after this time.
    #[error("no complete checkpoint has all that was seen, after {waited:?}")]
    NotDurable {
        /// How long it was waited.
        waited: Duration,
    },
    /// Nothing was seen yet.
    #[error("the session has seen nothing yet: read or update something first")]
    Unused,
}

impl ClientError {
    /// What a problem document says.
    pub(crate) fn of(document: ProblemDocument) -> Self {
        match document.query_error() {
            Some(error) => ClientError::Refused(Box::new(error)),
            None => ClientError::Problem(Box::new(document)),
        }
    }

    /// An answer that is not understood.
    pub(crate) fn strange(error: &serde_json::Error) -> Self {
        ClientError::Strange(error.to_string())
    }
}

//! How the cluster can fail a caller.

use watershed_state::StoreError;

use crate::ClusterView;
use crate::decided::Refusal;

/// Why a node cannot take part.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// What it was told does not fit together.
    #[error("the cluster's settings are wrong: {reason}")]
    Config {
        /// What is wrong.
        reason: String,
    },
    /// What is decided cannot be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The disk is another node's, or of another cluster.
    #[error(
        "{path} belongs to node {node} of cluster {cluster}; give this node a directory of its own, or its own name back"
    )]
    Foreign {
        /// The file.
        path: String,
        /// Whose it is.
        node: String,
        /// The cluster.
        cluster: String,
    },
    /// Consensus could not be started.
    #[error("the group of coordinators could not be joined: {reason}")]
    Group {
        /// Why.
        reason: String,
    },
    /// Gossip could not be started.
    #[error("gossip could not be started: {reason}")]
    Gossip {
        /// Why.
        reason: String,
    },
}

/// Why a question of a peer has no answer. The link to it should be closed: it speaks another language.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// It is not understood.
    #[error("a message of node {from} is not understood: {reason}")]
    Malformed {
        /// The node.
        from: String,
        /// Why.
        reason: String,
    },
}

/// Why what is decided cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// No leader could be asked in time.
    #[error(
        "what is decided cannot be told now: {reason}; see that a majority of the coordinators runs and is reached"
    )]
    Unavailable {
        /// What was tried last.
        reason: String,
    },
}

/// Why a change of the cluster is not, or may not be, decided.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProposeError {
    /// It was not applied: its condition does not hold.
    #[error("{refusal}")]
    Refused {
        /// Why.
        refusal: Refusal,
        /// What is decided instead.
        view: Box<ClusterView>,
    },
    /// It may have been applied, or may still be. Look before it is tried again.
    #[error("whether it was decided is not known, look before trying again: {reason}")]
    Unknown {
        /// What failed.
        reason: String,
    },
    /// It was certainly not applied.
    #[error("it was not decided: {reason}; see that a majority of the coordinators runs and is reached")]
    Failed {
        /// What failed.
        reason: String,
    },
}

//! How the nodes of a cluster reach each other: whatever else carries their traffic carries this too.

use std::time::Duration;

use async_trait::async_trait;

/// Carries messages between nodes, by name.
///
/// What arrives from a peer's `ask` is handed to [`Cluster::answer`](crate::Cluster::answer), and what arrives from its
/// `tell` to [`Cluster::heard`](crate::Cluster::heard). Both must be sure of who the peer is, since a voter is believed
/// by its name; and of two nodes of one name only one may be heard, since the other may run from a copy of its disk, and
/// then the two would vote twice.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Asks a node, and returns its answer. Gives up after `within`.
    ///
    /// Called from many tasks at once, some ten times a second while nothing happens.
    ///
    /// # Errors
    ///
    /// [`TransportError::Unsent`] only where the node has certainly not got the question.
    async fn ask(&self, node: &str, body: Vec<u8>, within: Duration) -> Result<Vec<u8>, TransportError>;

    /// Tells a node something, without learning whether it arrived. Does not wait: what cannot be sent is dropped.
    fn tell(&self, node: &str, body: Vec<u8>);
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The node has not got the question.
    #[error("node {node} was not asked: {reason}")]
    Unsent {
        /// The node.
        node: String,
        /// Why.
        reason: String,
    },
    /// The node may have got the question, and may have done what it was asked for.
    #[error("node {node} did not answer: {reason}")]
    Unanswered {
        /// The node.
        node: String,
        /// Why.
        reason: String,
    },
}

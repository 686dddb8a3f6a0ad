//! What the replicas of a run say to each other.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use watershed_core::Epoch;
use watershed_core::causal::Lane;
use watershed_protocol::causal::{Gap, Gossip, Update};

use super::Operation;

/// A word from one site to another. On one link words arrive in the order in which they were said, or it is given up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Word {
    /// Updates of the sender's own, in their order.
    Updates(Vec<Update<Arc<Operation>>>),
    /// How far the sender is.
    Gossip {
        gossip: Gossip,
        /// A completed checkpoint has a base that holds everything up to this epoch: nobody needs a log of it.
        based: Epoch,
    },
    /// What the sender lacks.
    Pull(Gap),
    /// What was asked for.
    Answer { lane: Lane, updates: Vec<Update<Arc<Operation>>> },
}

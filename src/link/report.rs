//! What is told of peers: to those who watch them, and to people.

use std::time::Duration;

use actix::Message;

use crate::name::{Incarnation, NodeName};

/// A peer came up or went down. In turns for each peer, and no frame or message of a peer is handed over before its
/// `Up`.
#[derive(Clone, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub enum PeerChange {
    /// Both directions of the link have shaken hands.
    Up {
        /// Who.
        node: NodeName,
        /// In which life.
        incarnation: Incarnation,
    },
    /// The link broke. It is made anew as soon as that is possible; what was under way may be lost.
    Down {
        /// Who.
        node: NodeName,
        /// In which life.
        incarnation: Incarnation,
        /// Why.
        reason: DownReason,
    },
}

/// Why a link broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DownReason {
    /// The peer said good-bye.
    #[error("it left")]
    Left,
    /// A connection ended.
    #[error("the connection ended: {0}")]
    Ended(String),
    /// Nothing was heard of it.
    #[error("nothing was heard of it for {} ms", .0.as_millis())]
    Silent(Duration),
    /// It takes less than is written to it.
    #[error("it is too slow: {waiting} bytes wait to be written to it")]
    TooSlow {
        /// How much waits.
        waiting: usize,
    },
    /// It connected anew, or a newer life of it did.
    #[error("it connected anew")]
    Replaced,
    /// What it sent was no frame or no message.
    #[error("it broke the protocol: {0}")]
    Violated(String),
    /// Whoever takes the frames of a run refused one.
    #[error("a frame of it was refused: {0}")]
    Refused(String),
    /// This node was told to forget it.
    #[error("this node was told to forget it")]
    Forgotten,
    /// This node closed its links.
    #[error("this node closed its links")]
    Closed,
}

/// What is known of a peer.
#[derive(Clone, Debug)]
pub struct PeerReport {
    /// Its name.
    pub node: NodeName,
    /// Where it listens.
    pub address: String,
    /// The life that is up now.
    pub up: Option<Incarnation>,
    /// How long it has been up or down.
    pub since: Duration,
    /// The last refusal or error, until the link is up again.
    pub trouble: Option<String>,
    /// How many bytes were read.
    pub bytes_in: u64,
    /// How many bytes were written.
    pub bytes_out: u64,
    /// How many frames were read.
    pub frames_in: u64,
    /// How often something was handed over to be written, each time one frame or several.
    pub sends: u64,
    /// How much waits to be written.
    pub waiting_bytes: u64,
    /// How long the last sign of life took to it and back.
    pub round_trip: Option<Duration>,
}

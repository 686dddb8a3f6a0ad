//! Why links are not opened, and why what was sent has not arrived.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::name::NodeName;

/// Why the links of a node could not be opened, or a peer not be dialled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// No actor system runs on this thread.
    #[error(
        "no actor system runs on this thread: open links inside of actix::System::block_on or #[actix::main]"
    )]
    NoSystem,
    /// Plain connections would leave this machine.
    #[error(
        "{address} is no loopback address, and the links are not encrypted: give certificates (`watershed certs` makes \
         them), or say that this network is safe by Security::PlainAnywhere"
    )]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}, is it in use or not of this machine? {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// A limit makes no sense.
    #[error("the limit {name} must be greater than zero")]
    Limit {
        /// Which.
        name: &'static str,
    },
    /// A file of the certificates cannot be used.
    #[error("cannot use {}: {reason}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// This build has no TLS.
    #[error("this program was built without the feature `tls`: build it with it, or connect over loopback")]
    NoTls,
    /// The thread of the links ended while they were opened.
    #[error("the thread of the links ended while they were opened")]
    Ended,
}

/// Why an actor could not take a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// No actor has the name.
    #[error("no actor has this name")]
    UnknownActor,
    /// The actor takes no messages of the type.
    #[error("the actor takes no messages of this type")]
    UnknownMessage,
    /// The message cannot be read as one of its type.
    #[error("the message cannot be read as one of its type, do both programs mean the same by it? {0}")]
    Undecodable(String),
    /// The actor has stopped.
    #[error("the actor has stopped")]
    Gone,
    /// Too many messages wait for the actor.
    #[error("too many messages wait for the actor, send fewer or ask instead of telling")]
    Full,
    /// The actor dropped the message without an answer.
    #[error("the actor gave no answer")]
    Unanswered,
    /// The answer is too large for a frame, or cannot be written.
    #[error("the answer cannot be sent: {0}")]
    Unsendable(String),
}

/// Why a message was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TellError {
    /// The peer is not up.
    #[error("node {0} is not up")]
    Down(NodeName),
    /// The message cannot be written as MessagePack.
    #[error("the message cannot be written: {0}")]
    Unwritable(String),
    /// The message is too large for a frame.
    #[error("the message has {bytes} bytes, and may have {bytes_max}")]
    TooLarge {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        bytes_max: usize,
    },
    /// The actor is of this node, and could not take it.
    #[error(transparent)]
    Refused(Fault),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The message was not sent.
    #[error(transparent)]
    Unsent(#[from] TellError),
    /// The peer went down before it answered. Whether the actor had the message is not known.
    #[error("node {0} went down before it answered")]
    Down(NodeName),
    /// There was no answer in time. Whether the actor had the message is not known.
    #[error("there was no answer within {} ms", within.as_millis())]
    TimedOut {
        /// The time it had.
        within: Duration,
    },
    /// The actor did not take the message.
    #[error(transparent)]
    Refused(Fault),
    /// The answer cannot be read as one of its type.
    #[error("the answer cannot be read as one of its type: {0}")]
    Undecodable(String),
    /// Too many asks wait for answers.
    #[error("{waiting} asks wait for answers, and no more may: ask less at a time")]
    TooMany {
        /// How many wait.
        waiting: usize,
    },
}

/// Why no actor was found by its name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// No node has it.
    #[error("no node has an actor {name:?} for messages {message:?}; asked: {}", list(asked))]
    Unknown {
        /// The name.
        name: String,
        /// The type of its messages.
        message: &'static str,
        /// Who was asked.
        asked: Vec<NodeName>,
    },
    /// Several nodes have it.
    #[error("actor {name:?} is on several nodes, say which: {}", list(found))]
    Ambiguous {
        /// The name.
        name: String,
        /// Where it is.
        found: Vec<NodeName>,
    },
}

fn list(nodes: &[NodeName]) -> String {
    nodes.iter().map(NodeName::as_str).collect::<Vec<_>>().join(", ")
}

/// The connection that frames were handed to is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the link is down")]
pub struct LinkDown;

//! How two nodes introduce themselves.
//!
//! ```text
//!   the one that dials                      the one that accepts
//!   Hello{cluster, node, incarnation, ..} ──►
//!                                         ◄── Welcome{node, incarnation} or Refused{why}
//!   frames ──►                                (nothing more comes back on this connection)
//! ```
//!
//! Both are MessagePack maps with names in a frame of kind `Hello`, so that later versions can say more.

use bytes::BytesMut;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use watershed_wire::{Draft, Kind, Limits, decode};

use crate::config::Local;
use crate::envelope::header;
use crate::msgpack;
use crate::name::{Incarnation, NodeName};

/// The version of what nodes say to each other in their messages.
pub(crate) const PROTOCOL: u32 = 1;

/// How a node introduces itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) protocol: u32,
    pub(crate) cluster: String,
    pub(crate) node: NodeName,
    pub(crate) incarnation: Incarnation,
    pub(crate) program: String,
    pub(crate) advertise: String,
    /// The number of the connection, drawn by lot.
    pub(crate) connection: u64,
}

/// What the accepting node says to that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Reply {
    Welcome { node: NodeName, incarnation: Incarnation },
    Refused { why: Refusal },
}

/// Why a node does not want to be connected to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// They speak differently.
    #[error(
        "the nodes speak different protocols, {ours} here and {theirs} there: run the same version on both"
    )]
    Protocol {
        /// The protocol of the one that refuses.
        ours: u32,
        /// The protocol of the refused.
        theirs: u32,
    },
    /// They belong to different clusters.
    #[error("the node belongs to cluster {theirs:?}, and this is cluster {ours:?}")]
    Cluster {
        /// The cluster of the one that refuses.
        ours: String,
        /// The cluster of the refused.
        theirs: String,
    },
    /// They run different programs.
    #[error("the node runs program {theirs:?}, and this one {ours:?}: run the same program on all nodes")]
    Program {
        /// The program of the one that refuses.
        ours: String,
        /// The program of the refused.
        theirs: String,
    },
    /// It calls itself as the one that refuses does.
    #[error(
        "the node calls itself {0}, which is the name of the one that it connects to: give each its own name"
    )]
    OwnName(NodeName),
    /// A later life of it has been seen.
    #[error("life {theirs} of the node is over: life {later} of it has been seen")]
    Over {
        /// The life that it says it has.
        theirs: Incarnation,
        /// The later one.
        later: Incarnation,
    },
    /// Another node of its name is alive.
    #[error("a node of that name lives already, as incarnation {lives}: stop it, or take another name")]
    Lives {
        /// Its incarnation.
        lives: Incarnation,
    },
    /// Its certificate is of another node.
    #[error("its certificate does not name node {0}: make one that does (`watershed certs`)")]
    Certificate(NodeName),
    /// Too many nodes are known.
    #[error("{known} nodes are known here, and no more may introduce themselves")]
    TooMany {
        /// How many.
        known: usize,
    },
    /// Where it listens is no address.
    #[error("{0:?}, where the node says that it listens, is no host:port")]
    Address(String),
}

impl Hello {
    pub(crate) fn new(local: &Local, advertise: &str, connection: u64) -> Self {
        Hello {
            protocol: PROTOCOL,
            cluster: local.cluster.clone(),
            node: local.node.clone(),
            incarnation: local.incarnation,
            program: local.program.clone(),
            advertise: advertise.to_owned(),
            connection,
        }
    }

    /// What speaks against a node by its introduction alone.
    pub(crate) fn check(&self, local: &Local) -> Result<(), Refusal> {
        if self.protocol != PROTOCOL {
            return Err(Refusal::Protocol { ours: PROTOCOL, theirs: self.protocol });
        }
        if self.cluster != local.cluster {
            return Err(Refusal::Cluster { ours: local.cluster.clone(), theirs: self.cluster.clone() });
        }
        if self.node == local.node {
            return Err(Refusal::OwnName(self.node.clone()));
        }
        if self.program != local.program {
            return Err(Refusal::Program { ours: local.program.clone(), theirs: self.program.clone() });
        }
        let port = self.advertise.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
        if port.and_then(|port| port.parse::<u16>().ok()).is_none_or(|port| port == 0) {
            return Err(Refusal::Address(self.advertise.clone()));
        }
        Ok(())
    }
}

/// Writes one introduction or the reply to it.
pub(crate) async fn say<T: Serialize>(
    words: &T,
    writer: &mut (impl AsyncWrite + Unpin + ?Sized),
) -> Result<(), String> {
    let mut out = Vec::new();
    Draft::write(&header(Kind::Hello, 0, 0), &msgpack::write(words)?, &mut out);
    writer.write_all(&out).await.map_err(|error| error.to_string())?;
    writer.flush().await.map_err(|error| error.to_string())
}

/// Reads one. What follows it stays in the buffer.
pub(crate) async fn hear<T: for<'a> Deserialize<'a>>(
    reader: &mut (impl AsyncRead + Unpin + ?Sized),
    buffer: &mut BytesMut,
    bytes_max: usize,
) -> Result<T, String> {
    let limits = Limits { control_bytes_max: bytes_max, records_bytes_max: 0 };
    loop {
        if let Some(frame) = decode(buffer, &limits).map_err(|error| error.to_string())? {
            if frame.header.kind != Kind::Hello {
                return Err(format!("a frame of kind {:?} came before an introduction", frame.header.kind));
            }
            return msgpack::read_owned(&frame.body);
        }
        let read = reader.read_buf(buffer).await.map_err(|error| error.to_string())?;
        if read == 0 {
            return Err("the connection ended before the introduction did".to_owned());
        }
    }
}

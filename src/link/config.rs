//! Who a node is, and every limit of its links by name.

use std::time::Duration;

use watershed_wire::Limits;

use crate::name::{Incarnation, NodeName};

/// What a node says of itself to others.
#[derive(Clone, Debug)]
pub struct Local {
    /// The cluster that it belongs to. Nodes of other clusters are refused.
    pub cluster: String,
    /// Its name, which no other node of the cluster may have.
    pub node: NodeName,
    /// Which life of it this is; greater than that of all lives before.
    pub incarnation: Incarnation,
    /// The identity of the program. Nodes that run another one are refused.
    pub program: String,
    /// The `host:port` at which others reach it. Default: the address that it listens on.
    pub advertise: Option<String>,
}

/// The limits of links. Each has a default that fits a local network.
#[derive(Clone, Debug)]
pub struct LinkConfig {
    /// How often a sign of life is sent on each connection. Default: 400 ms.
    pub ping_every: Duration,
    /// How long a peer may be silent, or take nothing of what is written to it, before it counts as down.
    /// Default: 2.4 s.
    pub silent_max: Duration,
    /// How long a connection may take until both sides know each other. Default: 5 s.
    pub handshake_within: Duration,
    /// How long an older life of a peer has to answer before a newer one takes its place. Default: 1 s.
    pub probe_within: Duration,
    /// How long a frame may take from its first byte to its last. Default: 10 s.
    pub frame_within: Duration,
    /// How long the first wait before another try to connect is; each next one is twice as long. Default: 50 ms.
    pub retry_first: Duration,
    /// How long the longest is. Default: 2 s.
    pub retry_max: Duration,
    /// How much may wait to be written to a peer. Beyond it the link is broken as too slow. Default: 64 MiB.
    pub write_queue_bytes_max: usize,
    /// How many emptied buffers are kept for the next frames of a peer. Default: 64.
    pub spare_buffers_max: usize,
    /// How many accepted connections may be there that have not introduced themselves. Default: 64.
    pub connections_without_hello_max: usize,
    /// The largest introduction, in bytes. Default: 16 KiB.
    pub hello_bytes_max: usize,
    /// How many peers may be known by introduction alone. Default: 256.
    pub peers_max: usize,
    /// How long a peer that is known by its introduction alone is tried after it went down. Default: 10 min.
    pub forget_after: Duration,
    /// How many messages of one type may wait for one actor that was reached by its name. Default: 65,536.
    pub inbox_messages_max: u64,
    /// How many asks may wait for the answers of this node's actors. Default: 65,536.
    pub asks_in_hand_max: usize,
    /// How many asks of this node may wait for answers. Default: 65,536.
    pub asks_waiting_max: usize,
    /// Whether whoever writes records to other nodes is to compress them (LZ4): for links that are slower than two
    /// processors. What comes is expanded in any case. Default: no.
    pub compress_records: bool,
    /// How many names may be registered. Default: 4,096.
    pub names_max: usize,
    /// How long the name of an actor may be, in bytes. Default: 256.
    pub name_bytes_max: usize,
    /// How many death watches one node may hold on one actor. Default: 1,024.
    pub watchers_max: usize,
    /// How long an ask waits for its answer where it does not say. Default: 5 s.
    pub ask_within: Duration,
    /// How long a leaving node waits for its last words to be written. Default: 1 s.
    pub close_within: Duration,
    /// How long the thread of the links looks out for the next event before it sleeps. Default: 100 microseconds.
    pub vigil: Duration,
    /// How large frames may be.
    pub frames: Limits,
}

impl Default for LinkConfig {
    fn default() -> Self {
        LinkConfig {
            ping_every: Duration::from_millis(400),
            silent_max: Duration::from_millis(2400),
            handshake_within: Duration::from_secs(5),
            probe_within: Duration::from_secs(1),
            frame_within: Duration::from_secs(10),
            retry_first: Duration::from_millis(50),
            retry_max: Duration::from_secs(2),
            write_queue_bytes_max: 64 << 20,
            spare_buffers_max: 64,
            connections_without_hello_max: 64,
            hello_bytes_max: 16 << 10,
            peers_max: 256,
            forget_after: Duration::from_secs(600),
            inbox_messages_max: 65_536,
            asks_in_hand_max: 65_536,
            asks_waiting_max: 65_536,
            compress_records: false,
            names_max: 4_096,
            name_bytes_max: 256,
            watchers_max: 1_024,
            ask_within: Duration::from_secs(5),
            close_within: Duration::from_secs(1),
            vigil: Duration::from_micros(100),
            frames: Limits::default(),
        }
    }
}

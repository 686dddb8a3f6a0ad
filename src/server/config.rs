//! Every limit of the HTTP interface, by name.

use std::net::SocketAddr;
use std::time::Duration;

/// How the HTTP interface is served.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Who may use it.
    pub access: Access,
    /// How many threads answer. Default: 2.
    pub workers: usize,
    /// How many connections one of them holds; more wait to be accepted. Default: 256.
    pub connections_max: usize,
    /// How many connections wait to be accepted. Default: 128.
    pub backlog: u32,
    /// How large the body of a request may be. Default: 64 KiB.
    pub body_bytes_max: usize,
    /// How large a body may be that holds an update of state. Default: 1 MiB.
    pub update_bytes_max: usize,
    /// How long a key may be in an address, as JSON. Default: 32 KiB.
    pub key_bytes_max: usize,
    /// How deep the JSON of a body, or of a key, may be nested. Default: 32.
    pub json_depth_max: usize,
    /// How long the head of a request may take to come. Default: 5 s.
    pub head_within: Duration,
    /// How long the body of a request may take to come. Default: 10 s.
    pub body_within: Duration,
    /// How long a client may take nothing of an answer that waits for it, by the count of the system. Default: 10 s.
    pub taken_within: Duration,
    /// How long a connection without a request is kept. Default: 15 s.
    pub keep_alive: Duration,
    /// How long a connection may take to close. Default: 2 s.
    pub close_within: Duration,
    /// How long the leader's answer is waited for where it is shown among others, as in `/metrics`. Default: 2 s.
    pub look_within: Duration,
    /// How many checkpoints are proved anew for one request, the newest ones. Default: 8.
    pub proved_max: usize,
    /// How many bytes of checkpoints are read for that. Default: 256 MiB.
    pub proved_bytes_max: u64,
}

/// Who may use the HTTP interface.
#[derive(Clone, PartialEq, Eq)]
pub enum Access {
    /// Whoever reaches a loopback address of this machine.
    Loopback,
    /// Whoever has the token.
    Token(String),
    /// Whoever reaches the port.
    Open,
}

impl std::fmt::Debug for Access {
    /// The token is not shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Access::Loopback => "Loopback",
            Access::Token(_) => "Token(..)",
            Access::Open => "Open",
        })
    }
}

impl ServerConfig {
    /// The default limits, at an address.
    pub fn new(listen: SocketAddr, access: Access) -> Self {
        ServerConfig {
            listen,
            access,
            workers: 2,
            connections_max: 256,
            backlog: 128,
            body_bytes_max: 64 << 10,
            update_bytes_max: 1 << 20,
            key_bytes_max: 32 << 10,
            json_depth_max: 32,
            head_within: Duration::from_secs(5),
            body_within: Duration::from_secs(10),
            taken_within: Duration::from_secs(10),
            keep_alive: Duration::from_secs(15),
            close_within: Duration::from_secs(2),
            look_within: Duration::from_secs(2),
            proved_max: 8,
            proved_bytes_max: 256 << 20,
        }
    }
}

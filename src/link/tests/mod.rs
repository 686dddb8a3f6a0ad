//! Nodes that are linked over real sockets, in one process.

mod actors;
mod claims;
mod cuts;
mod fixture;
mod frames;
mod handshakes;
mod strangers;
mod supervised;
#[cfg(feature = "tls")]
mod tls;

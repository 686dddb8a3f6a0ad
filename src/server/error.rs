//! Why the HTTP interface cannot be served.

use std::net::SocketAddr;

/// Why the HTTP interface cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// Whoever reaches the network could cancel jobs.
    #[error(
        "{address} is no loopback address: whoever reaches it could cancel jobs; give a token (--http-token-file FILE), \
         or say that this network is safe (--http-open)"
    )]
    NotLoopback {
        /// The address.
        address: SocketAddr,
    },
    /// A token that is too short can be guessed.
    #[error("the HTTP token has {bytes} bytes: take {min} or more, as `openssl rand -hex 32` makes them")]
    Token {
        /// How long it is.
        bytes: usize,
        /// How long it has to be.
        min: usize,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address} for HTTP, is it in use or not of this machine? {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
}

//! Ports of loopback that a test has for itself: as a rehearsal chooses them for its nodes, so that no test meets one.

use std::net::SocketAddr;

#[path = "../../src/chaos/home/ports.rs"]
mod below_the_range;

/// An address of loopback for TCP and UDP, until the process ends.
pub(crate) fn free() -> SocketAddr {
    below_the_range::free(1).expect("loopback has ports")[0]
}

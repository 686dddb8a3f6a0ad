//! The targets, and what the node of the tests takes from the root of its crate.

mod targets;

pub use targets::{bodies, requests};
use watershed_server::{Access, Server, ServerConfig};

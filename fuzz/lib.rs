//! The fuzz targets of all crates under one roof, so that what they share is built once. Each lives with what it reads,
//! where a test plays it too; `fuzz/run` plays all of them.

#[path = "../src/wire/fuzz/memory.rs"]
mod memory;
#[path = "../src/protocol/fuzz/targets.rs"]
pub mod protocol;
#[path = "../src/server/fuzz/targets.rs"]
pub mod server;
#[path = "../actors/fuzz/targets.rs"]
pub mod sources;
#[path = "../src/state/fuzz/targets.rs"]
pub mod state;
#[path = "../src/wire/fuzz/targets.rs"]
pub mod wire;

// The node that is sent requests is that of the server's tests, which have these at their root.
use watershed_server::{Access, Server, ServerConfig};

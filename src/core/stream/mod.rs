//! The fluent layer: how a pipeline is described.

mod chain;
mod keyed;
mod pipeline;
mod plain;

pub use chain::{Chain, Flow, Inlet, Input};
pub use keyed::{BroadcastConnected, Connected, KeyedStream};
pub use pipeline::Pipeline;
pub use plain::{SharedStream, SinkHandle, Stream};

//! The words of Watershed: records, time, keys, what authors implement, and the plan.
extern crate self as watershed_core;

mod id;
mod time;

pub use id::{ChannelId, Epoch, Origin, PortId, Position, Sequence, SplitId, SubtaskId, VertexId};
pub use time::{EventTime, ProcessingTime, Watermark, millis};

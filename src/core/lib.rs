//! The words of Watershed: records, time, keys, what authors implement, and the plan.
//!
//! *A source emits records; stages turn records into records; the exchange turns them into batches; a batch
//! crosses a mailbox or becomes a frame and crosses the wire; a sink stages them, and a checkpoint makes
//! them true.* This crate holds all of that but the crossing: no I/O, no clock, no async runtime.
//!
//! | to | look at |
//! | --- | --- |
//! | describe a pipeline | [`Pipeline`], [`Stream`], [`KeyedStream`] |
//! | write an operator, a source, a sink | [`spi`] |
//! | keep state | [`state`] |
//! | test an operator | [`testing`] |
//! | read what a checkpoint holds | [`checkpoint`] |
//! | see how chains fuse | [`stage`] |
//! | share state between subtasks | [`shared`] |
//! | name what was seen of shared state | [`causal`] |
//! | carry batches elsewhere | [`columns`] |
//! | run a plan | [`plan`], [`task`] |

extern crate self as watershed_core;

pub mod causal;
pub mod checkpoint;
pub mod columns;
mod data;
mod excerpt;
mod id;
mod key;
pub mod plan;
mod record;
pub mod shared;
pub mod spi;
pub mod stage;
pub mod state;
mod stream;
pub mod task;
pub mod testing;
mod time;

pub use data::{Data, Shape};
pub use excerpt::{MESSAGE_BYTES_MAX, excerpt};
pub use id::{
    ChannelId, Counter, Epoch, JobId, Lineage, Origin, PortId, Position, Round, Run, Sequence, SharedId,
    Site, SplitId, SubtaskId, Term, VertexId,
};
pub use key::{Key, KeyGroup, KeyGroupRange, KeyGroups, KeyHashBuilder, KeyHasher, hash_key};
pub use plan::{Plan, PlanError};
pub use record::{AnyBatch, Batch, Either, Keyed, Record};
pub use spi::{
    BoundedOutOfOrderness, ByKey, CoOperator, Context, DeadLetter, EventTimes, Guarantee, KeyContext, Loads,
    Monotone, Operator, Output, Partitioner, Polled, Random, Range, Reader, RoundRobin, SideOutput, Sink,
    SinkError, SinkPlace, Source, SourceError, SourceOutput, SplitLog, StatefulOperator, Step, Transform,
    WatermarkGenerator, Weighted, Writer,
};
pub use stage::KeyTrace;
pub use state::{Current, KeyedState, StateError};
pub use stream::{
    BroadcastConnected, Chain, Connected, Flow, Inlet, Input, KeyedStream, Pipeline, SharedStream,
    SinkHandle, Stream,
};
pub use time::{EventTime, ProcessingTime, Watermark, millis};
pub use watershed_derive::{Data, KeyedState};

//! Everything that the file of a pipeline needs: `use watershed::prelude::*`.

pub use std::time::Duration;

pub use serde::{Deserialize, Serialize};

// What is built in goes by its module, `sink::Csv` beside `source::Csv`; the traits that give streams their
// words, and what nearly every first pipeline names, go without.
pub use watershed_actors::aggregate::AggregateOf;
pub use watershed_actors::join::Joins;
pub use watershed_actors::operator::{KeyedSteps, Steps};
pub use watershed_actors::sink::{Collect, Print};
pub use watershed_actors::source::Generator;
pub use watershed_actors::window::{
    Assigner, Every, Firing, Global, Session, Sliding, Span, Tumbling, Windowed, WindowedStream, Windows,
};
pub use watershed_actors::{aggregate, join, operator, resolver, sink, source, window};
pub use watershed_core::shared::{AnyShared, Propagation, Shared};
pub use watershed_core::state::{ListState, MapState, ReducingState, TimeToLive, ValueState};
pub use watershed_core::{
    BoundedOutOfOrderness, Chain, CoOperator, Context, Current, Data, DeadLetter, Either, Epoch, EventTime,
    EventTimes, Guarantee, Key, KeyContext, KeyGroups, Keyed, KeyedState, KeyedStream, Monotone, Operator,
    Output, Partitioner, Pipeline, Polled, Position, ProcessingTime, Reader, Record, SharedStream,
    SideOutput, Sink, SinkError, SinkPlace, Source, SourceError, SourceOutput, StatefulOperator, Step,
    Stream, SubtaskId, Transform, Watermark, WatermarkGenerator, Writer,
};

pub use crate::app::App;
pub use crate::job::Job;

//! What authors implement.
//!
//! | to write | implement | when |
//! | --- | --- | --- |
//! | a step with state per key | [`Operator`] | the usual case: `on_record`, `on_timer`, twenty lines |
//! | a step with several pieces of state per key | [`StatefulOperator`] | maps, lists and values, large ones too |
//! | a step with two inputs | [`CoOperator`] | joins and connected streams, state per key |
//! | a step over all keys of a subtask | [`Transform`] | windows, look-ups, whatever needs its own state layout |
//! | an entrance | [`Source`] and its [`Reader`] | splits, read from positions |
//! | an exit | [`Sink`] and its [`Writer`] | write, prepare, commit, abort |
//! | a routing rule | [`Partitioner`] | `partition_by` |
//! | a rule for event time | [`WatermarkGenerator`] | how far a split has come |

mod co_operator;
mod dead_letter;
mod guarantee;
mod ingress;
mod operator;
mod partitioner;
mod sink;
mod source;
mod stateful;
mod transform;
mod watermarks;

pub use co_operator::CoOperator;
pub use dead_letter::DeadLetter;
pub use guarantee::Guarantee;
pub use ingress::{LogEntry, LogInput, LogOutput, OpenLog, Ring, SplitLog};
pub use operator::{Context, KeyContext, Operator};
pub use partitioner::{ByKey, Loads, Partitioner, Random, Range, RoundRobin, Weighted};
pub use sink::{Sink, SinkError, SinkPlace, Writer};
pub use source::{Polled, Reader, Source, SourceError, SourceOutput};
pub use stateful::StatefulOperator;
pub use transform::{Output, SideOutput, Step, Transform};
pub use watermarks::{BoundedOutOfOrderness, EventTimes, Monotone, WatermarkGenerator};

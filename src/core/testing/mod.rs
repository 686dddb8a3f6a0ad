//! For authors: run an operator alone, and have it checked against its contract.
//!
//! [`Harness`] pushes records, watermarks and time into one operator and collects what it emits.
//! [`verify`] and its kin restore it between any two elements, deal its keys out to several subtasks and mix the
//! order of keys, and demand the same output each time. [`SourceHarness`] and [`verify_source`] do the same for the
//! splits of a source, [`Logged`] with a log for those that cannot go back by themselves, [`SinkHarness`] and [`verify_sink`] for the subtasks of a sink.
//! [`verify_resolver`] tries out whether what makes one of concurrent updates keeps its laws.

mod harness;
mod log;
mod numbers;
mod resolver;
mod shared;
mod sink;
mod source;
mod stamps;
mod verify;

pub use harness::{Harness, Input};
pub use log::{Logged, MemoryLog};
pub use numbers::Numbers;
pub use resolver::verify_resolver;
pub use shared::SharedView;
pub use sink::{SinkHarness, StagedBytes, verify_sink};
pub use source::{SourceHarness, WAKE_WAIT_MAX, verify_source};
pub use stamps::Stamps;
pub use verify::{Grouped, verify, verify_co, verify_stateful, verify_transform, verify_whole};

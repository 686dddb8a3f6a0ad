//! Programs for the one job each, on two threads, as fast as we know how to write them without `unsafe`.
//!
//! They may do what no engine can: know the job when they are compiled, skip checkpoints, errors and
//! configuration. They keep the rules of [`crate::workload`]. The windowed ones share [`exchange`] (two threads,
//! each a source and a window subtask) and differ in what they keep: [`pane`].

mod exchange;
mod keyed_count;
mod latency;
mod link;
mod map_filter;
mod pane;
mod sliding_count;
mod table;
mod totals;
mod word;
mod word_count;

use super::Finished;
use crate::error::Error;
use crate::workload::{Parameters, Workload};

/// Runs a workload to its end.
pub(crate) fn run(parameters: &Parameters) -> Result<Finished, Error> {
    match parameters.workload {
        Workload::MapFilter => Ok(map_filter::run(parameters)),
        Workload::KeyedCount => Ok(keyed_count::run(parameters)),
        Workload::SlidingCount => Ok(sliding_count::run(parameters)),
        Workload::WordCount => word_count::run(parameters),
        Workload::Latency => Ok(latency::run(parameters)),
    }
}

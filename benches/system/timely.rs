//! The workloads on timely-dataflow, with two workers in one process.
//!
//! Written as someone would who knows timely well: vectors of records, its own exchange (or, as
//! `timely-tuned`, a distributor in its place), a pane-first window
//! operator that fires on the frontier, hash maps with a fast hash. A source holds back while the slower worker's
//! results are too far behind, since timely itself puts no limit on what waits between two workers.

mod by_key;
mod events;
mod keyed_count;
mod latency;
mod map_filter;
mod panes;
mod sliding_count;
mod word_count;

use timely::Config;
use timely::worker::Worker;

pub(crate) use by_key::Distribution;

use super::Finished;
use crate::error::Error;
use crate::tally::Tally;
use crate::workload::{Parameters, SUBTASKS, Workload};

/// Runs a workload to its end.
pub(crate) fn run(parameters: &Parameters, distribution: Distribution) -> Result<Finished, Error> {
    match parameters.workload {
        Workload::MapFilter => Ok(map_filter::run(parameters)),
        Workload::KeyedCount => Ok(keyed_count::run(parameters, distribution)),
        Workload::SlidingCount => Ok(sliding_count::run(parameters, distribution)),
        Workload::WordCount => word_count::run(parameters),
        Workload::Latency => Ok(latency::run(parameters)),
    }
}

/// Counts events per key and second on the workers of this process, of which there may be others.
pub(super) fn count_on(config: Config, parameters: &Parameters) -> Tally {
    keyed_count::run_on(config, parameters, Distribution::Stock)
}

/// Runs `work` on each worker and returns what each found.
fn on_workers<R: Send + 'static>(work: impl Fn(&mut Worker) -> R + Send + Sync + 'static) -> Vec<R> {
    on_these_workers(Config::process(SUBTASKS), work)
}

/// Runs `work` on each worker of this process, of which there may be others.
fn on_these_workers<R: Send + 'static>(
    config: Config,
    work: impl Fn(&mut Worker) -> R + Send + Sync + 'static,
) -> Vec<R> {
    let workers = timely::execute(config, work).expect("the processes reach each other");
    workers.join().into_iter().map(|result| result.expect("a worker that counts does not panic")).collect()
}

/// Lets a worker run until its dataflow has ended.
fn run_to_end(worker: &mut Worker) {
    while worker.has_dataflows() {
        worker.step_or_park(None);
    }
}

//! Watershed, as a user writes it: built-in generator, windows and sink in the fluent layer, default limits.

mod counts;
mod latency;
mod words;

use std::rc::Rc;

use watershed_actors::sink::Fold;
use watershed_actors::source::Generator;
use watershed_core::{KeyGroups, Pipeline};
use watershed_runtime::{Config, Storage, run as run_plan};

use super::Finished;
use crate::error::Error;
use crate::tally::Tally;
use crate::workload::{Parameters, SUBTASKS, Workload};

/// Runs a workload to its end.
pub(crate) fn run(parameters: &Parameters) -> Result<Finished, Error> {
    match parameters.workload {
        Workload::MapFilter => Ok(map_filter(parameters.events)),
        Workload::KeyedCount => Ok(counts::tumbling(parameters)),
        Workload::SlidingCount => Ok(counts::sliding(parameters)),
        Workload::WordCount => words::run(parameters),
        Workload::Latency => Ok(latency::run(parameters)),
    }
}

fn map_filter(events: u64) -> Finished {
    let (sink, kept) = Fold::new(Tally::default, |kept: &mut Tally, value: u64, _| {
        kept.sum += 1;
        kept.checksum = kept.checksum.wrapping_add(value);
    });
    let pipeline = pipeline();
    let numbers = pipeline.source(Generator::new(0, |i, _| i).take(events).contiguous());
    numbers.map(|i| i.wrapping_mul(3).wrapping_add(1)).filter(|i| i % 2 == 0).sink(sink);
    finish(&pipeline);
    let tally = kept.take().into_iter().fold(Tally::default(), Tally::merge);
    Finished { events, tally: Tally { results: tally.sum, ..tally }, latency: None }
}

fn pipeline() -> Pipeline {
    Pipeline::new("benchmark", KeyGroups::default())
}

/// Runs what was described.
fn finish(pipeline: &Pipeline) {
    let plan = Rc::new(pipeline.plan().expect("the benchmark's pipelines are complete"));
    let config = Config { arbiters: SUBTASKS, parallelism: SUBTASKS as u32, ..Config::default() };
    run_plan(&plan, &config, Storage::none(), |_| {}).expect("the benchmark's pipelines do not fail");
}

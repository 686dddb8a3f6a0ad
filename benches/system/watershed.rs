//! Watershed, as a user writes it: built-in generator, windows and sink in the fluent layer, default limits.

mod counts;
mod latency;
mod words;

use std::rc::Rc;
use std::time::Duration;

use watershed_actors::sink::Fold;
use watershed_actors::source::Generator;
use watershed_core::plan::Fingerprint;
use watershed_core::{KeyGroups, Pipeline};
use watershed_runtime::{CheckpointReport, Config, Storage, run as run_plan};
use watershed_state::{Adopt, Identity, StateDirectory};

use super::{Checkpoints, Finished};
use crate::error::Error;
use crate::tally::Tally;
use crate::workload::{Parameters, SUBTASKS, Workload};

/// Runs a workload to its end, with a checkpoint each `interval` where there is one.
pub(crate) fn run(parameters: &Parameters, interval: Option<Duration>) -> Result<Finished, Error> {
    match parameters.workload {
        Workload::MapFilter => Ok(map_filter(parameters.events, interval)),
        Workload::KeyedCount => Ok(counts::tumbling(parameters, interval)),
        Workload::SlidingCount => Ok(counts::sliding(parameters, interval)),
        Workload::WordCount => words::run(parameters, interval),
        Workload::Latency => Ok(latency::run(parameters, interval)),
    }
}

fn map_filter(events: u64, interval: Option<Duration>) -> Finished {
    let (sink, kept) = Fold::new(Tally::default, |kept: &mut Tally, value: u64, _| {
        kept.sum += 1;
        kept.checksum = kept.checksum.wrapping_add(value);
    });
    let pipeline = pipeline();
    let numbers = pipeline.source(Generator::new(0, |i, _| i).take(events).contiguous());
    numbers.map(|i| i.wrapping_mul(3).wrapping_add(1)).filter(|i| i % 2 == 0).sink(sink);
    let checkpoints = finish(&pipeline, interval);
    let tally = kept.take().into_iter().fold(Tally::default(), Tally::merge);
    Finished {
        events,
        tally: Tally { results: tally.sum, ..tally },
        latency: None,
        checkpoints,
        ..Finished::default()
    }
}

fn pipeline() -> Pipeline {
    Pipeline::new("benchmark", KeyGroups::default())
}

/// Runs what was described. A state directory lies beside the benchmark's binary, and is gone afterwards.
fn finish(pipeline: &Pipeline, interval: Option<Duration>) -> Option<Checkpoints> {
    let plan = Rc::new(pipeline.plan().expect("the benchmark's pipelines are complete"));
    let mut config = Config { arbiters: SUBTASKS, parallelism: SUBTASKS as u32, ..Config::default() };
    config.checkpoints.interval = interval;
    let Some(_) = interval else {
        run_plan(&plan, &config, Storage::none(), |_| {}).expect("the benchmark's pipelines do not fail");
        return None;
    };
    let place = std::env::current_exe().expect("a program knows where it is");
    let folder = tempfile::tempdir_in(place.parent().expect("a program lies in a folder"));
    let folder = folder.expect("there is room beside the benchmark");
    let identity = Identity {
        job: plan.name.clone(),
        key_groups: plan.key_groups,
        plan: Fingerprint::of(&plan),
        store: None,
    };
    let state = StateDirectory::open(folder.path(), identity, Adopt::SamePlan).expect("the folder is new");
    let summary = run_plan(&plan, &config, Storage::directory(&state), |_| {})
        .expect("the benchmark's pipelines do not fail");
    let CheckpointReport { completed, pause_p50, pause_p99, pause_max, .. } = summary.checkpoints;
    let ms = |pause: Duration| pause.as_secs_f64() * 1e3;
    Some(Checkpoints {
        completed: completed.map_or(0, |epoch| epoch.0),
        pause_p50_ms: ms(pause_p50),
        pause_p99_ms: ms(pause_p99),
        pause_max_ms: ms(pause_max),
    })
}

//! What clients of a cluster are told, for checkers of consistency:
//! `cargo run --example histories -- --operations 10_000 --history out/told`.
//!
//! The job `sessions` runs on the cluster meanwhile (`watershed submit sessions --parallelism 3`), whose nodes may be killed,
//! stopped and cut off as one likes. For each run of the job there are two files: `out/told.run-1.elle.json` is a history as
//! Elle reads it (list-append), and `out/told.run-1.plume.txt` one as Plume does, which `tests/judge/causal_history.py` judges.

#[path = "mod.rs"]
mod clients;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clients::world::{Workload, World};

/// Has clients append to lists of the job `sessions` and read them, and keeps what they were told.
#[derive(Parser)]
struct Arguments {
    /// Where nodes of the cluster answer by HTTP.
    #[arg(long, value_delimiter = ',', default_value = "127.0.0.1:7181,127.0.0.1:7182,127.0.0.1:7183")]
    nodes: Vec<SocketAddr>,
    /// How many operations are tried.
    #[arg(long, default_value = "10_000", value_parser = count)]
    operations: usize,
    /// How many clients there are.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(3..100))]
    sessions: u64,
    /// At which level they read: `causal`, or `eventual`, at which checkers have something to find.
    #[arg(long, default_value = "causal")]
    level: String,
    /// What decides who does what.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How the files begin in which the histories are kept.
    #[arg(long, value_name = "FILE")]
    history: PathBuf,
}

fn count(text: &str) -> Result<usize, std::num::ParseIntError> {
    text.replace('_', "").parse()
}

fn main() -> ExitCode {
    let Arguments { nodes, operations, sessions, level, seed, history } = Arguments::parse();
    let world = World::new(Workload { operations, sessions, level, seed }, nodes);
    world.work(|| {});
    if let Some(run) = world.foreign() {
        eprintln!(
            "somebody else has written in run {run} of the job `sessions`: cancel it, and submit it again"
        );
        return ExitCode::FAILURE;
    }
    for (run, told) in world.told() {
        if let Err(error) = told.keep(&history, run) {
            eprintln!("the history of run {run} cannot be kept at {}: {error}", history.display());
            return ExitCode::FAILURE;
        }
        println!("run {run}: {} transactions done", told.done());
    }
    if world.is_done() {
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "{} of {operations} operations were tried in time: does the job `sessions` run there?",
        world.counted()
    );
    ExitCode::FAILURE
}

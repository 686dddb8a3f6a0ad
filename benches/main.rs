//! Runs the same workloads on Watershed, on a hand-written program and on timely-dataflow, one after the
//! other on one machine, and says how they compare.
//!
//! A figure from one day or machine says little about another, so every claim is a ratio within one `compare`:
//! the systems take turns (A B A B ...), each run in a fresh process, and no run counts whose results are wrong.
//! Measure on a quiet machine, with runs of some five seconds.

mod codec;
mod compare;
mod error;
mod large_state;
mod latency;
mod measure;
mod shared_state;
mod system;
mod table;
mod tally;
mod text;
mod workload;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Runs the workloads of stream processing side by side.
#[derive(Parser)]
#[command(name = "watershed-bench", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a workload on each system in turn and compares them; exits with 1 if their results differ.
    Compare(compare::Arguments),
    /// Writes and reads batches as they cross between processes, beside rmp-serde row by row.
    Codec(codec::Arguments),
    /// Counts for many keys with checkpoints, and says what these write and how much memory it takes.
    LargeState(large_state::Arguments),
    /// Counts for many keys, stops, and says how soon another process goes on.
    Recovery(large_state::Arguments),
    /// Says what it costs to share state between subtasks, and to be able to.
    SharedState(shared_state::Arguments),
    /// One of the nodes of `shared-state`.
    #[command(hide = true)]
    SharedNode(shared_state::NodeArguments),
    /// One of the runs of `shared-state` that read.
    #[command(hide = true)]
    SharedReads(shared_state::ReadArguments),
    /// One of the processes of `recovery`.
    #[command(hide = true)]
    RecoveryLife(large_state::Arguments),
    /// The second of the two processes of a system that takes two.
    #[command(hide = true)]
    Second(system::pair::Arguments),
    /// Runs a workload once on one system, in this process, and prints the measurement as JSON.
    #[command(hide = true)]
    Run(measure::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Compare(arguments) => compare::compare(&arguments),
        Command::Codec(arguments) => {
            codec::codec(&arguments);
            Ok(())
        }
        Command::LargeState(arguments) => large_state::large_state(&arguments),
        Command::SharedState(arguments) => shared_state::shared_state(&arguments),
        Command::SharedNode(arguments) => shared_state::run_node(&arguments),
        Command::SharedReads(arguments) => shared_state::run_reads(&arguments),
        Command::Recovery(arguments) => large_state::recovery(&arguments),
        Command::RecoveryLife(arguments) => large_state::recovery_life(&arguments),
        Command::Second(arguments) => system::pair::run_second(&arguments),
        Command::Run(arguments) => measure::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("watershed-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

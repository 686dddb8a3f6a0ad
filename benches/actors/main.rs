//! Asks and tells an actor of another process, by Watershed's links and by other actor libraries, and says how they
//! compare.
//!
//! Each measurement is made by two fresh processes that are connected over loopback, one system after the other. A
//! figure from one day or machine says little about another, so what counts are the ratios within one `compare`.
//! Measure on a quiet machine.
//!
//! | system | the actor | its connection |
//! | --- | --- | --- |
//! | `watershed` | on a thread of its own, asked from the main thread | TCP, MessagePack |
//! | `watershed-links` | on the thread of the links, asked from that thread | the same |
//! | `watershed-asleep` | as `watershed`, with a `vigil` of zero: nobody looks out for what comes next | the same |
//! | `kameo` | a task on two threads | libp2p: TCP, plain, yamux, CBOR around MessagePack |
//! | `ractor` | a task on two threads | `ractor_cluster`: TCP, plain, protobuf around plain bytes |
//!
//! The last two are there with the feature `peers`. All are told from the main thread, and none of them faster than
//! the other process counts: see [`measure::tells`].

mod compare;
mod error;
mod flood;
mod measure;
mod second;
mod system;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Asks and tells actors of another process.
#[derive(Parser)]
#[command(name = "watershed-bench-actors", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measures each system in turn and compares them.
    Compare(compare::Arguments),
    /// Measures one system, and prints the figures as JSON.
    #[command(hide = true)]
    Measure(compare::Measure),
    /// Sends frames, and prints how many megabytes arrive each second.
    #[command(hide = true)]
    Flood(flood::Arguments),
    /// The second of the two processes: has the actor.
    #[command(hide = true)]
    Answer(second::Arguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Compare(arguments) => compare::compare(&arguments),
        Command::Measure(arguments) => compare::measure(&arguments),
        Command::Flood(arguments) => flood::flood(&arguments),
        Command::Answer(arguments) => second::answer(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("watershed-bench-actors: {error}");
            ExitCode::FAILURE
        }
    }
}

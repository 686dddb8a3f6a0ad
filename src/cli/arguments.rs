//! What can be written on the command line.

use clap::{Args, Parser, Subcommand};

/// The command line.
#[derive(Parser)]
#[command(version)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Runs a pipeline in this process, from its first record to its last
    Run(Run),
    /// Lists the pipelines of this binary, with their parameters and default values
    Pipelines,
}

/// How to run a pipeline.
#[derive(Args)]
pub(super) struct Run {
    /// The pipeline's name
    pub(super) pipeline: String,
    /// Sets a parameter of the pipeline
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// How many subtasks an operator has that does not say
    #[arg(long, value_name = "N")]
    pub(super) parallelism: Option<u32>,
}

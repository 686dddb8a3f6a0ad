//! What can be rehearsed: `chaos run`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use watershed_chaos::Home;

/// What to rehearse.
#[derive(Subcommand)]
pub(in crate::cli) enum Chaos {
    /// Run a pipeline on a cluster of this machine, hurt it, and judge what it writes
    Run(Rehearse),
}

/// How to hurt a pipeline.
#[derive(Args)]
pub(in crate::cli) struct Rehearse {
    /// The pipeline's name, as `pipelines` lists it; it must write below its parameter `output`, and come to an end
    pub(in crate::cli) pipeline: String,
    /// How many nodes there are, 1 to 9
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(in crate::cli) nodes: usize,
    /// Where they live: processes, namespaces (a network for each; as root, with ip and nft or iptables) or containers
    #[arg(long = "in", value_name = "HOME", default_value_t = Home::Processes)]
    pub(in crate::cli) home: Home,
    /// The image of nodes that live in containers: one with this program
    #[arg(long, value_name = "IMAGE", default_value = "watershed:local")]
    pub(in crate::cli) image: String,
    /// What is done to them, with commas between: kill, leader, pause, partition, one-way, slow, disk, full-disk, delay,
    /// reorder, duplicate, truncate, flip, cut; or `all` that can be done there
    #[arg(long, value_name = "LIST", default_value = "all")]
    pub(in crate::cli) faults: String,
    /// Decides which faults come when, and to whom. [default: drawn by lot]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) seed: Option<u64>,
    /// For how long faults come
    #[arg(long, value_name = "N", default_value_t = 2.0)]
    pub(in crate::cli) minutes: f64,
    /// From one fault to the next, on the average
    #[arg(long, value_name = "DURATION", default_value = "6s")]
    pub(in crate::cli) every: String,
    /// Set a parameter of the pipeline; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(in crate::cli) set: Vec<String>,
    /// How many subtasks an operator has that does not say. [default: one for each node]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) parallelism: Option<u32>,
    /// How often a checkpoint is taken
    #[arg(long, value_name = "DURATION", default_value = "500ms")]
    pub(in crate::cli) checkpoint_interval: String,
    /// Where everything is kept: an empty directory, which stays. [default: one that is removed if all is well]
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) directory: Option<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) report: Option<PathBuf>,
    /// Draw memory, open files, threads, disk and checkpoints
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) svg: Option<PathBuf>,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
}

pub(super) const CHAOS_HELP: &str = "\
Examples:
  {binary} chaos run {pipeline}
  {binary} chaos run {pipeline} --faults kill,leader,partition --seed 7 --minutes 5 --report chaos.json
  {binary} chaos run {pipeline} --in namespaces --faults kill,partition,one-way,full-disk --nodes 5
  {binary} chaos run {pipeline} --seed 7 --dry-run

The same seed does the same in the same order, at the same times unless the cluster is not back yet. What the pipeline
writes must be what it writes undisturbed, in one process: the same lines in any order, or the same words of the pipeline
PIPELINE-audit where there is one, which must exit with 0 and print something. All checkpoints are proved, nodes may not
end by themselves, and something must have been harmed. Everything stays on this machine.
Exit codes: 0 all held, 1 something is wrong, 2 nothing was run.";

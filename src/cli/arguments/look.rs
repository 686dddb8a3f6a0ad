//! What can be looked at without the job: `checkpoint` and `state`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Choice;

/// Which look at checkpoints.
#[derive(Subcommand)]
pub(in crate::cli) enum Checkpoint {
    /// List the checkpoints of a state directory, oldest first
    List(Place),
    /// Show one: who voted what, where the sources stood, how large the state is
    Show(One),
    /// Prove checkpoints again, to the last byte: all that are kept, or those that are named
    Verify(Several),
    /// Show what changed in the state from one checkpoint to another, key by key
    Diff(Two),
    /// Say whether a pipeline, as it is now, could go on from a checkpoint; nothing is changed
    Migrate(Migrate),
}

/// Which look at the saved state.
#[derive(Subcommand)]
pub(in crate::cli) enum State {
    /// Show what is kept for a key
    Get(Get),
    /// Write all state as JSON, one entry a line
    Export(Export),
}

/// A state directory.
#[derive(Args)]
pub(in crate::cli) struct Place {
    /// The state directory; a job may be running on it
    #[arg(value_name = "DIR")]
    pub(in crate::cli) directory: PathBuf,
}

/// One checkpoint.
#[derive(Args)]
pub(in crate::cli) struct One {
    #[command(flatten)]
    pub(in crate::cli) place: Place,
    /// Its number [default: the newest]
    #[arg(value_name = "N")]
    pub(in crate::cli) epoch: Option<u64>,
}

/// Some checkpoints.
#[derive(Args)]
pub(in crate::cli) struct Several {
    #[command(flatten)]
    pub(in crate::cli) place: Place,
    /// Their numbers [default: all that are kept]
    #[arg(value_name = "N")]
    pub(in crate::cli) epochs: Vec<u64>,
    /// Say of each rule of a consistent cut what it means, how much was checked by it, and where it is broken
    #[arg(long)]
    pub(in crate::cli) explain: bool,
}

/// Two checkpoints.
#[derive(Args)]
pub(in crate::cli) struct Two {
    #[command(flatten)]
    pub(in crate::cli) place: Place,
    /// The number of the first
    #[arg(value_name = "FROM")]
    pub(in crate::cli) from: u64,
    /// The number of the second [default: the newest]
    #[arg(value_name = "TO")]
    pub(in crate::cli) to: Option<u64>,
    /// How many keys are named of each kind in each key group
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(in crate::cli) keys: usize,
    /// Set a parameter with which the job runs, where it decides what kind of thing is shared; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(in crate::cli) set: Vec<String>,
}

/// A plan, and a checkpoint of another.
#[derive(Args)]
pub(in crate::cli) struct Migrate {
    #[command(flatten)]
    pub(in crate::cli) choice: Choice,
    /// The state directory; a job may be running on it
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) state_dir: Option<PathBuf>,
    /// The number of the checkpoint [default: the newest]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) checkpoint: Option<u64>,
    /// Only say it: the one way there is. `run --allow-other-plan` goes on
    #[arg(long, required = true)]
    pub(in crate::cli) dry_run: bool,
}

/// A key.
#[derive(Args)]
pub(in crate::cli) struct Get {
    #[command(flatten)]
    pub(in crate::cli) place: Place,
    /// The key, as JSON or as text: `42` finds the number and the text
    #[arg(value_name = "KEY")]
    pub(in crate::cli) key: String,
    /// The number of the checkpoint [default: the newest]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) checkpoint: Option<u64>,
    /// Only what this operator keeps, or the shared state of this name
    #[arg(long, value_name = "UID|NAME")]
    pub(in crate::cli) operator: Option<String>,
    /// Set a parameter with which the job runs, where it decides what kind of thing is shared; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(in crate::cli) set: Vec<String>,
}

/// All state.
#[derive(Args)]
pub(in crate::cli) struct Export {
    #[command(flatten)]
    pub(in crate::cli) place: Place,
    /// The number of the checkpoint [default: the newest]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) checkpoint: Option<u64>,
    /// Set a parameter with which the job runs, where it decides what kind of thing is shared; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(in crate::cli) set: Vec<String>,
}

pub(super) const CHECKPOINT_HELP: &str = "\
Examples:
  {binary} checkpoint list state/
  {binary} checkpoint verify state/
  {binary} checkpoint verify state/ 42 --explain
  {binary} checkpoint diff state/ 41 42
  {binary} checkpoint migrate --dry-run {pipeline} --state-dir state/

They read the directory as it lies there, also while a job runs on it, and change nothing.
Exit codes of `verify`: 0 all proved, 1 damaged or no consistent cut, 2 nothing to prove or no such checkpoint.
Of `migrate`: 0 the pipeline could go on, 1 it could not.";

pub(super) const STATE_HELP: &str = "\
Examples:
  {binary} state get state/ EWR
  {binary} state export state/ --checkpoint 42 > state.jsonl

State is MessagePack that describes itself, so it is read without the pipeline's types. Shared state is kept as states
and updates: its values are told where this program has the pipeline, and what was saved where it has not.";

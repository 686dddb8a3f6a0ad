//! What can be asked of a job that runs: `savepoint` and `cancel`.

use std::path::PathBuf;

use clap::Args;

/// A job that runs, by its state directory.
#[derive(Args)]
pub(in crate::cli) struct Savepoint {
    /// The state directory that the job was started with
    #[arg(value_name = "DIR")]
    pub(in crate::cli) directory: PathBuf,
    /// How long to wait for the answer. [default: 10m]
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) timeout: Option<String>,
}

/// How a job is to end.
#[derive(Args)]
pub(in crate::cli) struct Cancel {
    #[command(flatten)]
    pub(in crate::cli) job: Savepoint,
    /// Take a savepoint, and stop right behind it: nothing is worked on twice when the job goes on
    #[arg(long)]
    pub(in crate::cli) with_savepoint: bool,
    /// Read no more, finish what has been read as if it were all, and end for good
    #[arg(long, conflicts_with = "with_savepoint")]
    pub(in crate::cli) drain: bool,
}

pub(super) const SAVEPOINT_HELP: &str = "\
Example:
  {binary} savepoint state/

A savepoint is a checkpoint that is kept until you delete its folder. `run --from-savepoint N` goes back to it.
Exit codes: 0 taken, 1 refused, 3 no job runs on the directory, or it did not answer in time.";

pub(super) const CANCEL_HELP: &str = "\
Examples:
  {binary} cancel state/
  {binary} cancel state/ --with-savepoint
  {binary} cancel state/ --drain

Without a flag the job ends at once, and goes on from its newest checkpoint when it is started again.
Exit codes: 0 granted, 1 refused, 3 no job runs on the directory, or it did not answer in time.";

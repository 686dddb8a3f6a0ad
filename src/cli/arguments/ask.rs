//! What can be asked of a job that runs: `savepoint` and `cancel`.

use clap::Args;

use super::Where;

/// A job that runs: on a state directory, or on a cluster.
#[derive(Args)]
pub(in crate::cli) struct OneJob {
    /// The state directory that the job was started with, or the name of a job of the cluster: what is a path, or is
    /// there as a directory, is the former, unless --node is given
    #[arg(value_name = "DIR|JOB")]
    pub(in crate::cli) job: String,
    /// How long to wait for the answer of a job on a state directory. [default: 10m]
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) timeout: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) place: Where,
}

/// How a job is to end.
#[derive(Args)]
pub(in crate::cli) struct Cancel {
    #[command(flatten)]
    pub(in crate::cli) job: OneJob,
    /// Take a savepoint, and stop right behind it: nothing is worked on twice when the job goes on
    #[arg(long)]
    pub(in crate::cli) with_savepoint: bool,
    /// Read no more, finish what has been read as if it were all, and end for good
    #[arg(long, conflicts_with = "with_savepoint")]
    pub(in crate::cli) drain: bool,
}

pub(super) const SAVEPOINT_HELP: &str = "\
Examples:
  {binary} savepoint state/
  {binary} savepoint {pipeline} --node http://127.0.0.1:7180

A savepoint is a checkpoint that is kept until you delete its folder. `run --from-savepoint N` goes back to it.
Exit codes: 0 taken, 1 refused, 3 no job runs on the directory, no node answers, or not in time.";

pub(super) const CANCEL_HELP: &str = "\
Examples:
  {binary} cancel state/
  {binary} cancel state/ --with-savepoint
  {binary} cancel state/ --drain
  {binary} cancel {pipeline} --node http://127.0.0.1:7180

Without a flag the job ends at once; on a state directory it goes on from its newest checkpoint when it is started again.
Exit codes: 0 granted, 1 refused, 3 no job runs on the directory, no node answers, or not in time.";

//! What can be done about transactions in doubt: `txn`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to do about transactions in doubt.
#[derive(Subcommand)]
pub(in crate::cli) enum Txn {
    /// List the prepared transactions of jobs in a database, and those that are lost
    List(Place),
    /// Commit what a recovery would commit
    Commit(Resolve),
    /// Roll back what a recovery would roll back
    Abort(Resolve),
    /// Let a job go on without transactions that are lost: marks them as done, with no rows
    AcceptLoss(AcceptLoss),
}

/// A database, and what is known of a job.
#[derive(Args)]
pub(in crate::cli) struct Place {
    /// The database: postgresql://user:password@host:5432/database. Where others can see the command line, give it in the
    /// environment
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub(in crate::cli) database: String,
    /// The job's state directory, whose decision log says what was decided
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) state_dir: Option<PathBuf>,
}

/// Which transactions to commit or to roll back.
#[derive(Args)]
pub(in crate::cli) struct Resolve {
    #[command(flatten)]
    pub(in crate::cli) place: Place,
    #[command(flatten)]
    pub(in crate::cli) chosen: Chosen,
    /// Also against the decision log, or without one: what is visible may then be doubled or lost
    #[arg(long)]
    pub(in crate::cli) force: bool,
}

/// Which losses to accept.
#[derive(Args)]
pub(in crate::cli) struct AcceptLoss {
    #[command(flatten)]
    pub(in crate::cli) place: Place,
    #[command(flatten)]
    pub(in crate::cli) chosen: Chosen,
}

/// Which transactions.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(in crate::cli) struct Chosen {
    /// Their names, as `txn list` shows them
    #[arg(value_name = "GID")]
    pub(in crate::cli) gids: Vec<String>,
    /// All to which it applies; with --state-dir, of that job alone
    #[arg(long)]
    pub(in crate::cli) all: bool,
}

pub(super) const TXN_HELP: &str = "\
Examples:
  {binary} txn list --database postgresql://me@localhost/db --state-dir state/
  {binary} txn commit --database postgresql://me@localhost/db --state-dir state/ --all
  {binary} txn accept-loss --database postgresql://me@localhost/db --state-dir state/ --all

A job resolves its own transactions when it is started again: this is for jobs that will not be. The decision log in the
state directory says which were decided; nothing is done against it without --force, and nothing while a job runs on it.
Exit codes: 0 done, 1 refused or failed (what was done is said), 2 usage.";

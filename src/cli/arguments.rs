//! What can be written on the command line.

mod ask;
mod chaos;
mod cluster;
mod look;
mod query;
#[cfg(feature = "postgres")]
mod txn;

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::app::App;
pub(super) use ask::{Cancel, OneJob};
pub(super) use chaos::{Chaos, Rehearse};
pub(super) use cluster::{Certs, Node, OfJob, Placement, Rescale, Submit, Wait, Where};
pub(super) use look::{Checkpoint, Export, Get, Migrate, Several, State};
pub(super) use query::{OfKey, Query, Update};
#[cfg(feature = "postgres")]
pub(super) use txn::{AcceptLoss, Chosen, Place, Resolve, Txn};

/// The command line.
#[derive(Parser)]
#[command(version, subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
    /// Answer in JSON: on standard output, errors too
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Show neither progress nor summary; errors are still shown
    #[arg(long, global = true)]
    pub(super) quiet: bool,
    /// Settings file; without this, watershed.toml is read where there is one
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

/// What to do.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Run a pipeline in this process, from its first record to its last
    Run(Run),
    /// List the pipelines of this binary, with their parameters and default values
    Pipelines,
    /// Show how a pipeline would run: its chains and how records pass between them
    Plan(Plan),
    /// Print every setting with its default value, as a settings file
    Settings,
    /// Look at the checkpoints in a state directory, prove them, compare them
    #[command(subcommand)]
    Checkpoint(Checkpoint),
    /// Look at the state that a checkpoint has saved
    #[command(subcommand)]
    State(State),
    /// Ask a running job for a checkpoint that is kept
    Savepoint(OneJob),
    /// Ask a running job to end: at once, behind a savepoint, or drained
    Cancel(Cancel),
    /// Ask a running job for the value of a key: of shared state, or of an operator's
    Query(Query),
    /// Change a key of the state that a running job shares
    Update(Update),
    /// Run a node of a cluster, alone or with others
    Node(Node),
    /// Have a cluster run a pipeline
    Submit(Submit),
    /// List the jobs of a cluster
    Jobs(Where),
    /// Show how a job of a cluster stands
    Status(OfJob),
    /// Wait until a job of a cluster has ended, and show how it gets on
    Wait(Wait),
    /// List the nodes of a cluster
    Nodes(Where),
    /// Let a job of a cluster go on with another number of subtasks
    Rescale(Rescale),
    /// Let a job of a cluster go on that was stopped at a savepoint
    Resume(OfJob),
    /// List the checkpoints of a job of a cluster, proved anew
    Checkpoints(OfJob),
    /// Make the certificates by which the nodes of a cluster know each other
    Certs(Certs),
    /// Rehearse failure: hurt a pipeline on a cluster of this machine, and judge what it writes
    #[command(subcommand)]
    Chaos(Chaos),
    /// See and resolve what is in doubt: transactions that a sink has prepared in a PostgreSQL database
    #[cfg(feature = "postgres")]
    #[command(subcommand)]
    Txn(Txn),
}

/// How to run a pipeline.
#[derive(Args)]
pub(super) struct Run {
    #[command(flatten)]
    pub(super) choice: Choice,
    /// Where input that could not be used is kept, as lines of JSON, unless the pipeline takes it itself.
    /// [default: dead-letters/PIPELINE.jsonl, created with the first; PIPELINE.2.jsonl while another run has that]
    #[arg(long, value_name = "PATH")]
    pub(super) dead_letters: Option<PathBuf>,
    /// Keep checkpoints in this directory (made if there is none), and go on from the newest one in it
    #[arg(long, value_name = "DIR")]
    pub(super) state_dir: Option<PathBuf>,
    /// Where operators keep the values of their keys: memory, or disk (below --state-dir, with those in use in memory).
    /// [default: memory]
    #[arg(long, value_name = "WHERE")]
    pub(super) state_backend: Option<String>,
    /// End where the process takes more than N MiB of memory, as if it were killed: what is saved stays as it is.
    /// [default: any]
    #[arg(long, value_name = "N")]
    pub(super) memory_limit_mib: Option<String>,
    /// How often a checkpoint is taken, with --state-dir. [default: 1s]
    #[arg(long, value_name = "DURATION")]
    pub(super) checkpoint_interval: Option<String>,
    /// What becomes of a record at which an operator panics in each of several tries, with --state-dir: `fail` ends
    /// the job and names it, `quarantine` makes it a dead letter. [default: fail]
    #[arg(long, value_name = "POLICY")]
    pub(super) poison: Option<String>,
    /// What every source must hold to, with --state-dir: exactly-once, at-least-once or at-most-once. For the first two,
    /// sockets and standard input log what arrives. [default: exactly-once]
    #[arg(long, value_name = "GUARANTEE")]
    pub(super) guarantee: Option<String>,
    /// Go back to checkpoint N of --state-dir and begin a new history there. What came after it has been shown already
    /// and comes again; give this once, not at every start
    #[arg(long, value_name = "N")]
    pub(super) from_savepoint: Option<u64>,
    /// Go on also where the pipeline has changed, if what is saved has its place in it (see `checkpoint migrate`)
    #[arg(long)]
    pub(super) allow_other_plan: bool,
    /// Tell what is counted, for Prometheus, at http://HOST:PORT/metrics while the job runs: an address of this machine
    /// alone, as 127.0.0.1:7190
    #[arg(long, value_name = "HOST:PORT")]
    pub(super) metrics: Option<String>,
}

/// How to show a plan.
#[derive(Args)]
pub(super) struct Plan {
    #[command(flatten)]
    pub(super) choice: Choice,
    /// Write the graph in the DOT language of Graphviz
    #[arg(long, conflicts_with = "json")]
    pub(super) dot: bool,
}

/// Which pipeline, and how it is set.
#[derive(Args)]
pub(super) struct Choice {
    /// The pipeline's name, as `pipelines` lists it
    pub(super) pipeline: String,
    /// Set a parameter of the pipeline; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// How many subtasks an operator has that does not say [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(super) parallelism: Option<u32>,
}

/// The command line of an application: its help speaks of its own binary and pipelines.
pub(super) fn command(app: &App) -> clap::Command {
    let words = |template: &str| {
        let first = app.pipelines.first();
        let pipeline = first.map_or("PIPELINE", |one| one.name);
        let parameter = first.and_then(|one| one.parameters.first());
        let set = parameter.map_or("KEY=VALUE".to_owned(), |one| format!("{}={}", one.name, one.default));
        template.replace("{binary}", app.name).replace("{pipeline}", pipeline).replace("{set}", &set)
    };
    let command = Arguments::command()
        .name(app.name)
        .about(app.about)
        .after_help(words(HELP))
        .mut_subcommand("run", |run| run.after_help(words(RUN_HELP)))
        .mut_subcommand("pipelines", |pipelines| pipelines.after_help(words(PIPELINES_HELP)))
        .mut_subcommand("plan", |plan| plan.after_help(words(PLAN_HELP)))
        .mut_subcommand("checkpoint", |look| look.after_help(words(look::CHECKPOINT_HELP)))
        .mut_subcommand("state", |look| look.after_help(words(look::STATE_HELP)))
        .mut_subcommand("savepoint", |ask| ask.after_help(words(ask::SAVEPOINT_HELP)))
        .mut_subcommand("cancel", |ask| ask.after_help(words(ask::CANCEL_HELP)))
        .mut_subcommand("query", |ask| ask.after_help(words(query::QUERY_HELP)))
        .mut_subcommand("update", |ask| ask.after_help(words(query::UPDATE_HELP)))
        .mut_subcommand("node", |node| node.after_help(words(cluster::NODE_HELP)))
        .mut_subcommand("submit", |ask| ask.after_help(words(cluster::SUBMIT_HELP)))
        .mut_subcommand("jobs", |ask| ask.after_help(cluster::ASK_HELP))
        .mut_subcommand("status", |ask| ask.after_help(cluster::ASK_HELP))
        .mut_subcommand("wait", |wait| wait.after_help(words(cluster::WAIT_HELP)))
        .mut_subcommand("nodes", |ask| ask.after_help(cluster::ASK_HELP))
        .mut_subcommand("rescale", |ask| ask.after_help(cluster::ASK_HELP))
        .mut_subcommand("resume", |ask| ask.after_help(cluster::ASK_HELP))
        .mut_subcommand("checkpoints", |ask| ask.after_help(cluster::ASK_HELP))
        .mut_subcommand("certs", |certs| certs.after_help(words(cluster::CERTS_HELP)))
        .mut_subcommand("chaos", |chaos| {
            chaos.mut_subcommand("run", |run| run.after_help(words(chaos::CHAOS_HELP)))
        });
    #[cfg(feature = "postgres")]
    let command = command.mut_subcommand("txn", |txn| txn.after_help(words(txn::TXN_HELP)));
    command
}

const RUN_HELP: &str = "\
Examples:
  {binary} run {pipeline} --set {set}
  {binary} run {pipeline} --parallelism 1 --quiet > output.txt
  {binary} run {pipeline} --json | tail -n 1
  {binary} run {pipeline} --state-dir state/ --checkpoint-interval 5s

Standard output belongs to the pipeline; progress, the summary and errors go to standard error. With --json the
summary (or the error) is one JSON object, the last line of standard output.
Ctrl-C (or SIGTERM) stops reading and finishes what has been read; with --state-dir it stops at a checkpoint, and
the same command goes on from there. A second one exits at once, with code 130.";

const PIPELINES_HELP: &str = "\
Example:
  {binary} pipelines";

const PLAN_HELP: &str = "\
Examples:
  {binary} plan {pipeline}
  {binary} plan {pipeline} --dot | dot -Tsvg > plan.svg";

const HELP: &str = "\
Settings: defaults, then the file, then the environment, then flags; later ones win.
  watershed.toml       quiet, json, dead_letters, state_dir, state_backend, state_memory_mib,
                       memory_limit_mib
                       [runtime] arbiters, parallelism, key_groups, batch_records, credit_batches, ..
                       [checkpoints] interval, store, guarantee, pause_min, timeout, back_off, retain, ..
                       [poison] policy, max_attempts, quarantine_max
                       [node] name, listen, http, coordinators, .. of `node`; url, within, http_token_file of its clients
                       [pipelines.NAME] the pipeline's parameters
  environment          WATERSHED_QUIET, WATERSHED_PARALLELISM, WATERSHED_CHECKPOINT_INTERVAL, ..; WATERSHED_CONFIG
                       names the file, WATERSHED_SET_KEY sets the parameter `key`; RUST_LOG sets the log's level

Exit codes: 0 done, 1 the job failed, or what was asked for is damaged, refused or could not be written, 2 usage or
configuration (nothing has run), 3 no job or no cluster answers, 130 stopped by a second Ctrl-C.";

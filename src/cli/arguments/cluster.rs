//! What can be asked of a cluster, and what makes one: `node`, `submit`, `jobs`, `status`, ..

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// How a node takes part in a cluster.
#[derive(Args)]
pub(in crate::cli) struct Node {
    /// The node's name, which no other node of the cluster has. [default: the host's name]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
    /// The cluster's name. [default: watershed]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) cluster: Option<String>,
    /// Where it listens for other nodes. [default: 127.0.0.1:7100]
    #[arg(long, value_name = "HOST:PORT")]
    pub(in crate::cli) listen: Option<String>,
    /// Where other nodes reach it. [default: what it listens on]
    #[arg(long, value_name = "HOST:PORT")]
    pub(in crate::cli) advertise: Option<String>,
    /// Where it answers people and programs by HTTP, or `none`. [default: 127.0.0.1:7180]
    #[arg(long, value_name = "HOST:PORT")]
    pub(in crate::cli) http: Option<String>,
    /// A file with the token that HTTP requests must carry: needed beyond this machine
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) http_token_file: Option<String>,
    /// Let whoever reaches the HTTP port use it: only where the network is safe
    #[arg(long)]
    pub(in crate::cli) http_open: bool,
    /// The nodes that may lead, 1, 3 or 5, the same on all nodes: n1=host:port,n2=host:port,.. [default: this one alone]
    #[arg(long, value_name = "LIST")]
    pub(in crate::cli) coordinators: Option<String>,
    /// How many subtasks of each operator it takes. [default: one for each core]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) slots: Option<u32>,
    /// The node's own directory. [default: watershed-data/NAME]
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) data: Option<String>,
    /// Where checkpoints are kept: a directory that all nodes share, or s3://bucket/prefix. [default: DATA/checkpoints]
    #[arg(long, value_name = "DIR|URL")]
    pub(in crate::cli) checkpoints: Option<String>,
    /// The certificate of the cluster's authority (see `certs`)
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) tls_ca: Option<String>,
    /// The node's certificate
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) tls_cert: Option<String>,
    /// The node's private key
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) tls_key: Option<String>,
    /// Link nodes without TLS also beyond this machine: only where the network is safe
    #[arg(long)]
    pub(in crate::cli) plain: bool,
    /// Compress the records that are sent to other nodes (LZ4): for networks that are slower than the processors
    #[arg(long)]
    pub(in crate::cli) compress: bool,
    /// How long a node that is told to end waits for its jobs to be moved. [default: 30s]
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) leave_within: Option<String>,
    /// End where the process takes more than N MiB of memory, as if it were killed: what is saved stays as it is.
    /// [default: any]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) memory_limit_mib: Option<String>,
    /// End at once when the process of this number ends, which has started this one
    #[arg(long, value_name = "PID", hide = true)]
    pub(in crate::cli) dies_with: Option<u32>,
}

/// Where the cluster is.
#[derive(Args)]
pub(in crate::cli) struct Where {
    /// Nodes of the cluster, tried in turn: http://host:port,.. [default: http://127.0.0.1:7180]
    #[arg(long = "node", value_name = "URLS")]
    pub(in crate::cli) url: Option<String>,
    /// For how long a cluster is asked again that does not answer yet, or has no leader. [default: 10s]
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) within: Option<String>,
    /// A file with the token that the nodes ask for
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) http_token_file: Option<String>,
}

/// A job of the cluster.
#[derive(Args)]
pub(in crate::cli) struct OfJob {
    /// The name of the job, as `jobs` lists it
    pub(in crate::cli) job: String,
    #[command(flatten)]
    pub(in crate::cli) place: Where,
}

/// A job whose end is waited for.
#[derive(Args)]
pub(in crate::cli) struct Wait {
    #[command(flatten)]
    pub(in crate::cli) job: OfJob,
    /// For how long. [default: until it has ended]
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) timeout: Option<String>,
}

/// A job, and with how many subtasks it is to go on.
#[derive(Args)]
pub(in crate::cli) struct Rescale {
    #[command(flatten)]
    pub(in crate::cli) job: OfJob,
    /// How many subtasks an operator has that does not say
    #[arg(long, value_name = "N")]
    pub(in crate::cli) parallelism: u32,
}

/// What to run on a cluster.
#[derive(Args)]
pub(in crate::cli) struct Submit {
    /// The pipeline's name, as `pipelines` lists it
    pub(in crate::cli) pipeline: String,
    /// The name of the job. [default: the pipeline's]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
    /// Set a parameter of the pipeline; may be repeated. Paths are those of the nodes
    #[arg(long, value_name = "KEY=VALUE")]
    pub(in crate::cli) set: Vec<String>,
    /// How many subtasks an operator has that does not say. [default: one for each node]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) parallelism: Option<u32>,
    /// Whether its subtasks go to as many nodes as there are, or to as few as will do
    #[arg(long, value_name = "HOW", default_value = "spread")]
    pub(in crate::cli) placement: Placement,
    /// How often a checkpoint is taken. [default: 1s]
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) checkpoint_interval: Option<String>,
    /// Where operators keep the values of their keys: memory, or disk (below each node's --data). [default: memory]
    #[arg(long, value_name = "WHERE")]
    pub(in crate::cli) state_backend: Option<String>,
    /// As of `run`. [default: fail]
    #[arg(long, value_name = "POLICY")]
    pub(in crate::cli) poison: Option<String>,
    /// As of `run`. [default: exactly-once]
    #[arg(long, value_name = "GUARANTEE")]
    pub(in crate::cli) guarantee: Option<String>,
    /// Wait until the job has ended, and show how it gets on
    #[arg(long)]
    pub(in crate::cli) wait: bool,
    #[command(flatten)]
    pub(in crate::cli) place: Where,
}

/// Where subtasks go.
#[derive(Clone, Copy, ValueEnum)]
pub(in crate::cli) enum Placement {
    /// To as many nodes as there are
    Spread,
    /// To as few nodes as will do
    Pack,
}

/// Certificates to make.
#[derive(Args)]
pub(in crate::cli) struct Certs {
    /// The directory in which they are made; what is there is never written over
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) out: PathBuf,
    /// The cluster's name
    #[arg(long, value_name = "NAME", default_value = "watershed")]
    pub(in crate::cli) cluster: String,
    /// The names of the nodes
    #[arg(required = true, value_name = "NODE")]
    pub(in crate::cli) nodes: Vec<String>,
}

pub(super) const NODE_HELP: &str = "\
Examples:
  {binary} node
  {binary} node --name n1 --listen 127.0.0.1:7101 --http 127.0.0.1:7181 --checkpoints shared/ \\
      --coordinators n1=127.0.0.1:7101,n2=127.0.0.1:7102,n3=127.0.0.1:7103

All flags can also stand in watershed.toml as [node], or in the environment as WATERSHED_NODE_NAME, ..
SIGTERM or Ctrl-C: the node's jobs are moved to other nodes, and it ends; a second one ends it at once.
Exit codes: 0 ended as it was told to, 1 it cannot take part any more, 2 usage or configuration.";

pub(super) const SUBMIT_HELP: &str = "\
Examples:
  {binary} submit {pipeline} --set {set}
  {binary} submit {pipeline} --name mine --parallelism 4 --wait
  {binary} submit {pipeline} --node http://10.0.0.1:7180,http://10.0.0.2:7180

Parameters and settings come from watershed.toml, the environment and flags, as those of `run`; the nodes' own are not
looked at, so that all run the same. Relative paths are those of the nodes' working directories.
Exit codes: 0 accepted (with --wait: finished, or suspended by somebody), 1 refused (with --wait: failed or cancelled),
2 usage, 3 no node answers or none leads.";

pub(super) const WAIT_HELP: &str = "\
Examples:
  {binary} wait {pipeline}
  {binary} wait {pipeline} --timeout 10m

A line on standard error says every two seconds how it gets on.
Exit codes: 0 finished, or suspended by somebody, 1 failed or cancelled, 2 usage or no such job, 3 no node answers or
none leads, or the job has not ended in time.";

pub(super) const ASK_HELP: &str = "\
Exit codes: 0 done, 1 refused, 2 usage or no such job, 3 no node answers or none leads.";

pub(super) const CERTS_HELP: &str = "\
Example:
  {binary} certs --out certs/ --cluster watershed n1 n2 n3

Gives ca.pem to all nodes, and to each its own NODE.pem and NODE.key: --tls-ca, --tls-cert, --tls-key of `node`.
Keep ca.key where no node is: whoever has it can make nodes.";

//! `node`: takes part in a cluster, until it is told to end.

use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use indicatif::MultiProgress;
use watershed_link::{LinkConfig, LinkError, Security, TlsFiles};
use watershed_runtime::cluster::{Depots, NodeError, NodeHandle, NodeSettings, Timings, run_node};
use watershed_server::{Access, Server, ServerConfig, ServerError};
use watershed_state::CheckpointStore;

use super::failure::Failure;
use super::programs::Pipelines;
use super::settings::{NodeOptions, Options};
use super::streams::tell;
use super::{log, short_file, signals};
use crate::app::App;

/// How much is logged where `RUST_LOG` does not say. The links say themselves, and once, when a node is out of reach; the
/// consensus library does so five times a second.
const LOG: &str = "info,openraft=off,chitchat=warn,actix_server=warn";

/// Takes part, until it is told to end.
pub(super) fn run(app: &Rc<App>, node: NodeOptions, options: &Options) -> Result<(), Failure> {
    log::to(&MultiProgress::new(), LOG);
    let _bound = options.bound_memory()?;
    let server = server(&node)?;
    let settings = settings(&node, server.as_ref())?;
    let pipelines = Pipelines { app: app.clone(), dead_letters: settings.data.join("dead-letters") };
    let depots = settings.checkpoints.clone();
    let (up, quiet) = (up(&settings), options.quiet);
    let (mut refused, own) = (None, app.clone());
    let ended = run_node(settings, Rc::new(pipelines), |handle| {
        if let Some(server) = server
            && let Err(error) = server.serve(handle.clone(), depots)
        {
            refused = Some(error);
            handle.stop();
        }
        for start in &own.on_node {
            start(handle.links());
        }
        watch(handle, quiet);
        if !quiet {
            tell(&up);
        }
    });
    match (refused, ended) {
        (Some(refused), _) => Err(refused.into()),
        (None, ended) => Ok(ended?),
    }
}

/// Leaves at the first signal and stops at the second.
fn watch(node: NodeHandle, quiet: bool) {
    signals::on_first_and_second(
        {
            let node = node.clone();
            move || {
                node.leave();
                if !quiet {
                    tell("leaving: the node's jobs are moved to others (again to end at once)");
                }
            }
        },
        move || node.stop(),
    );
}

/// What is said when the node is up.
fn up(settings: &NodeSettings) -> String {
    let NodeSettings { node, cluster, listen, advertise, http, slots, .. } = settings;
    let links = advertise.clone().unwrap_or_else(|| listen.to_string());
    let http = http.as_ref().map_or("no HTTP".to_owned(), |http| format!("http://{http}"));
    format!("node {node} of cluster {cluster} is up: links at {links}, {http}, {slots} slots")
}

/// The HTTP interface, which listens already, where there is to be one.
fn server(node: &NodeOptions) -> Result<Option<Server>, Failure> {
    if node.http == "none" {
        return Ok(None);
    }
    let access = match (&node.http_token_file, node.http_open) {
        (Some(_), true) => {
            let why = "--http-token-file and --http-open contradict each other: give one of them";
            return Err(Failure::Usage(why.to_owned()));
        }
        (Some(path), false) => Access::Token(token_in(path)?),
        (None, true) => Access::Open,
        (None, false) => Access::Loopback,
    };
    Ok(Some(Server::bind(ServerConfig::new(address("--http", &node.http)?, access))?))
}

/// How long a file with an HTTP token may be, in bytes.
const TOKEN_FILE_BYTES_MAX: u64 = 64 << 10;

/// The token in a file.
pub(super) fn token_in(path: &str) -> Result<String, Failure> {
    let text = short_file::text_in(Path::new(path), TOKEN_FILE_BYTES_MAX)
        .map_err(|error| Failure::Usage(format!("the HTTP token in {path} cannot be read: {error}")))?;
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let why = format!("{path} holds no HTTP token: one word, as `openssl rand -hex 32` makes them");
        return Err(Failure::Usage(why));
    }
    Ok(token.to_owned())
}

fn settings(node: &NodeOptions, server: Option<&Server>) -> Result<NodeSettings, Failure> {
    let name = node.name.clone().map_or_else(host_name, Ok)?;
    let listen = address("--listen", &node.listen)?;
    let reached = node.advertise.clone().unwrap_or_else(|| listen.to_string());
    let coordinators = coordinators(&node.coordinators, &name, &reached)?;
    let slots = match node.slots {
        Some(0) => return Err(Failure::Usage("--slots is 0: a node takes 1 or more".to_owned())),
        Some(slots) => slots,
        None => std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32),
    };
    let data = node.data.as_ref().map_or_else(|| Path::new("watershed-data").join(&name), PathBuf::from);
    let checkpoints = depots(node.checkpoints.as_deref(), &data, coordinators.len() > 1)?;
    Ok(NodeSettings {
        cluster: node.cluster.clone(),
        node: name,
        listen,
        advertise: node.advertise.clone(),
        coordinators,
        slots,
        data,
        checkpoints,
        security: security(node)?,
        program: program()?,
        http: server.map(|server| server.address().to_string()),
        leave_within: node.leave_within,
        links: LinkConfig { compress_records: node.compress, ..LinkConfig::default() },
        timings: Timings::default(),
    })
}

/// The host's name, as far as it can be a node's.
fn host_name() -> Result<String, Failure> {
    let unnamed = |why: &dyn std::fmt::Display| {
        Failure::Usage(format!("the host has no name that can be the node's ({why}): give --name NAME"))
    };
    let host = nix::unistd::gethostname().map_err(|error| unnamed(&error))?;
    let host = host.to_str().ok_or_else(|| unnamed(&"it is not valid UTF-8"))?;
    let first = host.split('.').next().unwrap_or_default().to_lowercase();
    if first.is_empty() { Err(unnamed(&"it is empty")) } else { Ok(first) }
}

/// The first address of `host:port`.
fn address(flag: &str, text: &str) -> Result<SocketAddr, Failure> {
    let wrong =
        |why: &dyn std::fmt::Display| Failure::Usage(format!("{flag} {text}: {why}; write HOST:PORT"));
    let mut addresses = text.to_socket_addrs().map_err(|error| wrong(&error))?;
    addresses.next().ok_or_else(|| wrong(&"the name has no address"))
}

/// The nodes that may lead. A node that is told of none is its own.
fn coordinators(list: &[String], name: &str, reached: &str) -> Result<Vec<(String, String)>, Failure> {
    if list.is_empty() {
        return Ok(vec![(name.to_owned(), reached.to_owned())]);
    }
    let pair = |one: &String| match one.trim().split_once('=') {
        Some((name, address)) if address.contains(':') => Ok((name.to_owned(), address.to_owned())),
        Some(_) | None => Err(Failure::Usage(format!(
            "--coordinators {one}: write NAME=HOST:PORT, with commas between several"
        ))),
    };
    list.iter().map(pair).collect()
}

/// Where checkpoints are kept.
fn depots(place: Option<&str>, data: &Path, has_others: bool) -> Result<Depots, Failure> {
    let own = data.to_owned();
    let shared = data.join("checkpoints");
    match place {
        Some(url) if url.contains("://") => {
            let address = CheckpointStore::address(url);
            let address = address.map_err(|error| Failure::Usage(format!("--checkpoints: {error}")))?;
            Ok(Depots { shared, address: Some(address), own })
        }
        Some(directory) => Ok(Depots { shared: PathBuf::from(directory), address: None, own }),
        None => {
            if has_others {
                let directory = shared.display();
                tracing::warn!(
                    "checkpoints are kept in {directory}: a job is restored on other nodes only if all nodes share that \
                     directory; give --checkpoints DIR or s3://bucket/prefix, the same on all"
                );
            }
            Ok(Depots { shared, address: None, own })
        }
    }
}

fn security(node: &NodeOptions) -> Result<Security, Failure> {
    let NodeOptions { tls_ca, tls_cert, tls_key, plain, .. } = node;
    match (tls_ca, tls_cert, tls_key, plain) {
        (None, None, None, true) => Ok(Security::PlainAnywhere),
        (None, None, None, false) => Ok(Security::Plain),
        (Some(ca), Some(certificate), Some(key), false) => Ok(Security::Tls(TlsFiles {
            ca: PathBuf::from(ca),
            certificate: PathBuf::from(certificate),
            key: PathBuf::from(key),
        })),
        (_, _, _, true) => {
            Err(Failure::Usage("--plain and --tls-.. contradict each other: give one of them".to_owned()))
        }
        _ => {
            let why = "TLS needs three files, --tls-ca, --tls-cert and --tls-key: `certs` makes them";
            Err(Failure::Usage(why.to_owned()))
        }
    }
}

/// What tells this program from others: the hash of its file.
fn program() -> Result<String, Failure> {
    let failed =
        |error: std::io::Error| Failure::Usage(format!("the program's own file cannot be read: {error}"));
    let path = std::env::current_exe().map_err(failed)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(fs::File::open(path).map_err(failed)?).map_err(failed)?;
    Ok(hasher.finalize().to_hex().to_string())
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Link(LinkError::NotLoopback { address }) => Failure::Usage(format!(
                "{address} is no loopback address, and the links are not encrypted: give certificates (--tls-ca, --tls-cert, \
                 --tls-key; `certs` makes them), or say that this network is safe (--plain)"
            )),
            NodeError::Name(_)
            | NodeError::Link(_)
            | NodeError::Cluster(_)
            | NodeError::Directory { .. }
            | NodeError::InUse { .. }
            | NodeError::Foreign { .. } => Failure::Usage(error.to_string()),
            error => Failure::Unable(error.to_string()),
        }
    }
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        Failure::Usage(error.to_string())
    }
}

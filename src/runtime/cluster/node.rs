//! A node of a cluster, from its start to its end.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::{mpsc, watch};
use watershed_cluster::{
    About, Cluster, ClusterChange, ClusterConfig, ClusterError, Leader as Leading, ProposeError, Refusal,
    Timings,
};
use watershed_link::{
    AskError, Incarnation, LinkConfig, LinkError, Links, Local, NameError, NodeName, Security,
};

use super::asking::Asking;
use super::carrier::{Carrier, Desk};
use super::depots::Depots;
use super::identity::Life;
use super::leader::{Leader, LeaderLimits};
use super::load::Gauge;
use super::message::LEADER;
use super::programs::{Guarded, Programs};
use super::request::{Answer, Problem, ProblemKind, Request};
use super::vitals::Vitals;
use super::worker::{CountCrews, Worker};
use crate::harm;

/// What a node is told before it starts.
#[derive(Clone, Debug)]
pub struct NodeSettings {
    /// The cluster's name.
    pub cluster: String,
    /// The node's own name, which no other node of the cluster has.
    pub node: String,
    /// Where it listens for other nodes.
    pub listen: SocketAddr,
    /// Where other nodes reach it, as `host:port`, if that is another address.
    pub advertise: Option<String>,
    /// The nodes that may lead, with their addresses: 1, 3 or 5, the same on all nodes.
    pub coordinators: Vec<(String, String)>,
    /// How many subtasks of each vertex it takes.
    pub slots: u32,
    /// Its own directory.
    pub data: PathBuf,
    /// Where the jobs keep their checkpoints.
    pub checkpoints: Depots,
    /// How its links are secured.
    pub security: Security,
    /// What program it runs. Nodes of different programs are not linked.
    pub program: String,
    /// Where its HTTP interface is, for other nodes to tell.
    pub http: Option<String>,
    /// How long a node that leaves waits for its jobs to be moved to others. Default: 30 s.
    pub leave_within: Duration,
    /// The limits of its links.
    pub links: LinkConfig,
    /// How long what is decided may take, and for how long a node is not heard of before it is given up.
    pub timings: Timings,
}

/// Why a node cannot take part.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// A name cannot be one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Its links cannot be opened.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// It cannot take part in what is decided.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Its directory cannot be used.
    #[error("cannot {action} the node's directory {path}: {source}")]
    Directory {
        /// What was tried.
        action: &'static str,
        /// The directory.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another process has the directory.
    #[error("{path} is in use by another process: give each node a directory of its own")]
    InUse {
        /// The directory.
        path: String,
    },
    /// The directory is another node's.
    #[error("{path} is the directory of node {node} of cluster {cluster}: give this node one of its own")]
    Foreign {
        /// The directory.
        path: String,
        /// Whose it is.
        node: String,
        /// The cluster.
        cluster: String,
    },
    /// What it has decided with others cannot be kept any more: nothing that it says counts from then on.
    #[error("the node's disk has failed, and the node ends: {0}; see to the disk, and start it again")]
    Broken(String),
    /// A part of it has panicked, without which it is no node.
    #[error("the node's {part} has panicked, and the node ends: its log says why; start it again")]
    Crashed {
        /// The part.
        part: &'static str,
    },
    /// Another node has the name, or has had it more lately.
    #[error("{0}")]
    Refused(Refusal),
}

/// How a node is reached from the rest of its process, from any thread.
#[derive(Clone)]
pub struct NodeHandle {
    pub(super) links: Links,
    pub(crate) cluster: Cluster,
    leader: watch::Receiver<Option<Leading>>,
    stop: mpsc::UnboundedSender<Stopping>,
    pub(super) asking: Arc<Asking>,
    pub(super) worker: Addr<Worker>,
    #[cfg(test)]
    pub(crate) leading: Addr<Leader>,
}

/// How a node ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopping {
    /// When its jobs have been moved to other nodes.
    Leave,
    /// At once.
    Stop,
}

impl NodeHandle {
    /// Has a request answered by the leader, wherever that is. Waits a while for a leader where there is none.
    ///
    /// # Errors
    ///
    /// What hinders it.
    pub async fn request(&self, request: Request) -> Result<Answer, Problem> {
        let until = tokio::time::Instant::now() + LEADER_WITHIN;
        loop {
            let answer = self.ask_leader(request.clone(), until).await;
            // Nothing has been done, so that it can be asked again.
            let again = matches!(&answer, Err(problem) if problem.kind == ProblemKind::NotLeading);
            if !again || tokio::time::Instant::now() >= until {
                return answer;
            }
            tokio::time::sleep(LEADER_AGAIN).await;
        }
    }

    async fn ask_leader(&self, request: Request, until: tokio::time::Instant) -> Result<Answer, Problem> {
        let unavailable = |what: String| Problem::new(ProblemKind::Unavailable, what);
        let mut watch = self.leader.clone();
        let led = tokio::time::timeout_at(until, watch.wait_for(Option::is_some)).await;
        let leader = led.ok().and_then(Result::ok).and_then(|leading| leading.clone()).ok_or_else(|| {
            let what = "no node leads the cluster: see that a majority of its coordinators runs";
            Problem::new(ProblemKind::NotLeading, what)
        })?;
        let name = NodeName::new(&leader.node).map_err(|error| unavailable(error.to_string()))?;
        let answer = self.links.actor::<Request>(&name, LEADER).ask_within(request, ANSWER_WITHIN).await;
        answer.unwrap_or_else(|error| {
            let what = format!("node {}, which leads the cluster, does not answer: {error}", leader.node);
            let unsent = matches!(error, AskError::Unsent(_));
            let kind = if unsent { ProblemKind::NotLeading } else { ProblemKind::Unavailable };
            Err(Problem::new(kind, what))
        })
    }

    /// The node's name.
    pub fn node(&self) -> &str {
        self.links.local().node.as_str()
    }

    /// The node that leads, where one is known.
    pub fn leader(&self) -> Option<String> {
        self.leader.borrow().as_ref().map(|leading| leading.node.clone())
    }

    /// The node's links.
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// What is decided of the cluster, and who is in it.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Lets the node leave: its jobs go on elsewhere, and then it ends.
    pub fn leave(&self) {
        // A node that has ended has left.
        let _ = self.stop.send(Stopping::Leave);
    }

    /// Ends the node at once; its jobs go back to their last checkpoints elsewhere.
    pub fn stop(&self) {
        let _ = self.stop.send(Stopping::Stop);
    }
}

/// How long a request waits for a leader.
const LEADER_WITHIN: Duration = Duration::from_secs(5);

/// How long it is waited before another node is asked whether it leads.
const LEADER_AGAIN: Duration = Duration::from_millis(50);

/// How long the leader may take to answer: a savepoint takes its time.
const ANSWER_WITHIN: Duration = Duration::from_secs(90);

/// How large a message between nodes may be: the assignment of a node that has many subtasks names the objects of
/// each.
const CONTROL_BYTES_MAX: usize = 16 << 20;

/// How much may wait to be written to another node. What waits is bounded by the credit of channels; this is for what
/// is not.
const QUEUE_BYTES_MAX: usize = 1 << 30;

/// How often a node measures its load.
const LOAD_EVERY: Duration = Duration::from_secs(1);

/// How long it is waited before a node is registered again where nobody decides.
const REGISTER_AGAIN: Duration = Duration::from_millis(500);

/// Runs a node in this process and returns when it has ended. `observe` is called once it is up, on a thread where
/// actix tasks can be spawned.
///
/// # Errors
///
/// Where it cannot take part.
pub fn run_node(
    settings: NodeSettings,
    programs: Rc<dyn Programs>,
    observe: impl FnOnce(NodeHandle),
) -> Result<(), NodeError> {
    harm::arm();
    System::new().block_on(async {
        let life = Life::begin(&settings.data, &settings.cluster, &settings.node)?;
        let links = open_links(&settings, life.incarnation).await?;
        let programs: Rc<dyn Programs> = Rc::new(Guarded(programs));
        let (vitals, mut losses) = Vitals::new();
        let cluster = open_cluster(&settings, &links, life.incarnation, &vitals).await?;
        let coordinators = settings.coordinators.iter().map(|(node, _)| node.clone()).collect();
        let asking = Asking::start(&links);
        let windows = asking.windows.clone();
        let depots = settings.checkpoints.clone();
        let lifeline = vitals.lifeline("worker");
        let worker = Worker::start(&links, programs.clone(), depots, coordinators, windows, lifeline);
        let (depots, lifeline) = (settings.checkpoints.clone(), vitals.lifeline("leader"));
        let _leading = Leader::start(&links, &cluster, programs, depots, LeaderLimits::default(), lifeline);
        let (stop, mut stopping) = mpsc::unbounded_channel();
        let leader = cluster.leader();
        let (own_links, own_cluster, own_worker) = (links.clone(), cluster.clone(), worker.clone());
        observe(NodeHandle {
            links: own_links,
            cluster: own_cluster,
            leader,
            stop,
            asking,
            worker: own_worker,
            #[cfg(test)]
            leading: _leading,
        });
        let about = About {
            address: settings.advertise.clone().unwrap_or_else(|| links.address().to_string()),
            http: settings.http.clone(),
            slots: settings.slots,
            ..About::default()
        };
        let ended = tokio::select! {
            refused = register(&cluster, &settings.node, life.incarnation) => Err(refused),
            () = tell_load(&cluster, about.clone()) => unreachable!("it tells for ever"),
            what = broken(&cluster) => Err(NodeError::Broken(what)),
            Some(part) = losses.recv() => Err(NodeError::Crashed { part }),
            how = stopping.recv() => Ok(how.unwrap_or(Stopping::Stop)),
        };
        if let Ok(Stopping::Leave) = ended {
            leave(&cluster, &worker, about, &settings).await;
        }
        cluster.close().await;
        links.close().await;
        ended.map(drop)
    })
}

async fn open_links(settings: &NodeSettings, incarnation: u64) -> Result<Links, NodeError> {
    let local = Local {
        cluster: settings.cluster.clone(),
        node: NodeName::new(&settings.node)?,
        incarnation: Incarnation(incarnation),
        program: settings.program.clone(),
        advertise: settings.advertise.clone(),
    };
    let mut config = settings.links.clone();
    config.frames.control_bytes_max = config.frames.control_bytes_max.max(CONTROL_BYTES_MAX);
    config.write_queue_bytes_max = config.write_queue_bytes_max.max(QUEUE_BYTES_MAX);
    let links = Links::open(local, settings.listen, settings.security.clone(), config).await?;
    for (node, address) in settings.coordinators.iter().filter(|(node, _)| *node != settings.node) {
        links.learn(&NodeName::new(node)?, address);
    }
    Ok(links)
}

async fn open_cluster(
    settings: &NodeSettings,
    links: &Links,
    incarnation: u64,
    vitals: &Vitals,
) -> Result<Cluster, NodeError> {
    let coordinators = settings.coordinators.iter().map(|(node, _)| node);
    let data = settings.data.join("decided");
    let mut config = ClusterConfig::new(&settings.cluster, &settings.node, incarnation, coordinators, data);
    config.timings = settings.timings.clone();
    let cluster = Cluster::open(config, Arc::new(Carrier::new(links))).await?;
    Desk::start(links, &cluster, vitals.lifeline("desk"));
    Ok(cluster)
}

/// Returns with the reason where the node's disk fails.
async fn broken(cluster: &Cluster) -> String {
    let mut watch = cluster.broken();
    match watch.wait_for(Option::is_some).await {
        Ok(what) => what.as_ref().map(ToString::to_string).unwrap_or_default(),
        Err(_) => std::future::pending().await,
    }
}

/// Registers this life of the node, and returns only where that is refused.
async fn register(cluster: &Cluster, node: &str, incarnation: u64) -> NodeError {
    loop {
        let change = ClusterChange::Register { node: node.to_owned(), incarnation };
        match cluster.propose(change).await {
            Ok(_) => return std::future::pending().await,
            // A try whose answer was lost has done it.
            Err(ProposeError::Refused { refusal: Refusal::Incarnation { current, .. }, .. })
                if current == incarnation =>
            {
                return std::future::pending().await;
            }
            Err(ProposeError::Refused { refusal, .. }) => return NodeError::Refused(refusal),
            Err(error) => tracing::debug!(%error, "the node is not registered yet"),
        }
        tokio::time::sleep(REGISTER_AGAIN).await;
    }
}

/// Tells the others what this node has to do.
async fn tell_load(cluster: &Cluster, about: About) {
    let mut gauge = Gauge::default();
    loop {
        cluster.tell_of_self(About { load: gauge.measure(), ..about.clone() });
        tokio::time::sleep(LOAD_EVERY).await;
    }
}

/// Says that the node leaves, and waits until its jobs have been moved away.
async fn leave(cluster: &Cluster, worker: &Addr<Worker>, about: About, settings: &NodeSettings) {
    tracing::info!(node = settings.node, "the node leaves, and waits for its jobs to be moved");
    cluster.tell_of_self(About { leaving: true, ..about });
    let moved = async {
        while worker.send(CountCrews).await.is_ok_and(|crews| crews > 0) {
            tokio::time::sleep(LEAVE_LOOK).await;
        }
    };
    if tokio::time::timeout(settings.leave_within, moved).await.is_err() {
        tracing::warn!(node = settings.node, "the node leaves with jobs that nobody has taken over");
    }
}

/// How often a node that leaves looks whether it may.
const LEAVE_LOOK: Duration = Duration::from_millis(100);

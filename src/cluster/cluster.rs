//! A node's part in its cluster.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::ClusterConfig;
use crate::decided::{ClusterChange, ClusterState};
use crate::error::{AnswerError, ClusterError, ProposeError, ViewError};
use crate::gossip::{About, Gossip, Member};
use crate::group::Group;
use crate::job::JobMeta;
use crate::message::{self, Answer, Ask};
use crate::request::Requests;
use crate::transport::Transport;

/// Who leads the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// The node's name.
    pub node: String,
    /// Its reign; there is one leader in each, and a newer one is higher.
    pub term: u64,
}

/// What was decided at an instant.
#[derive(Clone, Debug)]
pub struct ClusterView {
    /// The leader who told.
    pub leader: String,
    /// Its reign.
    pub term: u64,
    /// The coordinators that have a vote, each with the number of its seat, which is a new one after its disk was lost.
    /// While a coordinator is being taken in, it is not among them: until then no other one should be taken down.
    pub voters: BTreeMap<String, u64>,
    /// What was decided.
    pub state: Arc<ClusterState>,
}

/// A node's part in its cluster. A clone is the same part.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    node: String,
    message_bytes_max: usize,
    gossip: Gossip,
    requests: Requests,
    leader: watch::Receiver<Option<Leader>>,
    broken: watch::Sender<Option<String>>,
    tasks: Vec<JoinHandle<()>>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("node", &self.inner.node).finish_non_exhaustive()
    }
}

impl Cluster {
    /// Takes part in a cluster. Returns at once; a leader is known somewhat later, see [`leader`](Cluster::leader).
    ///
    /// Runs in the runtime it is called in. To be [closed](Cluster::close) in the end.
    ///
    /// # Errors
    ///
    /// Where the settings do not fit together, or a coordinator's disk cannot be used.
    pub async fn open(config: ClusterConfig, transport: Arc<dyn Transport>) -> Result<Cluster, ClusterError> {
        config.check()?;
        let config = Arc::new(config);
        let gossip = Gossip::open(&config, transport.clone()).await?;
        let (said, leader) = watch::channel(None);
        let (broken, _) = watch::channel(None);
        let (group, task) = if config.is_coordinator() {
            match Group::open(config.clone(), transport.clone(), said, broken.clone()).await {
                // What a leader says of itself reaches those that are no coordinators by gossip.
                Ok(group) => (Some(Arc::new(group)), gossip.tell_of_reign(leader.clone())),
                Err(failed) => {
                    gossip.close().await;
                    return Err(failed);
                }
            }
        } else {
            (None, gossip.hear_of_reign(said))
        };
        let (node, message_bytes_max) = (config.node.clone(), config.bounds.message_bytes_max);
        let requests = Requests::new(config, group, transport, leader.clone());
        let inner = Inner { node, message_bytes_max, gossip, requests, leader, broken, tasks: vec![task] };
        Ok(Cluster { inner: Arc::new(inner) })
    }

    /// Answers what a peer's [`Transport::ask`] has brought.
    ///
    /// # Errors
    ///
    /// Where it is not understood; then close the link to it.
    pub async fn answer(&self, from: &str, body: Vec<u8>) -> Result<Vec<u8>, AnswerError> {
        let malformed = |reason: String| AnswerError::Malformed { from: from.to_owned(), reason };
        if body.len() > self.inner.message_bytes_max {
            return Err(malformed(format!("it has {} bytes", body.len())));
        }
        let ask: Ask = message::decode(&body).map_err(malformed)?;
        let answer = match (self.inner.requests.group(), ask) {
            (Some(group), Ask::Raft { to, word }) => group.hear(to, *word).await,
            (Some(group), Ask::Knock { cluster, seat }) => group.knocked(from, &cluster, seat).await,
            (Some(group), Ask::Read) => group.read().await,
            (Some(group), Ask::Propose(change)) => group.propose(change).await,
            (None, _) => Answer::Wrong,
        };
        Ok(message::encode(&answer))
    }

    /// Takes in what a peer's [`Transport::tell`] has brought. What is not understood is dropped.
    pub fn heard(&self, from: &str, body: Vec<u8>) {
        if body.len() <= self.inner.message_bytes_max {
            self.inner.gossip.heard(from, body);
        }
    }

    /// Who leads; `None` while that is not known.
    ///
    /// The leader itself says so only once a majority has confirmed it, and stops at once when it learns of a newer
    /// term, or when no majority has confirmed it for the time of the lease. Another node's opinion may be older.
    pub fn leader(&self) -> watch::Receiver<Option<Leader>> {
        self.inner.leader.clone()
    }

    /// Why this node cannot be a coordinator any more, once its disk has failed: what is on it is not known then, and the
    /// process must end. The next one reads what is really there.
    pub fn broken(&self) -> watch::Receiver<Option<String>> {
        self.inner.broken.subscribe()
    }

    /// Who takes part, by name, and whether this node thinks it alive. This node is one of them.
    pub fn members(&self) -> watch::Receiver<BTreeMap<String, Member>> {
        self.inner.gossip.members()
    }

    /// What this node tells the others of itself, until it is called again.
    pub fn tell_of_self(&self, about: About) {
        self.inner.gossip.tell_of_self(about);
    }

    /// What is decided of one job. Asks nobody yet; the job that has the name when it is first asked for is meant from
    /// then on.
    pub fn job(&self, name: &str) -> JobMeta {
        JobMeta::new(name, self.clone())
    }

    /// What is decided, as of an instant between the call and its return.
    ///
    /// # Errors
    ///
    /// Where no leader could be asked in time.
    pub async fn view(&self) -> Result<ClusterView, ViewError> {
        self.inner.requests.read().await
    }

    /// Lets something be decided, once at most, and returns what is decided from then on.
    ///
    /// # Errors
    ///
    /// Each of [`ProposeError`]'s kinds; they call for different treatment.
    pub async fn propose(&self, change: ClusterChange) -> Result<ClusterView, ProposeError> {
        self.inner.requests.propose(change).await
    }

    #[cfg(test)]
    pub(crate) fn break_disk(&self) {
        self.inner.requests.group().expect("it is a coordinator").break_disk();
    }

    /// Stops taking part. The others notice that this node is gone, unless it had told them that it leaves.
    pub async fn close(&self) {
        for task in &self.inner.tasks {
            task.abort();
        }
        if let Some(group) = self.inner.requests.group() {
            group.close().await;
        }
        self.inner.gossip.close().await;
    }
}

//! What a node is told of the cluster before it joins it, and every time and bound by name.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::ClusterError;

/// What a node is told of its cluster.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClusterConfig {
    /// The cluster's name. Nodes of another cluster are not listened to.
    pub cluster: String,
    /// This node's name.
    pub node: String,
    /// The number of this life of the node, higher than those of all before.
    pub incarnation: u64,
    /// The names of the nodes that may lead, 1, 3 or 5: they keep what is decided. The same list on all nodes.
    pub coordinators: Vec<String>,
    /// Where a coordinator keeps what is decided.
    pub data: PathBuf,
    /// Who must have met before the group of coordinators is founded.
    pub founding: Founding,
    /// How long things may take.
    pub timings: Timings,
    /// How much there may be.
    pub bounds: Bounds,
    /// Whether a leader answers questions without making sure that it still leads: for tests that must notice.
    #[cfg(test)]
    pub(crate) is_credulous: bool,
}

/// Who must have met before the group of coordinators is founded, once in the cluster's life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Founding {
    /// All of them. Nothing can be founded twice then, whatever disks are lost later: as long as one coordinator has
    /// what is decided, it either answers, or is missed.
    #[default]
    Everyone,
    /// The first one by name and so many others that they are a majority. Those that come later are taken in.
    ///
    /// Founds a second group where the first coordinator's disk is lost, a coordinator that never took part is there,
    /// and all that hold what is decided are away. So it is for clusters whose first start someone looks at.
    Majority,
}

/// How long things may take.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Timings {
    /// How often a leader lets its followers hear of it. 150 ms.
    pub heartbeat: Duration,
    /// How long a follower waits at least before it stands for election, once [`election_max`](Timings::election_max)
    /// has passed without a word from the leader. 350 ms.
    pub election_min: Duration,
    /// How long a follower holds on to a leader that is silent, and what it waits at most before it stands then. 600 ms:
    /// it stands after 0.95 to 1.2 s, so neither a slow disk nor a busy machine looks like a death.
    pub election_max: Duration,
    /// How long a leader that hears from no majority still says that it leads. 3 s.
    pub lease: Duration,
    /// How often a leader makes sure that it leads. 500 ms.
    pub confirm: Duration,
    /// How long a decision may take before nobody knows any more whether it was made. 5 s.
    pub propose: Duration,
    /// How long a question may take, with all that is tried for it. 5 s.
    pub read: Duration,
    /// How long to wait between two tries of one question. 50 ms.
    pub retry: Duration,
    /// How often a coordinator that is not in the group asks to be taken in, and a leader looks who has asked. 300 ms.
    pub knock: Duration,
    /// How long a new coordinator may take to be taken in, before it has to ask again. 10 s.
    pub admit: Duration,
    /// How long a part of a snapshot may take on its way. 2 s.
    pub snapshot: Duration,
    /// How often a node gossips. 250 ms.
    pub gossip: Duration,
    /// How long a node is not heard of, on the average of few words, before it is taken for dead. 2 s; it takes up to
    /// three rounds of gossip more until all have noticed.
    pub silence: Duration,
    /// For how long nobody is taken for dead by a node that has stood still itself. 1.5 s.
    pub after_stall: Duration,
    /// How long a dead node is remembered. 10 min.
    pub dead_kept: Duration,
}

/// How much there may be.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Bounds {
    /// How many decisions may be under way at once on a leader. 64; more are refused at once.
    pub proposals_max: usize,
    /// How many pieces of gossip wait to be read. 256; more are dropped, as gossip may be.
    pub gossip_waiting_max: usize,
    /// How large a message from another node may be. 16 MiB.
    pub message_bytes_max: usize,
    /// After how many decisions the log of them is replaced by what they have led to. 512.
    pub snapshot_after: u64,
    /// How many decisions are kept behind that for followers that are a little late. 128.
    pub decisions_kept: u64,
    /// How long the file of the log gets before it is written anew. 1 MiB.
    pub journal_bytes: u64,
}

impl Default for Timings {
    fn default() -> Self {
        Timings {
            heartbeat: Duration::from_millis(150),
            election_min: Duration::from_millis(350),
            election_max: Duration::from_millis(600),
            lease: Duration::from_secs(3),
            confirm: Duration::from_millis(500),
            propose: Duration::from_secs(5),
            read: Duration::from_secs(5),
            retry: Duration::from_millis(50),
            knock: Duration::from_millis(300),
            admit: Duration::from_secs(10),
            snapshot: Duration::from_secs(2),
            gossip: Duration::from_millis(250),
            silence: Duration::from_secs(2),
            after_stall: Duration::from_millis(1500),
            dead_kept: Duration::from_secs(600),
        }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Bounds {
            proposals_max: 64,
            gossip_waiting_max: 256,
            message_bytes_max: 16 << 20,
            snapshot_after: 512,
            decisions_kept: 128,
            journal_bytes: 1 << 20,
        }
    }
}

impl ClusterConfig {
    /// What has no default.
    pub fn new(
        cluster: impl Into<String>,
        node: impl Into<String>,
        incarnation: u64,
        coordinators: impl IntoIterator<Item = impl Into<String>>,
        data: impl Into<PathBuf>,
    ) -> ClusterConfig {
        ClusterConfig {
            cluster: cluster.into(),
            node: node.into(),
            incarnation,
            coordinators: coordinators.into_iter().map(Into::into).collect(),
            data: data.into(),
            founding: Founding::default(),
            timings: Timings::default(),
            bounds: Bounds::default(),
            #[cfg(test)]
            is_credulous: false,
        }
    }

    /// Whether this node may lead.
    pub fn is_coordinator(&self) -> bool {
        self.coordinators.contains(&self.node)
    }

    pub(crate) fn check(&self) -> Result<(), ClusterError> {
        let wrong = |reason: String| Err(ClusterError::Config { reason });
        let count = self.coordinators.len();
        if !matches!(count, 1 | 3 | 5) {
            return wrong(format!("there are {count} coordinators; name 1, 3 or 5"));
        }
        let mut names = self.coordinators.clone();
        names.sort();
        names.dedup();
        if names.len() != count {
            return wrong("a coordinator is named twice".to_owned());
        }
        if self.node.is_empty() || names.iter().any(String::is_empty) {
            return wrong("a node has no name".to_owned());
        }
        let Timings { heartbeat, election_min, election_max, .. } = self.timings;
        if heartbeat.is_zero() || election_min <= heartbeat || election_max <= election_min {
            return wrong(
                "the times of an election do not grow: heartbeat, election_min, election_max".to_owned(),
            );
        }
        Ok(())
    }
}

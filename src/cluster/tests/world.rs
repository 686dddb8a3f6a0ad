//! Some nodes, and a transport in memory that encodes, can be cut one way, and counts.
//!
//! All of it runs in one thread, by a clock that stands still while anybody works and goes on to the next timer when
//! all wait (`start_paused`). Nor does it go on while something is on its way to the disk. So however slow the machine
//! and its disk are, no election comes of it; and however long the nodes wait for each other, the tests do not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use watershed_state::durable::{Folder, lock};

use crate::{Cluster, ClusterConfig, Leader, Transport, TransportError};

/// How long anything may take that must happen in the end.
pub(super) const IN_THE_END: Duration = Duration::from_secs(120);

/// How long a question is under way, and its answer: others work meanwhile.
const UNDER_WAY: Duration = Duration::from_millis(2);

/// How much slower each coordinator's pulse is than that of the one before. Consensus looks at its clock every one and a
/// half pulses, and how long a node waits before it stands for election it draws but once: by clocks that are alike to the
/// last bit, two that stood at one instant would stand against each other at one instant for ever.
const UNLIKE: Duration = Duration::from_millis(3);

/// What is between the nodes.
#[derive(Default)]
pub(super) struct Wires {
    nodes: Mutex<BTreeMap<String, Cluster>>,
    /// From whom to whom nothing comes through.
    cut: Mutex<BTreeSet<(String, String)>>,
    pub(super) asked: Count,
    pub(super) told: Count,
}

/// What went over the wires.
#[derive(Default)]
pub(super) struct Count {
    messages: AtomicU64,
    bytes: AtomicU64,
}

impl Count {
    fn add(&self, body: &[u8]) {
        self.messages.fetch_add(1, Relaxed);
        self.bytes.fetch_add(body.len() as u64, Relaxed);
    }

    /// Messages and bytes so far.
    pub(super) fn read(&self) -> (u64, u64) {
        (self.messages.load(Relaxed), self.bytes.load(Relaxed))
    }
}

impl Wires {
    pub(super) fn node(&self, name: &str) -> Option<Cluster> {
        self.nodes.lock().unwrap().get(name).cloned()
    }

    fn passes(&self, from: &str, to: &str) -> bool {
        !self.cut.lock().unwrap().contains(&(from.to_owned(), to.to_owned()))
    }
}

/// One node's end.
struct End {
    node: String,
    wires: Arc<Wires>,
}

#[async_trait]
impl Transport for End {
    async fn ask(&self, node: &str, body: Vec<u8>, within: Duration) -> Result<Vec<u8>, TransportError> {
        let (from, to, wires) = (self.node.clone(), node.to_owned(), self.wires.clone());
        let unanswered =
            |reason: &str| TransportError::Unanswered { node: to.clone(), reason: reason.to_owned() };
        wires.asked.add(&body);
        if !wires.passes(&from, &to) {
            sleep(within).await;
            return Err(unanswered("nothing comes through"));
        }
        let Some(peer) = wires.node(&to) else {
            return Err(TransportError::Unsent { node: to, reason: "it is not there".to_owned() });
        };
        // The peer works on, also where the asker has given up.
        let asker = from.clone();
        let answer = tokio::spawn(async move {
            sleep(UNDER_WAY).await;
            let answer = peer.answer(&asker, body).await;
            sleep(UNDER_WAY).await;
            answer
        });
        match timeout(within, answer).await {
            Ok(Ok(Ok(answer))) if wires.passes(&to, &from) => {
                wires.asked.add(&answer);
                Ok(answer)
            }
            _ => Err(unanswered("no answer")),
        }
    }

    fn tell(&self, node: &str, body: Vec<u8>) {
        self.wires.told.add(&body);
        if self.wires.passes(&self.node, node)
            && let Some(peer) = self.wires.node(node)
        {
            peer.heard(&self.node, body);
        }
    }
}

/// Some nodes and their disks.
pub(super) struct World {
    pub(super) wires: Arc<Wires>,
    disks: TempDir,
    coordinators: Vec<String>,
    incarnations: Mutex<BTreeMap<String, u64>>,
    /// What each node's settings are changed to.
    pub(super) settings: fn(&mut ClusterConfig),
}

impl World {
    pub(super) fn new(coordinators: &[&str]) -> World {
        World {
            wires: Arc::default(),
            disks: tempfile::tempdir().unwrap(),
            coordinators: coordinators.iter().map(|name| (*name).to_owned()).collect(),
            incarnations: Mutex::default(),
            settings: |_| {},
        }
    }

    /// With its coordinators running, and a leader that all of them know.
    pub(super) async fn started(coordinators: &[&str]) -> World {
        World::started_with(coordinators, |_| {}).await
    }

    /// As [`started`](World::started), with other settings.
    pub(super) async fn started_with(coordinators: &[&str], settings: fn(&mut ClusterConfig)) -> World {
        let world = World { settings, ..World::new(coordinators) };
        for node in coordinators {
            world.start(node).await;
        }
        world.settled().await;
        world
    }

    pub(super) fn disk(&self, node: &str) -> PathBuf {
        self.disks.path().join(node)
    }

    pub(super) fn config(&self, node: &str) -> ClusterConfig {
        let mut incarnations = self.incarnations.lock().unwrap();
        let incarnation = incarnations.entry(node.to_owned()).or_insert(0);
        *incarnation += 1;
        let (coordinators, disk) = (self.coordinators.clone(), self.disk(node));
        let place = coordinators.iter().position(|name| name == node).unwrap_or_default();
        let mut config = ClusterConfig::new("test", node, *incarnation, coordinators, disk);
        config.timings.heartbeat += UNLIKE * place as u32;
        (self.settings)(&mut config);
        config
    }

    pub(super) async fn start(&self, node: &str) -> Cluster {
        self.start_with(self.config(node)).await
    }

    pub(super) async fn start_with(&self, config: ClusterConfig) -> Cluster {
        let node = config.node.clone();
        let end = End { node: node.clone(), wires: self.wires.clone() };
        let cluster = Cluster::open(config, Arc::new(end)).await.unwrap();
        self.wires.nodes.lock().unwrap().insert(node, cluster.clone());
        cluster
    }

    /// The node is gone from one moment to the next, and its disk is free for the next life: a process that has ended
    /// writes nothing more, but what this one has begun to write comes to its end first.
    pub(super) async fn kill(&self, node: &str) {
        let cluster = self.wires.nodes.lock().unwrap().remove(node).unwrap();
        cluster.close().await;
        let disk = self.disk(node);
        let freed = async {
            while disk.exists() && lock(&Folder::open_or_make(&disk).unwrap(), "cluster.lock").is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(IN_THE_END, freed).await.expect("the disk is free in the end");
    }

    pub(super) fn node(&self, node: &str) -> Cluster {
        self.wires.node(node).unwrap()
    }

    /// Nothing comes through between these and those, either way.
    pub(super) fn cut(&self, these: &[&str], those: &[&str]) {
        for one in these {
            for other in those {
                self.cut_one_way(one, other);
                self.cut_one_way(other, one);
            }
        }
    }

    pub(super) fn cut_one_way(&self, from: &str, to: &str) {
        self.wires.cut.lock().unwrap().insert((from.to_owned(), to.to_owned()));
    }

    pub(super) fn heal(&self) {
        self.wires.cut.lock().unwrap().clear();
    }

    /// Waits until all nodes that run say that the same one leads.
    pub(super) async fn settled(&self) -> Leader {
        let nodes: Vec<Cluster> = self.wires.nodes.lock().unwrap().values().cloned().collect();
        agreed(&nodes.iter().collect::<Vec<_>>()).await
    }
}

/// Waits until these say that the same one leads.
pub(super) async fn agreed(nodes: &[&Cluster]) -> Leader {
    let agree = async {
        loop {
            let said: Vec<Option<Leader>> = nodes.iter().map(|node| node.leader().borrow().clone()).collect();
            if let Some(Some(leader)) = said.first()
                && said.iter().all(|other| other.as_ref() == Some(leader))
            {
                return leader.clone();
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(IN_THE_END, agree).await.expect("the nodes agree on a leader in the end")
}

/// Waits until what is watched is as wanted.
pub(super) async fn until<T: Clone>(mut watched: watch::Receiver<T>, wanted: impl FnMut(&T) -> bool) -> T {
    let seen = timeout(IN_THE_END, watched.wait_for(wanted)).await;
    seen.expect("it happens in the end").expect("the node is open").clone()
}

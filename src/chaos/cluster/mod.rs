//! A cluster of processes on this machine, each reached by the others through the proxy.
//!
//! All of them are told whose children they are, and end when that process does, however it ends.

mod ask;
mod node;

use std::cell::Cell;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::error::ChaosError;
use crate::proxy::Proxy;
use crate::schedule::name_of;
use ask::Asker;
pub(crate) use node::{Node, clean};

/// How many of the nodes may lead, where there are as many.
const COORDINATORS: usize = 3;

/// How long a cluster may take to come up, or to take a job.
const UP_WITHIN: Duration = Duration::from_secs(60);

/// How long it is waited between two looks.
pub(crate) const LOOK: Duration = Duration::from_millis(30);

/// A cluster of processes.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) proxy: Proxy,
    directory: PathBuf,
    interrupted: Arc<AtomicBool>,
    asker: Asker,
    /// The place of the node that has answered last.
    answered: Cell<usize>,
}

/// How a job stands.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) state: String,
    pub(crate) reason: String,
    pub(crate) number: u64,
    /// Its newest checkpoint.
    pub(crate) newest: u64,
    /// When that was completed, where whoever leads has seen it: not later than it was.
    pub(crate) completed_at: Option<Instant>,
}

impl Cluster {
    /// Starts as many nodes, each with so many slots, and waits until all see each other.
    pub(crate) fn start(
        binary: &Path,
        directory: &Path,
        count: usize,
        slots: u32,
        interrupted: Arc<AtomicBool>,
    ) -> Result<Cluster, ChaosError> {
        let ports = node::free_ports(2 * count).map_err(ChaosError::Proxy)?;
        let (links, http) = ports.split_at(count);
        let names: Vec<String> = (0..count).map(name_of).collect();
        let listens: Vec<_> = names.iter().cloned().zip(links.iter().copied()).collect();
        let proxy = Proxy::open(&listens).map_err(ChaosError::Proxy)?;
        let leaders = if count < COORDINATORS { 1 } else { COORDINATORS };
        let named = names.iter().take(leaders).enumerate();
        let coordinators: Vec<String> =
            named.map(|(node, name)| format!("{name}={}", proxy.address(node))).collect();
        // Whatever is set for the nodes of this directory is not set for these.
        let settings = directory.join("nodes.toml");
        File::create(&settings).map_err(ChaosError::at(&settings))?;
        let nodes = names.into_iter().enumerate().map(|(index, name)| Node {
            name,
            listen: links[index],
            http: http[index],
            advertise: proxy.address(index),
            coordinators: coordinators.join(","),
            slots,
            binary: binary.to_owned(),
            directory: directory.to_owned(),
            process: None,
            is_still: false,
        });
        let (nodes, directory) = (nodes.collect(), directory.to_owned());
        let (asker, answered) = (Asker::new(), Cell::new(0));
        let mut cluster = Cluster { nodes, proxy, directory, interrupted, asker, answered };
        for node in &mut cluster.nodes {
            node.start()?;
        }
        cluster.wait_for("a cluster of all nodes with a leader", |cluster| {
            let nodes = cluster.get("/api/v1/nodes")?;
            let nodes = nodes["nodes"].as_array()?;
            let offers = |node: &&Value| node["alive"] == true && node["slots"] == slots;
            let leads = nodes.iter().any(|node| node["leader"] == true);
            (leads && nodes.iter().filter(offers).count() == count).then_some(())
        })?;
        Ok(cluster)
    }

    /// Waits until something is there.
    pub(crate) fn wait_for<T>(
        &self,
        what: &str,
        look: impl Fn(&Cluster) -> Option<T>,
    ) -> Result<T, ChaosError> {
        let begun = Instant::now();
        loop {
            if let Some(found) = look(self) {
                return Ok(found);
            }
            self.expect_patience()?;
            if begun.elapsed() > UP_WITHIN {
                let (what, said) = (what.to_owned(), self.said());
                return Err(ChaosError::Never { what, within: UP_WITHIN, said });
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Whether nobody has had enough.
    pub(crate) fn expect_patience(&self) -> Result<(), ChaosError> {
        if self.interrupted.load(Relaxed) { Err(ChaosError::Interrupted) } else { Ok(()) }
    }

    /// What a node says that answers: the one that did last, or else the next that does.
    fn get(&self, path: &str) -> Option<Value> {
        let (last, count) = (self.answered.get(), self.nodes.len());
        (0..count).map(|next| (last + next) % count).find_map(|index| {
            let node = self.nodes.get(index).filter(|node| node.answers())?;
            let said = self.asker.get(node.http, path)?;
            self.answered.set(index);
            Some(said)
        })
    }

    /// The place of the node that leads, among all.
    pub(crate) fn leader(&self) -> Option<usize> {
        let nodes = self.get("/api/v1/nodes")?;
        let leader = nodes["nodes"].as_array()?.iter().find(|node| node["leader"] == true)?;
        let name = leader["node"].as_str()?;
        self.nodes.iter().position(|node| node.name == name)
    }

    /// How a job stands, if anybody can say.
    pub(crate) fn standing(&self, job: &str) -> Option<Standing> {
        let asked = Instant::now();
        let said = self.get(&format!("/api/v1/jobs/{job}"))?;
        let checkpoints = &said["checkpoints"];
        let age = checkpoints["age_seconds"].as_f64();
        Some(Standing {
            state: said["state"].as_str()?.to_owned(),
            reason: said["reason"].as_str().unwrap_or_default().to_owned(),
            number: said["number"].as_u64()?,
            newest: checkpoints["newest"].as_u64().unwrap_or_default(),
            completed_at: age.and_then(|age| asked.checked_sub(Duration::from_secs_f64(age))),
        })
    }

    /// Has the cluster run a job.
    pub(crate) fn submit(&self, job: &Value) -> Result<(), ChaosError> {
        let begun = Instant::now();
        loop {
            self.expect_patience()?;
            let mut reasons = Vec::new();
            for node in self.nodes.iter().filter(|node| node.answers()) {
                match self.asker.post(node.http, "/api/v1/jobs", job) {
                    Ok(()) => return Ok(()),
                    Err(ask::Refused::Asked(why)) => return Err(ChaosError::Asked(why)),
                    Err(ask::Refused::Unable(why)) => reasons.push(why),
                }
            }
            // It may have been taken by somebody who could not say so.
            if let Some(name) = job["name"].as_str()
                && self.standing(name).is_some()
            {
                return Ok(());
            }
            if begun.elapsed() > UP_WITHIN {
                let what = format!("a cluster that takes the job ({})", reasons.join("; "));
                return Err(ChaosError::Never { what, within: UP_WITHIN, said: self.said() });
            }
            std::thread::sleep(10 * LOOK);
        }
    }

    /// Where the checkpoints of all jobs are.
    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.directory.join("checkpoints")
    }

    /// What all nodes have said last.
    pub(crate) fn said(&self) -> String {
        self.nodes.iter().map(Node::said).collect::<Vec<_>>().join("\n")
    }
}

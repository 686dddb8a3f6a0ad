//! A cluster of nodes on this machine, wherever they [live](crate::home).

mod ask;
mod node;

use std::cell::Cell;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::disk::Disk;
use crate::error::ChaosError;
use crate::home::{Addresses, Quarters};
use crate::proxy::Proxy;
use ask::Asker;
pub(crate) use node::Node;

/// How many of the nodes may lead, where there are as many.
const COORDINATORS: usize = 3;

/// How long a cluster may take to come up, or to take a job: on a machine that has much to do besides.
const UP_WITHIN: Duration = Duration::from_secs(180);

/// How long it is waited between two looks.
pub(crate) const LOOK: Duration = Duration::from_millis(30);

/// A cluster of nodes.
pub(crate) struct Cluster {
    /// They go before their quarters.
    pub(crate) nodes: Vec<Node>,
    quarters: Quarters,
    /// The disk of the checkpoints, where it is to be full at times.
    pub(crate) disk: Option<Disk>,
    checkpoints: PathBuf,
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
    /// When that was triggered, where whoever leads has done it: not later than it was.
    pub(crate) began_at: Option<Instant>,
    /// When it was completed, likewise.
    pub(crate) completed_at: Option<Instant>,
}

impl Standing {
    /// When the newest checkpoint was completed, if it was triggered behind a moment.
    pub(crate) fn completed_behind(&self, at: Instant) -> Option<Instant> {
        self.began_at.filter(|began| *began > at).and(self.completed_at)
    }
}

/// What all nodes of a cluster have in common.
pub(crate) struct Common {
    /// Where what they say is kept, and below it, what each has of its own.
    pub(crate) directory: PathBuf,
    /// Where the checkpoints of all jobs are.
    pub(crate) checkpoints: PathBuf,
    /// How many subtasks of each operator a node takes.
    pub(crate) slots: u32,
}

impl Cluster {
    /// Starts a node in each of the quarters, and waits until all see each other.
    pub(crate) fn start(
        mut quarters: Quarters,
        names: &[String],
        common: Common,
        interrupted: Arc<AtomicBool>,
    ) -> Result<Cluster, ChaosError> {
        let count = names.len();
        let Common { directory, checkpoints, slots } = &common;
        let dwellings = std::mem::take(&mut quarters.dwellings);
        let leaders = if count < COORDINATORS { 1 } else { COORDINATORS };
        let named = names.iter().zip(&dwellings).take(leaders);
        let coordinators: Vec<String> =
            named.map(|(name, dwelling)| format!("{name}={}", dwelling.addresses().advertise)).collect();
        // Whatever is set for the nodes of this directory is not set for these.
        let settings = directory.join("nodes.toml");
        File::create(&settings).map_err(ChaosError::at(&settings))?;
        let nodes = names.iter().zip(dwellings).map(|(name, dwelling)| Node {
            name: name.clone(),
            arguments: common.arguments(name, dwelling.addresses(), &coordinators.join(",")),
            log: directory.join(format!("{name}.log")),
            dwelling,
            process: None,
            is_still: false,
        });
        let (nodes, checkpoints, slots, disk) = (nodes.collect(), checkpoints.clone(), *slots, None);
        let (asker, answered) = (Asker::new(), Cell::new(0));
        let mut cluster = Cluster { nodes, quarters, disk, checkpoints, interrupted, asker, answered };
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
            let (asker, http, path) = (self.asker.clone(), node.addresses().http, path.to_owned());
            let said = self.quarters.at_window(move || asker.get(http, &path))?;
            self.answered.set(index);
            Some(said)
        })
    }

    /// Whether all nodes listen.
    pub(crate) fn listens(&self) -> bool {
        self.nodes.iter().all(|node| {
            let http = node.addresses().http;
            node.answers() && self.quarters.at_window(move || ask::listens(http))
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
        let span = |name: &str| {
            let seconds = checkpoints[name].as_f64()?;
            Duration::try_from_secs_f64(seconds).ok()
        };
        let completed_at = span("age_seconds").and_then(|age| asked.checked_sub(age));
        let took = span("took_seconds");
        Some(Standing {
            state: said["state"].as_str()?.to_owned(),
            reason: said["reason"].as_str().unwrap_or_default().to_owned(),
            number: said["number"].as_u64()?,
            newest: checkpoints["newest"].as_u64().unwrap_or_default(),
            began_at: completed_at.and_then(|at| at.checked_sub(took?)),
            completed_at,
        })
    }

    /// Has the cluster run a job.
    pub(crate) fn submit(&self, job: &Value) -> Result<(), ChaosError> {
        let begun = Instant::now();
        loop {
            self.expect_patience()?;
            let mut reasons = Vec::new();
            for node in self.nodes.iter().filter(|node| node.answers()) {
                let (asker, http, job) = (self.asker.clone(), node.addresses().http, job.clone());
                match self.quarters.at_window(move || asker.post(http, "/api/v1/jobs", &job)) {
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
    pub(crate) fn checkpoints(&self) -> &Path {
        &self.checkpoints
    }

    /// What harms frames between the nodes: it is there where any are to be harmed.
    pub(crate) fn proxy(&self) -> Option<&Proxy> {
        self.quarters.proxy.as_deref()
    }

    /// What all nodes have said last.
    pub(crate) fn said(&self) -> String {
        self.nodes.iter().map(Node::said).collect::<Vec<_>>().join("\n")
    }
}

impl Common {
    /// With what the program of a node is run.
    fn arguments(&self, name: &str, addresses: &Addresses, coordinators: &str) -> Vec<String> {
        let path = |name: &str| self.directory.join(name).display().to_string();
        let (config, data) = (path("nodes.toml"), path(name));
        let checkpoints = self.checkpoints.display().to_string();
        let Addresses { listen, http, advertise } = addresses;
        let [slots, listen, http, advertise] =
            [self.slots.to_string(), listen.to_string(), http.to_string(), advertise.to_string()];
        let mut arguments = vec!["--config", &config, "node", "--cluster", "chaos", "--name", name];
        arguments.extend(["--coordinators", coordinators, "--slots", &slots]);
        arguments.extend(["--listen", &listen, "--http", &http, "--advertise", &advertise]);
        arguments.extend(["--data", &data, "--checkpoints", &checkpoints]);
        if !addresses.listen.ip().is_loopback() {
            // Nobody else is on the network of these nodes.
            arguments.extend(["--plain", "--http-open"]);
        }
        arguments.into_iter().map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_open_to_whoever_reaches_them_only_where_that_is_nobody_else() {
        let common = Common { directory: "/d".into(), checkpoints: "/d/disk/c".into(), slots: 3 };
        let at = |host: [u8; 4], port| std::net::SocketAddr::from((host, port));
        let of = |host| {
            let addresses =
                Addresses { listen: at(host, 7100), http: at(host, 7180), advertise: at(host, 9) };
            common.arguments("n2", &addresses, "n1=a:1").join(" ")
        };
        let given = "--config /d/nodes.toml node --cluster chaos --name n2 --coordinators n1=a:1 --slots 3 \
                     --listen 127.0.0.1:7100 --http 127.0.0.1:7180 --advertise 127.0.0.1:9 --data /d/n2 \
                     --checkpoints /d/disk/c";
        assert_eq!(of([127, 0, 0, 1]), given);
        assert_eq!(of([10, 0, 0, 1]), given.replace("127.0.0", "10.0.0") + " --plain --http-open");
    }
}

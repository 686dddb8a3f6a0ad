//! A cluster of processes.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::http::get;
use crate::node::Node;

/// How many of the nodes may lead.
const COORDINATORS: usize = 3;

/// The longest that anything of a cluster may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// How many nodes there may be.
const NODES_MAX: usize = 9;

/// How long it is waited between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Nodes `n1`, `n2`, .., the first three of which may lead.
pub(crate) struct Nodes {
    // Before their folder, so that they end before it is removed.
    nodes: Vec<Node>,
    folder: TempDir,
    coordinators: String,
    slots: u32,
}

impl Nodes {
    /// Starts as many nodes, each with so many slots, and waits until all see each other.
    pub(crate) fn start(count: usize, slots: u32) -> Self {
        Self::start_as(count, slots, |_| {})
    }

    /// The same with nodes that are made otherwise before they begin.
    pub(crate) fn start_as(count: usize, slots: u32, make: impl FnOnce(&mut [Node])) -> Self {
        let folder = TempDir::new().unwrap();
        certify(folder.path());
        let mut nodes: Vec<Node> =
            (1..=count).map(|number| Node::new(&format!("n{number}"), folder.path())).collect();
        make(&mut nodes);
        let named = nodes.iter().take(COORDINATORS).map(|node| format!("{}={}", node.name, node.reached()));
        let coordinators = named.collect::<Vec<_>>().join(",");
        let mut nodes = Nodes { nodes, folder, coordinators, slots };
        for index in 0..count {
            nodes.begin(index);
        }
        nodes.expect_alive(count);
        nodes
    }

    /// Where all of them are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn node(&mut self, name: &str) -> &mut Node {
        self.nodes.iter_mut().find(|node| node.name == name).unwrap()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.nodes.iter().map(|node| node.name.clone()).collect()
    }

    /// Starts a node, again if it lived before.
    pub(crate) fn start_again(&mut self, name: &str) {
        let index = self.nodes.iter().position(|node| node.name == name).unwrap();
        self.begin(index);
    }

    /// Adds a node that takes subtasks and decides nothing.
    pub(crate) fn add(&mut self) -> String {
        let name = format!("n{}", self.nodes.len() + 1);
        self.nodes.push(Node::new(&name, self.folder.path()));
        self.begin(self.nodes.len() - 1);
        name
    }

    fn begin(&mut self, index: usize) {
        let (coordinators, slots) = (self.coordinators.clone(), self.slots);
        self.nodes[index].start(&coordinators, slots);
    }

    /// What the nodes that can answer say to a question, one after the other until one does.
    pub(crate) fn ask(&self, path: &str) -> Option<Value> {
        let said = self.nodes.iter().filter(|node| node.answers()).find_map(|node| get(node.http, path));
        said.map(|said| serde_json::from_str(&said).unwrap())
    }

    /// What a command says that asks the cluster something, and has to succeed.
    pub(crate) fn command(&self, arguments: &[&str]) -> String {
        let urls: Vec<String> = self
            .nodes
            .iter()
            .filter(|node| node.answers())
            .map(|node| format!("http://{}", node.http))
            .collect();
        let mut command = crate::process::watershed(self.folder(), arguments);
        // Who leads may be elected only now, and that takes its time on a busy machine.
        command.args(["--node", &urls.join(","), "--within", "120s"]);
        let output = command.output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}\n{}", self.said());
        said.into_owned()
    }

    /// Looks until something is there.
    #[track_caller]
    pub(crate) fn wait_for<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}\n{}", self.said());
            std::thread::sleep(LOOK);
        }
    }

    /// Waits until as many nodes are seen alive, with their slots, and one leads.
    #[track_caller]
    pub(crate) fn expect_alive(&self, count: usize) {
        self.wait_for(&format!("{count} nodes"), || {
            let nodes = self.ask("/api/v1/nodes")?;
            let nodes = nodes["nodes"].as_array()?;
            // One whose slots have not been told yet would get nothing of a job.
            let offers = |node: &&Value| {
                node["alive"] == true && node["leaving"] == false && node["slots"] == self.slots
            };
            let alive = nodes.iter().filter(offers).count();
            (alive == count && nodes.iter().any(|node| node["leader"] == true)).then_some(())
        });
    }

    /// The node that leads.
    #[track_caller]
    pub(crate) fn leader(&self) -> String {
        self.wait_for("a leader", || {
            let nodes = self.ask("/api/v1/nodes")?;
            let leader = nodes["nodes"].as_array()?.iter().find(|node| node["leader"] == true)?;
            Some(leader["node"].as_str()?.to_owned())
        })
    }

    /// What all nodes have said last.
    pub(crate) fn said(&self) -> String {
        self.nodes.iter().map(Node::said).collect::<Vec<_>>().join("\n\n")
    }

    /// All that a node has said, in all its lives.
    pub(crate) fn all_said(&self, name: &str) -> String {
        self.nodes.iter().find(|node| node.name == name).unwrap().all_said()
    }

    /// What a node shows of itself to whoever measures.
    pub(crate) fn metrics(&self, name: &str) -> String {
        let node = self.nodes.iter().find(|node| node.name == name).unwrap();
        get(node.http, "/metrics").unwrap_or_default()
    }
}

/// Makes the certificates by which the nodes know each other.
fn certify(folder: &Path) {
    let names: Vec<String> = (1..=NODES_MAX).map(|number| format!("n{number}")).collect();
    let mut command = crate::process::watershed(folder, &["certs", "--out", "certs", "--cluster", "harm"]);
    let output = command.args(names).output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

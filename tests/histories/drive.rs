//! A cluster with a job, sessions that work with it, and what happens to it meanwhile.

use std::time::Duration;

use serde_json::Value;
use watershed_chaos::{Proxy, Trouble};

use crate::clients::world::{Workload, World};
use crate::node::Node;
use crate::nodes::Nodes;
use crate::verdict::Verdict;

/// How long a node stands still, or is cut off, where nobody can be seen to give it up: longer than that takes.
const STILL: Duration = Duration::from_secs(5);

/// How long it does so when others have taken over.
const TAKEN_OVER: Duration = Duration::from_millis(2500);

/// Where a node says how the job stands.
const JOB: &str = "/api/v1/jobs/sessions";

/// How long a node is dead.
const DEAD: Duration = Duration::from_millis(500);

/// What happens to a node: to one that does not lead, where nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// SIGKILL; it is started again.
    Kill,
    /// SIGSTOP, and SIGCONT when others have taken over.
    Pause,
    /// Neither does it hear the others, nor do they hear it; clients reach it.
    CutOff,
    /// The same to the node that leads.
    CutOffLeader,
    /// The others do not hear it.
    Mute,
    /// It does not hear the others.
    Deaf,
}

/// A way between two nodes on which everything comes so much later, all the time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Late {
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    pub(crate) by: Duration,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) workload: Workload,
    pub(crate) nodes: usize,
    /// How long appends are held back on their way from node to node.
    pub(crate) delay: Duration,
    /// What happens, evenly over the operations.
    pub(crate) harms: Vec<Harm>,
    pub(crate) late: Option<Late>,
    /// The node of which a subtask panics, once, at the barrier of this number, so that the job is set back on the same nodes.
    pub(crate) panics: Option<(&'static str, u32)>,
    /// The rule that all nodes break, by its name in `FAILPOINTS`; none where that is empty.
    pub(crate) broken: &'static str,
}

impl Plan {
    /// Whether what the nodes say to each other goes through somebody who can hold it up. Certificates would keep it from that.
    fn is_overheard(&self) -> bool {
        let holds_up = |harm: &Harm| !matches!(harm, Harm::Kill | Harm::Pause);
        self.late.is_some() || self.harms.iter().any(holds_up)
    }

    /// What a node is to do at which point.
    fn failpoints(&self, node: &str) -> String {
        let broken = Some(self.broken).filter(|rule| !rule.is_empty()).map(|rule| format!("{rule}=return"));
        let panics = self.panics.filter(|(who, _)| *who == node);
        let panics = panics.map(|(_, at)| format!("task::barrier_seen={}*off->1*panic->off", at - 1));
        broken.into_iter().chain(panics).collect::<Vec<_>>().join(";")
    }

    /// Starts the nodes, and what is between them.
    fn start(&self) -> (Nodes, Option<Proxy>) {
        let mut proxy = None;
        // One slot each, so that the job has a part on every node.
        let nodes = Nodes::start_as(self.nodes, 1, |nodes: &mut [Node]| {
            nodes.iter_mut().for_each(|node| node.failpoints = self.failpoints(&node.name));
            if self.is_overheard() {
                let listens: Vec<_> = nodes.iter().map(|node| (node.name.clone(), node.links)).collect();
                let opened = Proxy::open(&listens).unwrap();
                nodes
                    .iter_mut()
                    .enumerate()
                    .for_each(|(place, node)| node.door = Some(opened.address(place)));
                proxy = Some(opened);
            }
        });
        (nodes, proxy)
    }
}

/// Lasts for as long as a node is harmed: until the others have taken over what it had of the job, if it had anything, and
/// clients have met both sides since then.
fn last(nodes: &Nodes, victim: &str, before: &Value) {
    let has_part = before["slots"][victim].as_u64() > Some(0);
    if !has_part {
        return std::thread::sleep(STILL);
    }
    nodes.wait_for("a run without a node", || {
        let run = nodes.ask(JOB)?["run"].as_u64();
        (run > before["run"].as_u64()).then_some(())
    });
    std::thread::sleep(TAKEN_OVER);
}

/// Does something to a node, and undoes it.
fn harm(nodes: &mut Nodes, proxy: Option<&Proxy>, victim: &str, harm: Harm) {
    let names = nodes.names();
    let before = nodes.wait_for("a run", || nodes.ask(JOB).filter(|job| job["state"] == "running"));
    let block = |from: &str, to: &str| {
        let way = proxy.and_then(|proxy| proxy.way(from, to));
        way.into_iter().for_each(|way| way.trouble(Trouble::Blocked));
    };
    match harm {
        Harm::Kill => {
            nodes.node(victim).kill();
            std::thread::sleep(DEAD);
            nodes.start_again(victim);
            return;
        }
        Harm::Pause => {
            nodes.node(victim).stop();
            last(nodes, victim, &before);
            nodes.node(victim).go_on();
            return;
        }
        Harm::CutOff | Harm::CutOffLeader => {
            names.iter().for_each(|other| {
                block(victim, other);
                block(other, victim);
            });
            last(nodes, victim, &before);
        }
        Harm::Mute => {
            names.iter().for_each(|other| block(victim, other));
            std::thread::sleep(STILL);
        }
        Harm::Deaf => {
            names.iter().for_each(|other| block(other, victim));
            std::thread::sleep(STILL);
        }
    }
    proxy.expect("the nodes are overheard").heal();
}

/// Waits until so many operations were tried.
fn wait_for(world: &World, operations: usize) {
    while world.counted() < operations && world.wants_more() {
        world.pause();
    }
}

/// Has sessions work on a cluster, and lets the checker look at what they were told.
pub(crate) fn drive(plan: &Plan) -> Verdict {
    let (mut nodes, proxy) = plan.start();
    let (parallelism, delay) = (plan.nodes.to_string(), format!("delay={}ms", plan.delay.as_millis()));
    let submit = ["submit", "sessions", "--parallelism", &parallelism, "--set", &delay];
    nodes.command(&[&submit[..], &["--checkpoint-interval", "200ms"]].concat());
    if let Some(Late { from, to, by }) = plan.late {
        let way = proxy.as_ref().and_then(|proxy| proxy.way(from, to));
        way.expect("there is such a way").trouble(Trouble::Late(by));
    }
    let names = nodes.names();
    let Plan { workload, harms, .. } = plan;
    let world = World::new(workload.clone(), names.iter().map(|name| nodes.node(name).http).collect());
    world.work(|| {
        for (place, one) in harms.iter().enumerate() {
            wait_for(&world, workload.operations * (place + 1) / (harms.len() + 1));
            let leader = nodes.leader();
            let others: Vec<&String> = names.iter().filter(|name| **name != leader).collect();
            let other = others[place % others.len()];
            let victim = if *one == Harm::CutOffLeader { &leader } else { other };
            harm(&mut nodes, proxy.as_ref(), victim, *one);
            nodes.expect_alive(plan.nodes);
        }
    });
    assert_eq!(world.foreign(), None, "these sessions alone write");
    assert!(world.is_done(), "the operations take too long: {}", nodes.said());
    let verdict = Verdict::of(&world.told());
    let Plan { nodes, workload: Workload { operations, .. }, late, panics, broken, .. } = plan;
    println!("{nodes} nodes, {operations} operations, {harms:?} {late:?} {panics:?} {broken:?}: {verdict:?}");
    verdict
}

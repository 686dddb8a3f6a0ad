//! The leader: on each node that may lead, and at work on the one that does.
//!
//! ```text
//!   Cluster.leader(), .members(), links ──► Leader ──starts, tells of nodes──► Coordinator, one a job
//!   Request (any node, HTTP, ..) ─────────►   │  ◄──Seated, Deposed──────────────┘
//!   Dispatch (workers) ───────────────────►   └──► Coordinator of that job
//!                                             Roll, ReignOver ──► workers
//! ```
//!
//! When a node comes to lead, it brings every job to life that is meant to run: its coordinator takes the job's term
//! by compare-and-swap, which fences whatever an older leader may still do. When it is deposed, its coordinators end
//! without a word: whatever they could say is stale, and the workers go on until the next leader calls them. They are told
//! that it is deposed, though (R8): where a majority cannot be reached, another leader may have begun the next runs, so that
//! what these runs show of shared state may be undone already.

mod agreeing;
mod jobs;
mod keys;
mod requests;
mod sites;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix::prelude::*;
use watershed_cluster::{Cluster, Leader as Leading, Member, TokenSecret};
use watershed_link::{Links, NodeName, PeerChange};

use super::Programs;
use super::depots::Depots;
use super::line::LineLimits;
use super::message::{Dispatch, LEADER, ReignOver, Roll, WORKER};
use super::request::Request;
use super::vitals::Lifeline;
use crate::coordinator::{Deposed, Look, NodeLost, Retire, Seated};
use crate::message::Report;
use jobs::Led;

/// Leads the cluster, while its node is the one that does.
pub(crate) struct Leader {
    links: Links,
    cluster: Cluster,
    programs: Rc<dyn Programs>,
    depots: Depots,
    limits: LeaderLimits,
    members: BTreeMap<String, Member>,
    /// The nodes to which there is a link.
    linked: BTreeSet<String>,
    /// When this node began: it does not know all others at once.
    started: Instant,
    /// With what tokens are sealed, as far as it has been read.
    token_keys: Vec<TokenSecret>,
    /// Whether one is to be asked for again.
    seeks_key: bool,
    reign: Option<Reign>,
    _lifeline: Lifeline,
}

/// How long the leader waits for nodes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeaderLimits {
    pub(crate) line: LineLimits,
    /// How long after its own start it waits for nodes before it crowds a job onto those that are there, and before it tries
    /// again to have something decided. Default: 3 s.
    pub(crate) settle_within: Duration,
}

impl Default for LeaderLimits {
    fn default() -> Self {
        LeaderLimits { line: LineLimits::default(), settle_within: Duration::from_secs(3) }
    }
}

/// A time in which this node leads.
struct Reign {
    term: u64,
    jobs: BTreeMap<String, Led>,
    /// Whether these are all jobs that there are: they have to be read first.
    is_complete: bool,
    /// How often the coordinators of jobs have panicked, by the jobs' numbers.
    panics: BTreeMap<u32, u32>,
    /// How jobs stood at their ends, with their numbers.
    last: BTreeMap<String, (u32, Look)>,
}

/// To the leader, from itself: who leads has changed.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Elected(pub(crate) Option<Leading>);

/// To the leader, from itself: who is there has changed.
#[derive(Message)]
#[rtype(result = "()")]
struct Gathered(BTreeMap<String, Member>);

impl Leader {
    /// Begins to follow who leads, and makes itself known to the other nodes.
    pub(crate) fn start(
        links: &Links,
        cluster: &Cluster,
        programs: Rc<dyn Programs>,
        depots: Depots,
        limits: LeaderLimits,
        lifeline: Lifeline,
    ) -> Addr<Leader> {
        let leader = Leader {
            links: links.clone(),
            cluster: cluster.clone(),
            programs,
            depots,
            limits,
            members: BTreeMap::new(),
            linked: BTreeSet::from([links.local().node.to_string()]),
            started: Instant::now(),
            token_keys: Vec::new(),
            seeks_key: false,
            reign: None,
            _lifeline: lifeline,
        };
        let address = leader.start();
        links.register::<Dispatch>(LEADER, address.clone().recipient());
        links.register::<Request>(LEADER, address.clone().recipient());
        links.watch(address.clone().recipient());
        address
    }

    fn node(&self) -> &str {
        self.links.local().node.as_str()
    }

    /// Whether no more nodes are to be expected soon.
    fn is_settled(&self) -> bool {
        self.started.elapsed() >= self.limits.settle_within
    }

    fn begin_reign(&mut self, term: u64, cx: &mut Context<Self>) {
        tracing::info!(term, node = self.node(), "this node leads the cluster");
        let (jobs, panics, last) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        self.reign = Some(Reign { term, jobs, is_complete: false, panics, last });
        // Nodes that are left out until then are given up.
        cx.run_later(self.limits.settle_within, |leader, _| leader.tell_sites());
        self.take_up_jobs(cx);
    }

    fn end_reign(&mut self) {
        let Some(reign) = self.reign.take() else { return };
        tracing::info!(term = reign.term, node = self.node(), "this node leads the cluster no more");
        for led in reign.jobs.values() {
            led.coordinator.do_send(Retire);
        }
        let leader = self.links.local().node.clone();
        for node in self.linked.iter().filter_map(|node| NodeName::new(node).ok()) {
            // One that is out of reach knows by that.
            let told = ReignOver { leader: leader.clone() };
            let _ = self.links.actor::<ReignOver>(&node, WORKER).tell(told);
        }
    }

    /// Tells a node in which runs it has a part: what else it has is over, but for what nobody can say of yet.
    fn call_roll(&self, node: &str) {
        let Some(reign) = self.reign.as_ref().filter(|reign| reign.is_complete) else { return };
        let jobs = reign.jobs.values().map(|led| (led.number, led.authority, led.slots.contains_key(node)));
        let roll = Roll::of((self.links.local().node.clone(), reign.term), self.token_keys.clone(), jobs);
        if let Ok(name) = NodeName::new(node) {
            // One that is out of reach is told when it comes back.
            let _ = self.links.actor::<Roll>(&name, WORKER).tell(roll);
        }
    }
}

impl Actor for Leader {
    type Context = Context<Self>;

    fn started(&mut self, cx: &mut Self::Context) {
        let own = cx.address();
        let (mut leading, mut members) = (self.cluster.leader(), self.cluster.members());
        let to = own.clone();
        actix::spawn(async move {
            loop {
                let now = leading.borrow_and_update().clone();
                to.do_send(Elected(now));
                if leading.changed().await.is_err() {
                    return;
                }
            }
        });
        actix::spawn(async move {
            loop {
                let now = members.borrow_and_update().clone();
                own.do_send(Gathered(now));
                if members.changed().await.is_err() {
                    return;
                }
            }
        });
    }
}

impl Handler<Elected> for Leader {
    type Result = ();

    fn handle(&mut self, Elected(leading): Elected, cx: &mut Self::Context) {
        let own = leading.filter(|leading| leading.node == self.node()).map(|leading| leading.term);
        if self.reign.as_ref().map(|reign| reign.term) == own {
            return;
        }
        self.end_reign();
        if let Some(term) = own {
            self.begin_reign(term, cx);
        }
    }
}

impl Handler<Gathered> for Leader {
    type Result = ();

    fn handle(&mut self, Gathered(members): Gathered, cx: &mut Self::Context) {
        let died = |node: &&String| members.get(*node).is_none_or(|member| !member.alive);
        let was_alive = self.members.iter().filter(|(_, member)| member.alive).map(|(node, _)| node);
        let dead: Vec<String> = was_alive.filter(died).cloned().collect();
        for (node, member) in &members {
            if let Ok(name) = NodeName::new(node)
                && node != self.node()
                && member.alive
            {
                self.links.learn(&name, &member.address);
            }
        }
        self.members = members;
        for node in dead {
            self.lose(&node, "it is not heard of any more");
        }
        self.tell_sites();
        self.move_from_leaving(cx);
    }
}

impl Handler<PeerChange> for Leader {
    type Result = ();

    fn handle(&mut self, change: PeerChange, _: &mut Self::Context) {
        match change {
            PeerChange::Up { node, .. } => {
                self.linked.insert(node.to_string());
                self.call_roll(node.as_str());
            }
            PeerChange::Down { node, reason, .. } => {
                self.linked.remove(node.as_str());
                self.lose(node.as_str(), &reason.to_string());
            }
        }
        self.tell_sites();
    }
}

impl Leader {
    /// Tells the jobs that a node is gone.
    fn lose(&self, node: &str, reason: &str) {
        let Some(reign) = &self.reign else { return };
        for led in reign.jobs.values().filter(|led| led.slots.contains_key(node)) {
            led.coordinator.do_send(NodeLost { node: node.to_owned(), reason: reason.to_owned() });
        }
    }
}

impl Handler<Seated> for Leader {
    type Result = ();

    fn handle(&mut self, Seated { job, authority, slots }: Seated, _: &mut Self::Context) {
        let Some(led) = self.reign.as_mut().and_then(|reign| reign.jobs.get_mut(&job)) else { return };
        let before = std::mem::replace(&mut led.slots, slots);
        let is_first = led.authority.replace(authority).is_none();
        let left: Vec<String> = before.into_keys().filter(|node| !led.slots.contains_key(node)).collect();
        self.tell_sites();
        // What is on nodes that have no part any more, from before this reign or from before the move, is over.
        let called = if is_first { self.linked.iter().cloned().collect() } else { left };
        for node in called {
            self.call_roll(&node);
        }
    }
}

impl Handler<Deposed> for Leader {
    type Result = ();

    fn handle(&mut self, deposed: Deposed, cx: &mut Self::Context) {
        self.deposed(deposed, cx);
    }
}

impl Handler<Dispatch> for Leader {
    type Result = ();

    /// What comes for a job that this node does not lead is of an older reign.
    fn handle(&mut self, Dispatch { job, report }: Dispatch, _: &mut Self::Context) {
        let Some(reign) = &self.reign else { return };
        if let Some(led) = reign.jobs.values().find(|led| led.number == job) {
            led.coordinator.do_send(Report::from(report));
        }
    }
}

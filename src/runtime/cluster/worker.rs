//! The worker of a node: its crews, one for each job that has a slot here.

mod enlisting;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;
use tokio::sync::{Mutex, oneshot};
use watershed_cluster::JobSpec;
use watershed_core::plan::Fingerprint;
use watershed_link::{Links, Local, NodeName, PeerChange};
use watershed_protocol::causal::TokenKey;
use watershed_protocol::checkpoint::Authority;

use super::depots::Depots;
use super::message::{
    AgreedTold, CompletedTold, Discharge, Enlist, ReignOver, Relay, Roll, SharedTold, Ticket, WORKER,
};
use super::vitals::Lifeline;
use super::{Planned, Programs};
use crate::crew::{Completed, Crew, Dismiss, Doubt, HearShared, Hindrance, NeighbourLost, Pass, TellAgreed};
use crate::job::Arbiters;
use crate::query::{self, Archivist, Clerk, Window, Windows};

/// The crews of a node.
pub(crate) struct Worker {
    links: Links,
    programs: Rc<dyn Programs>,
    depots: Depots,
    /// The nodes that may lead, whose words count.
    coordinators: BTreeSet<String>,
    crews: BTreeMap<u32, Post>,
    /// Held by whoever makes or stops a crew of a job, by the jobs' numbers.
    turns: BTreeMap<u32, Arc<Mutex<()>>>,
    /// Where questions from outside find the jobs that live here.
    windows: Arc<Windows>,
    /// Who reads from the checkpoints of jobs, by the jobs' numbers.
    archivists: BTreeMap<u32, Addr<Archivist>>,
    /// The newest reign that was heard of.
    term: u64,
    _lifeline: Lifeline,
}

/// A crew, and what lives with it.
struct Post {
    authority: Authority,
    crew: Addr<Crew>,
    /// Dropped where the run is over before the crew has begun: it does not go on to restore.
    abandon: Option<oneshot::Sender<()>>,
    /// The nodes that take part in its run.
    nodes: Vec<String>,
    /// The node that leads its run.
    leader: NodeName,
    /// The threads of its subtasks; they end with it.
    _arbiters: Arbiters,
}

impl Worker {
    /// Begins, and makes itself known to the other nodes.
    pub(crate) fn start(
        links: &Links,
        programs: Rc<dyn Programs>,
        depots: Depots,
        coordinators: BTreeSet<String>,
        windows: Arc<Windows>,
        lifeline: Lifeline,
    ) -> Addr<Worker> {
        let (links, crews) = (links.clone(), BTreeMap::new());
        let worker = Worker {
            links: links.clone(),
            programs,
            depots,
            coordinators,
            crews,
            turns: BTreeMap::new(),
            windows,
            archivists: BTreeMap::new(),
            term: 0,
            _lifeline: lifeline,
        };
        let address = worker.start();
        links.register::<Enlist>(WORKER, address.clone().recipient());
        links.register::<Relay>(WORKER, address.clone().recipient());
        links.register::<Discharge>(WORKER, address.clone().recipient());
        links.register::<Roll>(WORKER, address.clone().recipient());
        links.register::<ReignOver>(WORKER, address.clone().recipient());
        links.register::<SharedTold>(WORKER, address.clone().recipient());
        links.register::<CompletedTold>(WORKER, address.clone().recipient());
        links.register::<AgreedTold>(WORKER, address.clone().recipient());
        links.watch(address.clone().recipient());
        address
    }

    /// Whether a node may say what leaders say.
    fn may_lead(&self, node: &NodeName) -> bool {
        let may = self.coordinators.contains(node.as_str());
        if !may {
            tracing::warn!(%node, "a node that may not lead gave an order, which is refused");
        }
        may
    }

    /// Draws the plan of a job, which must be the leader's.
    fn plan(&self, ticket: &Ticket) -> Result<Planned, Hindrance> {
        let planned = self.programs.plan(&ticket.spec).map_err(Hindrance::lasting)?;
        let own = Fingerprint::of(&planned.plan);
        if own != ticket.plan {
            let difference = ticket.plan.difference(&own);
            return Err(Hindrance::lasting(format!(
                "its program draws another plan than the leader's; run the same program on all nodes (- leader, + here):\n\
                 {difference}"
            )));
        }
        Ok(planned)
    }

    /// Where questions about a job find it.
    fn window(&self, Ticket { name, number, token_keys, .. }: &Ticket) -> Arc<Window> {
        self.windows.keys.learn(query::keys_of(token_keys));
        let Local { cluster, node, .. } = self.links.local();
        self.windows.of(name, *number, || {
            let clerk = Clerk::new(cluster, format!("{name}/{number}"), self.windows.keys.clone());
            Window::new(clerk, node.as_str())
        })
    }

    /// Lets nobody trust the runs that a node has led.
    fn doubt_runs_of(&self, leader: &NodeName, reason: &str) {
        for post in self.crews.values().filter(|post| post.leader == *leader) {
            post.crew.do_send(Doubt { authority: post.authority, reason: reason.to_owned() });
        }
    }
}

impl Actor for Worker {
    type Context = Context<Self>;
}

impl Handler<Relay> for Worker {
    type Result = ();

    fn handle(&mut self, message: Relay, _: &mut Self::Context) {
        let Relay { leader, job, authority, subtask, word } = message;
        if !self.may_lead(&leader) {
            return;
        }
        let Some(post) = self.crews.get(&job).filter(|post| post.authority == authority) else {
            return tracing::debug!(job, %authority, "a word for a run that is over");
        };
        match word.word() {
            Some(word) => post.crew.do_send(Pass { subtask, word }),
            None => tracing::warn!(job, %subtask, "a word was refused that no coordinator says"),
        }
    }
}

impl Handler<SharedTold> for Worker {
    type Result = ();

    fn handle(&mut self, message: SharedTold, _: &mut Self::Context) {
        let SharedTold { node, job, run, from, word } = message;
        if let Some(post) = self.crews.get(&job) {
            post.crew.do_send(HearShared { node: node.to_string(), run, from, word });
        }
    }
}

impl Handler<CompletedTold> for Worker {
    type Result = ();

    fn handle(&mut self, message: CompletedTold, _: &mut Self::Context) {
        let CompletedTold { leader, job, authority, epoch } = message;
        if let Some(post) = self.crews.get(&job).filter(|_| self.may_lead(&leader)) {
            post.crew.do_send(Completed { authority, epoch });
        }
    }
}

impl Handler<AgreedTold> for Worker {
    type Result = ();

    fn handle(&mut self, message: AgreedTold, _: &mut Self::Context) {
        let AgreedTold { leader, job, authority, agreements } = message;
        if !self.may_lead(&leader) {
            return;
        }
        if let Some(post) = self.crews.get(&job).filter(|post| post.authority == authority) {
            post.crew.do_send(TellAgreed { authority, agreements });
        }
    }
}

impl Handler<Discharge> for Worker {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, message: Discharge, _: &mut Self::Context) -> Self::Result {
        let may_lead = self.may_lead(&message.leader);
        let post = self.crews.get_mut(&message.job).filter(|post| post.authority <= message.authority);
        let Some(post) = post.filter(|_| may_lead) else {
            return Box::pin(std::future::ready(()));
        };
        post.abandon = None;
        let stop = message.stop();
        let dismissed = post.crew.send(Dismiss { subtasks: Some(message.subtasks), stop });
        // A crew that is gone has stopped.
        Box::pin(async move {
            let _ = dismissed.await;
        })
    }
}

impl Handler<Roll> for Worker {
    type Result = ();

    fn handle(&mut self, roll: Roll, cx: &mut Self::Context) {
        if roll.term < self.term || !self.may_lead(&roll.leader) {
            return;
        }
        self.term = roll.term;
        self.windows.keys.learn(query::keys_of(&roll.token_keys));
        self.disband(roll, cx);
    }
}

impl Handler<ReignOver> for Worker {
    type Result = ();

    fn handle(&mut self, ReignOver { leader }: ReignOver, _: &mut Self::Context) {
        self.doubt_runs_of(&leader, &format!("node {leader}, which led it, leads the cluster no more"));
    }
}

impl Handler<PeerChange> for Worker {
    type Result = ();

    /// A run whose nodes cannot all reach each other has lost frames, and must begin anew.
    fn handle(&mut self, change: PeerChange, _: &mut Self::Context) {
        let PeerChange::Down { node, reason, .. } = change else { return };
        // Whoever leads takes this node for lost, and has the job go on elsewhere.
        self.doubt_runs_of(&node, &format!("there is no link to node {node}, which leads, any more"));
        for post in self.crews.values().filter(|post| post.nodes.iter().any(|one| one == node.as_str())) {
            let (node, authority) = (node.to_string(), post.authority);
            post.crew.do_send(NeighbourLost { authority, node, reason: reason.to_string() });
        }
    }
}

/// How many jobs' checkpoints are held open for questions.
const ARCHIVES_MAX: usize = 8;

/// To the worker of this node: who reads from the checkpoints of a job, which need not live here, nor at all?
#[derive(Message)]
#[rtype(result = "Result<Addr<Archivist>, String>")]
pub(super) struct OpenArchive {
    pub(super) name: String,
    pub(super) number: u32,
    pub(super) spec: JobSpec,
    pub(super) keys: Vec<TokenKey>,
}

impl Handler<OpenArchive> for Worker {
    type Result = Result<Addr<Archivist>, String>;

    fn handle(&mut self, message: OpenArchive, _: &mut Self::Context) -> Self::Result {
        let OpenArchive { name, number, spec, keys } = message;
        self.windows.keys.learn(keys);
        if let Some(archivist) = self.archivists.get(&number) {
            return Ok(archivist.clone());
        }
        if self.archivists.len() >= ARCHIVES_MAX {
            // What a question still waits for stays as long as it does.
            self.archivists.clear();
        }
        let plan = Rc::new(self.programs.plan(&spec)?.plan);
        let store = self.depots.store(&name, number)?;
        let Local { cluster, node, .. } = self.links.local();
        let clerk = Clerk::new(cluster, format!("{name}/{number}"), self.windows.keys.clone());
        let archivist = Archivist::new(plan, store, clerk, node.as_str()).start();
        self.archivists.insert(number, archivist.clone());
        Ok(archivist)
    }
}

/// To the worker: how many crews live here?
#[derive(Message)]
#[rtype(result = "usize")]
pub(crate) struct CountCrews;

impl Handler<CountCrews> for Worker {
    type Result = usize;

    fn handle(&mut self, _: CountCrews, _: &mut Self::Context) -> usize {
        self.crews.len()
    }
}

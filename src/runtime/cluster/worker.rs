//! The worker of a node: its crews, one for each job that has a slot here.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;
use watershed_cluster::JobSpec;
use watershed_core::plan::Fingerprint;
use watershed_link::{Links, Local, NodeName, PeerChange};
use watershed_protocol::causal::TokenKey;
use watershed_protocol::checkpoint::Authority;

use super::depots::Depots;
use super::envoy::Envoy;
use super::message::{
    AgreedTold, CompletedTold, Discharge, Enlist, LEADER, Relay, Roll, SharedTold, Ticket, WORKER,
};
use super::{Planned, Programs};
use crate::board::Board;
use crate::crew::{
    Abroad, Assignment, Completed, Crew, Deploy, Dismiss, HearShared, Hindrance, NeighbourLost, Pass,
    TellAgreed,
};
use crate::job::Arbiters;
use crate::message::{Report, Stop};
use crate::query::{self, Archivist, Clerk, Window, Windows};

/// The crews of a node.
pub(crate) struct Worker {
    links: Links,
    programs: Rc<dyn Programs>,
    depots: Depots,
    /// The nodes that may lead, whose words count.
    coordinators: BTreeSet<String>,
    crews: BTreeMap<u32, Post>,
    /// Where questions from outside find the jobs that live here.
    windows: Arc<Windows>,
    /// Who reads from the checkpoints of jobs, by the jobs' numbers.
    archivists: BTreeMap<u32, Addr<Archivist>>,
    /// The newest reign that was heard of.
    term: u64,
}

/// A crew, and what lives with it.
struct Post {
    authority: Authority,
    crew: Addr<Crew>,
    /// The nodes that take part in its run.
    nodes: Vec<String>,
    /// The node that leads its run.
    leader: NodeName,
    window: Arc<Window>,
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
    ) -> Addr<Worker> {
        let (links, crews) = (links.clone(), BTreeMap::new());
        let worker = Worker {
            links: links.clone(),
            programs,
            depots,
            coordinators,
            crews,
            windows,
            archivists: BTreeMap::new(),
            term: 0,
        };
        let address = worker.start();
        links.register::<Enlist>(WORKER, address.clone().recipient());
        links.register::<Relay>(WORKER, address.clone().recipient());
        links.register::<Discharge>(WORKER, address.clone().recipient());
        links.register::<Roll>(WORKER, address.clone().recipient());
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
        let Local { cluster, node, .. } = self.links.local();
        self.windows.of(name, *number, || {
            let clerk = Clerk::new(cluster, format!("{name}/{number}"), query::keys_of(token_keys));
            Window::new(clerk, node.as_str())
        })
    }

    /// Makes a crew for a run.
    fn recruit(&self, ticket: &Ticket, assignment: &Assignment, leader: NodeName) -> Result<Post, Hindrance> {
        let Planned { plan, mut config, backend } = self.plan(ticket)?;
        let plan = Rc::new(plan);
        let own = assignment.slots.iter().filter(|crew| **crew == assignment.crew).count();
        config.arbiters = own.max(1);
        let mut depot = self.depots.of(ticket, &config).map_err(Hindrance::passing)?;
        if let Some(open) = backend {
            let place =
                self.depots.workplace(ticket, assignment.authority.run).map_err(Hindrance::passing)?;
            depot.backend = Some(open(&place).map_err(Hindrance::passing)?);
        }
        let board = Arc::new(Board::new(&plan, assignment.parallelism));
        let arbiters = Arbiters::start(&config);
        let abroad = Abroad { links: self.links.clone(), job: ticket.number };
        let window = self.window(ticket);
        let crew =
            Crew::new(plan, config, depot, board, arbiters.seats(), Some(abroad), window.clone()).start();
        Ok(Post {
            authority: assignment.authority,
            crew,
            nodes: assignment.nodes.clone(),
            leader,
            window,
            _arbiters: arbiters,
        })
    }

    /// Stops a crew that has no part any more.
    fn disband(&mut self, job: u32, authority: Authority) -> ResponseFuture<()> {
        let Some(post) = self.crews.remove(&job) else { return Box::pin(std::future::ready(())) };
        Box::pin(async move {
            let stop = Stop { authority, take_back_after: None, flushes: false };
            // A crew that is gone has stopped.
            let _ = post.crew.send(Dismiss { subtasks: None, stop }).await;
        })
    }
}

impl Actor for Worker {
    type Context = Context<Self>;
}

impl Handler<Enlist> for Worker {
    type Result = AtomicResponse<Self, Result<(), Hindrance>>;

    fn handle(&mut self, message: Enlist, _: &mut Self::Context) -> Self::Result {
        let Enlist { ticket, assignment, leader } = message;
        let authority = assignment.authority;
        if !self.may_lead(&leader) {
            let refused = async move { Err(Hindrance::passing(format!("node {leader} is no coordinator"))) };
            return AtomicResponse::new(Box::pin(refused.into_actor(self)));
        }
        if let Some(post) = self.crews.get(&ticket.number)
            && post.authority >= authority
        {
            let newest = post.authority;
            return AtomicResponse::new(Box::pin(
                async move { Err(Hindrance::passing(format!("it is fenced by {newest}"))) }.into_actor(self),
            ));
        }
        // What an earlier run has left holds files and sockets that the new one needs.
        let gone = self.disband(ticket.number, authority);
        let begin = gone.into_actor(self).then(move |(), worker, _| {
            let begun = worker.recruit(&ticket, &assignment, leader.clone());
            let envoy = Envoy { job: ticket.number, leader: worker.links.actor(&leader, LEADER) };
            let deployed = begun.map(|post| {
                let coordinator: Recipient<Report> = envoy.start().recipient();
                let deployed = post.crew.send(Deploy { assignment, coordinator });
                worker.crews.insert(ticket.number, post);
                deployed
            });
            async move {
                match deployed {
                    Ok(deployed) => {
                        deployed.await.unwrap_or_else(|_| Err(Hindrance::passing("its crew is gone")))
                    }
                    Err(error) => Err(error),
                }
            }
            .into_actor(worker)
        });
        AtomicResponse::new(Box::pin(begin))
    }
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
        let post = self.crews.get(&message.job).filter(|post| post.authority <= message.authority);
        let Some(post) = post.filter(|_| self.may_lead(&message.leader)) else {
            return Box::pin(std::future::ready(()));
        };
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

    fn handle(&mut self, Roll { leader, term, runs }: Roll, cx: &mut Self::Context) {
        if term < self.term || !self.may_lead(&leader) {
            return;
        }
        self.term = term;
        let over: Vec<(u32, Authority)> = self
            .crews
            .iter()
            .filter(|(job, post)| runs.get(job).is_none_or(|newest| post.authority < *newest))
            .map(|(job, post)| (*job, runs.get(job).copied().unwrap_or(post.authority)))
            .collect();
        for (job, authority) in over {
            tracing::info!(job, "a run went on without this node, and what is left of it here is stopped");
            cx.spawn(self.disband(job, authority).into_actor(self));
        }
    }
}

impl Handler<PeerChange> for Worker {
    type Result = ();

    /// A run whose nodes cannot all reach each other has lost frames, and must begin anew.
    fn handle(&mut self, change: PeerChange, _: &mut Self::Context) {
        let PeerChange::Down { node, reason, .. } = change else { return };
        // Whoever leads takes this node for lost, and has the job go on elsewhere.
        for post in self.crews.values().filter(|post| post.leader == node) {
            post.window
                .doubt(post.authority, &format!("there is no link to node {node}, which leads, any more"));
        }
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
        let clerk = Clerk::new(cluster, format!("{name}/{number}"), keys);
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

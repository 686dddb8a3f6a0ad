//! Crews are made and stopped: those of one job one after the other, since they need the same files and sockets, and those
//! of other jobs beside them.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};
use watershed_core::{SubtaskId, VertexId};
use watershed_link::NodeName;
use watershed_protocol::checkpoint::{Authority, CoordinatorEvent, Failure};

use super::{Post, Worker};
use crate::board::Board;
use crate::cluster::Planned;
use crate::cluster::envoy::Envoy;
use crate::cluster::message::{Enlist, LEADER, Roll, Ticket};
use crate::crew::{Abroad, Assignment, Crew, Deploy, Dismiss, Hindrance};
use crate::job::Arbiters;
use crate::message::{Report, Stop};

/// The turn of one who makes or stops a crew of a job.
type Turn = OwnedMutexGuard<()>;

impl Worker {
    /// Waits until nobody else makes or stops a crew of a job; whoever came first is first.
    fn turn(&mut self, job: u32) -> impl Future<Output = Turn> + use<> {
        self.turns.retain(|other, turn| *other == job || Arc::strong_count(turn) > 1);
        self.turns.entry(job).or_insert_with(|| Arc::new(Mutex::new(()))).clone().lock_owned()
    }

    /// Stops the crews whose runs are over. A crew that is being made is looked at when it is there.
    pub(super) fn disband(&mut self, roll: Roll, cx: &mut Context<Self>) {
        let roll = Rc::new(roll);
        let jobs: BTreeSet<u32> = self.crews.keys().chain(self.turns.keys()).copied().collect();
        for job in jobs {
            let (turn, roll) = (self.turn(job).into_actor(self), roll.clone());
            cx.spawn(turn.then(move |turn, worker, _| {
                let over = worker.crews.get(&job).and_then(|post| roll.ends(job, post.authority));
                let stopped = over.map(|authority| {
                    tracing::info!(
                        job,
                        "a run went on without this node, and what is left of it here is stopped"
                    );
                    worker.take_post(job, authority)
                });
                let stopped = async move {
                    if let Some(stopped) = stopped {
                        stopped.await;
                    }
                    drop(turn);
                };
                stopped.into_actor(worker)
            }));
        }
    }

    /// Takes a job's crew from it; what comes back stops it.
    fn take_post(&mut self, job: u32, authority: Authority) -> impl Future<Output = ()> + use<> {
        let post = self.crews.remove(&job);
        async move {
            let Some(Post { crew, abandon, _arbiters, .. }) = post else { return };
            drop(abandon);
            let stop = Stop { authority, take_back_after: None, flushes: false };
            // A crew that is gone has stopped.
            let _ = crew.send(Dismiss { subtasks: None, stop }).await;
        }
    }

    /// Makes a crew for a run, in place of the one before. It is not waited for what the crew has to restore: that counts
    /// as the rest of the run's restore does, and what hinders it is reported as a loss.
    fn enlist(
        &mut self,
        ticket: &Ticket,
        assignment: Assignment,
        leader: NodeName,
        _turn: Turn,
    ) -> Result<(), Hindrance> {
        let (authority, node) = (assignment.authority, self.links.local().node.clone());
        let envoy = Envoy { job: ticket.number, leader: self.links.actor(&leader, LEADER) };
        let (abandon, abandoned) = oneshot::channel();
        let post = self.recruit(ticket, &assignment, leader, abandon)?;
        // A crew without subtasks speaks for the first one.
        let first = SubtaskId { vertex: VertexId(0), index: 0 };
        let subtask = assignment.duties.keys().next().copied().unwrap_or(first);
        let coordinator: Recipient<Report> = envoy.start().recipient();
        let (told, abandoned) = (coordinator.clone(), Some(abandoned));
        let deployed = post.crew.send(Deploy { assignment, coordinator, abandoned });
        self.crews.insert(ticket.number, post);
        actix::spawn(async move {
            let deployed = deployed.await.unwrap_or_else(|_| Err(Hindrance::passing("its crew is gone")));
            let Err(Hindrance { reason, permanent }) = deployed else { return };
            let reason = format!("node {node} could not begin its part of the job: {reason}");
            let failure = Failure { reason, permanent };
            told.do_send(Report::Tell(CoordinatorEvent::Lost { authority, subtask, failure }));
        });
        Ok(())
    }

    fn recruit(
        &self,
        ticket: &Ticket,
        assignment: &Assignment,
        leader: NodeName,
        abandon: oneshot::Sender<()>,
    ) -> Result<Post, Hindrance> {
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
        let crew = Crew::new(plan, config, depot, board, arbiters.seats(), Some(abroad), window).start();
        let (authority, nodes) = (assignment.authority, assignment.nodes.clone());
        Ok(Post { authority, crew, abandon: Some(abandon), nodes, leader, _arbiters: arbiters })
    }
}

impl Handler<Enlist> for Worker {
    type Result = ResponseActFuture<Self, Result<(), Hindrance>>;

    fn handle(&mut self, message: Enlist, _: &mut Self::Context) -> Self::Result {
        let Enlist { ticket, assignment, leader } = message;
        if !self.may_lead(&leader) {
            let refused = Err(Hindrance::passing(format!("node {leader} is no coordinator")));
            return Box::pin(std::future::ready(refused).into_actor(self));
        }
        let (job, authority) = (ticket.number, assignment.authority);
        let turn = self.turn(job).into_actor(self);
        Box::pin(turn.then(move |turn, worker, _| -> Self::Result {
            if let Some(newest) =
                worker.crews.get(&job).map(|post| post.authority).filter(|own| *own >= authority)
            {
                let fenced = Err(Hindrance::passing(format!("it is fenced by {newest}")));
                return Box::pin(std::future::ready(fenced).into_actor(worker));
            }
            // What an earlier run has left holds files and sockets that the new one needs.
            let gone = worker.take_post(job, authority).into_actor(worker);
            Box::pin(gone.map(move |(), worker, _| worker.enlist(&ticket, assignment, leader, turn)))
        }))
    }
}

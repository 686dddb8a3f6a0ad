//! The crew: the subtasks of one job that live in this process.
//!
//! ```text
//!   Coordinator --Deploy--> Crew --brings to life, connects--> subtasks
//!               --Pass----> Crew --Hear, Trigger, Drain, ..--> a subtask
//!               --Dismiss-> Crew --Stop----------------------> subtasks
//! ```
//!
//! A job in one process has one crew; in a cluster each node on which it has a slot has one. What subtasks report
//! goes to the coordinator, wherever that is.

mod agreed;
mod assignment;
mod commons;
mod ends;
mod life;
mod line;
mod looking;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use futures_util::FutureExt;
use tokio::sync::oneshot;
use watershed_core::plan::Fingerprint;
use watershed_core::{Epoch, Plan, SubtaskId};
use watershed_link::Links;
use watershed_protocol::checkpoint::{Authority, CoordinatorEvent, Failure};

use crate::board::Board;
use crate::config::Config;
use crate::deploy::{Deployment, key_groups_of};
use crate::message::{Handle, Hear, Progress, Report, Stop, Word};
use crate::participation::Membership;
use crate::query::{self, LookUp, Operators, View, Window};
use crate::storage::Depot;

pub(crate) use agreed::TellAgreed;
pub(crate) use assignment::{Assignment, CareOrder, Duty, Hindrance};
use commons::Commons;
pub(crate) use commons::HearShared;
pub(crate) use life::{Order, Seat};
pub(crate) use line::CrewLine;

/// Brings the subtasks of a job to life that belong in this process, and speaks for them.
pub(crate) struct Crew {
    plan: Rc<Plan>,
    plan_hash: u64,
    config: Config,
    depot: Depot,
    board: Arc<Board>,
    seats: Vec<Seat>,
    /// What it takes to reach other crews; a job in one process has none.
    abroad: Option<Abroad>,
    /// The newest run.
    run: Option<Run>,
    /// Its subtasks.
    handles: BTreeMap<SubtaskId, Handle>,
    /// What they share with those of other crews.
    commons: Option<Commons>,
    /// Where questions from outside find the run.
    window: Arc<Window>,
    /// Whose state is looked at from outside.
    operators: Arc<Vec<String>>,
}

/// A run that a crew has a part in.
struct Run {
    authority: Authority,
    coordinator: Recipient<Report>,
    /// How many subtasks a vertex has that does not say.
    parallelism: u32,
    /// The node of each subtask.
    homes: BTreeMap<SubtaskId, String>,
}

/// What it takes to reach the crews of a job on other nodes.
pub(crate) struct Abroad {
    pub(crate) links: Links,
    /// The number of the job in the cluster.
    pub(crate) job: u32,
}

/// To a crew: bring your subtasks of this run to life, and connect them. What they have to report goes to `coordinator`.
#[derive(Message)]
#[rtype(result = "Result<(), Hindrance>")]
pub(crate) struct Deploy {
    pub(crate) assignment: Assignment,
    pub(crate) coordinator: Recipient<Report>,
    /// Ends where the run is over before the crew has begun: what it still has to restore is then left alone.
    pub(crate) abandoned: Option<oneshot::Receiver<()>>,
}

/// To a crew: a word for one of its subtasks. One that is gone needs none.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Pass {
    pub(crate) subtask: SubtaskId,
    pub(crate) word: Word,
}

/// To a crew: stop these subtasks, or all. Answered when they have stopped.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Dismiss {
    pub(crate) subtasks: Option<Vec<SubtaskId>>,
    pub(crate) stop: Stop,
}

/// To a crew: a checkpoint of this run is complete.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Completed {
    pub(crate) authority: Authority,
    pub(crate) epoch: Epoch,
}

/// To a crew: there is no link any more to a node that takes part in the run.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct NeighbourLost {
    pub(crate) authority: Authority,
    pub(crate) node: String,
    pub(crate) reason: String,
}

/// To a crew: whether its run goes on here is not certain any more.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Doubt {
    pub(crate) authority: Authority,
    /// Why not.
    pub(crate) reason: String,
}

impl Crew {
    pub(crate) fn new(
        plan: Rc<Plan>,
        config: Config,
        depot: Depot,
        board: Arc<Board>,
        seats: Vec<Seat>,
        abroad: Option<Abroad>,
        window: Arc<Window>,
    ) -> Self {
        let plan_hash = Fingerprint::of(&plan).hash();
        let operators = Arc::new(query::uids(&plan));
        Crew {
            plan,
            plan_hash,
            config,
            depot,
            board,
            seats,
            abroad,
            run: None,
            handles: BTreeMap::new(),
            commons: None,
            window,
            operators,
        }
    }

    fn deploy(
        &mut self,
        assignment: &Assignment,
        coordinator: &Recipient<Report>,
        own: Recipient<LookUp>,
    ) -> Result<(), Hindrance> {
        let Assignment { authority, after, base, parallelism, batch_records, .. } = *assignment;
        let layout =
            Deployment::of(&self.plan, parallelism, batch_records, assignment.slots.len(), authority);
        let mut orders = Vec::new();
        for (&subtask, placement) in &layout.subtasks {
            if assignment.crew_of(placement.slot) != assignment.crew {
                continue;
            }
            let Duty { part, splits } = assignment.duties.get(&subtask).cloned().unwrap_or_default();
            orders.push(Order {
                membership: Membership {
                    authority,
                    after,
                    base,
                    plan: self.plan_hash,
                    key_groups: key_groups_of(&self.plan, subtask, placement.info.parallelism),
                    part,
                    depot: self.depot.clone(),
                    pauses: self.board.pauses(),
                    shared: self.commons.as_ref().map(|commons| commons.replica.clone()),
                },
                info: placement.info.clone(),
                task: self.plan.vertices[subtask.vertex.0 as usize].factory.task(),
                seat: assignment.rank_of(placement.slot),
                board: self.board.subtask(subtask.vertex, subtask.index),
                splits,
                care: assignment.care.get(&subtask.vertex).map(CareOrder::care),
            });
        }
        let home = |slot| assignment.nodes[usize::from(assignment.crew_of(slot))].clone();
        let homes = layout.subtasks.iter().map(|(subtask, placement)| (*subtask, home(placement.slot)));
        let homes = homes.collect();
        self.run = Some(Run { authority, coordinator: coordinator.clone(), parallelism, homes });
        self.handles = self.bring_to_life(orders, coordinator);
        // The link may be back with the next run.
        self.connect(&layout, assignment).map_err(Hindrance::passing)?;
        let replica = self.commons.as_ref().map(|commons| commons.replica.clone());
        let mut view = View::of(authority, replica, &assignment.roll_backs, self.depot.lasts);
        view.operators = Some(Operators { uids: self.operators.clone(), crew: own });
        self.window.begin(view);
        Ok(())
    }
}

/// How often a crew tells a coordinator on another node how far its subtasks have come.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

impl Crew {
    /// What tells the coordinator how far subtasks have come by then. One that lives here sees it itself, on the same
    /// board, and is told nothing: what has come on its way would undo what the board has shown since.
    fn telling(&self, subtasks: Vec<SubtaskId>) -> impl FnOnce() + use<> {
        let run = self.run.as_ref().filter(|_| self.abroad.is_some() && !subtasks.is_empty());
        let to = run.map(|run| (run.authority, run.coordinator.clone()));
        let board = self.board.clone();
        move || {
            let Some((authority, coordinator)) = to else { return };
            let standing =
                |subtask: SubtaskId| (subtask, board.subtask(subtask.vertex, subtask.index).standing());
            let standings = subtasks.into_iter().map(standing).collect();
            coordinator.do_send(Report::Progress(Progress { authority, standings }));
        }
    }

    /// Takes no more frames of the run, once its last subtask has stopped.
    fn close(&mut self) {
        self.commons = None;
        let Some(Run { authority, .. }) = self.run.take() else { return };
        self.window.end(authority);
        if let Some(abroad) = &self.abroad {
            abroad.links.end_frames(abroad.job, authority.run);
        }
    }
}

impl Actor for Crew {
    type Context = Context<Self>;

    fn started(&mut self, cx: &mut Self::Context) {
        if self.abroad.is_some() {
            cx.run_interval(PROGRESS_EVERY, |crew, _| {
                let tell = crew.telling(crew.handles.keys().copied().collect());
                tell();
            });
        }
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.close();
    }
}

impl Handler<NeighbourLost> for Crew {
    type Result = ();

    fn handle(&mut self, message: NeighbourLost, _: &mut Self::Context) {
        let NeighbourLost { authority, node, reason } = message;
        self.window.doubt(authority, &format!("there is no link to node {node} any more"));
        let run = self.run.as_ref().filter(|run| run.authority == authority);
        if let (Some(run), Some(&subtask)) = (run, self.handles.keys().next()) {
            let reason = format!("its node has lost the link to node {node}: {reason}");
            let failure = Failure { reason, permanent: false };
            let lost = CoordinatorEvent::Lost { authority, subtask, failure };
            run.coordinator.do_send(Report::Tell(lost));
        }
    }
}

impl Handler<Doubt> for Crew {
    type Result = ();

    fn handle(&mut self, Doubt { authority, reason }: Doubt, _: &mut Self::Context) {
        self.window.doubt(authority, &reason);
    }
}

impl Handler<Completed> for Crew {
    type Result = ();

    fn handle(&mut self, Completed { authority, epoch }: Completed, _: &mut Self::Context) {
        self.window.complete(authority, epoch);
    }
}

impl Handler<Deploy> for Crew {
    type Result = AtomicResponse<Self, Result<(), Hindrance>>;

    fn handle(&mut self, message: Deploy, _: &mut Self::Context) -> Self::Result {
        let Deploy { assignment, coordinator, abandoned } = message;
        let commons = self.commons(&assignment);
        let abandoned = async move {
            match abandoned {
                Some(abandoned) => drop(abandoned.await),
                None => std::future::pending().await,
            }
        };
        let commons = async move {
            tokio::select! {
                biased;
                commons = commons => commons,
                () = abandoned => Err(Hindrance::passing("the run was over before it had begun")),
            }
        };
        AtomicResponse::new(Box::pin(commons.into_actor(self).map(move |commons, crew, cx| {
            crew.commons = commons?;
            crew.open_commons(cx);
            crew.deploy(&assignment, &coordinator, cx.address().recipient())
        })))
    }
}

impl Handler<Pass> for Crew {
    type Result = ();

    fn handle(&mut self, Pass { subtask, word }: Pass, _: &mut Self::Context) {
        let Some(handle) = self.handles.get(&subtask) else { return };
        match word {
            Word::Hear(event) => handle.hear.do_send(Hear(event)),
            Word::Trigger(trigger) => handle.trigger.do_send(trigger),
            Word::Drain(drain) => drop(handle.drain.as_ref().map(|to| to.do_send(drain))),
            Word::Forget(forget) => drop(handle.forget.as_ref().map(|to| to.do_send(forget))),
        }
    }
}

impl Handler<Dismiss> for Crew {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Dismiss { subtasks, stop }: Dismiss, _: &mut Self::Context) -> Self::Result {
        let subtasks = subtasks.unwrap_or_else(|| self.handles.keys().copied().collect());
        let tell = self.telling(subtasks.clone());
        let gone = subtasks.iter().filter_map(|subtask| self.handles.remove(subtask));
        let stops: Vec<_> = gone.map(|handle| handle.stop.send(stop.clone())).collect();
        if self.handles.is_empty() {
            self.close();
        }
        let stop_within = self.config.stop_within;
        // A subtask that is gone already has stopped too.
        let stopped = tokio::time::timeout(stop_within, futures_util::future::join_all(stops));
        Box::pin(stopped.map(|stopped| {
            // The last that they have done, they did when they were told to stop.
            tell();
            if stopped.is_err() {
                tracing::warn!("an operator's code did not return; its thread is left behind");
            }
        }))
    }
}

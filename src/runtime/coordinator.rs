//! The coordinator actor: starts a job, follows it to its end, and decides what its sinks may show.
//!
//! ```text
//!  Opening --all opened--> Running --all finished--> Committing --all committed--> Over(Ok)
//!     |                      |                            |
//!     +------ failure -------+---------- failure ---------+--------------------> Over(Err)
//! ```
//!
//! A job without checkpoints is one epoch: its sinks stage what they write, and commit once every
//! subtask has finished. So a job that fails shows nothing rather than a part, except through sinks that
//! stage nothing (a terminal, a socket).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::oneshot;
use watershed_core::task::{AnyTask, Split};
use watershed_core::{Plan, SplitId, SubtaskId, VertexId};

use crate::board::Board;
use crate::config::Config;
use crate::deploy::{Deployment, Inlet};
use crate::element::Ending;
use crate::error::JobError;
use crate::message::{Cancel, Commit, Committed, Connect, Failed, Finished, Handle, Opened, Start, Stop};
use crate::node::{Deploy, Node, Order};
use crate::outbound::Target;

/// How a job ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// All input was read and worked on.
    Complete,
    /// Somebody asked for the end; what had been read by then was worked on.
    Cancelled,
}

/// Drives one job.
pub(crate) struct Coordinator {
    node: Addr<Node>,
    phase: Phase,
    handles: BTreeMap<SubtaskId, Handle>,
    inbound: BTreeMap<SubtaskId, Vec<Inlet>>,
    outbound: BTreeMap<SubtaskId, Vec<Vec<Option<crate::deploy::Outlet>>>>,
    /// What each subtask has staged.
    staged: BTreeMap<SubtaskId, Option<Vec<u8>>>,
    /// The vertices behind the dead letters, upstream first.
    takers: Vec<VertexId>,
    orders: Vec<Order>,
    end: JobEnd,
    cancelled: bool,
    stop_within: Duration,
    over: Option<oneshot::Sender<Result<JobEnd, JobError>>>,
}

#[derive(Debug)]
enum Phase {
    Opening {
        left: usize,
    },
    /// Something could not be opened, and it is not known yet who has to be told.
    Refused(Box<JobError>),
    Running,
    Committing {
        left: usize,
    },
    Over,
}

impl Coordinator {
    /// Lays a job out: reads what its sources can read, and decides who lives where.
    pub(crate) fn new(
        plan: &Plan,
        config: &Config,
        board: &Arc<Board>,
        node: Addr<Node>,
        over: oneshot::Sender<Result<JobEnd, JobError>>,
    ) -> Result<Self, JobError> {
        plan.check_parallelism(config.parallelism)?;
        let deployment =
            Deployment::of(plan, config.parallelism, config.batch_records, config.arbiters.max(1));
        let mut splits = deal_splits(plan, config.parallelism)?;
        let mut coordinator = Coordinator {
            node,
            phase: Phase::Opening { left: deployment.subtasks.len() },
            handles: BTreeMap::new(),
            inbound: BTreeMap::new(),
            outbound: BTreeMap::new(),
            staged: BTreeMap::new(),
            takers: plan.behind_dead_letters(),
            orders: Vec::new(),
            end: JobEnd::Complete,
            cancelled: false,
            stop_within: config.stop_within,
            over: Some(over),
        };
        for (subtask, placement) in deployment.subtasks {
            coordinator.inbound.insert(subtask, placement.inbound);
            coordinator.outbound.insert(subtask, placement.outbound);
            coordinator.orders.push(Order {
                info: placement.info,
                task: task_of(plan, subtask.vertex),
                arbiter: placement.arbiter,
                board: board.subtask(subtask.vertex, subtask.index),
                splits: splits.remove(&subtask).unwrap_or_default(),
            });
        }
        Ok(coordinator)
    }

    /// Tells every subtask its channels.
    fn connect(&mut self) {
        for (subtask, handle) in &self.handles {
            let target = |outlet: crate::deploy::Outlet| Target {
                to: self.handles[&outlet.to].deliver.clone().expect("nobody sends to a source"),
                subtask: outlet.to,
                channel: outlet.channel,
            };
            let outbound = self.outbound[subtask]
                .iter()
                .map(|edge| edge.iter().map(|outlet| outlet.map(target)).collect())
                .collect();
            let inbound = self.inbound[subtask]
                .iter()
                .map(|inlet| (*inlet, self.handles[&inlet.from].give_back.clone()))
                .collect();
            handle.connect.do_send(Connect { outbound, inbound });
        }
    }

    /// Lets the sources begin.
    fn start(&mut self) {
        self.phase = Phase::Running;
        for source in self.handles.values().filter_map(|handle| handle.source.as_ref()) {
            source.start.do_send(Start);
            if self.cancelled {
                source.cancel.do_send(Cancel);
            }
        }
    }

    /// Lets the sinks show what they staged.
    fn commit(&mut self) {
        self.phase = Phase::Committing { left: self.handles.len() };
        for (subtask, handle) in &self.handles {
            let staged = self.staged.remove(subtask).flatten();
            handle.commit.do_send(Commit { staged });
        }
    }

    /// Stops everybody, and says how it ended when they have.
    ///
    /// Those who take dead letters are stopped behind the others, which send them their last ones when they stop.
    fn end(&mut self, result: Result<JobEnd, JobError>, cx: &mut Context<Self>) {
        let Some(over) = self.over.take() else { return };
        self.phase = Phase::Over;
        let mut waves: BTreeMap<usize, Vec<(Recipient<Stop>, Stop)>> = BTreeMap::new();
        for (subtask, handle) in &self.handles {
            let taker = self.takers.iter().position(|taker| *taker == subtask.vertex);
            let staged = self.staged.remove(subtask).flatten();
            let stop = Stop { staged, flushes: taker.is_some() };
            waves.entry(taker.map_or(0, |place| place + 1)).or_default().push((handle.stop.clone(), stop));
        }
        let stop_within = self.stop_within;
        let end = async move {
            for wave in waves.into_values() {
                let stops: Vec<_> = wave.into_iter().map(|(subtask, stop)| subtask.send(stop)).collect();
                // A subtask that is gone already has stopped too.
                if tokio::time::timeout(stop_within, futures_util::future::join_all(stops)).await.is_err() {
                    tracing::warn!("an operator's code did not return; its thread is left behind");
                }
            }
            // Whoever waited may have given up.
            let _ = over.send(result);
        };
        cx.spawn(end.into_actor(self));
    }
}

/// Lists the splits of all sources, and deals them out to their subtasks in turn.
fn deal_splits(plan: &Plan, default: u32) -> Result<BTreeMap<SubtaskId, Vec<(SplitId, Split)>>, JobError> {
    let mut dealt: BTreeMap<SubtaskId, Vec<(SplitId, Split)>> = BTreeMap::new();
    for vertex in plan.vertices.iter().filter(|vertex| vertex.is_source) {
        let parallelism = plan.parallelism_of(vertex.id, default);
        let operator = || vertex.stages.first().map_or_else(String::new, |stage| stage.uid.clone());
        let splits =
            vertex.factory.splits(parallelism).map_err(|error| JobError::input(operator(), error))?;
        for (id, split) in splits.into_iter().enumerate() {
            let subtask = SubtaskId { vertex: vertex.id, index: id as u32 % parallelism };
            dealt.entry(subtask).or_default().push((SplitId(id as u32), split));
        }
    }
    Ok(dealt)
}

fn task_of(plan: &Plan, vertex: VertexId) -> AnyTask {
    plan.vertices[vertex.0 as usize].factory.task()
}

impl Actor for Coordinator {
    type Context = Context<Self>;

    fn started(&mut self, cx: &mut Self::Context) {
        let orders = std::mem::take(&mut self.orders);
        let deploy = self.node.send(Deploy { orders, coordinator: cx.address() });
        cx.spawn(deploy.into_actor(self).map(|handles, coordinator, cx| {
            let handles = handles.expect("the node of this process outlives its jobs");
            coordinator.handles = handles.into_iter().collect();
            // A subtask may have answered before its handle was known here.
            match std::mem::replace(&mut coordinator.phase, Phase::Over) {
                Phase::Refused(error) => coordinator.end(Err(*error), cx),
                phase @ (Phase::Opening { .. } | Phase::Running | Phase::Committing { .. } | Phase::Over) => {
                    coordinator.phase = phase;
                    coordinator.advance_opening(0);
                }
            }
        }));
    }
}

impl Coordinator {
    /// Counts subtasks that have opened; connects and starts all of them after the last.
    fn advance_opening(&mut self, opened: usize) {
        if let Phase::Opening { left } = &mut self.phase {
            *left -= opened;
            if *left == 0 && !self.handles.is_empty() {
                self.connect();
                self.start();
            }
        }
    }
}

impl Handler<Opened> for Coordinator {
    type Result = ();

    fn handle(&mut self, message: Opened, cx: &mut Self::Context) {
        match message.result {
            Ok(()) => self.advance_opening(1),
            // The first error is told.
            Err(_) if matches!(self.phase, Phase::Refused(_)) => {}
            Err(error) if self.handles.is_empty() => self.phase = Phase::Refused(Box::new(error)),
            Err(error) => self.end(Err(error), cx),
        }
    }
}

impl Handler<Finished> for Coordinator {
    type Result = ();

    fn handle(&mut self, message: Finished, _: &mut Self::Context) {
        if message.ending == Ending::Cancelled {
            self.end = JobEnd::Cancelled;
        }
        self.staged.insert(message.subtask, message.staged);
        if matches!(self.phase, Phase::Running) && self.staged.len() == self.handles.len() {
            self.commit();
        }
    }
}

impl Handler<Committed> for Coordinator {
    type Result = ();

    fn handle(&mut self, _: Committed, cx: &mut Self::Context) {
        if let Phase::Committing { left } = &mut self.phase {
            *left -= 1;
            if *left == 0 {
                self.end(Ok(self.end), cx);
            }
        }
    }
}

impl Handler<Failed> for Coordinator {
    type Result = ();

    fn handle(&mut self, message: Failed, cx: &mut Self::Context) {
        self.end(Err(JobError::Failed(Box::new(message.0))), cx);
    }
}

impl Handler<Cancel> for Coordinator {
    type Result = ();

    fn handle(&mut self, _: Cancel, _: &mut Self::Context) {
        self.cancelled = true;
        if matches!(self.phase, Phase::Running) {
            for source in self.handles.values().filter_map(|handle| handle.source.as_ref()) {
                source.cancel.do_send(Cancel);
            }
        }
    }
}

//! One run of a job: its subtasks brought to life, connected, and stopped.

use std::collections::BTreeMap;

use actix::prelude::*;
use watershed_core::checkpoint::SplitCut;
use watershed_core::task::Split;
use watershed_core::{Epoch, Plan, Position, SplitId, SubtaskId, VertexId};
use watershed_protocol::checkpoint::{self, Authority, CoordinatorEvent, Part};

use super::Coordinator;
use crate::deploy::{Deployment, Inlet, Outlet, key_groups_of};
use crate::error::JobError;
use crate::message::{Connect, Handle, Stop};
use crate::node::{Deploy, Order};
use crate::outbound::Target;
use crate::participation::Membership;
use crate::split::Assigned;

/// The run that has subtasks here.
pub(super) enum Run {
    /// There is none.
    None,
    /// Its subtasks are brought to life; what they are told until they are waits.
    Coming { stop: Option<Stopping> },
    /// Its subtasks live.
    Living { handles: BTreeMap<SubtaskId, Handle> },
    /// Its subtasks are stopped.
    Stopping,
}

/// How a run is to be stopped.
pub(super) struct Stopping {
    pub(super) authority: Authority,
    pub(super) take_back_after: Option<Option<Epoch>>,
}

/// A run that is to be begun.
pub(super) struct Launching {
    pub(super) authority: Authority,
    pub(super) after: Epoch,
    pub(super) resumes: bool,
    pub(super) parts: BTreeMap<SubtaskId, Part>,
}

type Ends = (Vec<Inlet>, Vec<Vec<Option<Outlet>>>);

impl Coordinator {
    /// Brings the subtasks of the run to life that is to be begun, once those of the last one have stopped.
    pub(super) fn launch(&mut self, cx: &mut Context<Self>) {
        if !matches!(self.run, Run::None) {
            return;
        }
        let Some(Launching { authority, after, resumes, mut parts }) = self.launching.take() else { return };
        self.runs += 1;
        self.quarantine.begin_run();
        let mut splits = match self.splits(&parts) {
            Ok(splits) => splits,
            Err(error) => {
                let failure = checkpoint::Failure { reason: error.to_string(), permanent: self.runs == 1 };
                let subtask = *parts.keys().next().expect("a job has subtasks");
                self.blame(authority, error);
                return self.feed(CoordinatorEvent::Lost { authority, subtask, failure }, cx);
            }
        };
        let arbiters = self.config.arbiters.max(1);
        let (parallelism, batch_records) = (self.config.parallelism, self.config.batch_records);
        let layout = Deployment::of(&self.plan, parallelism, batch_records, arbiters, authority);
        let (mut orders, mut ends) = (Vec::new(), BTreeMap::new());
        for (subtask, placement) in layout.subtasks {
            ends.insert(subtask, (placement.inbound, placement.outbound));
            orders.push(Order {
                membership: Membership {
                    authority,
                    after,
                    resumes,
                    plan: self.plan_hash,
                    key_groups: key_groups_of(&self.plan, subtask, placement.info.parallelism),
                    part: parts.remove(&subtask).unwrap_or_default(),
                    storage: self.storage.clone(),
                    pauses: self.board.pauses(),
                },
                info: placement.info,
                task: self.plan.vertices[subtask.vertex.0 as usize].factory.task(),
                arbiter: placement.arbiter,
                board: self.board.subtask(subtask.vertex, subtask.index),
                splits: splits.remove(&subtask).unwrap_or_default(),
                care: self.care_of(subtask.vertex),
            });
        }
        self.run = Run::Coming { stop: None };
        let deploy = self.node.send(Deploy { orders, coordinator: cx.address() });
        cx.spawn(deploy.into_actor(self).map(move |handles, coordinator, cx| {
            let handles = handles.expect("the node of this process outlives its jobs").into_iter().collect();
            coordinator.came(handles, &ends, cx);
        }));
    }

    fn came(
        &mut self,
        handles: BTreeMap<SubtaskId, Handle>,
        ends: &BTreeMap<SubtaskId, Ends>,
        cx: &mut Context<Self>,
    ) {
        connect(&handles, ends);
        let coming = std::mem::replace(&mut self.run, Run::Living { handles });
        if let Run::Coming { stop: Some(stop) } = coming {
            self.stop(stop, cx);
        }
    }

    /// Stops the run's subtasks. Those who take dead letters are stopped behind the others, which send them their
    /// last ones when they stop.
    pub(super) fn stop(&mut self, stopping: Stopping, cx: &mut Context<Self>) {
        let handles = match std::mem::replace(&mut self.run, Run::Stopping) {
            Run::Living { handles } => handles,
            Run::Coming { .. } => return self.run = Run::Coming { stop: Some(stopping) },
            run @ (Run::None | Run::Stopping) => return self.run = run,
        };
        let Stopping { authority, take_back_after } = stopping;
        let takers = self.plan.behind_dead_letters();
        let mut waves: BTreeMap<usize, Vec<(Recipient<Stop>, Stop)>> = BTreeMap::new();
        for (subtask, handle) in handles {
            let taker = takers.iter().position(|taker| *taker == subtask.vertex);
            let stop = Stop { authority, take_back_after, flushes: taker.is_some() };
            waves.entry(taker.map_or(0, |place| place + 1)).or_default().push((handle.stop, stop));
        }
        let stop_within = self.config.stop_within;
        let stopped = async move {
            for wave in waves.into_values() {
                let stops: Vec<_> = wave.into_iter().map(|(subtask, stop)| subtask.send(stop)).collect();
                // A subtask that is gone already has stopped too.
                if tokio::time::timeout(stop_within, futures_util::future::join_all(stops)).await.is_err() {
                    tracing::warn!("an operator's code did not return; its thread is left behind");
                }
            }
        };
        cx.spawn(stopped.into_actor(self).map(|(), coordinator, cx| {
            coordinator.run = Run::None;
            coordinator.launch(cx);
            coordinator.finish();
        }));
    }

    /// The subtasks that live.
    pub(super) fn subtasks(&self) -> Vec<SubtaskId> {
        match &self.run {
            Run::Living { handles } => handles.keys().copied().collect(),
            Run::None | Run::Coming { .. } | Run::Stopping => Vec::new(),
        }
    }

    /// The handle of a subtask that lives.
    pub(super) fn living(&self, subtask: SubtaskId) -> Option<&Handle> {
        match &self.run {
            Run::Living { handles } => handles.get(&subtask),
            Run::None | Run::Coming { .. } | Run::Stopping => None,
        }
    }

    /// What each source's subtask reads: what its part says, or where the job begins what the source lists.
    fn splits(
        &self,
        parts: &BTreeMap<SubtaskId, Part>,
    ) -> Result<BTreeMap<SubtaskId, Vec<Assigned>>, JobError> {
        let plan = &self.plan;
        let mut dealt: BTreeMap<SubtaskId, Vec<Assigned>> = BTreeMap::new();
        for vertex in plan.vertices.iter().filter(|vertex| vertex.is_source) {
            let parallelism = plan.parallelism_of(vertex.id, self.config.parallelism);
            let subtasks = (0..parallelism).map(|index| SubtaskId { vertex: vertex.id, index });
            let saved =
                subtasks.map(|subtask| (subtask, parts.get(&subtask).and_then(|part| part.splits.as_ref())));
            let saved: Vec<_> = saved.collect();
            // A checkpoint in which the vertex had none to read, perhaps because it was not there yet, leaves nothing to
            // go on from.
            if saved.iter().any(|(_, splits)| splits.is_some_and(|splits| !splits.is_empty())) {
                for (subtask, splits) in saved {
                    let splits = splits.into_iter().flatten().map(|cut| restored(plan, vertex.id, cut));
                    dealt.insert(subtask, splits.collect::<Result<_, _>>()?);
                }
                continue;
            }
            let operator = || vertex.stages.first().map_or_else(String::new, |stage| stage.uid.clone());
            let splits =
                vertex.factory.splits(parallelism).map_err(|error| JobError::input(operator(), error))?;
            for (id, split) in splits.into_iter().enumerate() {
                let subtask = SubtaskId { vertex: vertex.id, index: id as u32 % parallelism };
                let assigned = Assigned { id: SplitId(id as u32), split, from: Position(0), ended: false };
                dealt.entry(subtask).or_default().push(assigned);
            }
        }
        Ok(dealt)
    }
}

fn restored(plan: &Plan, vertex: VertexId, cut: &SplitCut) -> Result<Assigned, JobError> {
    let vertex = &plan.vertices[vertex.0 as usize];
    let operator = || vertex.stages.first().map_or_else(String::new, |stage| stage.uid.clone());
    let SplitCut { split: id, description, position: from, ended } = cut.clone();
    let name = vertex
        .factory
        .describe(&description)
        .map_err(|error| JobError::Start { operator: operator(), error })?;
    Ok(Assigned { id, split: Split { name, bytes: description }, from, ended })
}

/// Tells every subtask its channels.
fn connect(handles: &BTreeMap<SubtaskId, Handle>, ends: &BTreeMap<SubtaskId, Ends>) {
    for (subtask, handle) in handles {
        let target = |outlet: Outlet| Target {
            to: handles[&outlet.to].deliver.clone().expect("nobody sends to a source"),
            subtask: outlet.to,
            channel: outlet.channel,
        };
        let (inbound, outbound) = &ends[subtask];
        let outbound =
            outbound.iter().map(|edge| edge.iter().map(|outlet| outlet.map(target)).collect()).collect();
        let inbound = inbound.iter().map(|inlet| (*inlet, handles[&inlet.from].give_back.clone())).collect();
        handle.connect.do_send(Connect { outbound, inbound });
    }
}

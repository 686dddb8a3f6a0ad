//! One run of a job: its subtasks brought to life, connected, and stopped.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::prelude::*;
use watershed_core::checkpoint::{Agreement, RollBack, SplitCut};
use watershed_core::task::Split;
use watershed_core::{Epoch, Plan, Position, SplitId, SubtaskId, VertexId};
use watershed_protocol::checkpoint::{self, Authority, CoordinatorEvent, Part};
use watershed_protocol::placement::{Pressure, place};

use super::Coordinator;
use crate::crew::{Assignment, CrewLine, Duty, Hindrance};
use crate::deploy::Deployment;
use crate::error::JobError;
use crate::message::{Stop, Word};
use crate::split::Assigned;

/// The run that has subtasks.
pub(super) enum Run {
    /// There is none.
    None,
    /// Its subtasks are brought to life.
    Coming { staff: Staff, stop: Option<Stopping> },
    /// Its subtasks live.
    Living(Staff),
    /// Its subtasks are stopped.
    Stopping,
}

/// Who works for a run.
pub(super) struct Staff {
    authority: Authority,
    crews: Vec<Arc<dyn CrewLine>>,
    nodes: Vec<String>,
    /// The number of each subtask's crew.
    homes: BTreeMap<SubtaskId, u16>,
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
    pub(super) base: Option<Epoch>,
    pub(super) parts: BTreeMap<SubtaskId, Part>,
}

impl Staff {
    /// A subtask that lives on a node, if one does.
    fn one_on(&self, node: &str) -> Option<SubtaskId> {
        let crew = self.nodes.iter().position(|one| one == node)?;
        self.homes.iter().find(|(_, home)| **home as usize == crew).map(|(subtask, _)| *subtask)
    }
}

impl Coordinator {
    /// Has the subtasks of the run brought to life that is to be begun, once those of the last one have stopped and
    /// there is room for it.
    pub(super) fn launch(&mut self, cx: &mut Context<Self>) {
        if !matches!(self.run, Run::None) || self.launching.is_none() {
            return;
        }
        let offers: Vec<_> = self.sites.iter().map(|site| site.offer).collect();
        let pressure = if self.has_run && self.settled { Pressure::Squeeze } else { Pressure::Wait };
        let slots = match place(self.slots_wanted(), &offers, self.config.placement, pressure) {
            Ok(slots) => slots,
            // It is looked at again when the nodes have changed.
            Err(shortage) => return self.wait_for_room(&shortage),
        };
        self.waits_for = None;
        let Some(launching) = self.launching.take() else { return };
        self.runs += 1;
        self.quarantine.begin_run();
        let (authority, subtask) = (launching.authority, launching.parts.keys().next().copied());
        match self.splits(&launching.parts) {
            Ok(splits) => self.deploy(launching, &slots, splits, cx),
            Err(error) => {
                let failure =
                    checkpoint::Failure { reason: error.to_string(), permanent: self.is_first_try() };
                let subtask = subtask.expect("a job has subtasks");
                self.blame(authority, error);
                self.feed(CoordinatorEvent::Lost { authority, subtask, failure }, cx);
            }
        }
    }

    /// How many slots the job takes: one for each that has a subtask. A crew without any would have a site of shared
    /// state that passes no barrier, so that nothing of it would ever settle.
    fn slots_wanted(&self) -> u32 {
        let (parallelism, batch_records) = (self.config.parallelism, self.config.batch_records);
        let slots = self.config.arbiters.max(1);
        Deployment::of(&self.plan, parallelism, batch_records, slots, Authority::default()).width() as u32
    }

    /// Sends every crew that has a slot its assignment.
    fn deploy(
        &mut self,
        launching: Launching,
        slots: &[u16],
        mut splits: BTreeMap<SubtaskId, Vec<Assigned>>,
        cx: &mut Context<Self>,
    ) {
        let Launching { authority, after, base, mut parts } = launching;
        let (parallelism, batch_records) = (self.config.parallelism, self.config.batch_records);
        // Only the sites that have a slot take part; they are numbered anew.
        let mut used: Vec<u16> = slots.to_vec();
        used.dedup();
        let number = |site: u16| used.iter().position(|one| *one == site).expect("it is used") as u16;
        let slots: Vec<u16> = slots.iter().map(|site| number(*site)).collect();
        let sites = || used.iter().map(|site| &self.sites[*site as usize]);
        let layout = Deployment::of(&self.plan, parallelism, batch_records, slots.len(), authority);
        let homes: BTreeMap<SubtaskId, u16> =
            layout.subtasks.iter().map(|(subtask, placement)| (*subtask, slots[placement.slot])).collect();
        let vertices = self.plan.vertices.iter().map(|vertex| vertex.id);
        let care: BTreeMap<_, _> =
            vertices.filter_map(|vertex| Some((vertex, self.care_of(vertex)?))).collect();
        let staff = Staff {
            authority,
            crews: sites().map(|site| site.line.clone()).collect(),
            nodes: sites().map(|site| site.node.clone()).collect(),
            homes,
        };
        let mut seats: BTreeMap<String, u32> = BTreeMap::new();
        for crew in &slots {
            *seats.entry(staff.nodes[*crew as usize].clone()).or_default() += 1;
        }
        let until_now = |record: &&RollBack| record.run <= authority.run;
        let roll_backs: Vec<RollBack> = self.roll_backs.iter().filter(until_now).copied().collect();
        let deploys: Vec<_> = (0..)
            .zip(&staff.crews)
            .map(|(crew, line)| {
                let own = staff.homes.iter().filter(|(_, home)| **home == crew).map(|(subtask, _)| *subtask);
                let duties = own.map(|subtask| {
                    let part = parts.remove(&subtask).unwrap_or_default();
                    (subtask, Duty { part, splits: splits.remove(&subtask).unwrap_or_default() })
                });
                let assignment = Assignment {
                    authority,
                    after,
                    roll_backs: roll_backs.clone(),
                    base,
                    parallelism,
                    batch_records,
                    slots: slots.clone(),
                    nodes: staff.nodes.clone(),
                    crew,
                    duties: duties.collect(),
                    care: care.clone(),
                };
                line.deploy(assignment, cx.address().recipient())
            })
            .collect();
        self.run = Run::Coming { staff, stop: None };
        (self.deployed, self.seats) = (Some(authority), seats);
        self.tell_seats(authority);
        let came = futures_util::future::join_all(deploys);
        cx.spawn(came.into_actor(self).map(move |deployed, coordinator, cx| {
            coordinator.came(authority, deployed, cx);
        }));
    }

    /// The crews have answered.
    fn came(&mut self, authority: Authority, deployed: Vec<Result<(), Hindrance>>, cx: &mut Context<Self>) {
        let coming = std::mem::replace(&mut self.run, Run::None);
        let Run::Coming { staff, stop } = coming else { unreachable!("a run comes before it lives") };
        let refused = deployed.into_iter().zip(&staff.nodes).find_map(|(answer, node)| {
            let Hindrance { reason, permanent } = answer.err()?;
            let reason = format!("node {node} could not begin its part of the job: {reason}");
            Some((staff.one_on(node)?, checkpoint::Failure { reason, permanent }))
        });
        self.run = Run::Living(staff);
        match (stop, refused) {
            (Some(stop), _) => self.stop(stop, cx),
            (None, Some((subtask, failure))) => {
                self.feed(CoordinatorEvent::Lost { authority, subtask, failure }, cx);
            }
            (None, None) => {}
        }
    }

    /// Stops the run's subtasks. Those who take dead letters are stopped behind the others, which send them their
    /// last ones when they stop.
    pub(super) fn stop(&mut self, stopping: Stopping, cx: &mut Context<Self>) {
        let staff = match std::mem::replace(&mut self.run, Run::Stopping) {
            Run::Living(staff) => staff,
            Run::Coming { staff, .. } => return self.run = Run::Coming { staff, stop: Some(stopping) },
            run @ (Run::None | Run::Stopping) => return self.run = run,
        };
        let Stopping { authority, take_back_after } = stopping;
        let takers = self.plan.behind_dead_letters();
        let wave_of = |subtask: &SubtaskId| {
            let taker = takers.iter().position(|taker| *taker == subtask.vertex);
            taker.map_or(0, |place| place + 1)
        };
        let mut waves: BTreeMap<usize, BTreeMap<u16, Vec<SubtaskId>>> = BTreeMap::new();
        for (subtask, crew) in &staff.homes {
            waves.entry(wave_of(subtask)).or_default().entry(*crew).or_default().push(*subtask);
        }
        let stopped = async move {
            for (wave, crews) in waves {
                let stop = Stop { authority, take_back_after, flushes: wave > 0 };
                let dismiss = |(crew, subtasks)| staff.crews[crew as usize].dismiss(subtasks, stop.clone());
                futures_util::future::join_all(crews.into_iter().map(dismiss)).await;
            }
        };
        cx.spawn(stopped.into_actor(self).map(|(), coordinator, cx| {
            coordinator.run = Run::None;
            coordinator.launch(cx);
            coordinator.finish();
        }));
    }

    /// Who works for the run.
    fn staff(&self) -> Option<&Staff> {
        match &self.run {
            Run::Coming { staff, .. } | Run::Living(staff) => Some(staff),
            Run::None | Run::Stopping => None,
        }
    }

    /// How many slots the newest run has on each node.
    pub(super) fn slots(&self) -> BTreeMap<String, u32> {
        self.seats.clone()
    }

    /// The subtasks of the run.
    pub(super) fn subtasks(&self) -> Vec<SubtaskId> {
        self.staff().map(|staff| staff.homes.keys().copied().collect()).unwrap_or_default()
    }

    /// A subtask of the run of this authority that lives on a node, if one does. The run whose subtasks are being brought
    /// to life may be over already, and another one wait to be begun, on the nodes that there are then.
    pub(super) fn subtask_on(&self, node: &str, authority: Authority) -> Option<SubtaskId> {
        self.staff().filter(|staff| staff.authority == authority)?.one_on(node)
    }

    /// Says a word to a subtask. Whoever is gone already will be reported lost, and needs none.
    pub(super) fn pass(&self, subtask: SubtaskId, word: Word) {
        if let Some(staff) = self.staff()
            && let Some(crew) = staff.homes.get(&subtask)
        {
            staff.crews[*crew as usize].pass(staff.authority, subtask, word);
        }
    }

    /// Says to all crews of the run that a checkpoint is complete.
    pub(super) fn tell_complete(&self, epoch: Epoch) {
        let Some(staff) = self.staff() else { return };
        staff.crews.iter().for_each(|crew| crew.complete(staff.authority, epoch));
    }

    /// Tells the first site of the run what was agreed on, which tells the others.
    pub(super) fn tell_agreed(&self, agreements: Vec<Agreement>) {
        if let Some(staff) = self.staff().filter(|_| !agreements.is_empty())
            && let Some(first) = staff.crews.first()
        {
            first.agreed(staff.authority, agreements);
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

//! What a subtask does about records that it cannot bear, and its coordinator: the machine that judges them is the
//! protocol's ([`Quarantine`](watershed_protocol::Quarantine)).
//!
//! ```text
//!   a batch with such a record --> panic, and nobody knows which --> the next run is careful: one by one
//!   such a record, one by one  --> panic, with the record at hand --> after some tries it is left out, as a dead letter
//! ```
//!
//! A dead letter takes the way of the record that it was, and must come out at the sinks in its place, once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use watershed_core::stage::Shunned;
use watershed_core::{Epoch, EventTime, SubtaskId, VertexId};
use watershed_protocol::checkpoint::{Authority, CoordinatorEvent as Event, Failure};
use watershed_protocol::{Culprit, Panicked, PoisonConfig, PoisonPolicy, Quarantine, Verdict};

use crate::graph::Graph;
use crate::message::Standing;
use crate::mutant::Mutant;
use crate::record::{Record, encode};
use crate::world::World;

/// How careful the subtasks of a vertex have to be.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Care {
    /// For how many barriers.
    barriers: u32,
    shunned: Vec<Shunned>,
}

/// What a subtask has left out, by the epoch that passes it and the number of the record.
pub(crate) type LeftOut = BTreeSet<(Epoch, u32)>;

/// The quarantine of a job where nothing is suspected. A record is tried once to three times, as the seed has it.
pub(crate) fn quarantine(graph: &Graph, seed: u64) -> Quarantine {
    let (policy, max_attempts) = (PoisonPolicy::Quarantine, 1 + (seed % 3) as u32);
    let config = PoisonConfig { policy, max_attempts, quarantine_max: 20 };
    Quarantine::new(config, (0..graph.vertices.len() as u32).map(VertexId).collect())
}

/// What the subtasks of a run are to be careful about.
pub(crate) fn orders(graph: &Graph, quarantine: &Quarantine) -> BTreeMap<VertexId, Care> {
    let vertices = (0..graph.vertices.len() as u32).map(VertexId);
    let order = |vertex| {
        let order = quarantine.care(vertex)?;
        let shunned = order.leave_out.into_iter().map(|one| Shunned {
            number: one.number,
            times: one.times,
            time: one.culprit.time,
            bytes: one.culprit.bytes,
            stage: one.culprit.stage,
            reason: one.culprit.reason,
        });
        Some((vertex, Care { barriers: order.barriers, shunned: shunned.collect() }))
    };
    vertices.filter_map(order).collect()
}

impl Care {
    /// Notes a barrier. Whether more care is to be taken.
    pub(crate) fn pass_barrier(&mut self) -> bool {
        self.barriers = self.barriers.saturating_sub(1);
        self.barriers > 0
    }

    /// The number of a record that is to be left out, which is noted.
    fn leaves_out(&mut self, record: &Record, by_time_alone: bool) -> Option<u32> {
        let (time, bytes) = (time(record), encode(record));
        let is_it = |one: &&mut Shunned| {
            one.times > 0 && one.time == Some(time) && (by_time_alone || *one.bytes == *bytes)
        };
        let shunned = self.shunned.iter_mut().find(is_it)?;
        shunned.times -= 1;
        Some(shunned.number)
    }
}

fn time(record: &Record) -> EventTime {
    EventTime::from_millis(record.position as i64)
}

fn culprit(record: &Record) -> Culprit {
    let (time, bytes) = (Some(time(record)), Arc::from(encode(record)));
    Culprit { time, bytes, stage: 0, reason: "it cannot be borne".to_owned() }
}

impl World {
    /// Lets records in, where the subtask can bear them: those that are to be left out as dead letters. `None` where it has
    /// panicked.
    pub(crate) fn let_in(&mut self, node: usize, id: SubtaskId, records: &[Record]) -> Option<Vec<Record>> {
        let graph = self.graph.clone();
        let is_poison = |record: &Record| graph.is_poison(id.vertex, record);
        let (blames, by_time) = (self.has(Mutant::BatchBlamed), self.has(Mutant::LeftOutByTime));
        let drops = self.has(Mutant::LetterDropped);
        let subtask = self.subtask(node, id)?;
        let (vertex, barriers) = (id.vertex, subtask.barriers);
        let panics = |culprit| Standing::Panicked(Panicked { vertex, barriers, culprit });
        let Some(care) = &mut subtask.care else {
            if records.iter().any(is_poison) {
                subtask.phase = panics(records.first().filter(|_| blames).map(culprit));
                self.tally.panics += 1;
                return None;
            }
            return Some(records.to_vec());
        };
        let mut entered = Vec::with_capacity(records.len());
        for record in records {
            if record.dead {
                entered.push(*record);
            } else if let Some(number) = care.leaves_out(record, by_time) {
                subtask.leaving_out.push(number);
                entered.extend((!drops).then_some(Record { dead: true, ..*record }));
            } else if is_poison(record) {
                subtask.phase = panics(Some(culprit(record)));
                self.tally.panics += 1;
                return None;
            } else {
                entered.push(*record);
            }
        }
        Some(entered)
    }

    /// A subtask of a run has panicked: its coordinator decides whose fault it was.
    pub(crate) fn judge_panic(
        &mut self,
        node: usize,
        authority: Authority,
        subtask: SubtaskId,
        panicked: &Panicked,
    ) {
        let Some(lead) = &mut self.nodes[node].lead else { return };
        let reason = "it has panicked".to_owned();
        let lost = |permanent| {
            let failure = Failure { reason: reason.clone(), permanent };
            Event::Lost { authority, subtask, failure }
        };
        let event = match lead.quarantine.panicked(panicked.clone()) {
            Verdict::Unknown | Verdict::Struck { excused: false, .. } => lost(false),
            Verdict::Struck { excused: true, .. } | Verdict::SetAside { .. } => {
                Event::Poisoned { authority, subtask, reason }
            }
            Verdict::Fails { .. } => lost(true),
        };
        self.lead(node, event);
    }

    /// A vote tells what its subtask has left out so far in this run.
    pub(crate) fn hear_left_out(
        &mut self,
        node: usize,
        authority: Authority,
        subtask: SubtaskId,
        left_out: LeftOut,
    ) {
        let Some(lead) = &mut self.nodes[node].lead else { return };
        if lead.coordinator.authority() != Some(authority) {
            return;
        }
        for (epoch, number) in left_out {
            if lead.left_out.insert((subtask, epoch, number)) {
                lead.quarantine.left_out(epoch, number, 1);
            }
        }
    }
}

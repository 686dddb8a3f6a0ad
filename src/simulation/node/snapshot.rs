//! What a subtask saves at a barrier, and what it is restored with.

use std::collections::BTreeMap;

use watershed_core::checkpoint::{ObjectRef, SharedLog, SplitCut, Staged, Vote, Xid};
use watershed_core::{Epoch, Position, SplitId, SubtaskId};
use watershed_protocol::checkpoint::{Authority, Part, ParticipantEvent as Event};

use super::shared::Log;
use crate::agenda::Seat;
use crate::graph::{Graph, SinkKind, Work};
use crate::message::Standing;
use crate::mutant::Mutant;
use crate::properties::Broken;
use crate::record::{Element, decode, encode};
use crate::sink::{Deed, payload};
use crate::store::Waiter;
use crate::world::World;

/// A checkpoint for which the state of a subtask is being saved.
#[derive(Debug)]
pub(crate) struct Saving {
    pub(crate) epoch: Epoch,
    vote: Vote,
    state: Vec<u8>,
    /// What its site adds of shared state, until it is written.
    log: Option<Log>,
}

impl World {
    /// A subtask passes a barrier: sends it on, stages what it has written, and saves its state.
    pub(crate) fn snapshot(&mut self, node: usize, id: SubtaskId, epoch: Epoch) {
        let Some(graph) = self.subtask(node, id).map(|subtask| subtask.graph.clone()) else { return };
        let (roster, parallelism) = (graph.roster(), graph.vertex(id).parallelism);
        let reused = self.has(Mutant::EpochsReused);
        let completed = self.subtask(node, id).and_then(|subtask| subtask.completed);
        let shared = if self.graph.shares { self.share(node, id, epoch, completed) } else { None };
        let (shared, log) = shared.map_or((None, None), |(cut, log)| (Some(Box::new(cut)), log));
        let Some(subtask) = self.subtask(node, id) else { return };
        if !subtask.has_begun() {
            self.broken(Broken::D6, format!("subtask {id} acts before it has begun"));
            return;
        }
        let has_ended = subtask.phase == Standing::Ended;
        if !has_ended {
            let own = subtask.epoch;
            for outlet in &mut subtask.outlets {
                outlet.element(own, Element::Barrier { epoch, completed });
            }
        }
        subtask.epoch = Epoch(epoch.0 + 1);
        subtask.barriers += 1;
        subtask.care.take_if(|care| !care.pass_barrier());
        let left_out = std::mem::take(&mut subtask.leaving_out);
        subtask.left_out.extend(left_out.into_iter().map(|number| (epoch, number)));
        let splits = subtask.positions.iter().map(|(&split, &position)| SplitCut {
            split: SplitId(split),
            description: Vec::new(),
            position: Position(position),
            ended: position >= graph.lengths[split as usize],
        });
        let key_groups =
            (subtask.work == Work::Count).then(|| roster.key_groups.range(id.index, parallelism));
        let vote = Vote {
            subtask: id,
            plan: roster.plan.digest(),
            snapshot: Vec::new(),
            key_groups,
            received: subtask.inlets.iter().map(|inlet| inlet.received.cut(inlet.key)).collect(),
            sent: subtask.outlets.iter().map(|outlet| outlet.sent.cut(outlet.key)).collect(),
            in_flight: Vec::new(),
            splits: splits.collect(),
            staged: Vec::new(),
            finished: has_ended,
            shared,
        };
        let state = encode(&subtask.counts);
        subtask.saving = Some(Saving { epoch, vote, state, log });
        let Authority { lineage, run, .. } = subtask.authority;
        let run = if reused { watershed_core::Run(0) } else { run };
        let xid = Xid { lineage, epoch, run, subtask: id };
        let rows = std::mem::take(&mut subtask.open);
        let authority = subtask.authority;
        match subtask.work {
            Work::Sink(SinkKind::Prepared) if !rows.is_empty() || !subtask.deeds.is_empty() => {
                self.enter_deed(node, id, Deed::Prepare(authority, xid, rows));
            }
            Work::Sink(SinkKind::Staged) if !rows.is_empty() => {
                let staged = Staged { xid, payload: payload(&rows) };
                self.prepared(node, id, epoch, Some(staged));
            }
            Work::Source | Work::Mark(_) | Work::Count | Work::Sink(_) => {
                self.prepared(node, id, epoch, None);
            }
        }
        self.plan(node, id, 0);
    }

    /// What a sink has written before a barrier is staged: its state is saved next.
    pub(crate) fn prepared(&mut self, node: usize, id: SubtaskId, epoch: Epoch, staged: Option<Staged>) {
        self.tell(node, id, Event::Prepared { epoch, staged });
        let Some(subtask) = self.subtask(node, id) else { return };
        let Some(saving) = subtask.saving.as_mut().filter(|saving| saving.epoch == epoch) else { return };
        let (state, log, authority) = (saving.state.clone(), saving.log.take(), subtask.authority);
        let Authority { lineage, run, .. } = authority;
        let seat = self.seat(node, id);
        match log.filter(|log| !log.is_empty()) {
            Some(log) => {
                if let Some(saving) = self.subtask(node, id).and_then(|subtask| subtask.saving.as_mut()) {
                    saving.log = Some(log.clone());
                }
                let prefix = format!("shared/{lineage}/{epoch}/{run}/{id}");
                self.put(node, &prefix, encode(&log), Waiter::Log(seat, epoch));
            }
            None => {
                let prefix = format!("ck/{lineage}/{epoch}/{run}/{id}");
                self.put(node, &prefix, state, Waiter::Subtask(seat, epoch));
            }
        }
    }

    /// The log of a site is durable, or is not: what the subtask itself saves comes next.
    pub(crate) fn log_saved(&mut self, seat: Seat, epoch: Epoch, result: Result<ObjectRef, &'static str>) {
        let Some(subtask) = self.seated(seat) else { return };
        let authority = subtask.authority;
        let Some(saving) = subtask.saving.as_mut().filter(|saving| saving.epoch == epoch) else { return };
        // It is told a second time where a mutant has told it early.
        let Some(log) = saving.log.take() else { return };
        let object = match result {
            Ok(object) => object,
            Err(reason) => {
                subtask.saving = None;
                let reason = reason.to_owned();
                self.tell(seat.node, seat.subtask, Event::Failed { epoch, reason });
                return;
            }
        };
        let share = saving.vote.shared.as_mut().and_then(|shared| shared.share.as_mut());
        let share = share.expect("who has a log has a share");
        share.logs.push(SharedLog { epoch, object, updates: log.len() as u64 });
        let (logs, state) = (share.logs.clone(), saving.state.clone());
        self.logged(seat.node, authority, epoch, &logs);
        let prefix = format!("ck/{}/{epoch}/{}/{}", authority.lineage, authority.run, seat.subtask);
        self.put(seat.node, &prefix, state, Waiter::Subtask(seat, epoch));
    }

    /// The state of a subtask is durable, or is not.
    pub(crate) fn saved(&mut self, seat: Seat, epoch: Epoch, result: Result<ObjectRef, &'static str>) {
        let Some(subtask) = self.seated(seat) else { return };
        let Some(Saving { mut vote, .. }) = subtask.saving.take_if(|saving| saving.epoch == epoch) else {
            return;
        };
        let event = match result {
            Ok(object) => {
                vote.snapshot.push(object);
                Event::Saved { epoch, vote }
            }
            Err(reason) => Event::Failed { epoch, reason: reason.to_owned() },
        };
        self.tell(seat.node, seat.subtask, event);
    }

    /// A subtask finds something gone that it goes on from. A zombie may: newer runs have let go of it.
    pub(crate) fn finds_nothing(&mut self, seat: Seat, object: &ObjectRef) {
        let path = &object.path;
        if seat.run == self.meta.run || self.objects.contains_key(path) {
            self.broken(Broken::D7, format!("{path} is not there, or not as it was saved"));
        } else if let Some(subtask) = self.seated(seat) {
            subtask.break_down("what it goes on from is gone");
        }
    }

    /// A subtask reads what it goes on from.
    pub(crate) fn fetch(&mut self, seat: Seat) {
        let (key_groups, loads_whole) = (self.graph.key_groups, self.has(Mutant::WholeStateLoaded));
        let Some(subtask) = self.seated(seat) else { return };
        let Some(Part { snapshots, mut splits, shared, .. }) = subtask.to_load.take() else { return };
        let (authority, beginning) = (subtask.authority, subtask.beginning.clone());
        if self.graph.shares {
            if let Err(missing) = self.make_home(seat.node, authority, &beginning, &shared) {
                self.finds_nothing(seat, &missing);
                return;
            }
            if self.has(Mutant::CountersRestored) {
                self.restore_counters(seat);
            }
        }
        if self.has(Mutant::SplitsReadAgain) {
            splits.iter_mut().flatten().for_each(|split| split.position = Position(0));
        }
        let mut counts = BTreeMap::new();
        for share in snapshots {
            for layer in &share.layers {
                let Some(bytes) = self.get(layer) else {
                    self.finds_nothing(seat, layer);
                    return;
                };
                let saved: BTreeMap<u64, u32> = decode(bytes);
                let groups = share.key_groups.as_ref();
                let is_own = |key: &u64| groups.is_some_and(|groups| groups.contains(key_groups.of(key)));
                counts.extend(saved.into_iter().filter(|(key, _)| is_own(key) || loads_whole));
            }
        }
        let Some(subtask) = self.seated(seat) else { return };
        subtask.counts = counts;
        if subtask.work == Work::Source {
            subtask.positions = positions(splits, &subtask.graph, seat.subtask);
        }
        self.tell(seat.node, seat.subtask, Event::Loaded);
    }
}

/// Where the splits of a source's subtask stand; where the job begins, all splits are dealt out in turn.
fn positions(splits: Option<Vec<SplitCut>>, graph: &Graph, subtask: SubtaskId) -> BTreeMap<u32, u64> {
    let parallelism = graph.vertex(subtask).parallelism;
    match splits {
        Some(splits) => splits.into_iter().map(|split| (split.split.0, split.position.0)).collect(),
        None => {
            let all = 0..graph.lengths.len() as u32;
            all.filter(|split| split % parallelism == subtask.index).map(|split| (split, 0)).collect()
        }
    }
}

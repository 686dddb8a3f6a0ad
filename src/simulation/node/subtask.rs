//! Drives the participant of one subtask, and what it does in the world outside.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use watershed_core::causal::Dot;
use watershed_core::checkpoint::Staged;
use watershed_core::{ChannelId, Epoch, SubtaskId};
use watershed_protocol::causal::Session;
use watershed_protocol::checkpoint::{
    Authority, Intent, Part, Participant, ParticipantEffect as Effect, ParticipantEvent as Event,
};
use watershed_protocol::{Alignment, AlignmentEffect, AlignmentEvent, Machine, Outcome, WatermarkMerge};

use super::care::{Care, LeftOut};
use super::channel::{Inlet, Outlet};
use super::snapshot::Saving;
use crate::agenda::{Happening, Seat};
use crate::graph::{Graph, Work};
use crate::message::{Beginning, Message, Standing};
use crate::mutant::Mutant;
use crate::properties::Broken;
use crate::record::Record;
use crate::sink::{Deed, Done};
use crate::world::World;

/// A checkpoint to begin: its epoch, the newest one that is complete, and what it is for.
pub(crate) type Trigger = (Epoch, Option<Epoch>, Intent);

/// One subtask of one run.
#[derive(Debug)]
pub(crate) struct Subtask {
    pub(crate) work: Work,
    pub(crate) authority: Authority,
    /// The node that leads its run, and how that began.
    pub(crate) leader: usize,
    pub(crate) beginning: Rc<Beginning>,
    /// The job in the shape of its run.
    pub(crate) graph: Rc<Graph>,
    pub(crate) participant: Participant,
    pub(crate) alignment: Option<Alignment>,
    pub(crate) merge: Option<WatermarkMerge>,
    /// No record at or before this time follows.
    pub(crate) promised: i64,
    pub(crate) inlets: Vec<Inlet>,
    pub(crate) outlets: Vec<Outlet>,
    /// The epoch of its work: that of the last barrier that it has passed, and one.
    pub(crate) epoch: Epoch,
    /// What it has seen of shared state: as the protocol tells it, and the truth.
    pub(crate) session: Session,
    pub(crate) knows: Rc<BTreeSet<Dot>>,
    /// Whether it waits for its replica.
    pub(crate) is_waiting: bool,
    pub(crate) completed: Option<Epoch>,
    /// At a source: where its splits stand, when it reads on, whether it is to read nothing more for now, and which
    /// checkpoints it is to begin.
    pub(crate) positions: BTreeMap<u32, u64>,
    pub(crate) reads_at: u64,
    pub(crate) is_paused: bool,
    pub(crate) triggers: VecDeque<Trigger>,
    pub(crate) counts: BTreeMap<u64, u32>,
    /// How careful it is, what it has left out since the last barrier, and what before; how many barriers it has passed.
    pub(crate) care: Option<Care>,
    pub(crate) leaving_out: Vec<u32>,
    pub(crate) left_out: LeftOut,
    pub(crate) barriers: u32,
    /// At a sink: what was written since the last barrier, and what is to be done outside, in order.
    pub(crate) open: Vec<Record>,
    pub(crate) deeds: VecDeque<Deed>,
    /// Whether the first of them has been sent off.
    pub(crate) is_doing: bool,
    /// What is to be loaded once all deeds of the restore are done.
    pub(crate) to_load: Option<Part>,
    /// The checkpoint for which state is being saved.
    pub(crate) saving: Option<Saving>,
    pub(crate) ends: usize,
    pub(crate) phase: Standing,
    /// Whether it was told that all of its run are restored.
    is_begun: bool,
    /// Whether its next step is entered.
    pub(crate) is_planned: bool,
}

impl Subtask {
    pub(crate) fn standing(&self) -> Standing {
        self.phase.clone()
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.is_begun && matches!(self.phase, Standing::Working | Standing::Ended)
    }

    pub(crate) fn break_down(&mut self, reason: &str) {
        self.phase = Standing::Broken(reason.to_owned());
    }
}

impl World {
    pub(crate) fn subtask(&mut self, node: usize, id: SubtaskId) -> Option<&mut Subtask> {
        self.nodes[node].subtasks.get_mut(&id)
    }

    /// The subtask in a seat, if it still sits there.
    pub(crate) fn seated(&mut self, seat: Seat) -> Option<&mut Subtask> {
        if self.nodes[seat.node].life != seat.life {
            return None;
        }
        self.subtask(seat.node, seat.subtask).filter(|subtask| subtask.authority.run == seat.run)
    }

    pub(crate) fn seat(&self, node: usize, id: SubtaskId) -> Seat {
        let own = &self.nodes[node];
        Seat { node, life: own.life, run: own.subtasks[&id].authority.run, subtask: id }
    }

    /// Makes a subtask, as a coordinator has told.
    pub(crate) fn set_up(
        &mut self,
        node: usize,
        leader: usize,
        id: SubtaskId,
        authority: Authority,
        (beginning, part): (Beginning, Part),
    ) {
        let after = beginning.after;
        let beginning = Rc::new(beginning);
        if !self.nodes[node].subtasks.contains_key(&id) {
            let run = if self.has(Mutant::CountersRestored) { watershed_core::Run(1) } else { authority.run };
            let graph = self.shapes[beginning.shape].clone();
            let channels = || (0..).zip(&graph.channels);
            let inlets: Vec<Inlet> = channels()
                .filter(|(_, channel)| channel.key.to == id)
                .map(|(number, channel)| Inlet::new(number, channel, run))
                .collect();
            let outlets = channels()
                .filter(|(_, channel)| channel.from == id)
                .map(|(number, channel)| Outlet::new(number, channel.key, authority.run))
                .collect();
            let inputs = inlets.len();
            let subtask = Subtask {
                work: graph.vertex(id).work,
                authority,
                leader,
                beginning: beginning.clone(),
                graph: graph.clone(),
                participant: Participant::new(id, authority),
                alignment: (inputs > 0).then(|| Alignment::new(inputs, None).after(after)),
                merge: (inputs > 0).then(|| WatermarkMerge::new(inputs, None)),
                promised: i64::MIN,
                inlets,
                outlets,
                epoch: Epoch(after.0 + 1),
                session: Session::new(),
                knows: Rc::default(),
                is_waiting: false,
                completed: None,
                positions: BTreeMap::new(),
                reads_at: 0,
                is_paused: false,
                triggers: VecDeque::new(),
                counts: BTreeMap::new(),
                care: beginning.care.get(&id.vertex).cloned(),
                leaving_out: Vec::new(),
                left_out: LeftOut::new(),
                barriers: 0,
                open: Vec::new(),
                deeds: VecDeque::new(),
                is_doing: false,
                to_load: None,
                saving: None,
                ends: 0,
                phase: Standing::Restoring,
                is_begun: false,
                is_planned: false,
            };
            self.nodes[node].subtasks.insert(id, subtask);
        }
        self.tell(node, id, Event::Restore { authority, after, part });
    }

    /// Feeds an event to the participant of a subtask, and performs what it wants.
    pub(crate) fn tell(&mut self, node: usize, id: SubtaskId, event: Event) {
        let now = self.tick(node);
        let told = if self.talks { format!("{event:?}") } else { String::new() };
        let Some(subtask) = self.subtask(node, id) else { return };
        let mut effects = Vec::new();
        let outcome = subtask.participant.on(now, event, &mut effects);
        let run = subtask.authority.run;
        if self.talks && outcome == Outcome::Applied {
            self.say(format!("node {node}: {id} of run {run}: {told:.140}"));
        }
        if outcome == Outcome::Unexpected {
            self.tally.unexpected += 1;
        }
        for effect in effects {
            self.perform_at(node, id, effect);
        }
    }

    fn perform_at(&mut self, node: usize, id: SubtaskId, effect: Effect) {
        let takes_everything_back = self.has(Mutant::RecoveryTakesEverythingBack);
        let skips = self.has(Mutant::LastCommitSkipped).then(|| self.last_epoch()).flatten();
        let Some(subtask) = self.subtask(node, id) else { return };
        let leader = subtask.leader;
        match effect {
            Effect::Resolve { authority, staged } => {
                if let Work::Sink(_) = subtask.work {
                    let listed = staged.iter().map(|staged| staged.xid).collect();
                    let parallelism = subtask.graph.vertex(id).parallelism;
                    subtask.deeds.push_back(Deed::Fence(authority, parallelism));
                    if !takes_everything_back {
                        subtask.deeds.extend(staged.into_iter().map(Deed::Commit));
                    }
                    subtask.deeds.push_back(Deed::Sweep(authority, parallelism, listed));
                    self.next_deed(node, id);
                }
            }
            Effect::Load { after: _, part } => {
                subtask.to_load = Some(part);
                self.load_when_resolved(node, id);
            }
            Effect::Restored { authority, subtask: restored } => {
                subtask.phase = Standing::Restored;
                self.send(node, leader, &Message::Restored { authority, subtask: restored });
                if self.has(Mutant::WorkBeforeBegin)
                    && let Some(subtask) = self.subtask(node, id)
                {
                    subtask.phase = Standing::Working;
                    self.plan(node, id, 0);
                }
            }
            Effect::Begin => {
                (subtask.phase, subtask.is_begun) = (Standing::Working, true);
                self.plan(node, id, 0);
            }
            Effect::Snapshot(epoch) => self.snapshot(node, id, epoch),
            Effect::Vote { authority, epoch, mut vote } => {
                let left_out = subtask.left_out.clone();
                if self.has(Mutant::VoteListsOwnOnly) {
                    vote.staged.retain(|staged| staged.xid.epoch == epoch);
                }
                self.send(node, leader, &Message::Voted { authority, epoch, vote, left_out });
            }
            Effect::Decline { authority, epoch, subtask, reason } => {
                self.send(node, leader, &Message::Declined { authority, epoch, subtask, reason });
            }
            Effect::Commit(staged) if skips == Some(staged.xid.epoch) => {
                self.tell(node, id, Event::CommitDone { xid: staged.xid });
            }
            Effect::Commit(staged) => self.enter_deed(node, id, Deed::Commit(staged)),
            Effect::Committed { authority, epoch, subtask } => {
                self.send(node, leader, &Message::Committed { authority, epoch, subtask });
            }
            Effect::TakeBack(staged) => {
                let seat = self.seat(node, id);
                self.go_outside(seat, Deed::TakeBack(staged.xid));
            }
            Effect::Abandon(epoch) => {
                if subtask.saving.as_ref().is_some_and(|saving| saving.epoch == epoch) {
                    subtask.saving = None;
                }
            }
            Effect::Refuse { newest } => self.send_to_all(node, &Message::Fenced { newest }),
            Effect::Exit => {
                self.nodes[node].subtasks.remove(&id);
                self.attend_all(node);
            }
        }
    }

    /// The epoch of the newest decision, where all input has ended before it.
    fn last_epoch(&self) -> Option<Epoch> {
        let decided = self.decided.as_ref();
        decided.filter(|decided| decided.votes.iter().all(|vote| vote.finished)).map(|decided| decided.epoch)
    }

    /// Enters a deed behind those that are not done.
    pub(crate) fn enter_deed(&mut self, node: usize, id: SubtaskId, deed: Deed) {
        let Some(subtask) = self.subtask(node, id) else { return };
        subtask.deeds.push_back(deed);
        self.next_deed(node, id);
    }

    fn next_deed(&mut self, node: usize, id: SubtaskId) {
        let Some(subtask) = self.subtask(node, id).filter(|subtask| !subtask.is_doing) else { return };
        if let Some(deed) = subtask.deeds.front().cloned() {
            subtask.is_doing = true;
            let seat = self.seat(node, id);
            self.go_outside(seat, deed);
        }
    }

    /// What became of the first deed.
    pub(crate) fn done(&mut self, seat: Seat, done: Done) {
        let Seat { node, subtask: id, .. } = seat;
        let Some(subtask) = self.seated(seat) else { return };
        let restores = subtask.phase == Standing::Restoring;
        let Some(deed) = subtask.deeds.pop_front() else { return };
        subtask.is_doing = false;
        match (deed, done) {
            (deed @ (Deed::Fence(..) | Deed::Sweep(..)), Done::Refused | Done::Unknown) => {
                subtask.deeds.push_front(deed);
            }
            (deed @ Deed::Commit(_), Done::Refused | Done::Unknown) if restores => {
                subtask.deeds.push_front(deed);
            }
            (Deed::Fence(..) | Deed::Sweep(..) | Deed::TakeBack(_), _) => {}
            (Deed::Commit(_), Done::Well) if restores => {}
            (Deed::Commit(staged), Done::Well) => {
                self.tell(node, id, Event::CommitDone { xid: staged.xid });
            }
            (Deed::Commit(staged), Done::Refused | Done::Unknown) => {
                self.tell(node, id, Event::CommitFailed { xid: staged.xid });
            }
            (Deed::Prepare(_, xid, rows), Done::Well) => {
                let payload = crate::sink::payload(&rows);
                self.prepared(node, id, xid.epoch, Some(Staged { xid, payload }));
            }
            (Deed::Prepare(_, xid, rows), Done::Refused) => {
                // SUBTLE: they belong to whatever is prepared next: the next vote speaks for them.
                let next = subtask.deeds.iter_mut().find_map(|deed| match deed {
                    Deed::Prepare(_, _, next) => Some(next),
                    Deed::Fence(..) | Deed::Commit(_) | Deed::Sweep(..) | Deed::TakeBack(_) => None,
                });
                next.unwrap_or(&mut subtask.open).splice(0..0, rows);
                let reason = "it was not prepared".to_owned();
                self.tell(node, id, Event::Failed { epoch: xid.epoch, reason });
            }
            (Deed::Prepare(..), Done::Unknown) => {
                subtask.break_down("nobody knows whether it was prepared");
                return;
            }
        }
        self.next_deed(node, id);
        self.load_when_resolved(node, id);
    }

    fn load_when_resolved(&mut self, node: usize, id: SubtaskId) {
        let is_resolved = |subtask: &&mut Subtask| subtask.to_load.is_some() && subtask.deeds.is_empty();
        if self.subtask(node, id).filter(is_resolved).is_some() {
            let seat = self.seat(node, id);
            let delay = self.chance.between(1, 20);
            self.later(delay, Happening::Fetch(seat));
        }
    }

    /// The coordinator begins a checkpoint here: at a source, or where all input has ended.
    pub(crate) fn trigger(
        &mut self,
        node: usize,
        authority: Authority,
        id: SubtaskId,
        (epoch, completed, intent): Trigger,
    ) {
        let Some(subtask) = self.subtask(node, id) else { return };
        if subtask.authority != authority {
            self.tell(node, id, Event::Heard { authority });
            return;
        }
        let is_source = subtask.work == Work::Source;
        match subtask.phase {
            Standing::Ended => {
                subtask.completed = completed;
                self.tell(node, id, Event::Cut { epoch });
            }
            Standing::Working if is_source => {
                subtask.triggers.push_back((epoch, completed, intent));
                self.plan(node, id, 0);
            }
            Standing::Working
            | Standing::Restoring
            | Standing::Restored
            | Standing::Broken(_)
            | Standing::Panicked(_) => {}
        }
    }

    /// The coordinator says that it has given a checkpoint up.
    pub(crate) fn abort_note(&mut self, node: usize, authority: Authority, epoch: Epoch) {
        let ids: Vec<SubtaskId> = self.nodes[node].subtasks.keys().copied().collect();
        for id in ids {
            self.tell(node, id, Event::AbortNote { authority, epoch });
            let is_own = |subtask: &&mut Subtask| subtask.authority == authority;
            if self.subtask(node, id).filter(is_own).is_none() {
                continue;
            }
            self.align(node, id, AlignmentEvent::AbortNote { epoch });
            if self.has(Mutant::AbortTakesBack) {
                let xid = watershed_core::checkpoint::Xid {
                    lineage: authority.lineage,
                    epoch,
                    run: authority.run,
                    subtask: id,
                };
                if self.outside.contains_key(&id.vertex) {
                    self.enter_deed(node, id, Deed::TakeBack(xid));
                }
            }
            self.plan(node, id, 0);
        }
    }

    /// Feeds an event to the alignment of a subtask.
    pub(crate) fn align(&mut self, node: usize, id: SubtaskId, event: AlignmentEvent) {
        let now = self.tick(node);
        let released = self.has(Mutant::AlignmentReleasedEarly);
        let Some(subtask) = self.subtask(node, id) else { return };
        let Some(alignment) = &mut subtask.alignment else { return };
        let mut effects = Vec::new();
        if alignment.on(now, event, &mut effects) == Outcome::Unexpected {
            self.tally.unexpected += 1;
        }
        for effect in effects {
            let Some(subtask) = self.subtask(node, id) else { return };
            match effect {
                AlignmentEffect::Block(ChannelId(channel)) => {
                    subtask.inlets[channel as usize].is_blocked = !released;
                }
                AlignmentEffect::Unblock(ChannelId(channel)) => {
                    subtask.inlets[channel as usize].is_blocked = false;
                }
                AlignmentEffect::Snapshot(epoch) => self.tell(node, id, Event::Cut { epoch }),
                AlignmentEffect::Abandon(_) => {}
                AlignmentEffect::Overtake { .. }
                | AlignmentEffect::StopRecording(_)
                | AlignmentEffect::Complete(_) => {
                    self.broken(Broken::Mistrust, "an alignment without time-out timed out".to_owned());
                }
            }
        }
    }
}

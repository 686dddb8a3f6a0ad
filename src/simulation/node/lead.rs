//! Drives the coordinator of a node that leads, or thinks that it does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use watershed_core::checkpoint::{Change, Manifest, Meta, Pointer, RollBack};
use watershed_core::{Epoch, SubtaskId};
use watershed_protocol::agree::AgreeEvent;
use watershed_protocol::checkpoint::{
    Authority, CheckpointConfig, Coordinator, CoordinatorEffect as Effect, CoordinatorEvent as Event,
    EndReason, Failure, Over, Report, Swapped,
};
use watershed_protocol::{Machine, Outcome, Quarantine, Tick};

use super::SILENCE;
use super::care::{orders, quarantine};
use crate::agenda::{Happening, Life};
use crate::agree::Heard;
use crate::graph::JOB;
use crate::message::{Beginning, Message, Standing};
use crate::meta::{Answer, Purpose, Question};
use crate::mutant::Mutant;
use crate::properties::Broken;
use crate::record::encode;
use crate::store::Waiter;
use crate::world::World;

/// A coordinator, and where the subtasks of its run live.
#[derive(Debug)]
pub(crate) struct Lead {
    pub(crate) coordinator: Coordinator,
    /// Of which run this is the deal.
    dealt: Authority,
    places: BTreeMap<SubtaskId, (usize, Life)>,
    /// The shape in which it lets the job run.
    pub(crate) shape: usize,
    /// Whether a person has asked it for a savepoint, and for the end of the run.
    pub(crate) asked_savepoint: bool,
    pub(crate) asked_suspend: bool,
    /// How the job has come to its newest run.
    roll_backs: Vec<RollBack>,
    pub(crate) quarantine: Quarantine,
    /// What this run has been told of as left out, so that each is told to the quarantine once.
    pub(crate) left_out: BTreeSet<(SubtaskId, Epoch, u32)>,
    /// What each was restored with, to say it again.
    restores: BTreeMap<SubtaskId, Message>,
    /// Whether the run has begun, and when.
    began: Option<u64>,
    is_over: bool,
}

/// Waits that are short beside the length of an act.
pub(crate) fn config(interval: u64) -> CheckpointConfig {
    let millis = Duration::from_millis;
    CheckpointConfig {
        interval: Some(millis(interval)),
        pause_min: Duration::ZERO,
        timeout: millis(500),
        back_off: millis(50),
        back_off_max: millis(500),
        failures_tolerated: 3,
        pending_max: 2,
        retain: 2,
        block: 4,
        restore_timeout: millis(1500),
        cancel_timeout: millis(1500),
        commit_retry: millis(80),
        store_retry: millis(40),
        restarts_max: u32::MAX,
        restart_pause: millis(20),
        halt_on_violation: true,
    }
}

impl Lead {
    /// Takes note of how the job has come to its newest run. An answer that was overtaken tells nothing new.
    fn note_roll_backs(&mut self, records: &[RollBack]) {
        let newest = |records: &[RollBack]| records.last().map(|record| record.run);
        if newest(records) > newest(&self.roll_backs) {
            self.roll_backs = records.to_vec();
        }
    }
}

impl World {
    /// What a node has asked the meta store is answered.
    pub(crate) fn answered(&mut self, node: usize, number: u64, answer: Answer) {
        let Some(question) = self.nodes[node].questions.remove(&number) else { return };
        let told = match &answer {
            // A refusal may show our own change, asked for twice by whoever carries it.
            Answer::Swapped(Swapped::Done(meta) | Swapped::Refused(meta)) | Answer::Read(meta) => Some(meta),
            Answer::Swapped(Swapped::Unknown | Swapped::Failed) | Answer::Silence => None,
        };
        if let (Some(lead), Some(meta)) = (&mut self.nodes[node].lead, told) {
            lead.note_roll_backs(&meta.roll_backs);
        }
        match (question, answer) {
            (Question::Agree(number, _), Answer::Swapped(swapped)) => {
                self.agree(node, number, AgreeEvent::Swapped(swapped));
            }
            (Question::Agree(number, _), Answer::Silence) => {
                let swapped = if self.guesses() { Swapped::Failed } else { Swapped::Unknown };
                self.agree(node, number, AgreeEvent::Swapped(swapped));
            }
            (Question::Read(Purpose::Agreeing(number)), Answer::Read(meta)) => {
                self.agree(node, number, AgreeEvent::Read(meta));
            }
            (Question::Read(Purpose::Agreeing(number)), Answer::Silence) => {
                self.agree(node, number, AgreeEvent::Unread("no answer".to_owned()));
            }
            (Question::Read(Purpose::Register(number, register)), Answer::Read(meta)) => {
                self.register_read(number, meta.agreed.on(&register));
            }
            (Question::Read(Purpose::Register(number, _)), Answer::Silence) => {
                self.tell_caller(number, Heard::Refused);
            }
            (Question::Swap(swap), Answer::Swapped(result)) => {
                self.lead(node, Event::Swapped { change: swap.change, result });
            }
            (Question::Swap(swap), Answer::Silence) => {
                let result = self.unknown(&swap.change);
                self.lead(node, Event::Swapped { change: swap.change, result });
            }
            (Question::Read(Purpose::ReadBack), Answer::Read(meta)) => self.lead(node, Event::MetaRead(meta)),
            (Question::Read(Purpose::ReadBack), Answer::Silence) => self.lead(node, Event::MetaUnread),
            (Question::Read(Purpose::Campaign), Answer::Read(meta)) => self.enter_lead(node, meta),
            (Question::Read(Purpose::Campaign), Answer::Silence) => {}
            (question, answer) => unreachable!("{question:?} is not answered by {answer:?}"),
        }
    }

    fn unknown(&self, change: &Change) -> Swapped {
        match change {
            Change::Complete(pointer) if self.has(Mutant::UnknownTakenForDone) => {
                Swapped::Done(Meta { completed: Some(pointer.clone()), ..self.meta.clone() })
            }
            _ => Swapped::Unknown,
        }
    }

    /// A node has read the meta store and campaigns.
    pub(crate) fn enter_lead(&mut self, node: usize, meta: Meta) {
        if self.nodes[node].lead.is_some() || meta.finished || self.wanted.rests {
            return;
        }
        let (shape, fork) = (self.wanted.shape, self.fork(&meta));
        let coordinator = Coordinator::new(JOB, self.shapes[shape].roster(), config(self.interval));
        let lead = Lead {
            coordinator,
            dealt: Authority::default(),
            places: BTreeMap::new(),
            shape,
            asked_savepoint: false,
            asked_suspend: false,
            roll_backs: Vec::new(),
            quarantine: quarantine(&self.graph, self.seed),
            left_out: BTreeSet::new(),
            restores: BTreeMap::new(),
            began: None,
            is_over: false,
        };
        self.nodes[node].lead = Some(lead);
        self.nodes[node].read_first.clone_from(&meta.completed);
        self.lead(node, Event::Campaign { meta, fork });
    }

    /// Feeds an event to the coordinator of a node, and performs what it wants.
    pub(crate) fn lead(&mut self, node: usize, event: Event) {
        let now = self.tick(node);
        let Some(lead) = &mut self.nodes[node].lead else { return };
        let mut effects = Vec::new();
        let told = if self.talks { format!("{event:.0?}") } else { String::new() };
        let outcome = lead.coordinator.on(now, event, &mut effects);
        if self.talks && outcome != Outcome::Duplicate && outcome != Outcome::Stale {
            self.say(format!("lead {node}: {outcome:?} {told:.160}"));
        }
        if outcome == Outcome::Unexpected {
            self.broken(Broken::Mistrust, format!("a coordinator finds what it hears unexpected: {told}"));
        }
        for effect in effects {
            self.perform(node, effect);
        }
        if self.nodes[node].lead.as_ref().is_some_and(|lead| lead.is_over) {
            self.nodes[node].lead = None;
        }
        self.plan_look(node);
    }

    fn perform(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Swap(swap) => self.ask(node, Question::Swap(swap)),
            Effect::ReadMeta => self.ask(node, Question::Read(Purpose::ReadBack)),
            Effect::LoadManifest(pointer) => {
                let life = self.nodes[node].life;
                let delay = self.chance.between(1, 15);
                self.later(delay, Happening::Fetched { node, life, pointer });
            }
            Effect::Restore { authority, subtask, after, permit: _, part } => {
                self.deal(node, authority);
                let lead = self.nodes[node].lead.as_mut().expect("it acts");
                let (to, life) = lead.places[&subtask];
                let places = lead.places.iter().map(|(&subtask, &(at, _))| (subtask, at)).collect();
                let (roll_backs, care) = (lead.roll_backs.clone(), orders(&self.graph, &lead.quarantine));
                let shape = lead.shape;
                let beginning = Beginning { after, shape, places, roll_backs, care };
                let message = Message::Restore { life, authority, subtask, beginning, part };
                lead.restores.insert(subtask, message.clone());
                self.send(node, to, &message);
            }
            Effect::Start { authority, subtask } => {
                let lead = self.nodes[node].lead.as_mut().expect("it acts");
                lead.began = Some(self.now);
                self.send_to_subtask(node, subtask, &Message::Start { authority, subtask });
            }
            Effect::Trigger { authority, epoch, completed, intent, at } => {
                self.epoch_is_triggered(epoch, authority);
                for subtask in at {
                    let message = Message::Trigger { authority, subtask, epoch, completed, intent };
                    self.send_to_subtask(node, subtask, &message);
                }
            }
            Effect::AbortNote { authority, epoch } => {
                self.tally.given_up += 1;
                self.send_to_all(node, &Message::AbortNote { authority, epoch });
            }
            Effect::Drain { .. } | Effect::Answer { .. } => {}
            Effect::WriteManifest(manifest) => self.write_manifest(node, &manifest),
            Effect::Commit { authority, permit, subtask, xids } => {
                let message = Message::Commit { authority, subtask, epoch: permit.epoch(), xids };
                self.send_to_subtask(node, subtask, &message);
            }
            Effect::Forget { before } => self.forget(before),
            Effect::EndRun { authority, reason, take_back_after } => {
                self.say(format!("lead {node}: run {} ends, {reason}", authority.run));
                if reason != EndReason::Finished {
                    self.tally.roll_backs += 1;
                }
                self.send_to_all(node, &Message::EndRun { authority, take_back_after });
            }
            Effect::Report(report) => self.take_report(node, report),
        }
    }

    fn take_report(&mut self, node: usize, report: Report) {
        let lead = self.nodes[node].lead.as_mut().expect("it acts");
        match report {
            Report::Violated(epoch, violation) => {
                self.broken(Broken::K, format!("checkpoint {epoch} is no consistent cut: {violation}"));
            }
            Report::Following => {
                lead.is_over = true;
                self.note_deposed(node);
            }
            Report::Completed(Pointer { epoch, .. }) => {
                lead.quarantine.completed(epoch);
                if let Some(authority) = lead.coordinator.authority() {
                    self.send_to_all(node, &Message::Completed { authority, epoch });
                }
            }
            Report::Over(Over::Failed { reason }) => {
                lead.is_over = true;
                self.broken(Broken::Failed, format!("the job was given up: {reason}"));
            }
            Report::Over(Over::Suspended(_)) => {
                lead.is_over = true;
                self.suspended();
            }
            Report::Over(Over::Finished | Over::Cancelled { .. }) => lead.is_over = true,
            Report::Running { .. }
            | Report::GivenUp { .. }
            | Report::Uncertain(_)
            | Report::Committed(_)
            | Report::Degraded { .. }
            | Report::Healthy
            | Report::Restarting { .. } => {}
        }
    }

    /// Deals the subtasks of a run out to the nodes that seem to live.
    fn deal(&mut self, node: usize, authority: Authority) {
        let own = &self.nodes[node];
        let lead = own.lead.as_ref().expect("it acts");
        if lead.dealt != authority {
            let living = own.living(node, self.now);
            let first = self.chance.place(living.len());
            let life = |at: usize| if at == node { own.life } else { own.heard[&at].1 };
            let turns = (first..).map(|turn| living[turn % living.len()]);
            let graph = &self.shapes[lead.shape];
            let places = graph.subtasks().zip(turns).map(|(subtask, at)| (subtask, (at, life(at))));
            let places = places.collect();
            let lead = self.nodes[node].lead.as_mut().expect("it acts");
            (lead.dealt, lead.places, lead.began) = (authority, places, None);
            lead.restores.clear();
            lead.left_out.clear();
            lead.quarantine.begin_run();
        }
    }

    fn send_to_subtask(&mut self, node: usize, subtask: SubtaskId, message: &Message) {
        let lead = self.nodes[node].lead.as_ref().expect("it acts");
        if let Some(&(at, _)) = lead.places.get(&subtask) {
            self.send(node, at, message);
        }
    }

    fn write_manifest(&mut self, node: usize, manifest: &Manifest) {
        if self.has(Mutant::CommitBeforeDecision) {
            let authority = Authority { term: manifest.term, run: manifest.run, lineage: manifest.lineage };
            for vote in manifest.votes.iter().filter(|vote| !vote.staged.is_empty()) {
                let xids = vote.staged.iter().map(|staged| staged.xid).collect();
                let (subtask, epoch) = (vote.subtask, manifest.epoch);
                self.send_to_subtask(node, subtask, &Message::Commit { authority, subtask, epoch, xids });
            }
        }
        let prefix = format!("manifest/{}/{}/{}", manifest.lineage, manifest.epoch, manifest.run);
        self.put(node, &prefix, encode(manifest), Waiter::Coordinator(node, manifest.epoch));
    }

    /// A manifest is durable, or is not.
    pub(crate) fn written(
        &mut self,
        node: usize,
        epoch: Epoch,
        result: Result<watershed_core::checkpoint::ObjectRef, &'static str>,
    ) {
        let event = match result {
            Ok(object) => Event::ManifestWritten { epoch, object },
            Err(reason) => Event::ManifestFailed { epoch, reason: reason.to_owned() },
        };
        self.lead(node, event);
    }

    /// A manifest has been read.
    pub(crate) fn fetched(&mut self, node: usize, pointer: &Pointer) {
        match self.manifest(pointer) {
            Some(manifest) => self.lead(node, Event::Loaded(manifest)),
            None if self.runs_newest(node) => {
                self.broken(Broken::D8, format!("the manifest of checkpoint {} is gone", pointer.epoch));
            }
            // Whoever reigns by now has let go of it.
            None => {
                let failure = Failure { reason: "the manifest is gone".to_owned(), permanent: false };
                self.lead(node, Event::LoadFailed(failure));
            }
        }
    }

    /// Whether the run of a node's coordinator is the newest that there is.
    fn runs_newest(&self, node: usize) -> bool {
        let lead = self.nodes[node].lead.as_ref().and_then(|lead| lead.coordinator.authority());
        lead.is_some_and(|authority| authority.run == self.meta.run)
    }

    /// What the subtasks of a run say to their coordinator.
    pub(crate) fn hear_as_lead(&mut self, node: usize, message: Message) {
        let event = match message {
            Message::Restored { authority, subtask } => Event::Restored { authority, subtask },
            Message::Voted { authority, epoch, vote, left_out } => {
                self.hear_left_out(node, authority, vote.subtask, left_out);
                Event::Voted { authority, epoch, vote }
            }
            Message::Declined { authority, epoch, subtask, reason } => {
                Event::Declined { authority, epoch, subtask, reason }
            }
            Message::Committed { authority, epoch, subtask } => {
                Event::Committed { authority, epoch, subtask }
            }
            Message::Beat { .. }
            | Message::Restore { .. }
            | Message::Start { .. }
            | Message::Trigger { .. }
            | Message::AbortNote { .. }
            | Message::Commit { .. }
            | Message::Completed { .. }
            | Message::EndRun { .. }
            | Message::Fenced { .. }
            | Message::Word { .. } => return,
        };
        // A later life of this node knows nothing of the runs of an earlier one.
        let own = self.nodes[node].lead.as_ref().and_then(|lead| lead.coordinator.authority());
        if own.is_some_and(|own| authority_of(&event) <= Some(own)) {
            self.lead(node, event);
        }
    }

    /// Compares what lives on a node with what should live there.
    pub(crate) fn see_subtasks(
        &mut self,
        node: usize,
        from: usize,
        life: Life,
        subtasks: &[(SubtaskId, Authority, Standing)],
    ) {
        let Some(lead) = &self.nodes[node].lead else { return };
        let Some(authority) = lead.coordinator.authority().filter(|own| *own == lead.dealt) else { return };
        let began = lead.began;
        let mine: Vec<(SubtaskId, Life)> = lead
            .places
            .iter()
            .filter(|(_, (at, _))| *at == from)
            .map(|(&subtask, &(_, life))| (subtask, life))
            .collect();
        if subtasks.iter().any(|(_, other, _)| *other < authority) {
            self.send(node, from, &Message::Fenced { newest: authority });
        }
        for (subtask, expected) in mine {
            if life > expected {
                self.lose(node, authority, subtask, "its node died");
                return;
            }
            let standing = subtasks.iter().find(|(id, other, _)| *id == subtask && *other == authority);
            match standing.map(|(_, _, standing)| standing) {
                None if began.is_some_and(|began| began + 300 < self.now) => {
                    self.lose(node, authority, subtask, "it is gone");
                    return;
                }
                None if began.is_none() => {
                    let message = self.nodes[node].lead.as_ref().and_then(|lead| lead.restores.get(&subtask));
                    if let Some(message) = message.cloned() {
                        self.send(node, from, &message);
                    }
                }
                None | Some(Standing::Restoring | Standing::Working) => {}
                Some(Standing::Restored) if began.is_some() => {
                    self.send(node, from, &Message::Start { authority, subtask });
                }
                Some(Standing::Restored) => self.lead(node, Event::Restored { authority, subtask }),
                Some(Standing::Ended) => self.lead(node, Event::Ended { authority, subtask }),
                Some(Standing::Panicked(panicked)) => {
                    self.judge_panic(node, authority, subtask, panicked);
                    return;
                }
                Some(Standing::Broken(reason)) => {
                    self.lose(node, authority, subtask, reason);
                    return;
                }
            }
        }
    }

    fn lose(&mut self, node: usize, authority: Authority, subtask: SubtaskId, reason: &str) {
        if !self.has(Mutant::BaseOfReign) {
            self.nodes[node].read_first.clone_from(&self.meta.completed);
        }
        let failure = Failure { reason: reason.to_owned(), permanent: false };
        self.lead(node, Event::Lost { authority, subtask, failure });
    }

    /// Gives up the subtasks on nodes that were not heard of.
    pub(crate) fn give_up_silent(&mut self, node: usize) {
        let Some(lead) = &self.nodes[node].lead else { return };
        let Some(authority) = lead.coordinator.authority().filter(|own| *own == lead.dealt) else { return };
        let heard = &self.nodes[node].heard;
        let silent = lead.places.iter().find(|(_, (at, _))| {
            *at != node && heard.get(at).is_none_or(|(heard, _)| heard + SILENCE < self.now)
        });
        if let Some((&subtask, _)) = silent {
            self.lose(node, authority, subtask, "its node is silent");
        }
    }

    pub(crate) fn look_at_lead(&mut self, node: usize) {
        let now = self.tick(node);
        let is_time = |lead: &Lead| lead.coordinator.deadline().is_some_and(|deadline| deadline <= now);
        if self.nodes[node].lead.as_ref().is_some_and(is_time) {
            self.lead(node, Event::Deadline);
        }
    }

    pub(crate) fn lead_deadline(&self, node: usize) -> Option<Tick> {
        self.nodes[node].lead.as_ref().and_then(|lead| lead.coordinator.deadline())
    }
}

fn authority_of(event: &Event) -> Option<Authority> {
    match event {
        Event::Restored { authority, .. }
        | Event::Voted { authority, .. }
        | Event::Declined { authority, .. }
        | Event::Committed { authority, .. } => Some(*authority),
        _ => None,
    }
}

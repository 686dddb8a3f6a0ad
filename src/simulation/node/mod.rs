//! A node: what it knows of the others, the coordinator where it leads, and the subtasks that live on it.

pub(crate) mod care;
pub(crate) mod channel;
pub(crate) mod lead;
pub(crate) mod shared;
pub(crate) mod snapshot;
pub(crate) mod subtask;
pub(crate) mod work;

use std::collections::BTreeMap;

use watershed_core::SubtaskId;
use watershed_core::checkpoint::Pointer;
use watershed_protocol::checkpoint::{Authority, ParticipantEvent};
use watershed_protocol::{Machine, Tick};

use crate::agenda::{Happening, Life};
use crate::agree::OnTheirWay;
use crate::client::window::Waiting;
use crate::message::{Message, Standing};
use crate::meta::Question;
use crate::mutant::Mutant;
use crate::reign::Reign;
use crate::store::Put;
use crate::world::World;
use lead::Lead;
use shared::Home;
use subtask::Subtask;

/// From one sign of life to the next.
pub(crate) const BEAT: u64 = 50;

/// A node that was not heard of for so long is given up by the others.
pub(crate) const SILENCE: u64 = 400;

/// One node. But for its clocks, all of it is lost when it dies.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) life: Life,
    /// By how many faults it is down.
    pub(crate) down: u32,
    pub(crate) paused_until: u64,
    pub(crate) disk_full: u32,
    /// By how much its wall clock is ahead, in milliseconds.
    pub(crate) wall_offset: i64,
    /// What its protocol clock showed when the world began.
    pub(crate) tick_offset: u64,
    /// When each node was heard last, and in which life it was.
    pub(crate) heard: BTreeMap<usize, (u64, Life)>,
    /// The newest name that it has heard of.
    pub(crate) newest: Authority,
    pub(crate) reign: Reign,
    pub(crate) lead: Option<Lead>,
    pub(crate) subtasks: BTreeMap<SubtaskId, Subtask>,
    /// Its replica of what the subtasks of a run share.
    pub(crate) home: Option<Home>,
    /// What it has asked the meta store and not heard.
    pub(crate) questions: BTreeMap<u64, Question>,
    /// What it writes to the checkpoint store.
    pub(crate) writing: BTreeMap<u64, Put>,
    /// What it has written in this life and not synced, for a mutant.
    pub(crate) written: Vec<String>,
    /// The proposals that it tries to have decided.
    pub(crate) agreeing: OnTheirWay,
    /// The clients that wait for an answer.
    pub(crate) waiting: Vec<Waiting>,
    /// The decision that it read when it campaigned or lost a run, for mutants.
    pub(crate) read_first: Option<Pointer>,
    /// When it is next to be looked at.
    pub(crate) look_at: Option<u64>,
}

impl Node {
    pub(crate) fn new(tick_offset: u64) -> Node {
        Node {
            life: 1,
            down: 0,
            paused_until: 0,
            disk_full: 0,
            wall_offset: 0,
            tick_offset,
            heard: BTreeMap::new(),
            newest: Authority::default(),
            reign: Reign::default(),
            lead: None,
            subtasks: BTreeMap::new(),
            home: None,
            questions: BTreeMap::new(),
            writing: BTreeMap::new(),
            written: Vec::new(),
            agreeing: OnTheirWay::new(),
            waiting: Vec::new(),
            read_first: None,
            look_at: None,
        }
    }

    /// The nodes that it takes for living, itself among them.
    pub(crate) fn living(&self, own: usize, now: u64) -> Vec<usize> {
        let mut living: Vec<usize> = self
            .heard
            .iter()
            .filter(|(_, (at, _))| at + SILENCE / 2 > now)
            .map(|(&node, _)| node)
            .chain([own])
            .collect();
        living.sort_unstable();
        living.dedup();
        living
    }
}

impl World {
    /// The protocol time of a node.
    pub(crate) fn tick(&self, node: usize) -> Tick {
        Tick(self.now + self.nodes[node].tick_offset)
    }

    pub(crate) fn crash(&mut self, node: usize) {
        self.nodes[node].down += 1;
        if self.nodes[node].down > 1 {
            return;
        }
        self.lose_unsynced(node);
        let dead = &mut self.nodes[node];
        let Node { life, down, paused_until, disk_full, wall_offset, .. } = *dead;
        let tick_offset = self.chance.below(10_000);
        let born =
            Node { life: life + 1, down, paused_until, disk_full, wall_offset, ..Node::new(tick_offset) };
        self.nodes[node] = born;
    }

    pub(crate) fn boot(&mut self, node: usize) {
        self.nodes[node].down -= 1;
        if self.nodes[node].down == 0 {
            self.wake(node);
        }
    }

    /// A node begins to live.
    pub(crate) fn wake(&mut self, node: usize) {
        let life = self.nodes[node].life;
        let delay = self.chance.between(0, BEAT);
        self.later(delay, Happening::Beat { node, life });
    }

    /// A node says that it lives, and takes the lead where it finds that it should.
    pub(crate) fn beat(&mut self, node: usize, life: Life) {
        self.later(BEAT, Happening::Beat { node, life });
        let own = &self.nodes[node];
        let standings = own.subtasks.iter().map(|(&id, subtask)| (id, subtask.authority, subtask.standing()));
        let message = Message::Beat { life, subtasks: standings.collect() };
        self.send_to_all(node, &message);
        self.run_for_lead(node);
        self.give_up_silent(node);
        self.ask_of_lead(node);
        if self.has(Mutant::PreparedTimesOut) && self.chance.hit(2) {
            self.forget_prepared();
        }
    }

    /// A node hears another.
    pub(crate) fn hear_beat(
        &mut self,
        node: usize,
        from: usize,
        life: Life,
        subtasks: Vec<(SubtaskId, Authority, Standing)>,
    ) {
        let now = self.now;
        let heard = self.nodes[node].heard.entry(from).or_insert((now, life));
        if life < heard.1 {
            return;
        }
        *heard = (now, life);
        self.see_subtasks(node, from, life, &subtasks);
    }

    /// A node hears in whose name others act: older ones of its subtasks end.
    pub(crate) fn hear_name(&mut self, node: usize, authority: Authority) {
        if authority <= self.nodes[node].newest {
            return;
        }
        self.nodes[node].newest = authority;
        let older: Vec<SubtaskId> = self.nodes[node]
            .subtasks
            .iter()
            .filter(|(_, subtask)| subtask.authority < authority)
            .map(|(&id, _)| id)
            .collect();
        for id in older {
            self.tell(node, id, ParticipantEvent::Heard { authority });
        }
    }

    /// Takes in a message.
    pub(crate) fn hear(&mut self, from: usize, node: usize, message: Message) {
        match message {
            Message::Beat { life, subtasks } => self.hear_beat(node, from, life, subtasks),
            // What was meant for an earlier life: a site and a subtask have one life in a run.
            Message::Restore { life, .. } if life != self.nodes[node].life => {}
            Message::Restore { life: _, authority, subtask, beginning, part } => {
                if authority >= self.nodes[node].newest {
                    self.hear_name(node, authority);
                    self.set_up(node, from, subtask, authority, (beginning, part));
                } else {
                    let newest = self.nodes[node].newest;
                    self.send(node, from, &Message::Fenced { newest });
                }
            }
            Message::Start { authority, subtask } => {
                self.tell(node, subtask, ParticipantEvent::Start { authority });
            }
            Message::Trigger { authority, subtask, epoch, completed, intent } => {
                self.trigger(node, authority, subtask, (epoch, completed, intent));
            }
            Message::AbortNote { authority, epoch } => self.abort_note(node, authority, epoch),
            Message::Commit { authority, subtask, epoch, xids } => {
                self.tell(node, subtask, ParticipantEvent::Commit { authority, epoch, xids });
            }
            Message::EndRun { authority, take_back_after } => {
                let ids: Vec<SubtaskId> = self.nodes[node].subtasks.keys().copied().collect();
                for id in ids {
                    self.tell(node, id, ParticipantEvent::EndRun { authority, take_back_after });
                }
            }
            Message::Completed { authority, epoch } => self.hear_completed(node, authority, epoch),
            Message::Fenced { newest } => self.hear_name(node, newest),
            Message::Word { authority, from, word } => self.hear_word(node, authority, from, word),
            Message::Restored { .. }
            | Message::Voted { .. }
            | Message::Declined { .. }
            | Message::Committed { .. } => self.hear_as_lead(node, message),
        }
    }

    /// Looks whether a machine of a node waits for this moment.
    pub(crate) fn look(&mut self, node: usize) {
        self.nodes[node].look_at = None;
        self.look_at_lead(node);
        self.look_at_home(node);
        self.plan_look(node);
    }

    /// Enters the next moment for which a machine of a node waits.
    pub(crate) fn plan_look(&mut self, node: usize) {
        let replica = self.nodes[node].home.as_ref().and_then(|home| home.replica.deadline());
        let Some(deadline) = self.lead_deadline(node).into_iter().chain(replica).min() else { return };
        let own = &mut self.nodes[node];
        let at = deadline.0.saturating_sub(own.tick_offset).max(self.now);
        if own.look_at.is_none_or(|planned| at < planned) {
            own.look_at = Some(at);
            let life = own.life;
            self.agenda.enter(at, Happening::Look { node, life });
        }
    }
}

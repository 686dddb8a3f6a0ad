//! What goes between the replicas: lost, doubled and out of order.

use watershed_core::{ProcessingTime, Site};
use watershed_protocol::causal::{ReplicaEffect, ReplicaEvent};
use watershed_protocol::{Machine, Outcome, Tick};

use crate::world::{Delta, Id, Violation, World};

/// How many of a hundred letters are lost, and how many come twice.
const LOST: usize = 15;
const DOUBLED: usize = 15;

/// What is under way.
#[derive(Clone)]
pub(crate) struct Letter {
    to: Site,
    event: ReplicaEvent<Delta>,
}

/// The wall clocks are right: they show the time.
pub(crate) fn wall(now: Tick) -> ProcessingTime {
    ProcessingTime::from_millis(i64::try_from(now.0).expect("a simulation is short"))
}

impl World {
    /// Lets some time pass, and tells the replicas that wait for it.
    pub(crate) fn pass_time(&mut self, millis: u64) {
        self.now.0 += millis;
        for place in (0..self.homes.len()).filter(|place| self.still != Some(*place)).collect::<Vec<_>>() {
            if self.homes[place].replica.deadline().is_some_and(|deadline| deadline <= self.now) {
                self.feed(place, ReplicaEvent::Deadline { wall: wall(self.now) });
            }
        }
    }

    /// Something that is under way arrives, or does not, or will arrive again.
    pub(crate) fn deliver_any(&mut self) {
        if self.mail.is_empty() {
            return;
        }
        let place = self.lots.below(self.mail.len());
        if self.still == Some(usize::from(self.mail[place].to.0)) {
            return;
        }
        let letter = self.mail.swap_remove(place);
        if self.is_harmed && self.lots.hit(LOST) {
            return;
        }
        if self.is_harmed && self.lots.hit(DOUBLED) {
            self.mail.push(letter.clone());
        }
        self.feed(usize::from(letter.to.0), letter.event);
    }

    pub(crate) fn feed(&mut self, place: usize, event: ReplicaEvent<Delta>) {
        let mut effects = Vec::new();
        if self.homes[place].replica.on(self.now, event, &mut effects) == Outcome::Unexpected {
            self.violations.insert(Violation::Mistrust);
        }
        for effect in effects {
            self.perform(place, effect);
        }
    }

    fn perform(&mut self, place: usize, effect: ReplicaEffect<Delta>) {
        let from = Site(u16::try_from(place).expect("sites are few"));
        let to_all = |event: &ReplicaEvent<Delta>, mail: &mut Vec<Letter>, sites: u16| {
            let others = (0..sites).map(Site).filter(|to| *to != from);
            mail.extend(others.map(|to| Letter { to, event: event.clone() }));
        };
        match effect {
            ReplicaEffect::Broadcast(update) => {
                to_all(&ReplicaEvent::Heard { from, update }, &mut self.mail, self.sites);
            }
            ReplicaEffect::Gossip(gossip) => {
                to_all(&ReplicaEvent::Gossip { from, gossip }, &mut self.mail, self.sites);
            }
            ReplicaEffect::Pull { from: to, gap } => {
                self.mail.push(Letter { to, event: ReplicaEvent::Pulled { by: from, gap } });
            }
            ReplicaEffect::Answer { to, lane, updates } => {
                self.mail.push(Letter { to, event: ReplicaEvent::Answered { from, lane, updates } });
            }
            ReplicaEffect::Apply(update) => self.join(place, update.delta.0),
            ReplicaEffect::Settle { epoch } => {
                self.settled += 1;
                let here = self.tasks.iter_mut().filter(|task| task.home == place);
                here.for_each(|task| task.session.forget(epoch));
            }
            ReplicaEffect::Distrust { .. } => {
                self.violations.insert(Violation::Mistrust);
            }
        }
    }

    fn join(&mut self, place: usize, id: Id) {
        let table = &mut self.homes[place].table;
        if !self.made[id as usize].causes.iter().all(|cause| table.contains(cause)) {
            self.violations.insert(Violation::BeforeItsCause);
        }
        table.push(id);
    }
}

//! What tasks do: sources make records, workers take them, and both read and write shared state.

use std::collections::BTreeSet;

use watershed_core::{Epoch, SubtaskId, VertexId};
use watershed_protocol::causal::{FrameClock, ReplicaEvent, Session};

use crate::network::wall;
use crate::world::{Delta, Id, Made, Violation, World};

/// A subtask.
pub(crate) struct Task {
    /// The place of its site.
    pub(crate) home: usize,
    pub(crate) epoch: Epoch,
    pub(crate) session: Session,
    /// The truth: all updates that it has read, written or heard of.
    pub(crate) knows: BTreeSet<Id>,
    /// What the writer of the record that it is about to work on knew.
    pub(crate) in_hand: Option<BTreeSet<Id>>,
    /// The checkpoint whose barrier a source is to emit.
    pub(crate) barrier: Option<Epoch>,
}

/// What a channel carries.
pub(crate) enum Element {
    Record { epoch: Epoch, clock: FrameClock, knew: BTreeSet<Id> },
    Barrier(Epoch),
}

impl World {
    pub(crate) fn act(&mut self, task: usize) {
        if self.still == Some(self.tasks[task].home) {
            return;
        }
        if task < usize::from(self.sites) {
            self.act_as_source(task);
        } else {
            self.act_as_worker(task);
        }
    }

    fn act_as_source(&mut self, source: usize) {
        if self.lots.hit(30)
            && let Some(epoch) = self.tasks[source].barrier.take()
        {
            self.pass(source, epoch);
            for worker in self.workers() {
                self.elements(source, worker).push_back(Element::Barrier(epoch));
            }
            return;
        }
        if self.lots.hit(50) {
            self.use_shared(source);
        }
        let worker = usize::from(self.sites) + self.lots.below(usize::from(self.sites));
        self.send(source, worker);
    }

    fn send(&mut self, source: usize, worker: usize) {
        let Task { home, epoch, session, knows, .. } = &self.tasks[source];
        let applied = self.homes[*home].replica.applied();
        let is_told = |id: &Id| {
            let dot = self.made[*id as usize].dot;
            session.clock().has_seen(dot) || dot.lane.epoch <= applied.settled()
        };
        if !knows.iter().all(is_told) {
            self.violations.insert(Violation::Untold);
        }
        let channel = self.channels.get_mut(&(source, worker)).expect("all are connected");
        let clock = channel.writer.stamp(session.clock(), applied.settled());
        channel.elements.push_back(Element::Record { epoch: *epoch, clock, knew: knows.clone() });
    }

    fn act_as_worker(&mut self, worker: usize) {
        if self.tasks[worker].in_hand.is_none() {
            self.take(worker);
        }
        if self.tasks[worker].in_hand.is_some() {
            self.work(worker);
        }
    }

    /// Takes the next element of some channel that is not blocked.
    fn take(&mut self, worker: usize) {
        let source = self.lots.below(usize::from(self.sites));
        let channel = self.channels.get_mut(&(source, worker)).expect("all are connected");
        if channel.is_blocked {
            return;
        }
        match channel.elements.pop_front() {
            None => {}
            Some(Element::Record { epoch, clock, knew }) => {
                let clock = channel.reader.read(&clock).expect("the writer is correct");
                let task = &mut self.tasks[worker];
                if !self.homes[task.home].replica.is_plausible(clock) {
                    self.violations.insert(Violation::Mistrust);
                }
                task.session.hear(clock, epoch);
                task.in_hand = Some(knew);
            }
            Some(Element::Barrier(epoch)) => {
                channel.is_blocked = true;
                let places = 0..usize::from(self.sites);
                let is_aligned = places.clone().all(|source| self.channels[&(source, worker)].is_blocked);
                if is_aligned {
                    self.pass(worker, epoch);
                    for source in places {
                        let channel = self.channels.get_mut(&(source, worker)).expect("all are connected");
                        channel.is_blocked = false;
                    }
                }
            }
        }
    }

    /// Works on the record in hand, if the replica has caught up with it.
    fn work(&mut self, worker: usize) {
        let task = &mut self.tasks[worker];
        let may_work = task.session.may_work(self.homes[task.home].replica.applied());
        if self.rules.wait && !may_work {
            self.waits += 1;
            return;
        }
        task.knows.extend(task.in_hand.take().expect("there is a record in hand"));
        if self.lots.hit(60) {
            self.use_shared(worker);
        }
    }

    /// A task reads all of shared state that it can see, and may write.
    fn use_shared(&mut self, task: usize) {
        let place = self.tasks[task].home;
        let own_epoch = self.tasks[task].epoch;
        let sees_to = if self.rules.filter { own_epoch } else { Epoch(u64::MAX) };
        let seen = |id: &&Id| self.made[**id as usize].epoch <= sees_to;
        let visible: BTreeSet<Id> = self.homes[place].table.iter().filter(seen).copied().collect();
        if !visible.is_superset(&self.tasks[task].knows) {
            self.violations.insert(Violation::FoundThePast);
        }
        self.tasks[task].knows.extend(visible);
        if self.lots.hit(50) {
            self.write(task);
        }
        let applied = self.homes[place].replica.applied();
        self.tasks[task].session.touched(applied, sees_to);
    }

    fn write(&mut self, task: usize) {
        let place = self.tasks[task].home;
        let epoch = self.tasks[task].epoch;
        let lane_epoch = if self.rules.lanes { epoch } else { Epoch(1) };
        let writer = SubtaskId { vertex: VertexId(0), index: u32::try_from(task).expect("tasks are few") };
        let stamp = self.homes[place].replica.stamp(self.now, wall(self.now), lane_epoch, writer);
        let stamp = stamp.expect("clocks are right and there is room");
        let id = Id::try_from(self.made.len()).expect("updates are few");
        let causes = self.tasks[task].knows.clone();
        self.made.push(Made { epoch, dot: stamp.dot, causes });
        self.homes[place].table.push(id);
        self.tasks[task].knows.insert(id);
        self.feed(place, ReplicaEvent::Wrote { stamp, delta: Delta(id) });
    }

    pub(crate) fn workers(&self) -> std::ops::Range<usize> {
        usize::from(self.sites)..self.tasks.len()
    }

    fn elements(&mut self, source: usize, worker: usize) -> &mut std::collections::VecDeque<Element> {
        &mut self.channels.get_mut(&(source, worker)).expect("all are connected").elements
    }
}

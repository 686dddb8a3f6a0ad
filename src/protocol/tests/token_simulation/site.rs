//! One site of one run: its replica, its tasks, and where it stands when it is shown a token.

use std::collections::BTreeMap;

use watershed_core::causal::VectorClock;
use watershed_core::checkpoint::{ContentHash, ObjectRef, RollBack, SharedCut, SharedLog, SiteShare};
use watershed_core::shared::Stamp;
use watershed_core::{Epoch, Lineage, Run, Site, SubtaskId, VertexId};
use watershed_protocol::Tick;
use watershed_protocol::causal::{Needs, Place, ReplicaEffect, ReplicaEvent, RollBacks};

use crate::fault::Fault;
use crate::history::{UpdateId, Updates};
use crate::replica::{AnyReplica, Delta, Effect, Message, wall};

/// A task: the epoch that it is in, and what it has seen.
#[derive(Clone)]
pub(crate) struct Task {
    pub(crate) epoch: Epoch,
    session: VectorClock,
}

/// What a run begins with.
#[derive(Clone)]
pub(crate) struct Beginning {
    pub(crate) lineage: Lineage,
    /// The run's number, as dots and tokens have it.
    pub(crate) run: Run,
    /// Its number as the world counts.
    pub(crate) execution: Run,
    pub(crate) base: Option<Epoch>,
    /// The newest epoch handed out before.
    pub(crate) burnt: Epoch,
    pub(crate) sites: u16,
    pub(crate) tasks: usize,
    pub(crate) state: Updates,
    /// Nothing, but where counters are restored.
    pub(crate) applied: VectorClock,
    pub(crate) roll_backs: Vec<RollBack>,
}

/// A site.
#[derive(Clone)]
pub(crate) struct Node {
    fault: Fault,
    pub(crate) site: Site,
    pub(crate) beginning: Beginning,
    pub(crate) tasks: Vec<Task>,
    pub(crate) replica: AnyReplica,
    pub(crate) state: Updates,
    /// The checkpoints of this run that it knows to be complete, and where the lanes ended that each of them closed.
    completed: BTreeMap<Epoch, VectorClock>,
}

impl Node {
    pub(crate) fn new(fault: Fault, site: Site, beginning: &Beginning, now: Tick) -> Self {
        // A run that goes on with the counters of its base goes on in the base's next epoch, too.
        let before = match fault {
            Fault::CountersRestored => beginning.base.unwrap_or_default(),
            _ => beginning.burnt,
        };
        let names = (beginning.run, site, beginning.sites);
        let task = Task { epoch: Epoch(before.0 + 1), session: VectorClock::new() };
        Node {
            fault,
            site,
            beginning: beginning.clone(),
            tasks: vec![task; beginning.tasks],
            replica: AnyReplica::new(fault, names, before, beginning.applied.clone(), now),
            state: beginning.state.clone(),
            completed: BTreeMap::new(),
        }
    }

    /// The name of one of its tasks.
    pub(crate) fn subtask(&self, task: usize) -> SubtaskId {
        SubtaskId { vertex: VertexId(u32::from(self.site.0)), index: task as u32 }
    }

    /// A task reads.
    pub(crate) fn read(&mut self, task: usize) {
        let visible = self.replica.visible(self.tasks[task].epoch);
        self.tasks[task].session.merge(&visible);
    }

    /// Names the next update of a task, where the site may write.
    pub(crate) fn stamp(&mut self, now: Tick, task: usize) -> Option<Stamp> {
        let (epoch, writer) = (self.tasks[task].epoch, self.subtask(task));
        self.replica.stamp(now, epoch, writer)
    }

    /// A task writes, with all that it can see before it.
    pub(crate) fn write(
        &mut self,
        now: Tick,
        task: usize,
        stamp: Stamp,
        id: UpdateId,
    ) -> Vec<(Site, Message)> {
        self.state.insert(id);
        let messages = self.hear(now, ReplicaEvent::Wrote { stamp, delta: Delta(id) });
        self.read(task);
        messages
    }

    /// The replica hears something. Returns what it has to say to others.
    pub(crate) fn hear(&mut self, now: Tick, event: Message) -> Vec<(Site, Message)> {
        let mut messages = Vec::new();
        for effect in self.replica.on(now, event) {
            self.perform(effect, &mut messages);
        }
        messages
    }

    fn perform(&mut self, effect: Effect, messages: &mut Vec<(Site, Message)>) {
        let from = self.site;
        let others = (0..self.beginning.sites).map(Site).filter(|site| *site != from);
        match effect {
            ReplicaEffect::Broadcast(update) => {
                messages.extend(others.map(|to| (to, ReplicaEvent::Heard { from, update: update.clone() })));
            }
            ReplicaEffect::Gossip(gossip) => {
                messages.extend(others.map(|to| (to, ReplicaEvent::Gossip { from, gossip: gossip.clone() })));
            }
            ReplicaEffect::Pull { from: to, gap } => {
                messages.push((to, ReplicaEvent::Pulled { by: from, gap }));
            }
            ReplicaEffect::Answer { to, lane, updates } => {
                messages.push((to, ReplicaEvent::Answered { from, lane, updates }));
            }
            ReplicaEffect::Apply(update) => {
                self.state.insert(update.delta.0);
            }
            ReplicaEffect::Settle { epoch } => {
                self.tasks.iter_mut().for_each(|task| task.session.forget(epoch));
            }
            ReplicaEffect::Distrust { .. } => unreachable!("all clocks show the same"),
        }
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Tick) -> Vec<(Site, Message)> {
        self.hear(now, ReplicaEvent::Deadline { wall: wall(now) })
    }

    /// A task passes a barrier. The last one speaks for the site.
    pub(crate) fn pass(&mut self, now: Tick, task: usize, epoch: Epoch) -> (SharedCut, Vec<(Site, Message)>) {
        let session = self.tasks[task].session.clone();
        self.tasks[task].epoch = Epoch(epoch.0 + 1);
        if !self.tasks.iter().all(|task| task.epoch > epoch) {
            return (SharedCut { site: self.site, session, share: None }, Vec::new());
        }
        let messages = self.hear(now, ReplicaEvent::Passed { epoch });
        (SharedCut { site: self.site, session, share: Some(self.share(epoch)) }, messages)
    }

    fn share(&self, epoch: Epoch) -> SiteShare {
        let (finals, saved) = self.replica.closed(epoch);
        let mut deps = VectorClock::new();
        saved.iter().for_each(|update| deps.merge(&update.deps));
        let object = ObjectRef { path: String::new(), bytes: 0, hash: ContentHash([0; 32]) };
        let log = SharedLog { epoch, object, updates: saved.len() as u64 };
        SiteShare { finals, deps, base: None, logs: vec![log] }
    }

    /// Hears that a checkpoint is complete, and where the lanes ended that it closed. They come in their order.
    pub(crate) fn learn(&mut self, now: Tick, epoch: Epoch, finals: &VectorClock) -> Vec<(Site, Message)> {
        if self.completed.insert(epoch, finals.clone()).is_some() {
            return Vec::new();
        }
        self.hear(now, ReplicaEvent::Completed { epoch })
    }

    /// The newest checkpoint that it knows to be complete.
    pub(crate) fn known(&self) -> Option<Epoch> {
        self.completed.last_key_value().map(|(epoch, _)| *epoch).or(self.beginning.base)
    }

    /// The newest checkpoint of which all lanes have been applied.
    fn whole(&self) -> Option<Epoch> {
        if self.fault == Fault::CompletedTakenForApplied {
            return self.known();
        }
        let applied = self.completed.iter().take_while(|(_, finals)| self.replica.covers(finals));
        applied.last().map(|(epoch, _)| *epoch).or(self.beginning.base)
    }

    /// Where it stands when it is shown a token.
    pub(crate) fn place(&self) -> Place {
        let Beginning { lineage, run, ref roll_backs, .. } = self.beginning;
        let moved = |base: Option<Epoch>| match self.fault {
            Fault::BaseExclusive => base.map(|base| Epoch(base.0 - 1)),
            Fault::BaseTooFar => base.map(|base| Epoch(base.0 + 1)),
            _ => base,
        };
        let roll_backs: Vec<RollBack> =
            roll_backs.iter().map(|record| RollBack { base: moved(record.base), ..*record }).collect();
        let (base, completed) = (self.whole(), self.known());
        Place { lineage, run, base, completed, roll_backs: RollBacks::of(&roll_backs) }
    }

    /// Whether a question may be answered.
    pub(crate) fn meets(&self, needs: &Needs) -> bool {
        self.replica.covers(&needs.seen) && needs.checkpoint <= self.whole()
    }
}

//! One site of one run: its replica, its tasks, and where it stands when it is shown a token.
//!
//! The replica is the least that is one: it applies an update when it is the next one of its lane and all that it depends
//! on has been applied, and keeps it until then.

use std::collections::BTreeMap;

use watershed_core::causal::{Dot, Lane, VectorClock};
use watershed_core::checkpoint::{ContentHash, ObjectRef, RollBack, SharedCut, SharedLog, SiteShare};
use watershed_core::{Counter, Epoch, Lineage, Run, Site};
use watershed_protocol::causal::{Needs, Place, RollBacks};

use crate::fault::Fault;
use crate::history::{UpdateId, Updates};

/// An update under way.
#[derive(Clone)]
pub(crate) struct Update {
    pub(crate) id: UpdateId,
    pub(crate) dot: Dot,
    pub(crate) deps: VectorClock,
}

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
    pub(crate) applied: VectorClock,
    pub(crate) state: Updates,
    held: Vec<Update>,
    own: Vec<Update>,
    /// The checkpoints of this run that it knows to be complete, and where the lanes ended that each of them closed.
    completed: BTreeMap<Epoch, VectorClock>,
}

impl Node {
    pub(crate) fn new(fault: Fault, site: Site, tasks: usize, beginning: &Beginning) -> Self {
        let epoch = Epoch(beginning.base.map_or(0, |base| base.0) + 1);
        Node {
            fault,
            site,
            beginning: beginning.clone(),
            tasks: vec![Task { epoch, session: VectorClock::new() }; tasks],
            applied: beginning.applied.clone(),
            state: beginning.state.clone(),
            held: Vec::new(),
            own: Vec::new(),
            completed: BTreeMap::new(),
        }
    }

    /// The dot that the next update of a task gets.
    pub(crate) fn next(&self, task: usize) -> Dot {
        let lane = Lane { run: self.beginning.run, epoch: self.tasks[task].epoch, site: self.site };
        Dot { lane, counter: Counter(self.applied.get(lane).0 + 1) }
    }

    /// What a task can see of the run's updates.
    fn visible(&self, task: usize) -> VectorClock {
        match self.fault {
            Fault::NoFilter => self.applied.clone(),
            _ => self.applied.up_to(self.tasks[task].epoch),
        }
    }

    /// A task reads.
    pub(crate) fn read(&mut self, task: usize) {
        let visible = self.visible(task);
        self.tasks[task].session.merge(&visible);
    }

    /// A task writes: under the next dot, with all that it can see before it.
    pub(crate) fn write(&mut self, task: usize, id: UpdateId) -> Update {
        let update = Update { id, dot: self.next(task), deps: self.visible(task) };
        self.read(task);
        self.tasks[task].session.see(update.dot);
        self.apply(&update);
        self.own.push(update.clone());
        update
    }

    /// An update of another site comes in.
    pub(crate) fn hear(&mut self, update: Update) {
        if update.dot.lane.run != self.beginning.run && self.fault != Fault::OldRunsHeard {
            return;
        }
        self.held.push(update);
        while let Some(index) = self.held.iter().position(|update| self.is_ready(update)) {
            let update = self.held.swap_remove(index);
            self.apply(&update);
        }
    }

    fn is_ready(&self, Update { dot, deps, .. }: &Update) -> bool {
        dot.counter.0 == self.applied.get(dot.lane).0 + 1 && self.applied.covers(deps)
    }

    fn apply(&mut self, update: &Update) {
        self.applied.see(update.dot);
        self.state.insert(update.id);
    }

    /// A task passes a barrier. The last one speaks for the site.
    pub(crate) fn pass(&mut self, task: usize, epoch: Epoch) -> SharedCut {
        let session = self.tasks[task].session.clone();
        self.tasks[task].epoch = Epoch(epoch.0 + 1);
        let is_last = self.tasks.iter().all(|task| task.epoch > epoch);
        SharedCut { site: self.site, session, share: is_last.then(|| self.share(epoch)) }
    }

    fn share(&self, epoch: Epoch) -> SiteShare {
        let known = self.known();
        let closed = |update: &&Update| update.dot.lane.epoch <= epoch && Some(update.dot.lane.epoch) > known;
        let (mut finals, mut deps, mut updates) = (VectorClock::new(), VectorClock::new(), 0);
        for update in self.own.iter().filter(closed) {
            finals.see(update.dot);
            deps.merge(&update.deps);
            updates += 1;
        }
        let object = ObjectRef { path: String::new(), bytes: 0, hash: ContentHash([0; 32]) };
        SiteShare { finals, deps, base: None, logs: vec![SharedLog { epoch, object, updates }] }
    }

    /// Hears that a checkpoint is complete, and where the lanes ended that it closed.
    pub(crate) fn learn(&mut self, epoch: Epoch, finals: VectorClock) {
        self.completed.insert(epoch, finals);
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
        let applied = self.completed.iter().take_while(|(_, finals)| self.applied.covers(finals));
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
        self.applied.covers(&needs.seen) && needs.checkpoint <= self.whole()
    }
}

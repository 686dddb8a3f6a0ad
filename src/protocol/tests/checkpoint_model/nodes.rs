//! Drives the coordinators: performs their effects on the meta store, the manifests and the mail.

use std::collections::BTreeMap;
use std::sync::Arc;

use watershed_core::checkpoint::{Change, ContentHash, Guard, Manifest, ObjectRef, Pointer};
use watershed_core::{Epoch, Run};
use watershed_protocol::checkpoint::{
    Authority, Coordinator, CoordinatorEffect as Effect, CoordinatorEvent as Event, Failure, Over, Report,
    Swap, Swapped,
};
use watershed_protocol::{Machine, Tick};

use crate::fault::Fault;
use crate::job::{JOB, SINKS, SOURCE, config, position, roster, subtasks};
use crate::model::Model;
use crate::world::{Body, Cancel, Decision, Kind, Letter, Node, RunWorld, Slip, World};

/// What becomes of a swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    /// It is done or refused, and the answer comes.
    Answered,
    /// It is done or refused, and the answer is lost.
    AnswerLost,
    /// It is under way longer than its asker waits.
    Adrift,
}

impl Node {
    fn new(model: &Model) -> Node {
        let coordinator = Coordinator::new(JOB, roster(), config(model.patient));
        let (asked, cancel) = (Vec::new(), Cancel::No);
        Node { coordinator, asked, reading: false, read_first: None, cancel }
    }
}

pub(crate) fn points_to(pointer: &Pointer, manifest: &Manifest) -> bool {
    pointer.manifest.bytes == filed(manifest.epoch, manifest.run).bytes
}

/// Where a manifest lies: its length tells which one it is.
fn filed(epoch: Epoch, run: Run) -> ObjectRef {
    let bytes = epoch.0 << 32 | u64::from(run.0);
    ObjectRef { path: String::new(), bytes, hash: ContentHash([0; 32]) }
}

impl Model {
    /// Feeds an event to a coordinator and performs what it wants.
    pub(crate) fn tell(&self, world: &mut World, node: usize, event: Event) {
        let mut effects = Vec::new();
        let _ = world.nodes[node].coordinator.on(Tick(0), event, &mut effects);
        for effect in effects {
            self.perform(world, node, effect);
        }
    }

    fn perform(&self, world: &mut World, node: usize, effect: Effect) {
        match effect {
            Effect::Swap(swap) => world.nodes[node].asked.push(swap),
            Effect::ReadMeta => world.nodes[node].reading = true,
            Effect::LoadManifest(pointer) => {
                let found = world.manifests.values().find(|manifest| points_to(&pointer, manifest));
                let event = match found {
                    Some(manifest) => Event::Loaded((**manifest).clone()),
                    None => Event::LoadFailed(Failure { reason: "gone".to_owned(), permanent: true }),
                };
                self.tell(world, node, event);
            }
            Effect::Restore { authority, subtask, after, permit: _, part } => {
                let empty = RunWorld { authority, log: Vec::new(), workers: BTreeMap::new() };
                world.runs.entry(authority.run).or_insert(empty);
                let body = Body::Restore { after, part };
                world.send(authority.run, Kind::Restore, Epoch(0), subtask, body);
            }
            // A subtask that is not told to start does nothing, and none does much at first: no order is lost
            // from view by telling it at once.
            Effect::Start { authority, subtask } => self.start(world, authority, subtask),
            Effect::Trigger { authority, epoch, completed: _, intent: _, at } => {
                if *world.triggered.entry(epoch).or_insert(authority) != authority {
                    world.slip(Slip::EpochTwice);
                }
                for subtask in at {
                    world.send(authority.run, Kind::Trigger, epoch, subtask, Body::Nothing);
                }
            }
            Effect::AbortNote { authority, epoch } => {
                for sink in SINKS {
                    world.send(authority.run, Kind::AbortNote, epoch, sink, Body::Nothing);
                }
            }
            Effect::WriteManifest(manifest) => self.write(world, node, *manifest),
            Effect::Commit { authority, permit, subtask, xids } => {
                world.send(authority.run, Kind::Commit, permit.epoch(), subtask, Body::Xids(xids));
            }
            Effect::Forget { before } => world.forgotten = world.forgotten.max(before),
            Effect::EndRun { authority, reason: _, take_back_after } => {
                self.end_run(world, authority, take_back_after);
            }
            Effect::Report(Report::Violated(..)) => world.slip(Slip::NoCut),
            Effect::Report(Report::Over(Over::Failed { .. })) if world.slips.is_empty() => {
                world.slip(Slip::NoCut);
            }
            Effect::Report(Report::Over(Over::Cancelled { in_doubt })) => {
                world.nodes[node].cancel = Cancel::Done { in_doubt: in_doubt.is_some() };
            }
            Effect::Drain { .. } | Effect::Answer { .. } | Effect::Report(_) => {}
        }
    }

    fn write(&self, world: &mut World, node: usize, manifest: Manifest) {
        let (epoch, run) = (manifest.epoch, manifest.run);
        if self.fault == Some(Fault::CommitBeforeDecision) {
            for vote in manifest.votes.iter().filter(|vote| !vote.staged.is_empty()) {
                let xids = vote.staged.iter().map(|staged| staged.xid).collect();
                world.send(run, Kind::Commit, epoch, vote.subtask, Body::Xids(xids));
            }
        }
        world.manifests.insert((epoch, run), Arc::new(manifest));
        self.tell(world, node, Event::ManifestWritten { epoch, object: filed(epoch, run) });
    }

    fn end_run(&self, world: &mut World, authority: Authority, take_back_after: Option<Option<Epoch>>) {
        let mut after = take_back_after;
        if self.fault == Some(Fault::EndTakesBackInDoubt) && self.cancels {
            after = Some(world.meta.completed.as_ref().map(|pointer| pointer.epoch));
        }
        // Where nothing is to be taken back, a run that never hears of its end is the worse case.
        if after.is_some() {
            for sink in SINKS {
                world.send(authority.run, Kind::EndRun, Epoch(0), sink, Body::EndRun(after));
            }
        }
    }

    /// The meta store takes up a swap. Returns what it answers, if it answers.
    pub(crate) fn swap(&self, world: &mut World, node: usize, place: usize, fate: Fate) {
        let swap = world.nodes[node].asked.remove(place);
        let change = swap.change.clone();
        let result = match fate {
            Fate::Answered => {
                let answer = self.apply(world, &swap);
                self.distort(world, node, &change, answer)
            }
            Fate::AnswerLost | Fate::Adrift => {
                if let Change::Complete(pointer) = &change {
                    world.unknown = Some(pointer.epoch);
                }
                if fate == Fate::Adrift {
                    world.adrift.push(swap);
                } else {
                    self.apply(world, &swap);
                }
                self.unknown(world, &change)
            }
        };
        self.tell(world, node, Event::Swapped { change, result });
    }

    fn unknown(&self, world: &World, change: &Change) -> Swapped {
        match change {
            Change::Complete(pointer) if self.fault == Some(Fault::UnknownTakenForDone) => {
                let completed = Some(pointer.clone());
                Swapped::Done(watershed_core::checkpoint::Meta { completed, ..world.meta.clone() })
            }
            _ => Swapped::Unknown,
        }
    }

    /// Performs a swap if its guard holds.
    pub(crate) fn apply(&self, world: &mut World, swap: &Swap) -> Swapped {
        let newest = Guard::of(&world.meta);
        let mut guard = swap.guard;
        if self.fault == Some(Fault::UnguardedDecision) && matches!(swap.change, Change::Complete(_)) {
            guard = newest;
        }
        let Ok(mut next) = swap.change.apply(guard, &world.meta) else {
            return Swapped::Refused(world.meta.clone());
        };
        if let Change::Complete(pointer) = &swap.change {
            let filed = world.manifests.values().find(|manifest| points_to(pointer, manifest));
            let manifest = filed.expect("a manifest is durable before its decision").clone();
            let xids = manifest.votes.iter().flat_map(|vote| vote.staged.iter().map(|staged| staged.xid));
            let decision = Decision {
                epoch: pointer.epoch,
                run: manifest.run,
                position: position(&manifest.votes),
                xids: xids.collect(),
            };
            world.decisions.push(decision);
            if swap.guard != newest {
                world.slip(Slip::FormerDecision);
            }
        }
        if self.fault == Some(Fault::EpochsReused) && swap.change == Change::BeginRun {
            next.burnt = next.completed.as_ref().map_or(Epoch(0), |pointer| pointer.epoch);
        }
        world.meta = next;
        Swapped::Done(world.meta.clone())
    }

    /// Breaks rule R1', where that is the fault.
    fn distort(&self, world: &World, node: usize, change: &Change, answer: Swapped) -> Swapped {
        match (answer, change) {
            (Swapped::Done(mut meta), Change::BeginRun) if self.fault == Some(Fault::ReadBeforeFence) => {
                meta.completed.clone_from(&world.nodes[node].read_first);
                Swapped::Done(meta)
            }
            (answer, _) => answer,
        }
    }

    /// Whether the world still has room for what a swap begins.
    pub(crate) fn has_room(&self, world: &World, swap: &Swap) -> bool {
        match &swap.change {
            Change::BeginRun => world.meta.run.0 < self.runs,
            Change::Burn(up_to) => up_to.0 <= self.epochs,
            Change::Lead | Change::Fork { .. } | Change::Complete(_) | Change::Finish | Change::Agree(_) => {
                true
            }
        }
    }

    pub(crate) fn campaign(&self, world: &mut World, node: usize) {
        world.nodes[node].read_first.clone_from(&world.meta.completed);
        let meta = world.meta.clone();
        self.tell(world, node, Event::Campaign { meta, fork: None });
    }

    /// Tells a coordinator that a subtask of its run is lost. It is not: it lives on as a zombie.
    pub(crate) fn lose(&self, world: &mut World, node: usize, authority: Authority) {
        world.nodes[node].read_first.clone_from(&world.meta.completed);
        let failure = Failure { reason: "lost".to_owned(), permanent: false };
        self.tell(world, node, Event::Lost { authority, subtask: SOURCE, failure });
    }

    /// The first state: the first node reigns, and its first run has begun.
    pub(crate) fn first(&self) -> World {
        let mut world = World {
            meta: watershed_core::checkpoint::Meta::default(),
            manifests: BTreeMap::new(),
            nodes: (0..self.nodes).map(|_| Node::new(self)).collect(),
            adrift: Vec::new(),
            unknown: None,
            runs: BTreeMap::new(),
            mail: BTreeMap::new(),
            staged: Default::default(),
            xa: Default::default(),
            decisions: Vec::new(),
            triggered: BTreeMap::new(),
            forgotten: Epoch(0),
            slips: Vec::new(),
        };
        self.campaign(&mut world, 0);
        self.swap(&mut world, 0, 0, Fate::Answered);
        self.swap(&mut world, 0, 0, Fate::Answered);
        for subtask in subtasks() {
            let letter = Letter { run: Run(1), kind: Kind::Restore, epoch: Epoch(0), subtask };
            self.deliver(&mut world, letter);
        }
        world
    }
}

//! Everything there is in one state of the model: the production replicas, and what goes between them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use watershed_core::causal::{Dot, HybridTime, Lane};
use watershed_core::{Epoch, ProcessingTime, Run, Site, SubtaskId, VertexId};
use watershed_protocol::causal::{
    Gap, Gossip, Replica, ReplicaConfig, ReplicaEffect, ReplicaEvent, ReplicaLimits, Size, Update,
};
use watershed_protocol::{Machine, Outcome, Tick};

use crate::fault::Fault;
use crate::model::Model;

/// All happens at one time: whatever waits for time may happen at once or never.
const NOW: Tick = Tick(0);
const WALL: ProcessingTime = ProcessingTime::from_millis(0);

/// What an update changes is of no interest here, but for which of those with one name it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Delta(pub(crate) u8);

impl Size for Delta {
    fn bytes(&self) -> usize {
        1
    }
}

/// One state.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) places: Vec<Place>,
    /// All that was ever sent, to be delivered in any order, again and again, or never.
    pub(crate) mail: BTreeSet<Letter>,
    /// Every update that was made, as it was made.
    pub(crate) made: BTreeMap<Dot, Update<Delta>>,
    /// Every update that was made, as it was sent.
    pub(crate) sent: BTreeMap<Dot, Update<Delta>>,
    /// What went wrong in passing and leaves no other trace.
    pub(crate) slips: BTreeSet<Slip>,
}

/// One site.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) replica: Replica<Delta>,
    /// What has been joined into the table.
    pub(crate) table: BTreeSet<Dot>,
    /// The epoch of each task.
    pub(crate) tasks: Vec<Epoch>,
    pub(crate) writes: u8,
    pub(crate) spoken: u8,
    pub(crate) completed: Epoch,
    pub(crate) settled: Epoch,
    /// Whether it was begun anew within the run, which no site ever is.
    pub(crate) is_second_life: bool,
}

/// What is under way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Letter {
    pub(crate) from: Site,
    pub(crate) to: Site,
    pub(crate) body: Body,
}

/// Its content; updates by their names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Body {
    Update(Dot),
    Gossip(Gossip),
    Pull(Gap),
    Answer(Lane, Vec<Dot>),
}

/// What must never happen, seen by the driver when it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Slip {
    /// C1: two updates have one name.
    NameTwice,
    /// An update was joined twice at one site.
    JoinedTwice,
    /// An epoch was settled while a site lacked something of it.
    SettledEarly,
    /// A correct site was taken for a confused one.
    Mistrusted,
}

impl World {
    /// All sites know each other's clocks, and nothing has been written.
    pub(crate) fn first(model: &Model) -> World {
        let places = (0..model.sites).map(|site| Place::new(model, Site(site))).collect();
        let (made, sent) = (BTreeMap::new(), BTreeMap::new());
        let mut world = World { places, mail: BTreeSet::new(), made, sent, slips: BTreeSet::new() };
        for _ in 0..2 {
            world.gossip_round(model);
        }
        world
    }

    /// Everybody speaks, and everybody hears it, and what comes of it, till nothing new is sent.
    pub(crate) fn gossip_round(&mut self, model: &Model) {
        for site in 0..model.sites {
            self.feed(model, Site(site), ReplicaEvent::Deadline { wall: WALL });
        }
        while let Some(letter) = self.mail.pop_first() {
            self.deliver(model, &letter);
        }
    }

    pub(crate) fn deliver(&mut self, model: &Model, letter: &Letter) {
        let from = letter.from;
        let update = |dot: &Dot| self.sent[dot].clone();
        let event = match &letter.body {
            Body::Update(dot) => ReplicaEvent::Heard { from, update: update(dot) },
            Body::Gossip(gossip) => ReplicaEvent::Gossip { from, gossip: gossip.clone() },
            Body::Pull(gap) => ReplicaEvent::Pulled { by: from, gap: *gap },
            Body::Answer(lane, dots) => {
                ReplicaEvent::Answered { from, lane: *lane, updates: dots.iter().map(update).collect() }
            }
        };
        self.feed(model, letter.to, event);
    }

    /// A task writes.
    pub(crate) fn write(&mut self, model: &Model, site: Site, task: usize) {
        let place = self.place(site);
        place.writes += 1;
        let delta = Delta(place.writes + if place.is_second_life { 100 } else { 0 });
        let epoch = place.tasks[task];
        let writer = SubtaskId { vertex: VertexId(0), index: u32::try_from(task).expect("tasks are few") };
        let stamp = place.replica.stamp(NOW, WALL, epoch, writer).expect("nothing keeps it from writing");
        let is_new = place.table.insert(stamp.dot);
        assert!(is_new, "a site gives a name once in its life");
        self.feed(model, site, ReplicaEvent::Wrote { stamp, delta });
    }

    /// A task passes its next barrier.
    pub(crate) fn pass(&mut self, model: &Model, site: Site, task: usize) {
        let place = self.place(site);
        let before = place.all_passed();
        place.tasks[task].0 += 1;
        let epoch = place.all_passed();
        if epoch > before {
            self.feed(model, site, ReplicaEvent::Passed { epoch });
        }
    }

    /// A site hears that its next checkpoint is completed.
    pub(crate) fn complete(&mut self, model: &Model, site: Site) {
        let place = self.place(site);
        place.completed.0 += 1;
        let epoch = place.completed;
        self.feed(model, site, ReplicaEvent::Completed { epoch });
    }

    /// Whether all that was made is in all tables.
    pub(crate) fn is_whole(&self) -> bool {
        self.places.iter().all(|place| self.made.keys().all(|dot| place.table.contains(dot)))
    }

    pub(crate) fn feed(&mut self, model: &Model, site: Site, event: ReplicaEvent<Delta>) {
        let mut effects = Vec::new();
        let outcome = self.place(site).replica.on(NOW, event, &mut effects);
        if outcome == Outcome::Unexpected {
            self.slips.insert(Slip::Mistrusted);
        }
        for effect in effects {
            self.perform(model, site, effect);
        }
    }

    fn perform(&mut self, model: &Model, site: Site, effect: ReplicaEffect<Delta>) {
        match effect {
            ReplicaEffect::Broadcast(update) => {
                let dot = update.stamp.dot;
                let sent = model.distort(self.place(site), &update);
                if self.made.insert(dot, update).is_some() {
                    self.slips.insert(Slip::NameTwice);
                }
                self.sent.insert(dot, sent);
                self.send_to_all(site, &Body::Update(dot));
            }
            ReplicaEffect::Apply(update) => {
                if !self.place(site).table.insert(update.stamp.dot) {
                    self.slips.insert(Slip::JoinedTwice);
                }
            }
            ReplicaEffect::Gossip(gossip) => {
                if !model.old_gossip {
                    let is_other =
                        |letter: &Letter| letter.from != site || !matches!(letter.body, Body::Gossip(_));
                    self.mail.retain(is_other);
                }
                self.send_to_all(site, &Body::Gossip(gossip));
            }
            ReplicaEffect::Pull { from, gap } => self.send(site, from, Body::Pull(gap)),
            ReplicaEffect::Answer { to, lane, updates } => {
                let dots = updates.iter().map(|update| update.stamp.dot).collect();
                self.send(site, to, Body::Answer(lane, dots));
            }
            ReplicaEffect::Settle { epoch } => {
                self.place(site).settled = epoch;
                if !self.all_have(epoch) {
                    self.slips.insert(Slip::SettledEarly);
                }
            }
            ReplicaEffect::Distrust { .. } => {
                self.slips.insert(Slip::Mistrusted);
            }
        }
    }

    /// Whether every site has all there will ever be of the lanes up to an epoch.
    fn all_have(&self, epoch: Epoch) -> bool {
        let made = || self.made.keys().filter(|dot| dot.lane.epoch <= epoch);
        let has = |place: &Place| place.all_passed() >= epoch && made().all(|dot| place.table.contains(dot));
        self.places.iter().all(has)
    }

    fn send_to_all(&mut self, from: Site, body: &Body) {
        let sites = u16::try_from(self.places.len()).expect("sites are few");
        for to in (0..sites).map(Site).filter(|to| *to != from) {
            self.send(from, to, body.clone());
        }
    }

    fn send(&mut self, from: Site, to: Site, body: Body) {
        self.mail.insert(Letter { from, to, body });
    }

    fn place(&mut self, site: Site) -> &mut Place {
        &mut self.places[usize::from(site.0)]
    }
}

impl Place {
    pub(crate) fn new(model: &Model, own: Site) -> Place {
        let limits = ReplicaLimits {
            gossip_interval: Duration::ZERO,
            pull_retry: Duration::ZERO,
            piece_updates_max: 1,
            ..ReplicaLimits::default()
        };
        let (run, base, high_water) = (Run(1), Epoch(0), HybridTime::default());
        let config = ReplicaConfig { run, own, sites: model.sites, base, high_water, limits };
        Place {
            replica: Replica::new(config, NOW, WALL),
            table: BTreeSet::new(),
            tasks: vec![Epoch(1); model.tasks],
            writes: 0,
            spoken: 0,
            completed: base,
            settled: base,
            is_second_life: false,
        }
    }

    /// The last barrier that all its tasks have passed.
    pub(crate) fn all_passed(&self) -> Epoch {
        let slowest = self.tasks.iter().min().expect("a site has tasks");
        Epoch(slowest.0 - 1)
    }
}

impl Model {
    /// Breaks a rule about what updates say of their dependencies, where that is the fault.
    fn distort(&self, place: &Place, update: &Update<Delta>) -> Update<Delta> {
        let mut sent = update.clone();
        match self.fault {
            Some(Fault::NoDependencies) => sent.deps = Default::default(),
            Some(Fault::ForgottenEarly) => sent.deps.forget(place.completed),
            Some(Fault::CountersRestored) | None => {}
        }
        sent
    }
}

//! What a node keeps shared state with: the real replica, or the least that one can be, in which rules can be broken.

use watershed_core::causal::{Dot, HybridTime, Lane, VectorClock};
use watershed_core::shared::Stamp;
use watershed_core::{Counter, Epoch, ProcessingTime, Run, Site, SubtaskId};
use watershed_protocol::causal::{
    Replica, ReplicaConfig, ReplicaEffect, ReplicaEvent, ReplicaLimits, Size, Update,
};
use watershed_protocol::{Machine as _, Tick};

use crate::fault::Fault;
use crate::history::UpdateId;

/// What an update changes: it adds itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Delta(pub(crate) UpdateId);

impl Size for Delta {
    fn bytes(&self) -> usize {
        size_of::<Self>()
    }
}

pub(crate) type Message = ReplicaEvent<Delta>;
pub(crate) type Effect = ReplicaEffect<Delta>;

/// What all wall clocks of the simulation show.
pub(crate) fn wall(now: Tick) -> ProcessingTime {
    ProcessingTime::from_millis(now.0.cast_signed())
}

/// One of two replicas.
#[derive(Clone)]
pub(crate) enum AnyReplica {
    Real(Box<Replica<Delta>>),
    Least(Least),
}

impl AnyReplica {
    /// A replica of a run that begins with its first epoch behind `before`. `applied` is nothing, but where a fault wants
    /// it so; only the least replica can do that.
    pub(crate) fn new(
        fault: Fault,
        (run, own, sites): (Run, Site, u16),
        before: Epoch,
        applied: VectorClock,
        now: Tick,
    ) -> Self {
        if fault.is_of_replica() {
            return AnyReplica::Least(Least { fault, run, own, applied, ..Least::default() });
        }
        let (limits, high_water) = (ReplicaLimits::default(), HybridTime::default());
        let config = ReplicaConfig { run, own, sites, base: before, high_water, limits };
        AnyReplica::Real(Box::new(Replica::new(config, now, wall(now))))
    }

    /// Names the next update of a task, where the site may write.
    pub(crate) fn stamp(&mut self, now: Tick, epoch: Epoch, writer: SubtaskId) -> Option<Stamp> {
        match self {
            AnyReplica::Real(replica) => replica.stamp(now, wall(now), epoch, writer).ok(),
            AnyReplica::Least(least) => {
                Some(Stamp { dot: least.next(epoch), time: HybridTime::default(), writer })
            }
        }
    }

    /// Hears something.
    pub(crate) fn on(&mut self, now: Tick, event: Message) -> Vec<Effect> {
        let mut effects = Vec::new();
        match self {
            // The network brings anything to anybody, so nothing is unexpected.
            AnyReplica::Real(replica) => drop(replica.on(now, event, &mut effects)),
            AnyReplica::Least(least) => least.on(event, &mut effects),
        }
        effects
    }

    /// What has been applied, in lanes that not all sites are known to have whole.
    pub(crate) fn applied(&self) -> &VectorClock {
        match self {
            AnyReplica::Real(replica) => replica.applied().clock(),
            AnyReplica::Least(least) => &least.applied,
        }
    }

    /// Whether all of this has been applied.
    pub(crate) fn covers(&self, clock: &VectorClock) -> bool {
        match self {
            // Covering alone would not do: to a replica, whatever its run began behind is settled, of whichever run.
            AnyReplica::Real(replica) => replica.is_plausible(clock) && replica.applied().covers(clock),
            AnyReplica::Least(least) => least.applied.covers(clock),
        }
    }

    /// What a task of this epoch can see of the run's updates.
    pub(crate) fn visible(&self, epoch: Epoch) -> VectorClock {
        match self {
            AnyReplica::Real(replica) => replica.applied().up_to(epoch),
            AnyReplica::Least(least) => least.visible(epoch),
        }
    }

    /// Where the site's lanes up to an epoch end, and the updates of theirs that have to be saved.
    pub(crate) fn closed(&self, epoch: Epoch) -> (VectorClock, Vec<&Update<Delta>>) {
        match self {
            AnyReplica::Real(replica) => {
                (replica.finals(epoch).into_iter().collect(), replica.own_log(epoch).collect())
            }
            AnyReplica::Least(least) => {
                let own = least.made.iter().filter(|update| {
                    let lane = update.stamp.dot.lane;
                    lane.epoch > least.completed && lane.epoch <= epoch
                });
                let own: Vec<&Update<Delta>> = own.collect();
                (own.iter().map(|update| update.stamp.dot).collect(), own)
            }
        }
    }
}

/// Applies an update when it is the next one of its lane and all that it depends on has been applied, and keeps it until
/// then. Nothing brings back what is lost on the way.
#[derive(Clone, Default)]
pub(crate) struct Least {
    fault: Fault,
    run: Run,
    own: Site,
    applied: VectorClock,
    held: Vec<Update<Delta>>,
    made: Vec<Update<Delta>>,
    completed: Epoch,
}

impl Least {
    fn next(&self, epoch: Epoch) -> Dot {
        let lane = Lane { run: self.run, epoch, site: self.own };
        Dot { lane, counter: Counter(self.applied.get(lane).0 + 1) }
    }

    fn visible(&self, epoch: Epoch) -> VectorClock {
        if self.fault == Fault::NoFilter { self.applied.clone() } else { self.applied.up_to(epoch) }
    }

    fn on(&mut self, event: Message, effects: &mut Vec<Effect>) {
        match event {
            ReplicaEvent::Wrote { stamp, delta } => {
                let update = Update { stamp, deps: self.visible(stamp.dot.lane.epoch), delta };
                self.applied.see(stamp.dot);
                self.made.push(update.clone());
                effects.push(ReplicaEffect::Broadcast(update));
            }
            ReplicaEvent::Heard { from: _, update } => self.heard(update, effects),
            ReplicaEvent::Completed { epoch } => self.completed = epoch,
            ReplicaEvent::Gossip { .. }
            | ReplicaEvent::Pulled { .. }
            | ReplicaEvent::Answered { .. }
            | ReplicaEvent::Passed { .. }
            | ReplicaEvent::Deadline { .. } => {}
        }
    }

    fn heard(&mut self, update: Update<Delta>, effects: &mut Vec<Effect>) {
        if update.stamp.dot.lane.run != self.run && self.fault != Fault::OldRunsHeard {
            return;
        }
        self.held.push(update);
        while let Some(index) = self.held.iter().position(|update| self.is_ready(update)) {
            let update = self.held.swap_remove(index);
            self.applied.see(update.stamp.dot);
            effects.push(ReplicaEffect::Apply(update));
        }
    }

    fn is_ready(&self, update: &Update<Delta>) -> bool {
        let dot = update.stamp.dot;
        dot.counter.0 == self.applied.get(dot.lane).0 + 1 && self.applied.covers(&update.deps)
    }
}

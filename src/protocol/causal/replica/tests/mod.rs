//! Single behaviours of a replica against literal effects.

mod bad_input;
mod causes;
mod limits;
mod lost;
mod settling;
mod skew;
mod writing;

use std::time::Duration;

use watershed_core::causal::{Dot, HybridTime, Lane};
use watershed_core::shared::Stamp;
use watershed_core::{Counter, Epoch, ProcessingTime, Site, SubtaskId, VertexId};

use super::{Gap, Gossip, Replica, ReplicaConfig, ReplicaEffect, ReplicaEvent, ReplicaLimits};
use crate::causal::names::{RUN, clock, dot, lane};
use crate::causal::{ClockOffset, Update};
use crate::{Machine, Outcome, Tick};

type Event = ReplicaEvent<Vec<u8>>;
type Effect = ReplicaEffect<Vec<u8>>;

const WRITER: SubtaskId = SubtaskId { vertex: VertexId(0), index: 0 };
const NOON: ProcessingTime = ProcessingTime::from_millis(1_000_000);

/// Small limits, so that they are met.
fn limits() -> ReplicaLimits {
    ReplicaLimits {
        gossip_interval: Duration::from_millis(1000),
        pull_retry: Duration::from_millis(2000),
        pulls_max: 2,
        piece_updates_max: 2,
        held_updates_max: 3,
        log_updates_max: 10,
        epochs_max: 3,
        ..ReplicaLimits::default()
    }
}

fn config(own: u16, sites: u16) -> ReplicaConfig {
    let high_water = HybridTime::default();
    ReplicaConfig { run: RUN, own: Site(own), sites, base: Epoch(0), high_water, limits: limits() }
}

/// Site 0 of so many, which has heard from all others: its own and their wall clocks show noon at the tick 0. It has
/// spoken, and will at 1000 again.
fn replica(sites: u16) -> Replica<Vec<u8>> {
    let mut replica = Replica::new(config(0, sites), Tick(0), NOON);
    for from in 1..sites {
        fed(&mut replica, 0, gossip(from, &[], 0, 0));
    }
    if sites > 1 {
        fed(&mut replica, 0, Event::Deadline { wall: NOON });
    }
    replica
}

/// Feeds an event that must be applied, and returns its effects.
fn fed(replica: &mut Replica<Vec<u8>>, now: u64, event: Event) -> Vec<Effect> {
    let mut effects = Vec::new();
    assert_eq!(replica.on(Tick(now), event.clone(), &mut effects), Outcome::Applied, "{event:?}");
    effects
}

/// Feeds an event that must change nothing, and returns its outcome.
fn refused(replica: &mut Replica<Vec<u8>>, event: Event) -> Outcome {
    let (before, mut effects) = (replica.clone(), Vec::new());
    let outcome = replica.on(Tick(1), event.clone(), &mut effects);
    assert_eq!((&effects, &*replica), (&vec![], &before), "{event:?}");
    outcome
}

/// Has a task of an epoch write, and returns the update.
fn written(replica: &mut Replica<Vec<u8>>, epoch: u64) -> Update<Vec<u8>> {
    let stamp = replica.stamp(Tick(0), NOON, Epoch(epoch), WRITER).unwrap();
    let mut effects = fed(replica, 0, Event::Wrote { stamp, delta: vec![9] });
    match effects.pop() {
        Some(ReplicaEffect::Broadcast(update)) => update,
        other => panic!("a write is broadcast: {other:?}"),
    }
}

/// An update of another site.
fn update(epoch: u64, site: u16, counter: u64, deps: &[(u64, u16, u64)]) -> Update<Vec<u8>> {
    let stamp = Stamp { dot: dot(epoch, site, counter), time: HybridTime::at(1_000_000), writer: WRITER };
    Update { stamp, deps: clock(deps), delta: vec![1] }
}

/// An update is heard from its own site.
fn heard(update: &Update<Vec<u8>>) -> Event {
    ReplicaEvent::Heard { from: update.stamp.dot.lane.site, update: update.clone() }
}

fn gossip(from: u16, applied: &[(u64, u16, u64)], closed: u64, settled: u64) -> Event {
    let clocks = vec![(Site(0), ClockOffset(NOON.as_millis()))];
    let (closed, settled) = (Epoch(closed), Epoch(settled));
    let gossip = Gossip { run: RUN, sent: Tick(0), applied: clock(applied), closed, settled, clocks };
    ReplicaEvent::Gossip { from: Site(from), gossip }
}

fn pull(from: u16, lane: Lane, after: u64, up_to: u64) -> Effect {
    ReplicaEffect::Pull { from: Site(from), gap: gap(lane, after, up_to) }
}

fn gap(lane: Lane, after: u64, up_to: u64) -> Gap {
    Gap { lane, after: Counter(after), up_to: Counter(up_to) }
}

fn passed(epoch: u64) -> Event {
    ReplicaEvent::Passed { epoch: Epoch(epoch) }
}

fn completed(epoch: u64) -> Event {
    ReplicaEvent::Completed { epoch: Epoch(epoch) }
}

fn applied(replica: &Replica<Vec<u8>>) -> Vec<Dot> {
    replica.applied().clock().dots().collect()
}

fn apply(update: &Update<Vec<u8>>) -> Effect {
    ReplicaEffect::Apply(update.clone())
}

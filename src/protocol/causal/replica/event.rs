//! What a replica hears.

use serde::{Deserialize, Serialize};
use watershed_core::causal::{Lane, VectorClock};
use watershed_core::shared::Stamp;
use watershed_core::{Counter, Epoch, ProcessingTime, Run, Site};

use crate::Tick;
use crate::causal::{ClockOffset, Update};

/// What a [`Replica`](super::Replica) hears.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReplicaEvent<D> {
    /// A local task has turned an update into a delta. Fed under the same lock under which the stamp was asked for.
    Wrote {
        /// From [`Replica::stamp`](super::Replica::stamp). A stamp that is not used is lost without harm.
        stamp: Stamp,
        /// What the update changes.
        delta: D,
    },
    /// A peer has broadcast an update of its own.
    Heard {
        /// The peer.
        from: Site,
        /// The update.
        update: Update<D>,
    },
    /// A peer tells how far it is.
    Gossip {
        /// The peer.
        from: Site,
        /// What it tells.
        gossip: Gossip,
    },
    /// A peer wants updates that it lacks.
    Pulled {
        /// The peer.
        by: Site,
        /// Which.
        gap: Gap,
    },
    /// A peer answers a pull.
    Answered {
        /// The peer.
        from: Site,
        /// The lane that was asked for.
        lane: Lane,
        /// Some of the updates that were asked for, in order.
        updates: Vec<Update<D>>,
    },
    /// The last local task has passed the barrier of this epoch.
    Passed {
        /// The epoch.
        epoch: Epoch,
    },
    /// The checkpoint of this epoch is decided. Every site is told of the same ones.
    Completed {
        /// The epoch.
        epoch: Epoch,
    },
    /// The time of [`Machine::deadline`](crate::Machine::deadline) has come.
    Deadline {
        /// What the wall clock shows.
        wall: ProcessingTime,
    },
}

/// How far a site is. All it says is said again each time, so that any one may be lost, and of any two the later one
/// stands for both.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Gossip {
    /// The sender's run.
    pub run: Run,
    /// When it was sent, in the sender's protocol time.
    pub sent: Tick,
    /// What the sender has applied in the lanes that are not settled.
    pub applied: VectorClock,
    /// The sender's lanes up to this epoch are closed: `applied` has the last counter of each.
    pub closed: Epoch,
    /// The sender knows that all sites have applied all lanes up to this epoch.
    pub settled: Epoch,
    /// What the sender's wall clock shows at the protocol time 0 of each site that it has heard from, at most.
    pub clocks: Vec<(Site, ClockOffset)>,
}

/// Updates that somebody lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Gap {
    /// Their lane.
    pub lane: Lane,
    /// The last update before them.
    pub after: Counter,
    /// The last of them.
    pub up_to: Counter,
}

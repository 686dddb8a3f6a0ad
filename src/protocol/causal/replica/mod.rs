//! One site's copy of shared state: which updates it applies, keeps, asks for and forgets.
//!
//! ```text
//!    stamp, Wrote ----> applied ----> Broadcast            Heard -----> ready? --yes--> Apply, and what it releases
//!                          |                                              | no
//!                          v                                              v
//!                         log <---- Pulled: Answer                       held  (no room: dropped, to be pulled)
//!
//!    every second and behind each barrier:   Gossip {applied, closed, settled} to all
//!    a lane that stands still though a peer has more of it:   Pull from its site, then from the others in turn
//!
//!    one epoch:   open --Passed--> closed here --Gossip--> closed on all sites -----+
//!                                             all have applied all of its lanes ----+--> Settle, forgotten
//!                                                                      Completed ---+
//! ```
//!
//! The promises, with the names under which the models check them:
//!
//! - C1: a dot names one update. Only its own site gives it, and counters of a run are never restored.
//! - C3: what is applied is causally closed and has no gap in any lane, at every moment.
//! - C5: sites that have applied the same have applied the same updates, each once.
//! - C9: no clock has more lanes than there are sites times open epochs.
//!
//! **No state is ever transferred within a run.** Its sites are those that it began with; each begins from the same base
//! and hears every update of the run; and a log is cut off only behind what all have applied (or, of another site's
//! lane, where that site still has it). A site that is lost ends the run, and the next one begins from a later base.
//!
//! **Closed lanes.** When the last task of a site has passed the barrier of an epoch, its lanes up to there get no further
//! update, and its next gossip says so. What it says it has applied of its *own* lanes is then what there will ever be of
//! them. There is no message for the closing alone: gossip is repeated until all know, so nothing has to be resent.
//!
//! **Settled epochs.** SUBTLE: a lane is not forgotten when it has been applied here, but when this site knows that all
//! have applied it. From then on no clock names it: not the dependencies of updates, nor the frames of tasks. Were it left
//! out sooner, a site that lags behind would take an update whose dependencies it lacks. A peer that has not learned this
//! may still name the lane; everybody has it, so it is covered. And a peer that has missed the closing of some lane need
//! not hear of it: `settled` in the gossip of any other site says that all is applied, by this peer too.
//!
//! **Limits.** A site refuses its own updates ([`StampError::Full`]) when too many are not saved or not applied everywhere.
//! SUBTLE: from this follows how far a counter that somebody names can lie ahead of what is applied here, since the site
//! that gives it keeps all in between: no further than its log is long. What lies beyond is believed of nobody, so that no
//! counter of 2^64 - 1 ever comes into a clock. The driver asks [`Replica::is_plausible`] for the clocks of frames.
//!
//! After: Lamport, *Time, Clocks, and the Ordering of Events* (1978); Birman, Schiper, Stephenson, *Lightweight Causal
//! and Atomic Group Multicast* (1991); Demers et al., *Epidemic Algorithms for Replicated Database Maintenance* (1987);
//! Akkoorath et al., *Cure* (2016), for one entry for each site instead of each key.

mod belief;
mod config;
mod effect;
mod event;
mod gossip;
mod held;
mod lag;
mod log;
mod peers;
mod pulls;
mod settling;
mod taking;
#[cfg(test)]
mod tests;
mod writing;

use std::collections::BTreeSet;

use watershed_core::causal::HybridTime;
use watershed_core::{Epoch, ProcessingTime};

pub use config::{ReplicaConfig, ReplicaLimits};
pub use effect::ReplicaEffect;
pub use event::{Gap, Gossip, ReplicaEvent};
pub use lag::Lag;
pub use log::Tally;
pub use writing::StampError;

use self::held::Held;
use self::log::OpLog;
use self::peers::Peers;
use self::pulls::Pulls;
use super::{Applied, Clocks, HybridClock, Size};
use crate::{Machine, Outcome, Tick};

/// Keeps one site's shared state up with that of the others, for one run.
///
/// # For a driver
///
/// One lock is around the replica and the table. A local write asks for a stamp, makes the delta with it, joins the delta
/// into the table and feeds [`ReplicaEvent::Wrote`], all under the lock. Everything else is an event; effects are
/// performed in their order under the same lock, or at least `Apply` and `Settle` are.
///
/// A task that writes may do so once [`Replica::is_ready`]; a batch of a task that uses shared state is worked on once
/// its session may work with [`Replica::applied`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replica<D> {
    config: ReplicaConfig,
    applied: Applied,
    hybrid: HybridClock,
    clocks: Clocks,
    log: OpLog<D>,
    held: Held<D>,
    peers: Peers,
    pulls: Pulls,
    /// The last barrier that all local tasks have passed.
    passed: Epoch,
    /// The newest completed checkpoint.
    completed: Epoch,
    /// Completed checkpoints that are not settled.
    unsettled: BTreeSet<Epoch>,
    gossip_at: Tick,
}

impl<D: Clone + Size> Replica<D> {
    /// A replica at the beginning of a run: it has applied nothing but the base.
    ///
    /// # Panics
    /// When the site is none of the run's.
    pub fn new(config: ReplicaConfig, now: Tick, wall: ProcessingTime) -> Self {
        let ReplicaConfig { own, sites, base, high_water, .. } = config;
        assert!(own.0 < sites, "a replica is on a site of its run");
        Replica {
            config,
            applied: Applied::new(base),
            hybrid: HybridClock::restore(high_water),
            clocks: Clocks::new(own, sites, high_water, now, wall),
            log: OpLog::new(own),
            held: Held::new(),
            peers: Peers::new(own, sites, base),
            pulls: Pulls::new(),
            passed: base,
            completed: base,
            unsettled: BTreeSet::new(),
            gossip_at: now,
        }
    }

    /// What has been applied.
    pub const fn applied(&self) -> &Applied {
        &self.applied
    }

    /// The latest time that was given or seen, for the checkpoint.
    pub const fn high_water(&self) -> HybridTime {
        self.hybrid.high_water()
    }
}

impl<D: Clone + Size> Machine for Replica<D> {
    type Event = ReplicaEvent<D>;
    type Effect = ReplicaEffect<D>;

    fn on(&mut self, now: Tick, event: ReplicaEvent<D>, effects: &mut Vec<ReplicaEffect<D>>) -> Outcome {
        match event {
            ReplicaEvent::Wrote { stamp, delta } => self.wrote(stamp, delta, effects),
            ReplicaEvent::Heard { from, update } => self.heard(now, from, update, effects),
            ReplicaEvent::Gossip { from, gossip } => self.hear_gossip(now, from, &gossip, effects),
            ReplicaEvent::Pulled { by, gap } => self.pulled(by, gap, effects),
            ReplicaEvent::Answered { from, lane, updates } => {
                self.answered(now, from, lane, updates, effects)
            }
            ReplicaEvent::Passed { epoch } => self.passed(now, epoch, effects),
            ReplicaEvent::Completed { epoch } => self.completed(epoch, effects),
            ReplicaEvent::Deadline { wall } => self.round(now, wall, effects),
        }
    }

    /// When the others are next told how far this site is: at once after a peer was heard for the first time, so that
    /// all soon know each other's clocks.
    fn deadline(&self) -> Option<Tick> {
        (!self.peers.is_empty()).then_some(self.gossip_at)
    }
}

//! What the local tasks write, and what of it a checkpoint saves.

use std::time::Duration;

use watershed_core::causal::{Dot, Lane};
use watershed_core::shared::Stamp;
use watershed_core::{Counter, Epoch, ProcessingTime, SubtaskId};

use super::{Replica, ReplicaEffect};
use crate::causal::{Size, Update};
use crate::{Outcome, Tick};

/// Why a site may not write now. There is no update then, on any site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StampError {
    /// The site's wall clock is ahead of most others.
    #[error("the clock of this node is {} ms ahead of most others, and {} are allowed: set the clocks of the nodes",
        ahead.as_millis(), max.as_millis())]
    ClockSkew {
        /// By how much, at least.
        ahead: Duration,
        /// How much is allowed.
        max: Duration,
    },
    /// The clocks of most other sites are not known yet. Ask again after their first gossip.
    #[error("the clocks of most other nodes are not known yet")]
    NotReady,
    /// Too many of the site's updates are not saved by a checkpoint or not applied everywhere. Whoever waits for room
    /// must not be a task that has to pass a barrier first: end the run, or refuse the update.
    #[error("this node keeps {updates} updates of {bytes} bytes that are not saved or not known everywhere")]
    Full {
        /// How many there are.
        updates: usize,
        /// How many bytes they take.
        bytes: usize,
    },
}

impl<D: Clone + Size> Replica<D> {
    /// Whether enough is known of the others' clocks for [`Replica::stamp`] not to say [`StampError::NotReady`].
    pub fn is_ready(&self) -> bool {
        self.clocks.is_ready()
    }

    /// Names the update that a task of this epoch is about to make. The next event is `Wrote` with this stamp, or the
    /// stamp is not used.
    ///
    /// # Errors
    ///
    /// When the site may not write; nothing has changed then.
    ///
    /// # Panics
    ///
    /// When the epoch's lane is closed: a task writes before it passes the barrier.
    pub fn stamp(
        &mut self,
        now: Tick,
        wall: ProcessingTime,
        epoch: Epoch,
        writer: SubtaskId,
    ) -> Result<Stamp, StampError> {
        assert!(epoch > self.passed, "a closed lane gets no update");
        if !self.is_ready() {
            return Err(StampError::NotReady);
        }
        self.clocks.read(now, wall);
        let ahead = self.clocks.lead(now, self.config.own, self.hybrid.next(wall));
        let max = self.config.limits.skew_max;
        if ahead > max {
            return Err(StampError::ClockSkew { ahead, max });
        }
        let dot = self.next_dot(epoch);
        let tally = self.log.own_tally();
        let limits = &self.config.limits;
        let is_full = tally.updates >= limits.log_updates_max || tally.bytes >= limits.log_bytes_max;
        if is_full || self.opens_too_many(dot.lane, limits.epochs_max) {
            return Err(StampError::Full { updates: tally.updates, bytes: tally.bytes });
        }
        Ok(Stamp { dot, time: self.hybrid.now(wall), writer })
    }

    /// The site's own updates up to an epoch that no completed checkpoint has saved: what its vote has to save. An update
    /// may be saved twice, where the site has not heard of the checkpoint before.
    pub fn own_log(&self, up_to: Epoch) -> impl Iterator<Item = &Update<D>> {
        assert!(up_to <= self.passed, "a checkpoint saves closed lanes");
        self.log.own_between(self.completed, up_to)
    }

    /// The last update of each of the lanes of [`Replica::own_log`] that has any.
    pub fn finals(&self, up_to: Epoch) -> Vec<Dot> {
        assert!(up_to <= self.passed, "a checkpoint saves closed lanes");
        let own = self.config.own;
        let saved_now = |lane: Lane| lane.site == own && lane.epoch > self.completed && lane.epoch <= up_to;
        self.applied.clock().dots().filter(|dot| saved_now(dot.lane)).collect()
    }

    pub(super) fn wrote(&mut self, stamp: Stamp, delta: D, effects: &mut Vec<ReplicaEffect<D>>) -> Outcome {
        let epoch = stamp.dot.lane.epoch;
        assert!(epoch > self.passed, "a closed lane gets no update");
        assert_eq!(stamp.dot, self.next_dot(epoch), "a stamp is used at once or not at all");
        let update = Update { stamp, deps: self.applied.up_to(epoch), delta };
        self.applied.see(stamp.dot);
        if !self.peers.is_empty() {
            effects.push(ReplicaEffect::Broadcast(update.clone()));
        }
        self.log.keep(update, &self.config.limits);
        Outcome::Applied
    }

    fn next_dot(&self, epoch: Epoch) -> Dot {
        let lane = Lane { run: self.config.run, epoch, site: self.config.own };
        Dot { lane, counter: Counter(self.applied.clock().get(lane).0 + 1) }
    }
}

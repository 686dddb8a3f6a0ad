//! How much of the run's updates a site has applied.

use watershed_core::Epoch;
use watershed_core::causal::{Dot, VectorClock};

/// All that a site has applied: the lanes up to the settled epoch whole, and of each later lane the updates up to its
/// counter in the clock. Causally closed at every moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Applied {
    settled: Epoch,
    clock: VectorClock,
}

impl Applied {
    /// What the base of a run holds: all up to the newest epoch handed out before it.
    pub const fn new(base: Epoch) -> Self {
        Applied { settled: base, clock: VectorClock::new() }
    }

    /// The epoch up to which every site has applied all lanes. They are named in no clock any more.
    pub const fn settled(&self) -> Epoch {
        self.settled
    }

    /// The newest update applied in each lane that is not settled.
    pub const fn clock(&self) -> &VectorClock {
        &self.clock
    }

    /// Whether an update has been applied.
    pub fn has(&self, dot: Dot) -> bool {
        dot.lane.epoch <= self.settled || self.clock.has_seen(dot)
    }

    /// Whether all that somebody has seen has been applied.
    pub fn covers(&self, clock: &VectorClock) -> bool {
        self.first_missing(clock).is_none()
    }

    /// The first update that somebody has seen and that has not been applied.
    pub fn first_missing(&self, clock: &VectorClock) -> Option<Dot> {
        clock.dots().find(|dot| !self.has(*dot))
    }

    /// What a task of this epoch can see of it.
    pub fn up_to(&self, epoch: Epoch) -> VectorClock {
        self.clock.up_to(epoch)
    }

    pub(super) fn see(&mut self, dot: Dot) {
        debug_assert!(!self.has(dot), "an update is applied once");
        self.clock.see(dot);
    }

    pub(super) fn settle(&mut self, epoch: Epoch) {
        self.settled = epoch;
        self.clock.forget(epoch);
    }
}

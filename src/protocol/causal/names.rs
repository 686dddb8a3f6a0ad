//! Short names for lanes, dots and clocks, for the tests of this module.

use watershed_core::causal::{Dot, Lane, VectorClock};
use watershed_core::{Counter, Epoch, Run, Site};

/// The run of all these tests.
pub(crate) const RUN: Run = Run(7);

pub(crate) fn lane(epoch: u64, site: u16) -> Lane {
    Lane { run: RUN, epoch: Epoch(epoch), site: Site(site) }
}

pub(crate) fn dot(epoch: u64, site: u16, counter: u64) -> Dot {
    Dot { lane: lane(epoch, site), counter: Counter(counter) }
}

pub(crate) fn clock(dots: &[(u64, u16, u64)]) -> VectorClock {
    dots.iter().map(|&(epoch, site, counter)| dot(epoch, site, counter)).collect()
}

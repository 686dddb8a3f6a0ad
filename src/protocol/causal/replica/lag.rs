//! How far behind a replica and its peers are, for metrics.

use watershed_core::Site;

use super::{Replica, Tally};
use crate::causal::Size;

/// How much a replica holds, and how far the others are behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Updates that wait for what they depend on.
    pub held: Tally,
    /// How many such updates were dropped for want of room.
    pub dropped: u64,
    /// The site's own updates that are not saved or not known everywhere.
    pub own_log: Tally,
    /// Updates of other sites that are kept for those that may lack them.
    pub others_log: Tally,
    /// How many lanes the clock names.
    pub lanes: usize,
    /// How many of the updates applied here each peer has not applied, as far as is known.
    pub behind: Vec<(Site, u64)>,
}

impl<D: Clone + Size> Replica<D> {
    /// How much is held here, and how far the others are behind.
    pub fn lag(&self) -> Lag {
        let behind = self.peers.iter().map(|(site, peer)| {
            let lacks =
                |dot: watershed_core::causal::Dot| dot.counter.0.saturating_sub(peer.applied(dot.lane).0);
            (site, self.applied.clock().dots().map(lacks).sum())
        });
        Lag {
            held: self.held.tally(),
            dropped: self.held.dropped(),
            own_log: self.log.own_tally(),
            others_log: self.log.others_tally(),
            lanes: self.applied.clock().len(),
            behind: behind.collect(),
        }
    }
}

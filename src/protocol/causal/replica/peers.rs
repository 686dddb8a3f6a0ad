//! What the other sites have told of themselves.

use std::collections::BTreeMap;

use watershed_core::causal::{Dot, Lane, VectorClock};
use watershed_core::{Counter, Epoch, Site};

use super::Gossip;

/// How far one peer is, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Peer {
    /// What it has applied in the lanes that are not settled.
    pub(super) applied: VectorClock,
    /// Its lanes up to this epoch are closed.
    pub(super) closed: Epoch,
    /// It knows that all sites have applied all up to here.
    pub(super) settled: Epoch,
}

impl Peer {
    /// How much of a lane it has applied.
    pub(super) fn applied(&self, lane: Lane) -> Counter {
        if lane.epoch <= self.settled { Counter(u64::MAX) } else { self.applied.get(lane) }
    }

    fn covers(&self, clock: &VectorClock) -> bool {
        clock.dots().all(|dot| dot.counter <= self.applied(dot.lane))
    }
}

/// All other sites of the run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Peers(BTreeMap<Site, Peer>);

impl Peers {
    /// Nobody has spoken yet.
    pub(super) fn new(own: Site, sites: u16, base: Epoch) -> Self {
        let silent = Peer { applied: VectorClock::new(), closed: base, settled: base };
        Peers((0..sites).map(Site).filter(|site| *site != own).map(|site| (site, silent.clone())).collect())
    }

    pub(super) fn get(&self, site: Site) -> Option<&Peer> {
        self.0.get(&site)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Site, &Peer)> {
        self.0.iter().map(|(&site, peer)| (site, peer))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes in what a peer tells, but for lanes up to `settled`. Whether it was news.
    pub(super) fn learn(&mut self, from: Site, gossip: &Gossip, settled: Epoch) -> bool {
        let peer = self.0.get_mut(&from).expect("only sites of the run are heard");
        let before = peer.clone();
        peer.applied.merge(&gossip.applied);
        peer.closed = peer.closed.max(gossip.closed);
        peer.settled = peer.settled.max(gossip.settled);
        peer.applied.forget(settled.max(peer.settled));
        *peer != before
    }

    /// The last counter of each lane up to an epoch that is closed, or as far as its site has told.
    pub(super) fn finals(&self, up_to: Epoch) -> impl Iterator<Item = Dot> {
        let of_own = |(&site, peer): (&Site, &Peer)| {
            peer.applied.dots().filter(move |dot| dot.lane.site == site).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(of_own).filter(move |dot| dot.lane.epoch <= up_to)
    }

    /// Whether all have closed their lanes up to an epoch and have applied what is said.
    pub(super) fn all_have(&self, epoch: Epoch, finals: &VectorClock) -> bool {
        self.0.values().all(|peer| peer.closed >= epoch && peer.covers(finals))
    }

    /// Whether anybody knows that an epoch is settled.
    pub(super) fn any_settled(&self, epoch: Epoch) -> bool {
        self.0.values().any(|peer| peer.settled >= epoch)
    }

    /// How much of a lane all of them have applied.
    pub(super) fn applied_by_all(&self, lane: Lane) -> Counter {
        self.0.values().map(|peer| peer.applied(lane)).min().unwrap_or(Counter(u64::MAX))
    }

    pub(super) fn settle(&mut self, epoch: Epoch) {
        self.0.values_mut().for_each(|peer| peer.applied.forget(epoch));
    }
}

//! What a replica wants done.

use std::time::Duration;

use watershed_core::causal::Lane;
use watershed_core::{Epoch, Site};

use super::{Gap, Gossip};
use crate::causal::Update;

/// What a [`Replica`](super::Replica) wants done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReplicaEffect<D> {
    /// Send a local update to all other sites. The local table has joined it when it was stamped.
    Broadcast(Update<D>),
    /// Join an update of another site into the local table. All that it depends on has been joined before.
    Apply(Update<D>),
    /// Tell all other sites.
    Gossip(Gossip),
    /// Ask a site for updates.
    Pull {
        /// The site.
        from: Site,
        /// Which updates.
        gap: Gap,
    },
    /// Answer a pull.
    Answer {
        /// Who asked.
        to: Site,
        /// The lane that was asked for.
        lane: Lane,
        /// Some of what was asked for, from its beginning.
        updates: Vec<Update<D>>,
    },
    /// No site will ever hear anything of the lanes up to this epoch again: sessions forget them and the table settles
    /// them. Epochs rise.
    Settle {
        /// A completed checkpoint.
        epoch: Epoch,
    },
    /// The clock of a site is ahead, and an update of it was not applied: its lane is stuck here, so end the run.
    Distrust {
        /// The site.
        site: Site,
        /// By how much it is ahead of most others, at least.
        ahead: Duration,
    },
}

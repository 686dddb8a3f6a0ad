//! Stamps for updates of shared state, as a site would give them.

use crate::causal::{Dot, HybridTime, Lane};
use crate::shared::Stamp;
use crate::{Counter, Epoch, Run, Site, SubtaskId, VertexId};

/// Gives the stamps of one site's updates: for tests and examples of resolvers.
///
/// ```
/// use watershed_core::testing::Stamps;
///
/// let mut stamps = Stamps::of(2);
/// assert_eq!(stamps.at(70).dot.to_string(), "update 1 of site 2 in epoch 1 of run 1");
/// stamps.pass_barrier();
/// assert_eq!(stamps.at(80).dot.to_string(), "update 1 of site 2 in epoch 2 of run 1");
/// ```
#[derive(Clone, Debug)]
pub struct Stamps {
    newest: Dot,
    writer: SubtaskId,
}

impl Stamps {
    /// The stamps of a site in the first epoch of the first run. Its one subtask has the number of the site.
    pub fn of(site: u16) -> Self {
        let lane = Lane { run: Run(1), epoch: Epoch(1), site: Site(site) };
        let writer = SubtaskId { vertex: VertexId(0), index: site.into() };
        Stamps { newest: Dot { lane, counter: Counter(0) }, writer }
    }

    /// The stamp of the site's next update, made at a time in milliseconds.
    pub fn at(&mut self, millis: u64) -> Stamp {
        self.newest.counter.0 += 1;
        Stamp { dot: self.newest, time: HybridTime::at(millis), writer: self.writer }
    }

    /// Goes on in the next epoch, with a lane of its own.
    pub fn pass_barrier(&mut self) {
        self.newest.lane.epoch.0 += 1;
        self.newest.counter = Counter(0);
    }
}

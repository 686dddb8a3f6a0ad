//! Updates on their way: each says only what it depends on beyond the one before it.
//!
//! ```text
//!   in memory:  {1:7, 2:9} u8    {1:8, 2:9} u9    {1:9, 2:11} u10       all lanes of each update
//!   as told:    Full(1:7, 2:9)   Delta(1:8)       Delta(1:9, 2:11)      what is new, by a ClockWriter
//! ```
//!
//! A site's updates depend on nearly the same, and the name of a lane takes more bytes than most of what is updated. The
//! technique is that of a channel ([`ClockWriter`]), but a bundle is whole in itself: it needs nothing of those before
//! it, so any of them may be lost.

use serde::{Deserialize, Serialize};
use watershed_core::causal::VectorClock;
use watershed_core::shared::Stamp;
use watershed_core::{Epoch, Run};

use super::{ClockError, ClockReader, ClockWriter, FrameClock, Update};

/// The most updates of a bundle. Dependencies take more room when they are read than on their way, so that it is
/// this that bounds the room.
pub const BUNDLE_UPDATES_MAX: usize = 4096;

/// Some updates of one run, in the order in which they were told.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Bundle<D>(Vec<(Stamp, FrameClock, D)>);

/// Why a bundle is not taken. Whoever sent it is not to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// It has too many updates.
    #[error("a bundle has {found} updates, and {BUNDLE_UPDATES_MAX} are taken")]
    TooMany {
        /// How many it has.
        found: usize,
    },
    /// What an update depends on cannot be.
    #[error("an update depends on what cannot be: {0}")]
    Clock(#[from] ClockError),
}

impl<D> Bundle<D> {
    /// Packs some updates.
    ///
    /// # Panics
    ///
    /// Where there are more than [`BUNDLE_UPDATES_MAX`].
    pub fn pack(updates: Vec<Update<D>>) -> Self {
        assert!(updates.len() <= BUNDLE_UPDATES_MAX, "nobody would take {} updates", updates.len());
        let lanes = updates.iter().flat_map(|update| update.deps.dots().map(|dot| dot.lane.epoch.0));
        let base = Epoch(lanes.min().map_or(0, |least| least.saturating_sub(1)));
        let (mut writer, mut last) = (ClockWriter::new(), VectorClock::new());
        let packed = updates.into_iter().map(|Update { stamp, deps, delta }| {
            // Tasks of one site may be an epoch apart: the later one's updates depend on more than the earlier one's.
            if !deps.covers(&last) {
                writer = ClockWriter::new();
            }
            let clock = writer.stamp(&deps, base);
            last = deps;
            (stamp, clock, delta)
        });
        Bundle(packed.collect())
    }

    /// The updates, of a run with so many sites; none may depend on more than `lanes_max` lanes.
    ///
    /// # Errors
    ///
    /// Where no correct site has packed it.
    pub fn unpack(self, run: Run, sites: u16, lanes_max: usize) -> Result<Vec<Update<D>>, BundleError> {
        if self.0.len() > BUNDLE_UPDATES_MAX {
            return Err(BundleError::TooMany { found: self.0.len() });
        }
        let mut reader = ClockReader::new(run, sites, lanes_max);
        let unpacked = self.0.into_iter().map(|(stamp, clock, delta)| {
            let deps = reader.read(&clock)?.clone();
            Ok(Update { stamp, deps, delta })
        });
        unpacked.collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use watershed_core::causal::{Dot, HybridTime, Lane};
    use watershed_core::{Counter, Site, SubtaskId, VertexId};

    use super::*;

    const RUN: Run = Run(4);

    fn dot((epoch, site, counter): (u64, u16, u64)) -> Dot {
        Dot { lane: Lane { run: RUN, epoch: Epoch(epoch), site: Site(site) }, counter: Counter(counter) }
    }

    fn update(own: (u64, u16, u64), deps: &[(u64, u16, u64)]) -> Update<Vec<u8>> {
        let writer = SubtaskId { vertex: VertexId(1), index: 2 };
        let stamp = Stamp { dot: dot(own), time: HybridTime(own.2), writer };
        Update { stamp, deps: deps.iter().copied().map(dot).collect(), delta: vec![own.2 as u8] }
    }

    fn bytes(bundle: &Bundle<Vec<u8>>) -> usize {
        rmp_serde::to_vec(bundle).unwrap().len()
    }

    #[test]
    fn what_the_one_before_depends_on_is_not_said_again() {
        let lanes: Vec<_> = (0..9).map(|site| (1_000, site, 100_000)).collect();
        let some = |count: u64| {
            let made = (1..=count).map(|counter| {
                let mut deps = lanes.clone();
                deps[0].2 += counter - 1;
                update((1_001, 0, 100_000 + counter), &deps)
            });
            Bundle::pack(made.collect())
        };
        let each = (bytes(&some(101)) - bytes(&some(1))) / 100;
        assert!(each < 50, "each update takes {each} bytes beside what all depend on");
        let whole = rmp_serde::to_vec(&some(101).unpack(RUN, 9, 9).unwrap()).unwrap().len() / 101;
        assert!(whole > 120, "and {whole} with it");
    }

    #[test]
    fn an_earlier_epoch_does_not_take_over_what_a_later_one_depends_on() {
        let updates = vec![update((2, 0, 1), &[(1, 0, 3), (2, 1, 1)]), update((1, 0, 4), &[(1, 0, 3)])];
        assert_eq!(Bundle::pack(updates.clone()).unpack(RUN, 2, 8), Ok(updates));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let bundle = Bundle::pack(vec![update((2, 0, 1), &[(1, 0, 3), (2, 1, 1)])]);
        assert_eq!(
            bundle.clone().unpack(RUN, 1, 8),
            Err(BundleError::Clock(ClockError::NoLane { site: Site(1), offset: 2 }))
        );
        assert_eq!(
            bundle.unpack(RUN, 2, 1),
            Err(BundleError::Clock(ClockError::TooMany { found: 2, max: 1 }))
        );
        let one = Bundle::pack(vec![update((2, 0, 1), &[])]).0.remove(0);
        let many = Bundle(vec![one; BUNDLE_UPDATES_MAX + 1]);
        assert_eq!(many.unpack(RUN, 2, 1), Err(BundleError::TooMany { found: BUNDLE_UPDATES_MAX + 1 }));
    }

    proptest! {
        #[test]
        fn what_was_packed_is_there_again(
            made in proptest::collection::vec(
                ((1_u64..6, 0_u16..3, 1_u64..300), proptest::collection::vec((1_u64..6, 0_u16..3, 1_u64..300), 0..8)),
                0..40,
            )
        ) {
            let updates: Vec<_> = made.iter().map(|(own, deps)| update(*own, deps)).collect();
            let written = rmp_serde::to_vec(&Bundle::pack(updates.clone())).unwrap();
            let read: Bundle<Vec<u8>> = rmp_serde::from_slice(&written).unwrap();
            prop_assert_eq!(read.unpack(RUN, 3, 15), Ok(updates));
        }
    }
}

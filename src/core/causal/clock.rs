//! How much of each lane somebody has seen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Dot, Lane};
use crate::{Counter, Epoch};

/// How much of each lane somebody has seen: all updates up to these counters. A lane that is not named has not been
/// seen at all, or lies below the checkpoint that both sides know.
///
/// Serialized as an array of pairs, so that any reader of MessagePack can take it apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<(Lane, Counter)>", into = "Vec<(Lane, Counter)>")]
pub struct VectorClock(BTreeMap<Lane, Counter>);

impl VectorClock {
    /// Nothing was seen.
    pub const fn new() -> Self {
        VectorClock(BTreeMap::new())
    }

    /// How much of a lane was seen.
    pub fn get(&self, lane: Lane) -> Counter {
        self.0.get(&lane).copied().unwrap_or_default()
    }

    /// Takes note that an update, and all before it in its lane, was seen.
    pub fn see(&mut self, Dot { lane, counter }: Dot) {
        if counter > Counter(0) {
            let seen = self.0.entry(lane).or_default();
            *seen = counter.max(*seen);
        }
    }

    /// Takes note of all that somebody else has seen.
    pub fn merge(&mut self, other: &VectorClock) {
        for dot in other.dots() {
            self.see(dot);
        }
    }

    /// Whether an update was seen.
    pub fn has_seen(&self, dot: Dot) -> bool {
        dot.counter <= self.get(dot.lane)
    }

    /// Whether all was seen that `other` has seen.
    pub fn covers(&self, other: &VectorClock) -> bool {
        other.0.len() <= self.0.len() && other.dots().all(|dot| self.has_seen(dot))
    }

    /// The newest update seen of each lane, in the order of the lanes.
    pub fn dots(&self) -> impl Iterator<Item = Dot> + '_ {
        self.0.iter().map(|(&lane, &counter)| Dot { lane, counter })
    }

    /// The first update seen of those that `other` has not seen, in the order of the lanes.
    pub fn first_beyond(&self, other: &VectorClock) -> Option<Dot> {
        self.dots().find(|dot| !other.has_seen(*dot))
    }

    /// What is left in the lanes of an epoch and of those before it.
    #[must_use]
    pub fn up_to(&self, epoch: Epoch) -> VectorClock {
        self.dots().filter(|dot| dot.lane.epoch <= epoch).collect()
    }

    /// Forgets the lanes of an epoch and of those before it: a checkpoint stands for them.
    pub fn forget(&mut self, epoch: Epoch) {
        self.0.retain(|lane, _| lane.epoch > epoch);
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many lanes are named.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl FromIterator<Dot> for VectorClock {
    fn from_iter<I: IntoIterator<Item = Dot>>(dots: I) -> Self {
        let mut clock = VectorClock::new();
        dots.into_iter().for_each(|dot| clock.see(dot));
        clock
    }
}

impl From<Vec<(Lane, Counter)>> for VectorClock {
    fn from(entries: Vec<(Lane, Counter)>) -> Self {
        entries.into_iter().map(|(lane, counter)| Dot { lane, counter }).collect()
    }
}

impl From<VectorClock> for Vec<(Lane, Counter)> {
    fn from(clock: VectorClock) -> Self {
        clock.0.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Run, Site};

    fn dot(epoch: u64, site: u16, counter: u64) -> Dot {
        Dot { lane: Lane { run: Run(1), epoch: Epoch(epoch), site: Site(site) }, counter: Counter(counter) }
    }

    #[test]
    fn a_clock_covers_what_it_has_seen_and_nothing_else() {
        let one: VectorClock = [dot(1, 0, 3), dot(1, 1, 1)].into_iter().collect();
        let other: VectorClock = [dot(1, 0, 2), dot(2, 0, 1)].into_iter().collect();
        assert!(one.covers(&VectorClock::new()) && one.covers(&one));
        assert!(!one.covers(&other) && !other.covers(&one));
        assert_eq!(other.first_beyond(&one), Some(dot(2, 0, 1)));
        let mut both = one.clone();
        both.merge(&other);
        assert!(both.covers(&one) && both.covers(&other));
        assert_eq!(both.dots().collect::<Vec<_>>(), [dot(1, 0, 3), dot(1, 1, 1), dot(2, 0, 1)]);
    }

    #[test]
    fn lanes_go_with_their_epochs() {
        let clock: VectorClock = [dot(1, 0, 3), dot(2, 1, 1), dot(3, 0, 9)].into_iter().collect();
        assert_eq!(clock.up_to(Epoch(2)), [dot(1, 0, 3), dot(2, 1, 1)].into_iter().collect());
        let mut later = clock;
        later.forget(Epoch(2));
        assert_eq!(later, [dot(3, 0, 9)].into_iter().collect());
    }

    #[test]
    fn an_update_that_is_none_is_not_kept() {
        assert!([dot(1, 0, 0)].into_iter().collect::<VectorClock>().is_empty());
    }

    #[test]
    fn any_reader_of_message_pack_can_take_it_apart() {
        let clock: VectorClock = [dot(2, 1, 5)].into_iter().collect();
        let bytes = rmp_serde::to_vec(&clock).unwrap();
        assert_eq!(bytes, [0x91, 0x92, 0x93, 1, 2, 1, 5]);
        assert_eq!(rmp_serde::from_slice::<VectorClock>(&bytes).unwrap(), clock);
    }
}

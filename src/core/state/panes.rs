//! Accumulators by span of time first and by key second.
//!
//! A window that fires drains one map, no timer exists for a key, and a batch whose records lie close in
//! time looks its pane up once. Sliding windows share panes: a pane is a slice of time, not a window.

use std::ops::RangeInclusive;

use crate::state::look::{self, Gathering};
use crate::state::{Glance, KeyedMap, LookError, Looked, Saving, Sections, State, StateError};
use crate::{Data, EventTime, Key, KeyGroup, KeyGroups};

/// The panes of a subtask: for each slice of time, named by its start, a map from keys to accumulators.
#[derive(Clone, Debug)]
pub struct Panes<K, A> {
    /// Sorted by start. Few: those between the watermark and the newest record.
    open: Vec<(EventTime, KeyedMap<K, A>)>,
    /// Where the last look-up was answered; the next one mostly asks for the same.
    last: usize,
    /// The times that the pane at `last` takes without a look-up, first and last; none where reversed.
    reach: (EventTime, EventTime),
    /// Emptied maps, kept for their room.
    spare: Vec<KeyedMap<K, A>>,
}

/// A reach that holds no time.
const NOWHERE: (EventTime, EventTime) = (EventTime::MAX, EventTime::MIN);

/// How many emptied maps are kept for their room.
const SPARE_MAX: usize = 2;

impl<K, A> Default for Panes<K, A> {
    fn default() -> Self {
        Panes { open: Vec::new(), last: 0, reach: NOWHERE, spare: Vec::new() }
    }
}

impl<K: Key, A> Panes<K, A> {
    /// The pane that was [turned to](Panes::turn_to) last, where `time` is within the reach given there.
    ///
    /// This is what a window asks for each record: two comparisons while time stays in one slice.
    #[inline(always)]
    pub fn current(&mut self, time: EventTime) -> Option<&mut KeyedMap<K, A>> {
        if self.reach.0 <= time && time <= self.reach.1 { Some(&mut self.open[self.last].1) } else { None }
    }

    /// As [`Panes::current`], with the times for which it is the current one, first and last.
    #[inline(always)]
    pub fn current_with_reach(
        &mut self,
        time: EventTime,
    ) -> Option<(RangeInclusive<EventTime>, &mut KeyedMap<K, A>)> {
        let (first, last) = self.reach;
        self.current(time).map(|pane| (first..=last, pane))
    }

    /// Makes the pane of the slice from `start` to `last` the [current](Panes::current) one for all times
    /// of the slice, until any pane is opened or taken out, or another is asked for.
    pub fn turn_to(&mut self, start: EventTime, last: EventTime) -> &mut KeyedMap<K, A> {
        self.find(start);
        self.reach = (start, last);
        &mut self.open[self.last].1
    }

    /// Lets no pane be the [current](Panes::current) one: its slice takes no more records unseen.
    pub fn leave(&mut self) {
        self.reach = NOWHERE;
    }

    /// The pane of the slice that begins at `start`, opened on demand.
    #[inline]
    pub fn pane(&mut self, start: EventTime) -> &mut KeyedMap<K, A> {
        match self.open.get(self.last) {
            Some(pane) if pane.0 == start => {}
            _ => self.find(start),
        }
        &mut self.open[self.last].1
    }

    fn find(&mut self, start: EventTime) {
        self.reach = NOWHERE;
        self.last = self.open.binary_search_by_key(&start, |pane| pane.0).unwrap_or_else(|place| {
            self.open.insert(place, (start, self.spare.pop().unwrap_or_default()));
            place
        });
    }

    /// The pane of the slice that begins at `start`, if it is open.
    pub fn get(&self, start: EventTime) -> Option<&KeyedMap<K, A>> {
        let place = self.open.binary_search_by_key(&start, |pane| pane.0).ok()?;
        Some(&self.open[place].1)
    }

    /// The pane of the slice that begins at `start`, if it is open, to be changed.
    pub fn get_mut(&mut self, start: EventTime) -> Option<&mut KeyedMap<K, A>> {
        let place = self.open.binary_search_by_key(&start, |pane| pane.0).ok()?;
        Some(&mut self.open[place].1)
    }

    /// The start of the earliest open slice.
    pub fn first(&self) -> Option<EventTime> {
        self.open.first().map(|pane| pane.0)
    }

    /// The start of the latest open slice.
    pub fn latest(&self) -> Option<EventTime> {
        self.open.last().map(|pane| pane.0)
    }

    /// The open slices with their panes, earliest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (EventTime, &KeyedMap<K, A>)> {
        self.open.iter().map(|(start, pane)| (*start, pane))
    }

    /// The open slices that begin at `from` or later, but before `until`, with their panes; earliest first.
    pub fn between(
        &self,
        from: EventTime,
        until: EventTime,
    ) -> impl DoubleEndedIterator<Item = (EventTime, &KeyedMap<K, A>)> {
        let first = self.open.partition_point(|pane| pane.0 < from);
        let end = self.open.partition_point(|pane| pane.0 < until).max(first);
        self.open[first..end].iter().map(|(start, pane)| (*start, pane))
    }

    /// Takes the earliest pane out.
    pub fn pop_first(&mut self) -> Option<(EventTime, KeyedMap<K, A>)> {
        self.reach = NOWHERE;
        if self.open.is_empty() { None } else { Some(self.open.remove(0)) }
    }

    /// Gives the room of a pane back that was taken out; what it still holds is dropped.
    pub fn recycle(&mut self, mut pane: KeyedMap<K, A>) {
        if self.spare.len() < SPARE_MAX {
            pane.clear();
            self.spare.push(pane);
        }
    }

    /// How many slices are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether no slice is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

/// Each pane is a part of its own, named by its start in milliseconds: one that is not there any more is gone.
impl<K: Key, A: Data> State for Panes<K, A> {
    fn save(&mut self, saving: &mut Saving) {
        for (start, pane) in &mut self.open {
            pane.save(saving.part(&start.as_millis().to_string()));
        }
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        for (name, part) in sections.parts() {
            let start = name.parse().map_err(|_| StateError::part(name, "the start of a pane"))?;
            self.pane(EventTime::from_millis(start)).load(part)?;
        }
        Ok(())
    }

    fn group_of(key: &[u8], groups: KeyGroups) -> Option<Result<KeyGroup, LookError>> {
        Some(look::group_of::<K>(key, groups))
    }

    /// A map from the starts of the open slices, in milliseconds, to what they have of the key.
    fn look(&mut self, glance: Glance<'_>) -> Looked {
        glance.whole()?;
        let (key, mut gathering): (K, _) = (glance.key()?, Gathering::new());
        for (start, pane) in &self.open {
            let Some(kept) = pane.get(&key) else { continue };
            let has_room = gathering.add(|bytes| {
                look::put(bytes, &start.as_millis());
                look::put(bytes, kept);
            });
            if !has_room {
                break;
            }
        }
        gathering.done(look::map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyGroups;
    use crate::state::{Layer, LayerKind};

    fn at(millis: i64) -> EventTime {
        EventTime::from_millis(millis)
    }

    #[test]
    fn panes_come_out_in_the_order_of_time() {
        let mut panes = Panes::<u8, u32>::default();
        for start in [20, 0, 10, 20, 0] {
            *panes.pane(at(start)).get_or_insert_with(1, || 0) += 1;
        }
        let out: Vec<_> = std::iter::from_fn(|| panes.pop_first())
            .map(|(start, pane)| (start.as_millis(), pane.get(&1).copied()))
            .collect();
        assert_eq!(out, [(0, Some(2)), (10, Some(1)), (20, Some(2))]);
    }

    #[test]
    fn the_current_pane_is_left_when_panes_come_and_go() {
        let mut panes = Panes::<u8, u32>::default();
        assert!(panes.current(at(12)).is_none());
        panes.turn_to(at(10), at(19)).insert(1, 7);
        let found = [9, 10, 19, 20].map(|time| panes.current(at(time)).is_some());
        assert_eq!(found, [false, true, true, false]);
        panes.pane(at(0));
        assert!(panes.current(at(12)).is_none());
        assert_eq!(panes.turn_to(at(10), at(19)).get(&1), Some(&7));
        panes.pop_first();
        assert!(panes.current(at(12)).is_none());
    }

    #[test]
    fn panes_are_found_by_a_stretch_of_time() {
        let mut panes = Panes::<u8, u32>::default();
        for start in [0, 10, 20, 30] {
            panes.pane(at(start)).insert(1, 1);
        }
        let between = |from, until| -> Vec<i64> {
            panes.between(at(from), at(until)).map(|(start, _)| start.as_millis()).collect()
        };
        assert_eq!(between(10, 30), [10, 20]);
        assert_eq!(between(11, 31), [20, 30]);
        assert!(between(30, 10).is_empty());
    }

    #[test]
    fn a_saved_pane_comes_back_whole() {
        let mut panes = Panes::<u64, u64>::default();
        for key in 0..100 {
            panes.pane(at(key as i64 / 10)).insert(key, key + 1);
        }
        let mut saving = Saving::new(KeyGroups::default(), LayerKind::Full);
        panes.save(&mut saving);
        let saved = saving.encode();
        let mut back = Panes::<u64, u64>::default();
        back.load(&saved).unwrap();
        let flat = |panes: &Panes<u64, u64>| {
            let mut all: Vec<_> = panes
                .iter()
                .flat_map(|(start, pane)| pane.iter().map(move |(k, a)| (start, *k, *a)))
                .collect();
            all.sort_unstable();
            all
        };
        assert_eq!(flat(&back), flat(&panes));
    }

    #[test]
    fn panes_that_came_went_and_changed_are_laid_over_each_other() {
        let save = |panes: &mut Panes<u64, u64>, kind| {
            let mut saving = Saving::new(KeyGroups::default(), kind);
            panes.save(&mut saving);
            Layer::of([("stage".to_owned(), saving.encode())].into())
        };
        let mut panes = Panes::default();
        for key in 0..1000 {
            panes.pane(at(10)).insert(key, key);
            panes.pane(at(20)).insert(key, key);
        }
        let mut layers = vec![save(&mut panes, LayerKind::Full)];
        panes.pop_first();
        panes.pane(at(20)).insert(7, 70);
        panes.pane(at(20)).remove(&8);
        panes.pane(at(30)).insert(1, 1);
        layers.push(save(&mut panes, LayerKind::Changes));
        panes.pane(at(10)).insert(2, 2);
        layers.push(save(&mut panes, LayerKind::Changes));
        assert_eq!(
            layers.iter().map(|layer| layer.kind).collect::<Vec<_>>(),
            [LayerKind::Full, LayerKind::Changes, LayerKind::Changes]
        );
        let settled = Layer::settled(layers);
        let mut back = Panes::<u64, u64>::default();
        back.load(&settled["stage"]).unwrap();
        let starts: Vec<_> = back.iter().map(|(start, pane)| (start.as_millis(), pane.len())).collect();
        assert_eq!(starts, [(10, 1), (20, 999), (30, 1)]);
        assert_eq!(back.get(at(20)).and_then(|pane| pane.get(&7)), Some(&70));
        // Where no pane is left that was saved before, all begins anew.
        while panes.pop_first().is_some() {}
        panes.pane(at(40)).insert(1, 1);
        assert_eq!(save(&mut panes, LayerKind::Changes).kind, LayerKind::Full);
    }
}

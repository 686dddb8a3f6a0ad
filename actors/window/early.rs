//! Which windows have changed since their results were last said, and when to say them next.

use watershed_core::state::{KeyedMap, Panes, Saving, Sections, State};
use watershed_core::{EventTime, Key, ProcessingTime, StateError, Watermark};

use super::Every;

/// The windows that wait for an early result.
pub(super) struct Early<K> {
    /// For each open window, by its start: how many records a key has had since it last said a result.
    changed: Panes<K, u64>,
    /// When the wall clock calls.
    due: Option<ProcessingTime>,
    /// The beat of event time up to which results have been said.
    beat: EventTime,
}

impl<K> Default for Early<K> {
    fn default() -> Self {
        Early { changed: Panes::default(), due: None, beat: EventTime::MIN }
    }
}

impl<K: Key> Early<K> {
    /// Notes a record of a key's window; whether its result is to be said at once.
    pub(super) fn note(&mut self, every: Every, key: &K, start: EventTime, now: ProcessingTime) -> bool {
        let records = self.changed.pane(start).get_or_insert_ref(key, || 0);
        *records += 1;
        if every.count().is_some_and(|count| *records >= count) {
            *records = 0;
            return true;
        }
        self.due = self.due.or_else(|| every.beat(now));
        false
    }

    /// When the wall clock calls for results.
    pub(super) fn due(&self) -> Option<ProcessingTime> {
        self.due
    }

    /// Whether the watermark calls for results.
    pub(super) fn is_due(&self, every: Every, watermark: Watermark) -> bool {
        every.last_beat(watermark).is_some_and(|beat| beat > self.beat)
    }

    /// Takes out a window that has changed, by its start, with its keys.
    pub(super) fn pop(&mut self) -> Option<(EventTime, KeyedMap<K, u64>)> {
        self.changed.pop_first()
    }

    /// Notes that all has been said for now.
    pub(super) fn said(&mut self, every: Every, watermark: Watermark) {
        self.due = None;
        self.beat = every.last_beat(watermark).map_or(self.beat, |beat| beat.max(self.beat));
    }

    /// Drops the windows that begin at or before `start`: they are closed.
    pub(super) fn close(&mut self, start: EventTime) {
        while self.changed.first().is_some_and(|first| first <= start) {
            self.changed.pop_first();
        }
    }
}

impl<K: Key> State for Early<K> {
    fn save(&mut self, saving: &mut Saving) {
        self.changed.save(saving.part("changed"));
        saving.part("due").put_whole(self.due);
        saving.part("beat").put_whole(self.beat);
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        self.changed.load(sections.get("changed"))?;
        let due: Result<Vec<Option<ProcessingTime>>, _> = sections.get("due").whole().collect();
        self.due = due?.into_iter().flatten().min();
        let beats: Result<Vec<EventTime>, _> = sections.get("beat").whole().collect();
        self.beat = beats?.into_iter().min().unwrap_or(EventTime::MIN);
        Ok(())
    }
}

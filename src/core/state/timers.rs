//! Wishes of keys to be called when time has come.

use std::collections::BTreeSet;
use std::hash::Hash;

use crate::key::KeyHashBuilder;
use crate::state::deal::{by_group, put_changes};
use crate::state::{Changed, LayerKind, Saving, Sections, State, StateError};
use crate::{Data, EventTime, Key, ProcessingTime, Watermark};

/// The timers of all keys of a subtask, in event time and in processing time.
///
/// They fire in the order of their times, and among equal times in the order of their keys, so that a
/// replay fires them alike.
#[derive(Clone, Debug)]
pub struct Timers<K> {
    event: Queue<EventTime, K>,
    processing: Queue<ProcessingTime, K>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Timers { event: Queue::default(), processing: Queue::default() }
    }
}

impl<K: Key> Timers<K> {
    /// Sets an event-time timer of a key; setting it twice is setting it once.
    pub fn set(&mut self, at: EventTime, key: &K) {
        self.event.set(at, key);
    }

    /// Takes an event-time timer of a key back.
    pub fn cancel(&mut self, at: EventTime, key: &K) {
        self.event.cancel(at, key);
    }

    /// Sets a processing-time timer of a key; setting it twice is setting it once.
    pub fn set_processing(&mut self, at: ProcessingTime, key: &K) {
        self.processing.set(at, key);
    }

    /// Takes a processing-time timer of a key back.
    pub fn cancel_processing(&mut self, at: ProcessingTime, key: &K) {
        self.processing.cancel(at, key);
    }

    /// Whether a key has any timer.
    pub(super) fn has(&self, key: &K) -> bool {
        self.event.of_key.contains_key(key) || self.processing.of_key.contains_key(key)
    }

    /// Takes all timers of a key back.
    pub fn forget(&mut self, key: &K) {
        self.event.forget(key);
        self.processing.forget(key);
    }

    /// Takes out the first event-time timer that the watermark has reached.
    pub fn pop_due(&mut self, watermark: Watermark) -> Option<(EventTime, K)> {
        self.event.pop_through(watermark.0)
    }

    /// Takes out the first processing-time timer that the wall clock has reached.
    pub fn pop_due_processing(&mut self, now: ProcessingTime) -> Option<(ProcessingTime, K)> {
        self.processing.pop_through(now)
    }

    /// When the next processing-time timer is due.
    pub fn next_processing(&self) -> Option<ProcessingTime> {
        self.processing.ordered.first().map(|(at, _)| *at)
    }
}

impl<K: Key> State for Timers<K> {
    fn save(&mut self, saving: &mut Saving) {
        self.event.save(saving.part("event"));
        self.processing.save(saving.part("processing"));
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        self.event.load(sections.get("event"))?;
        self.processing.load(sections.get("processing"))
    }
}

/// Timers of one kind of time: in order, and by key so that forgetting a key looks at its own only.
#[derive(Clone, Debug)]
struct Queue<T, K> {
    ordered: BTreeSet<(T, K)>,
    of_key: hashbrown::HashMap<K, Vec<T>, KeyHashBuilder>,
    /// What was set or taken out since it was saved; `None` where it never was, or too much was.
    touched: Option<hashbrown::HashSet<(T, K), KeyHashBuilder>>,
}

/// How many timers are noted as touched, beyond as many as there are, before all are saved instead.
const TOUCHED_MIN: usize = 1024;

impl<T, K> Default for Queue<T, K> {
    fn default() -> Self {
        Queue { ordered: BTreeSet::new(), of_key: hashbrown::HashMap::default(), touched: None }
    }
}

impl<T: Data + Copy + Ord + Hash, K: Key> Queue<T, K> {
    fn set(&mut self, at: T, key: &K) {
        if self.ordered.insert((at, key.clone())) {
            self.of_key.entry_ref(key).or_default().push(at);
            self.touch(at, key);
        }
    }

    fn cancel(&mut self, at: T, key: &K) {
        if self.ordered.remove(&(at, key.clone())) {
            self.touch(at, key);
            self.unlist(at, key);
        }
    }

    fn forget(&mut self, key: &K) {
        for at in self.of_key.remove(key).unwrap_or_default() {
            self.ordered.remove(&(at, key.clone()));
            self.touch(at, key);
        }
    }

    fn pop_through(&mut self, limit: T) -> Option<(T, K)> {
        if self.ordered.first()?.0 > limit {
            return None;
        }
        let (at, key) = self.ordered.pop_first()?;
        self.touch(at, &key);
        self.unlist(at, &key);
        Some((at, key))
    }

    fn unlist(&mut self, at: T, key: &K) {
        let times = self.of_key.get_mut(key).expect("a timer in order is listed under its key");
        times.retain(|time| *time != at);
        if times.is_empty() {
            self.of_key.remove(key);
        }
    }

    fn touch(&mut self, at: T, key: &K) {
        if let Some(touched) = &mut self.touched {
            touched.insert((at, key.clone()));
            if touched.len() > self.ordered.len() + TOUCHED_MIN {
                self.touched = None;
            }
        }
    }

    fn save(&mut self, saving: &mut Saving) {
        let groups = saving.key_groups();
        let touched = self.touched.replace(hashbrown::HashSet::default());
        if let (LayerKind::Changes, Some(touched)) = (saving.kind(), touched) {
            let (put, removed) = touched.into_iter().partition(|timer| self.ordered.contains(timer));
            let changed: Changed<(T, K), (T, K)> = Changed { put, removed };
            return saving.later(move |sections| {
                put_changes(sections, groups, changed, |timer| &timer.1, |timer| &timer.1);
            });
        }
        let timers: Vec<(T, K)> = self.ordered.iter().cloned().collect();
        saving.later(move |sections| {
            for (group, timers) in by_group(groups, timers, |timer| &timer.1) {
                sections.put(group, &timers);
            }
        });
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        for piece in sections.pieces::<Vec<(T, K)>>() {
            piece?.iter().for_each(|(at, key)| self.set(*at, key));
        }
        for piece in sections.changes::<(T, K), (T, K)>() {
            let Changed { put, removed } = piece?;
            removed.iter().for_each(|(at, key)| self.cancel(*at, key));
            put.iter().for_each(|(at, key)| self.set(*at, key));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> EventTime {
        EventTime::from_millis(millis)
    }

    fn due(timers: &mut Timers<char>, watermark: i64) -> Vec<(i64, char)> {
        std::iter::from_fn(|| timers.pop_due(Watermark(at(watermark))))
            .map(|(at, key)| (at.as_millis(), key))
            .collect()
    }

    #[test]
    fn timers_fire_once_in_the_order_of_time_and_key() {
        let mut timers = Timers::default();
        for (time, key) in [(20, 'b'), (10, 'b'), (20, 'a'), (10, 'b'), (30, 'a')] {
            timers.set(at(time), &key);
        }
        assert_eq!(due(&mut timers, 20), [(10, 'b'), (20, 'a'), (20, 'b')]);
        assert_eq!(due(&mut timers, 20), []);
        assert_eq!(due(&mut timers, 99), [(30, 'a')]);
    }

    #[test]
    fn cancelled_and_forgotten_timers_stay_silent() {
        let mut timers = Timers::default();
        for (time, key) in [(10, 'a'), (20, 'a'), (10, 'b'), (20, 'b')] {
            timers.set(at(time), &key);
        }
        timers.cancel(at(10), &'a');
        timers.cancel(at(11), &'a');
        timers.forget(&'b');
        assert_eq!(due(&mut timers, 99), [(20, 'a')]);
    }

    #[test]
    fn changes_laid_over_what_was_saved_are_the_timers() {
        let (mut timers, mut all) = (Timers::default(), Sections::default());
        let mut pass = |timers: &mut Timers<char>, kind| {
            let mut saving = Saving::new(crate::KeyGroups::default(), kind);
            timers.save(&mut saving);
            let saved = saving.encode();
            let holds_changes = saved.hold_changes();
            all.lay_over(saved);
            let mut back = Timers::<char>::default();
            back.load(&all).unwrap();
            (holds_changes, back.event.ordered == timers.event.ordered)
        };
        for key in 'a'..='z' {
            timers.set(at(i64::from(u32::from(key))), &key);
        }
        assert_eq!(pass(&mut timers, LayerKind::Full), (false, true));
        timers.cancel(at(98), &'b');
        timers.forget(&'c');
        timers.set(at(500), &'d');
        timers.set(at(500), &'b');
        timers.set(at(501), &'b');
        timers.cancel(at(501), &'b');
        timers.pop_due(Watermark(at(97)));
        assert_eq!(pass(&mut timers, LayerKind::Changes), (true, true));
        assert_eq!(pass(&mut timers, LayerKind::Changes), (true, true));
    }
}

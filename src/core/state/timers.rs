//! Wishes of keys to be called when time has come.

use std::collections::BTreeSet;

use crate::key::KeyHashBuilder;
use crate::state::keyed::by_group;
use crate::state::{Saving, Sections, State, StateError};
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
    fn save(&self, saving: &mut Saving) {
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
}

impl<T, K> Default for Queue<T, K> {
    fn default() -> Self {
        Queue { ordered: BTreeSet::new(), of_key: hashbrown::HashMap::default() }
    }
}

impl<T: Data + Copy + Ord, K: Key> Queue<T, K> {
    fn set(&mut self, at: T, key: &K) {
        if self.ordered.insert((at, key.clone())) {
            self.of_key.entry_ref(key).or_default().push(at);
        }
    }

    fn cancel(&mut self, at: T, key: &K) {
        if self.ordered.remove(&(at, key.clone())) {
            self.unlist(at, key);
        }
    }

    fn forget(&mut self, key: &K) {
        for at in self.of_key.remove(key).unwrap_or_default() {
            self.ordered.remove(&(at, key.clone()));
        }
    }

    fn pop_through(&mut self, limit: T) -> Option<(T, K)> {
        if self.ordered.first()?.0 > limit {
            return None;
        }
        let (at, key) = self.ordered.pop_first()?;
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

    fn save(&self, saving: &mut Saving) {
        let groups = saving.key_groups();
        let timers: Vec<(T, K)> = self.ordered.iter().cloned().collect();
        saving.later(move |sections| {
            for (group, timers) in by_group(groups, timers, |timer| &timer.1) {
                sections.put(group, &timers);
            }
        });
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        for piece in sections.pieces::<Vec<(T, K)>>() {
            for (at, key) in piece? {
                self.set(at, &key);
            }
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
}

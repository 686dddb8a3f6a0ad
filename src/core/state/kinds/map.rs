//! A map for each key.

use std::ops::ControlFlow;

use super::entries::Entries;
use super::entry::Entry;
use super::lifetime::Written;
use super::{Clock, Current, KeyedState, Lifetimes, TimeToLive};
use crate::state::look::{self, Gathering};
use crate::state::{BackendError, Glance, Looked, Room, Saving, Sections, State, StateError};
use crate::{Data, Key, ProcessingTime};

/// A map for each key, as a piece of a [`KeyedState`]. Each of its entries is kept, saved and expires by itself.
#[derive(Debug)]
pub struct MapState<K, E, V> {
    entries: Entries<K, E, (V, Written)>,
    lifetimes: Lifetimes<K>,
}

impl<K, E, V> Default for MapState<K, E, V> {
    fn default() -> Self {
        MapState { entries: Entries::default(), lifetimes: Lifetimes::default() }
    }
}

impl<K: Key, E: Key, V: Data> MapState<K, E, V> {
    /// The map of the key that is being handled.
    pub fn of<'a>(&'a mut self, current: Current<'a, K>) -> MapOf<'a, K, E, V> {
        MapOf { state: self, current }
    }

    /// Lets entries expire. To be called as the operator is [opened](crate::StatefulOperator::open).
    pub fn expire_by(&mut self, limit: TimeToLive) {
        self.lifetimes.limit_to(limit);
    }
}

impl<K: Key, E: Key, V: Data> State for MapState<K, E, V> {
    fn open(&mut self, room: &Room) -> Result<(), BackendError> {
        self.entries.open(room)
    }

    fn save(&mut self, saving: &mut Saving) {
        self.entries.save(saving.part("entries"));
        self.lifetimes.save(saving.part("alarms"));
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        self.entries.load(sections.get("entries"))?;
        self.lifetimes.load(sections.get("alarms"))
    }

    /// A map, in the order of the entries.
    fn look(&mut self, glance: Glance<'_>) -> Looked {
        glance.whole()?;
        let (key, mut gathering): (K, _) = (glance.key()?, Gathering::new());
        self.entries.visit(&key, |inner, (value, written)| {
            let is_over = self.lifetimes.is_over(*written, glance.clock);
            let has_room = is_over
                || gathering.add(|bytes| {
                    look::put(bytes, inner);
                    look::put(bytes, value);
                });
            if has_room { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        gathering.done(look::map)
    }
}

impl<K: Key, E: Key, V: Data> KeyedState for MapState<K, E, V> {
    type Key = K;

    fn clear_key(&mut self, key: &K) {
        self.entries.clear(key);
        self.lifetimes.forget(key);
    }

    fn expire(&mut self, clock: Clock) {
        while let Some(key) = self.lifetimes.ringing(clock) {
            let oldest = self.entries.sweep(&key, &self.lifetimes, clock, |_| {});
            self.lifetimes.again_sweeping(&key, oldest, clock);
        }
    }

    fn deadline(&self) -> Option<ProcessingTime> {
        self.lifetimes.deadline()
    }
}

/// The map of one key.
///
/// Each method panics with a [`BackendError`] where the disk fails.
#[derive(Debug)]
pub struct MapOf<'a, K, E, V> {
    state: &'a mut MapState<K, E, V>,
    current: Current<'a, K>,
}

impl<K: Key, E: Key, V: Data> MapOf<'_, K, E, V> {
    /// The value of an entry, if there is one.
    pub fn get(&mut self, inner: &E) -> Option<&V> {
        let entry = self.entry(inner.clone());
        let MapState { entries, lifetimes } = &mut *self.state;
        let clock = self.current.clock();
        if lifetimes.touch()
            && let Some((_, written)) = entries.get_mut(&entry)
            && !lifetimes.is_over(*written, clock)
        {
            *written = lifetimes.written(*written, self.current);
        }
        let (value, written) = entries.get(&entry)?;
        (!lifetimes.is_over(*written, clock)).then_some(value)
    }

    /// Whether there is an entry.
    pub fn contains(&mut self, inner: &E) -> bool {
        self.get(inner).is_some()
    }

    /// The value of an entry, to be changed; made by `first` where there is none.
    pub fn get_or_insert_with(&mut self, inner: E, first: impl FnOnce() -> V) -> &mut V {
        let entry = self.entry(inner);
        let MapState { entries, lifetimes } = &mut *self.state;
        let is_over = |held: &(V, Written)| lifetimes.is_over(held.1, self.current.clock());
        if lifetimes.is_limited() && entries.get(&entry).is_some_and(is_over) {
            entries.remove(&entry);
        }
        let (value, written) = entries.get_or_insert(&entry, || (first(), None));
        *written = lifetimes.written(*written, self.current);
        value
    }

    /// Sets the value of an entry.
    pub fn insert(&mut self, inner: E, value: V) {
        let mut value = Some(value);
        let held = self.get_or_insert_with(inner, || value.take().expect("the first value is made once"));
        if let Some(value) = value {
            *held = value;
        }
    }

    /// Takes an entry out, and returns its value.
    pub fn remove(&mut self, inner: &E) -> Option<V> {
        let entry = self.entry(inner.clone());
        let MapState { entries, lifetimes } = &mut *self.state;
        let (value, written) = entries.get(&entry)?.clone();
        entries.remove(&entry);
        (!lifetimes.is_over(written, self.current.clock())).then_some(value)
    }

    /// Lets `visit` see the entries, until it breaks off.
    ///
    /// They come in the order of their keys' MessagePack, wherever they lie: numbers from 0 up, texts by length and then
    /// by bytes. On disk they are read one after the other, so that the map need not fit into memory.
    pub fn visit(&self, mut visit: impl FnMut(&E, &V) -> ControlFlow<()>) {
        let MapState { entries, lifetimes } = &*self.state;
        let clock = self.current.clock();
        entries.visit(self.current.key(), |inner, (value, written)| {
            if lifetimes.is_over(*written, clock) { ControlFlow::Continue(()) } else { visit(inner, value) }
        });
    }

    /// As [`MapOf::visit`], to the end.
    pub fn for_each(&self, mut visit: impl FnMut(&E, &V)) {
        self.visit(|inner, value| {
            visit(inner, value);
            ControlFlow::Continue(())
        });
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        let mut empty = true;
        self.visit(|_, _| {
            empty = false;
            ControlFlow::Break(())
        });
        empty
    }

    /// Drops the entries for which `kept` is false.
    pub fn retain(&mut self, mut kept: impl FnMut(&E, &V) -> bool) {
        let MapState { entries, lifetimes } = &mut *self.state;
        let clock = self.current.clock();
        entries.drop_if(self.current.key(), |inner, (value, written)| {
            lifetimes.is_over(*written, clock) || !kept(inner, value)
        });
    }

    /// Drops all entries.
    pub fn clear(&mut self) {
        self.state.clear_key(self.current.key());
    }

    fn entry(&self, inner: E) -> Entry<K, E> {
        Entry(self.current.key().clone(), inner)
    }
}

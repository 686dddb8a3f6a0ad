//! A list for each key.
//!
//! The elements of a key are numbered as they come, and lie under their numbers. What is taken from the front or has
//! expired leaves its number unused.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::entries::Entries;
use super::entry::Entry;
use super::lifetime::Written;
use super::{Clock, Current, KeyedState, Lifetimes, TimeToLive};
use crate::state::look::{self, Gathering};
use crate::state::{BackendError, Glance, Looked, Room, Saving, Sections, State, StateError, Values};
use crate::{Data, Key, ProcessingTime};

/// A list for each key, as a piece of a [`KeyedState`]. Each of its elements is kept, saved and expires by itself.
#[derive(Debug)]
pub struct ListState<K, V> {
    elements: Entries<K, u64, (V, Written)>,
    spans: Values<K, Span>,
    lifetimes: Lifetimes<K>,
}

/// The numbers of a key's elements.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Data)]
struct Span {
    /// None is less.
    first: u64,
    /// Of the element that comes next.
    next: u64,
    /// How many elements there are.
    count: u64,
}

impl<K, V> Default for ListState<K, V> {
    fn default() -> Self {
        let lifetimes = Lifetimes::default();
        ListState { elements: Entries::default(), spans: Values::default(), lifetimes }
    }
}

impl<K: Key, V: Data> ListState<K, V> {
    /// The list of the key that is being handled.
    pub fn of<'a>(&'a mut self, current: Current<'a, K>) -> ListOf<'a, K, V> {
        ListOf { state: self, current }
    }

    /// Lets elements expire. To be called as the operator is [opened](crate::StatefulOperator::open).
    pub fn expire_by(&mut self, limit: TimeToLive) {
        self.lifetimes.limit_to(limit);
    }

    /// Takes the element out that is the first by its number, if there is any.
    fn pop_front(&mut self, key: &K) -> Option<(V, Written)> {
        let span = self.spans.get_mut(key)?;
        let mut entry = Entry(key.clone(), span.first);
        let found = loop {
            if let Some(found) = self.elements.get(&entry) {
                break found.clone();
            }
            assert!(entry.1 < span.next, "a list that is counted has an element");
            entry.1 += 1;
        };
        self.elements.remove(&entry);
        *span = Span { first: entry.1 + 1, count: span.count - 1, ..*span };
        if span.count == 0 {
            self.spans.remove(key);
            self.lifetimes.forget(key);
        }
        Some(found)
    }
}

impl<K: Key, V: Data> State for ListState<K, V> {
    fn open(&mut self, room: &Room) -> Result<(), BackendError> {
        self.elements.open(room)?;
        self.spans.open(room)
    }

    fn save(&mut self, saving: &mut Saving) {
        self.elements.save(saving.part("elements"));
        self.spans.save(saving.part("spans"));
        self.lifetimes.save(saving.part("alarms"));
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        self.elements.load(sections.get("elements"))?;
        self.spans.load(sections.get("spans"))?;
        self.lifetimes.load(sections.get("alarms"))
    }

    /// An array, first to last.
    fn look(&mut self, glance: Glance<'_>) -> Looked {
        glance.whole()?;
        let (key, mut gathering): (K, _) = (glance.key()?, Gathering::new());
        self.elements.visit(&key, |_, (value, written)| {
            let is_over = self.lifetimes.is_over(*written, glance.clock);
            let has_room = is_over || gathering.add(|bytes| look::put(bytes, value));
            if has_room { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        gathering.done(look::array)
    }
}

impl<K: Key, V: Data> KeyedState for ListState<K, V> {
    type Key = K;

    fn clear_key(&mut self, key: &K) {
        self.elements.clear(key);
        self.spans.remove(key);
        self.lifetimes.forget(key);
    }

    fn expire(&mut self, clock: Clock) {
        while let Some(key) = self.lifetimes.ringing(clock) {
            let (mut first, mut count) = (None, 0);
            let oldest = self.elements.sweep(&key, &self.lifetimes, clock, |number| {
                first.get_or_insert(*number);
                count += 1;
            });
            match (first, self.spans.get_mut(&key)) {
                (Some(first), Some(span)) => *span = Span { first, count, ..*span },
                (_, _) => self.spans.remove(&key),
            }
            self.lifetimes.again_sweeping(&key, oldest, clock);
        }
    }

    fn deadline(&self) -> Option<ProcessingTime> {
        self.lifetimes.deadline()
    }
}

/// The list of one key.
///
/// Each method panics with a [`BackendError`] where the disk fails.
#[derive(Debug)]
pub struct ListOf<'a, K, V> {
    state: &'a mut ListState<K, V>,
    current: Current<'a, K>,
}

impl<K: Key, V: Data> ListOf<'_, K, V> {
    /// Adds an element behind the others.
    pub fn push(&mut self, value: V) {
        let key = self.current.key();
        let ListState { elements, spans, lifetimes } = &mut *self.state;
        let span = spans.get_or_insert_ref(key, Span::default);
        let written = lifetimes.written(None, self.current);
        elements.get_or_insert(&Entry(key.clone(), span.next), || (value, written));
        span.next += 1;
        span.count += 1;
    }

    /// Takes the first element out.
    pub fn pop_front(&mut self) -> Option<V> {
        loop {
            let (value, written) = self.state.pop_front(self.current.key())?;
            if !self.state.lifetimes.is_over(written, self.current.clock()) {
                return Some(value);
            }
        }
    }

    /// Lets `visit` see the elements, first to last, until it breaks off. On disk they are read one after the other, so
    /// that the list need not fit into memory.
    pub fn visit(&self, mut visit: impl FnMut(&V) -> ControlFlow<()>) {
        let ListState { elements, spans: _, lifetimes } = &*self.state;
        let clock = self.current.clock();
        elements.visit(self.current.key(), |_, (value, written)| {
            if lifetimes.is_over(*written, clock) { ControlFlow::Continue(()) } else { visit(value) }
        });
    }

    /// As [`ListOf::visit`], to the end.
    pub fn for_each(&self, mut visit: impl FnMut(&V)) {
        self.visit(|value| {
            visit(value);
            ControlFlow::Continue(())
        });
    }

    /// How many elements there are. Where they have a time to live they are counted one by one.
    pub fn len(&mut self) -> u64 {
        if self.state.lifetimes.is_limited() {
            let mut count = 0;
            self.for_each(|_| count += 1);
            return count;
        }
        self.state.spans.get(self.current.key()).map_or(0, |span| span.count)
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        let mut empty = true;
        self.visit(|_| {
            empty = false;
            ControlFlow::Break(())
        });
        empty
    }

    /// Drops all elements.
    pub fn clear(&mut self) {
        self.state.clear_key(self.current.key());
    }
}

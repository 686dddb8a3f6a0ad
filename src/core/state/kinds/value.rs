//! One value for each key.

use super::lifetime::Written;
use super::{Clock, Current, KeyedState, Lifetimes, TimeToLive};
use crate::state::{BackendError, Glance, Looked, Room, Saving, Sections, State, StateError, Values, show};
use crate::{Data, Key, ProcessingTime};

/// One value for each key, as a piece of a [`KeyedState`].
#[derive(Debug)]
pub struct ValueState<K, V> {
    values: Values<K, (V, Written)>,
    lifetimes: Lifetimes<K>,
}

impl<K, V> Default for ValueState<K, V> {
    fn default() -> Self {
        ValueState { values: Values::default(), lifetimes: Lifetimes::default() }
    }
}

impl<K: Key, V: Data> ValueState<K, V> {
    /// The value of the key that is being handled.
    pub fn of<'a>(&'a mut self, current: Current<'a, K>) -> ValueOf<'a, K, V> {
        ValueOf { state: self, current }
    }

    /// Lets values expire. To be called as the operator is [opened](crate::StatefulOperator::open).
    pub fn expire_by(&mut self, limit: TimeToLive) {
        self.lifetimes.limit_to(limit);
    }
}

impl<K: Key, V: Data> State for ValueState<K, V> {
    fn open(&mut self, room: &Room) -> Result<(), BackendError> {
        self.values.open(room)
    }

    fn save(&mut self, saving: &mut Saving) {
        self.values.save(saving.part("values"));
        self.lifetimes.save(saving.part("alarms"));
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        self.values.load(sections.get("values"))?;
        self.lifetimes.load(sections.get("alarms"))
    }

    fn look(&mut self, glance: Glance<'_>) -> Looked {
        glance.whole()?;
        let held = self.values.get(&glance.key()?);
        let alive = held.filter(|(_, written)| !self.lifetimes.is_over(*written, glance.clock));
        show(alive.map(|(value, _)| value))
    }
}

impl<K: Key, V: Data> KeyedState for ValueState<K, V> {
    type Key = K;

    fn clear_key(&mut self, key: &K) {
        self.values.remove(key);
        self.lifetimes.forget(key);
    }

    fn expire(&mut self, clock: Clock) {
        while let Some(key) = self.lifetimes.ringing(clock) {
            let Some((_, written)) = self.values.get(&key) else { continue };
            if self.lifetimes.is_over(*written, clock) {
                self.values.remove(&key);
            } else {
                self.lifetimes.again(&key, *written);
            }
        }
    }

    fn deadline(&self) -> Option<ProcessingTime> {
        self.lifetimes.deadline()
    }
}

/// The value of one key.
///
/// Each method panics with a [`BackendError`] where the disk fails.
#[derive(Debug)]
pub struct ValueOf<'a, K, V> {
    state: &'a mut ValueState<K, V>,
    current: Current<'a, K>,
}

impl<K: Key, V: Data> ValueOf<'_, K, V> {
    /// The value, if there is one.
    pub fn get(&mut self) -> Option<&V> {
        let ValueState { values, lifetimes } = &mut *self.state;
        let clock = self.current.clock();
        if lifetimes.touch()
            && let Some((_, written)) = values.get_mut(self.current.key())
            && !lifetimes.is_over(*written, clock)
        {
            *written = lifetimes.written(*written, self.current);
        }
        let (value, written) = values.get(self.current.key())?;
        (!lifetimes.is_over(*written, clock)).then_some(value)
    }

    /// The value, to be changed; made by `first` where there is none.
    pub fn get_or_insert_with(&mut self, first: impl FnOnce() -> V) -> &mut V {
        let ValueState { values, lifetimes } = &mut *self.state;
        let (key, clock) = (self.current.key(), self.current.clock());
        if lifetimes.is_limited() && values.get(key).is_some_and(|held| lifetimes.is_over(held.1, clock)) {
            values.remove(key);
        }
        let (value, written) = values.get_or_insert_ref(key, || (first(), None));
        *written = lifetimes.written(*written, self.current);
        value
    }

    /// Sets the value.
    pub fn set(&mut self, value: V) {
        let mut value = Some(value);
        let held = self.get_or_insert_with(|| value.take().expect("the first value is made once"));
        if let Some(value) = value {
            *held = value;
        }
    }

    /// Changes the value, which begins as its default.
    pub fn update<R>(&mut self, change: impl FnOnce(&mut V) -> R) -> R
    where
        V: Default,
    {
        change(self.get_or_insert_with(V::default))
    }

    /// Drops the value.
    pub fn clear(&mut self) {
        self.state.clear_key(self.current.key());
    }
}

//! One value for each key, made of all that was added.

use super::{Clock, Current, KeyedState, TimeToLive, ValueOf, ValueState};
use crate::state::{BackendError, Glance, Looked, Room, Saving, Sections, State, StateError};
use crate::{Data, Key, ProcessingTime};

/// One value for each key, into which what is added is reduced, as a piece of a [`KeyedState`].
#[derive(Debug)]
pub struct ReducingState<K, V>(ValueState<K, V>);

impl<K, V> Default for ReducingState<K, V> {
    fn default() -> Self {
        ReducingState(ValueState::default())
    }
}

impl<K: Key, V: Data> ReducingState<K, V> {
    /// The reduced value of the key that is being handled.
    pub fn of<'a>(&'a mut self, current: Current<'a, K>) -> ReducingOf<'a, K, V> {
        ReducingOf(self.0.of(current))
    }

    /// Lets values expire. To be called as the operator is [opened](crate::StatefulOperator::open).
    pub fn expire_by(&mut self, limit: TimeToLive) {
        self.0.expire_by(limit);
    }
}

impl<K: Key, V: Data> State for ReducingState<K, V> {
    fn open(&mut self, room: &Room) -> Result<(), BackendError> {
        self.0.open(room)
    }

    fn save(&mut self, saving: &mut Saving) {
        self.0.save(saving);
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        self.0.load(sections)
    }

    fn look(&mut self, glance: Glance<'_>) -> Looked {
        self.0.look(glance)
    }
}

impl<K: Key, V: Data> KeyedState for ReducingState<K, V> {
    type Key = K;

    fn clear_key(&mut self, key: &K) {
        self.0.clear_key(key);
    }

    fn expire(&mut self, clock: Clock) {
        self.0.expire(clock);
    }

    fn deadline(&self) -> Option<ProcessingTime> {
        self.0.deadline()
    }
}

/// The reduced value of one key.
///
/// Each method panics with a [`BackendError`] where the disk fails.
#[derive(Debug)]
pub struct ReducingOf<'a, K, V>(ValueOf<'a, K, V>);

impl<K: Key, V: Data> ReducingOf<'_, K, V> {
    /// Adds a value: the first one is kept as it is, and `reduce` puts each following one into what is there.
    pub fn add(&mut self, value: V, reduce: impl FnOnce(&mut V, V)) {
        let mut value = Some(value);
        let held = self.0.get_or_insert_with(|| value.take().expect("the first value is made once"));
        if let Some(value) = value {
            reduce(held, value);
        }
    }

    /// What was added, reduced; none where nothing was.
    pub fn get(&mut self) -> Option<&V> {
        self.0.get()
    }

    /// Drops it.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

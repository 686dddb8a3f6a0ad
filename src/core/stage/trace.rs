//! Finds out whose code a panic came from, at no cost while there is none.
//!
//! A guard on the stack is dropped only while a panic unwinds through it (it is forgotten otherwise), and
//! then writes down where it stood. The innermost guard is dropped first, so the first word counts.

use std::cell::RefCell;
use std::fmt::Display;

use crate::Key;
use crate::key::hash_key;

/// Where in a chain a panic happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The number of the stage in its chain.
    pub stage: Option<u16>,
    /// The hash of the key that was being handled.
    pub key_hash: Option<u64>,
    /// That key as MessagePack.
    pub key: Option<Vec<u8>>,
    /// When the timer was set for that was being fired, for a person.
    pub timer: Option<String>,
}

thread_local! {
    static PLACE: RefCell<Place> =
        const { RefCell::new(Place { stage: None, key_hash: None, key: None, timer: None }) };
}

/// Takes the place of the last panic on this thread.
pub fn take_place() -> Place {
    PLACE.take()
}

/// Stands for a stage's code being on the stack.
pub(crate) struct StageTrace(u16);

impl StageTrace {
    #[inline]
    pub(crate) fn enter(stage: u16) -> Self {
        StageTrace(stage)
    }

    #[inline]
    pub(crate) fn leave(self) {
        std::mem::forget(self);
    }
}

impl Drop for StageTrace {
    #[cold]
    fn drop(&mut self) {
        PLACE.with_borrow_mut(|place| {
            place.stage.get_or_insert(self.0);
        });
    }
}

/// Stands for a key being handled: a panic under it is reported with the key's group.
///
/// For authors of a [`Transform`](crate::Transform) that calls others' code per key; an
/// [`Operator`](crate::Operator) has it already.
pub struct KeyTrace<'a, K: Key>(&'a K);

impl<'a, K: Key> KeyTrace<'a, K> {
    /// Begins to handle a key.
    #[inline]
    pub fn enter(key: &'a K) -> Self {
        KeyTrace(key)
    }

    /// Is done with it. Must be called: a trace that is dropped speaks of a panic.
    #[inline]
    pub fn leave(self) {
        std::mem::forget(self);
    }
}

impl<K: Key> Drop for KeyTrace<'_, K> {
    #[cold]
    fn drop(&mut self) {
        let (hash, key) = (hash_key(self.0), rmp_serde::to_vec_named(self.0).ok());
        PLACE.with_borrow_mut(|place| {
            if place.key_hash.is_none() {
                (place.key_hash, place.key) = (Some(hash), key);
            }
        });
    }
}

/// Stands for a timer being fired that was set for this time.
pub(crate) struct TimerTrace<T: Display>(T);

impl<T: Display> TimerTrace<T> {
    #[inline]
    pub(crate) fn enter(at: T) -> Self {
        TimerTrace(at)
    }

    #[inline]
    pub(crate) fn leave(self) {
        std::mem::forget(self);
    }
}

impl<T: Display> Drop for TimerTrace<T> {
    #[cold]
    fn drop(&mut self) {
        let at = self.0.to_string();
        PLACE.with_borrow_mut(|place| {
            place.timer.get_or_insert(at);
        });
    }
}

//! Finds out whose code a panic came from, at no cost while there is none.
//!
//! A guard on the stack is dropped only while a panic unwinds through it (it is forgotten otherwise), and
//! then writes down where it stood. The innermost guard is dropped first, so the first word counts.

use std::cell::Cell;
use std::hash::Hash;

use crate::key::hash_key;

/// Where in a chain a panic happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The number of the stage in its chain.
    pub stage: Option<u16>,
    /// The hash of the key that was being handled.
    pub key_hash: Option<u64>,
}

thread_local! {
    static PLACE: Cell<Place> = const { Cell::new(Place { stage: None, key_hash: None }) };
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
        let place = PLACE.get();
        PLACE.set(Place { stage: place.stage.or(Some(self.0)), ..place });
    }
}

/// Stands for a key being handled: a panic under it is reported with the key's group.
///
/// For authors of a [`Transform`](crate::Transform) that calls others' code per key; an
/// [`Operator`](crate::Operator) has it already.
pub struct KeyTrace<'a, K: Hash>(&'a K);

impl<'a, K: Hash> KeyTrace<'a, K> {
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

impl<K: Hash> Drop for KeyTrace<'_, K> {
    #[cold]
    fn drop(&mut self) {
        let place = PLACE.get();
        PLACE.set(Place { key_hash: place.key_hash.or(Some(hash_key(self.0))), ..place });
    }
}

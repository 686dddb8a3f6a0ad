//! Elements under two keys, found by both and walked by the outer one.
//!
//! All elements of all keys lie in one [`Values`], each under its pair of keys. What is beside it is there for the
//! walk over one key's elements:
//!
//! * In memory, an index has the inner keys of each outer one. It changes where an element comes or goes, and not where
//!   its value changes, and is made anew from the elements after a restore.
//! * On disk, the table is the index. Its keys are sorted by group, outer key and inner key, so one key's elements lie
//!   side by side. An element is written there as soon as it comes and taken out as soon as it goes; in between, its
//!   newer values may be in memory. So a walk reads the table, and asks memory for a newer value of each element
//!   that it finds: it need not look through memory for elements that the table has not seen.
//!
//! The order of the index is that of the table, the bytes of the MessagePack of the inner key: what an operator does
//! with its elements in their order does not depend on where they lie, nor on the history of a hash table.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use hashbrown::HashMap;

use super::entry::Entry;
use super::lifetime::Written;
use super::{Clock, Lifetimes};
use crate::key::{KeyHashBuilder, hash_key};
use crate::state::{BackendError, Room, Saving, Sections, State, StateError, Values};
use crate::{Data, Key};

/// How many elements of a key are dropped at a time: their keys are listed in memory meanwhile. Each time the walk begins
/// anew, on disk over the traces of what was dropped before.
const DROPPED_MAX: usize = 1 << 16;

/// The elements of all keys.
#[derive(Debug)]
pub(super) struct Entries<K, E, V> {
    values: Values<Entry<K, E>, V>,
    index: Index<K, E>,
}

impl<K, E, V> Default for Entries<K, E, V> {
    fn default() -> Self {
        Entries { values: Values::default(), index: Index(HashMap::default()) }
    }
}

impl<K: Key, E: Key, V: Data> Entries<K, E, V> {
    pub(super) fn get(&mut self, entry: &Entry<K, E>) -> Option<&V> {
        self.values.get(entry)
    }

    pub(super) fn get_mut(&mut self, entry: &Entry<K, E>) -> Option<&mut V> {
        self.values.get_mut(entry)
    }

    /// The element, made by `first` where there is none.
    pub(super) fn get_or_insert(&mut self, entry: &Entry<K, E>, first: impl FnOnce() -> V) -> &mut V {
        let in_memory = self.values.held().is_ok();
        let index = &mut self.index;
        self.values.get_or_enlist(entry, || {
            if in_memory {
                index.add(entry);
            }
            first()
        })
    }

    pub(super) fn remove(&mut self, entry: &Entry<K, E>) {
        self.values.remove(entry);
        self.index.remove(entry);
    }

    /// Lets `visit` see the elements of a key, in the order of the bytes of their inner keys, until it breaks off.
    pub(super) fn visit(&self, key: &K, mut visit: impl FnMut(&E, &V) -> ControlFlow<()>) {
        match self.values.held() {
            Ok(map) => {
                for inner in self.index.of(key) {
                    // As the entry of both is hashed, without making one.
                    let hash = hash_key(&(key, inner));
                    let found = map.find(hash, |entry| entry.0 == *key && entry.1 == *inner);
                    if visit(inner, found.expect("what the index has is there")).is_break() {
                        return;
                    }
                }
            }
            Err(disk) => disk.visit(key, &mut |entry, value| visit(&entry.1, value)),
        }
    }

    /// Drops the elements of a key for which `dropped` is true.
    pub(super) fn drop_if(&mut self, key: &K, mut dropped: impl FnMut(&E, &V) -> bool) {
        loop {
            let mut listed = Vec::new();
            self.visit(key, |inner, value| {
                if dropped(inner, value) {
                    listed.push(inner.clone());
                }
                if listed.len() < DROPPED_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            let all = listed.len() < DROPPED_MAX;
            listed.into_iter().for_each(|inner| self.remove(&Entry(key.clone(), inner)));
            if all {
                return;
            }
        }
    }

    /// Drops all elements of a key.
    pub(super) fn clear(&mut self, key: &K) {
        self.drop_if(key, |_, _| true);
    }
}

impl<K: Key, E: Key, V: Data> Entries<K, E, (V, Written)> {
    /// Drops the elements of a key that have expired, and lets `left` see the others. When the oldest was written.
    pub(super) fn sweep(
        &mut self,
        key: &K,
        lifetimes: &Lifetimes<K>,
        clock: Clock,
        mut left: impl FnMut(&E),
    ) -> Written {
        self.drop_if(key, |_, (_, written)| lifetimes.is_over(*written, clock));
        let mut oldest = None;
        self.visit(key, |inner, (_, written)| {
            left(inner);
            oldest = oldest.into_iter().chain(*written).min();
            ControlFlow::Continue(())
        });
        oldest
    }
}

impl<K: Key, E: Key, V: Data> State for Entries<K, E, V> {
    fn open(&mut self, room: &Room) -> Result<(), BackendError> {
        self.values.open(room)
    }

    fn save(&mut self, saving: &mut Saving) {
        self.values.save(saving);
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        self.values.load(sections)?;
        if let Ok(map) = self.values.held() {
            map.iter().for_each(|(entry, _)| self.index.add(entry));
        }
        Ok(())
    }
}

/// The inner keys of each outer key, by their bytes. Empty where the elements are on disk.
#[derive(Debug)]
struct Index<K, E>(HashMap<K, BTreeMap<Box<[u8]>, E>, KeyHashBuilder>);

impl<K: Key, E: Key> Index<K, E> {
    fn add(&mut self, Entry(key, inner): &Entry<K, E>) {
        self.0.entry_ref(key).or_default().insert(bytes(inner), inner.clone());
    }

    fn remove(&mut self, Entry(key, inner): &Entry<K, E>) {
        if let Some(inners) = self.0.get_mut(key) {
            inners.remove(&bytes(inner));
            if inners.is_empty() {
                self.0.remove(key);
            }
        }
    }

    fn of(&self, key: &K) -> impl Iterator<Item = &E> {
        self.0.get(key).into_iter().flat_map(BTreeMap::values)
    }
}

fn bytes<E: Key>(inner: &E) -> Box<[u8]> {
    rmp_serde::to_vec_named(inner).expect("keys are Data, which serde can write").into()
}

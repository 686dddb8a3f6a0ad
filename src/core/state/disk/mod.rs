//! One value for each key, with the values in use in memory and all others in a table of a [`Backend`].
//!
//! ```text
//!   look-up --> young --> old --> table          a value found further back comes forward to young
//!   a shard's young is full:  old -> table, young -> old
//! ```
//!
//! Two generations come close to least recently used, and what leaves memory leaves it in a batch. Keys are dealt out
//! to many small shards, each with its own generations, so that such a batch is small and the stream never waits
//! long.
//!
//! A key in the table is its key group, big-endian, and its MessagePack; a value is its MessagePack. So a group's
//! entries lie side by side as a snapshot wants them, and are copied there without being read.

mod cache;
mod codec;
#[cfg(test)]
pub(super) mod double;
mod saved;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::key::hash_key;
use crate::state::changes::Changes;
use crate::state::{Backend, BackendError, LayerKind, Saving, Sections, StateError, Table};
use crate::{Data, Key, KeyGroups};
use cache::Cache;
use codec::{GROUP_BYTES, decode, encode, key_bytes, outer_bytes};
use saved::{All, Gathered};

/// How many bytes of keys that left memory are noted between two snapshots, before the next one is full.
const LEFT_BYTES_MAX: usize = 64 << 20;

/// A map whose values in use are in memory, and all others on disk.
pub(super) struct DiskMap<K, V> {
    groups: KeyGroups,
    cache: Cache<K, V>,
    table: Box<dyn Table>,
    /// What has changed since it was saved, and the keys that left memory changed; `None` where it never was, or too
    /// much has.
    since: Option<Since<K>>,
}

/// What has happened since a map was saved.
struct Since<K> {
    changes: Changes<K>,
    /// The keys, as in the table, that were changed and are not in memory any more; some may be there again.
    left: Vec<Vec<u8>>,
    left_bytes: usize,
}

impl<K: Key, V: Data> DiskMap<K, V> {
    /// An empty map.
    ///
    /// # Errors
    ///
    /// Where the backend fails.
    pub(super) fn open(backend: &dyn Backend, groups: KeyGroups) -> Result<Self, BackendError> {
        let (table, cache) = (backend.table()?, Cache::of(backend.memory()));
        Ok(DiskMap { groups, cache, table, since: None })
    }

    /// As [`Values::get_mut`](crate::state::Values::get_mut).
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let hash = hash_key(key);
        self.mark(hash);
        self.make_room(hash, key);
        self.cache.find(hash, key, || read(&*self.table, self.groups, key))
    }

    /// As [`Values::get`](crate::state::Values::get).
    pub(super) fn get(&mut self, key: &K) -> Option<&V> {
        let hash = hash_key(key);
        self.make_room(hash, key);
        self.cache.find(hash, key, || read(&*self.table, self.groups, key)).map(|value| &*value)
    }

    /// As [`Values::get_or_insert_ref`](crate::state::Values::get_or_insert_ref).
    pub(super) fn get_or_insert_ref(&mut self, key: &K, first: impl FnOnce() -> V) -> &mut V {
        let hash = hash_key(key);
        self.mark(hash);
        self.make_room(hash, key);
        let value = || Some(read(&*self.table, self.groups, key).unwrap_or_else(first));
        self.cache.find(hash, key, value).expect("a value that is not there is made")
    }

    /// As [`DiskMap::get_or_insert_ref`], and writes a value that is made to the table at once.
    pub(super) fn get_or_enlist(&mut self, key: &K, first: impl FnOnce() -> V) -> &mut V {
        let hash = hash_key(key);
        self.mark(hash);
        self.make_room(hash, key);
        let (table, groups) = (&mut *self.table, self.groups);
        let value = || {
            let held = read(table, groups, key);
            Some(held.unwrap_or_else(|| {
                let value = first();
                let enlisted = (key_bytes(groups, key), Some(encode(&value)));
                table.write(&mut std::iter::once(enlisted)).unwrap_or_else(|error| error.raise());
                value
            }))
        };
        self.cache.find(hash, key, value).expect("a value that is not there is made")
    }

    /// Lets `visit` see the entries under an outer key, in the order of their keys' bytes, until it breaks off.
    ///
    /// All keys must be [enlisted](DiskMap::get_or_enlist): the table then has each key that there is, and memory has
    /// but newer values.
    pub(super) fn visit<O: Key>(&self, outer: &O, visit: &mut dyn FnMut(&K, &V) -> ControlFlow<()>) {
        let visited = self.table.view().visit(&outer_bytes(self.groups, outer), &mut |key, value| {
            let key: K = decode(&key[GROUP_BYTES..]);
            match self.cache.peek(hash_key(&key), &key) {
                Some(newer) => visit(&key, newer),
                None => visit(&key, &decode(value)),
            }
        });
        visited.unwrap_or_else(|error| error.raise());
    }

    /// As [`Values::remove`](crate::state::Values::remove).
    pub(super) fn remove(&mut self, key: &K) {
        self.cache.remove(hash_key(key), key);
        let removed = (key_bytes(self.groups, key), None);
        self.table.write(&mut std::iter::once(removed)).unwrap_or_else(|error| error.raise());
        if let Some(since) = &mut self.since {
            since.changes.remove(key.clone());
            since.left_bytes += size_of::<K>();
        }
    }

    /// As [`State::save`](crate::state::State::save).
    pub(super) fn save(&mut self, saving: &mut Saving) {
        let changes = Changes::of(self.cache.capacity());
        let since = self.since.replace(Since { changes, left: Vec::new(), left_bytes: 0 });
        let (groups, view) = (self.groups, self.table.view());
        match (saving.kind(), since) {
            (LayerKind::Changes, Some(since)) => {
                let has = |key: &K| since.changes.has(hash_key(key));
                let put: Vec<(K, V)> = self.cache.iter().filter(|entry| has(&entry.0)).cloned().collect();
                let (left, removed) = (since.left, since.changes.into_removed());
                saving
                    .later(move |sections| Gathered::of(groups, put, left, &removed).write(&*view, sections));
            }
            (LayerKind::Full | LayerKind::Changes, _) => {
                let here: Vec<(K, V)> = self.cache.iter().cloned().collect();
                let range = saving.range().clone();
                saving.later(move |sections| Arc::new(All::of(groups, here, view)).write(&range, sections));
            }
        }
    }

    /// As [`State::load`](crate::state::State::load).
    pub(super) fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        saved::fill(&mut *self.table, self.groups, sections.pieces::<Vec<(K, V)>>())?;
        for piece in sections.changes::<(K, V), K>() {
            saved::change(&mut *self.table, self.groups, piece?)?;
        }
        Ok(())
    }

    fn mark(&mut self, hash: u64) {
        if let Some(since) = &mut self.since {
            since.changes.mark(hash);
        }
    }

    /// Lets the older generation of a key's shard leave memory, where a new entry would find no room.
    fn make_room(&mut self, hash: u64, key: &K) {
        let Some(leaving) = self.cache.turn(hash, key) else { return };
        let (groups, since) = (self.groups, &mut self.since);
        let (mut count, mut bytes) = (0, 0);
        let mut entries = leaving.map(|(key, value)| {
            let (place, packed) = (key_bytes(groups, &key), encode(&value));
            count += 1;
            bytes += place.len() + packed.len();
            if let Some(since) = since.as_mut().filter(|since| since.changes.has(hash_key(&key))) {
                since.left_bytes += place.len() + size_of::<Vec<u8>>();
                since.left.push(place.clone());
            }
            (place, Some(packed))
        });
        self.table.write(&mut entries).unwrap_or_else(|error| error.raise());
        drop(entries);
        self.cache.learn(count, bytes);
        if self.since.as_ref().is_some_and(|since| since.left_bytes > LEFT_BYTES_MAX) {
            self.since = None;
        }
    }
}

/// Reads the value of a key from a table.
fn read<K: Key, V: Data>(table: &dyn Table, groups: KeyGroups, key: &K) -> Option<V> {
    let mut value = None;
    let found = table.get(&key_bytes(groups, key), &mut |bytes| value = Some(decode(bytes)));
    found.unwrap_or_else(|error| error.raise());
    value
}

impl<K, V> fmt::Debug for DiskMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskMap").finish_non_exhaustive()
    }
}

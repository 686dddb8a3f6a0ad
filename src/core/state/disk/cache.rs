//! The entries in memory, in shards of two generations.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::Key;
use crate::key::hash_key;

/// Into how many shards the keys are dealt.
const SHARDS: usize = 256;

/// How few entries a generation of a shard holds, however large they are.
const ENTRIES_MIN: usize = 4;

/// The entries in memory.
pub(super) struct Cache<K, V> {
    shards: Vec<Shard<K, V>>,
    /// How many bytes the entries may have, by what is known of their size.
    memory: usize,
    /// How many entries a generation of a shard holds.
    entries_max: usize,
}

struct Shard<K, V> {
    young: HashTable<(K, V)>,
    old: HashTable<(K, V)>,
}

impl<K: Key, V> Cache<K, V> {
    /// Room for about so many bytes.
    pub(super) fn of(memory: usize) -> Self {
        let shard = || Shard { young: HashTable::new(), old: HashTable::new() };
        let shards = std::iter::repeat_with(shard).take(SHARDS).collect();
        let mut cache = Cache { shards, memory, entries_max: 0 };
        cache.set_entry_bytes(0);
        cache
    }

    /// About how many entries there is room for.
    pub(super) fn capacity(&self) -> usize {
        self.entries_max * SHARDS * 2
    }

    /// The entry of a key: where it is not in memory, with the value that `fetch` finds.
    pub(super) fn find(&mut self, hash: u64, key: &K, fetch: impl FnOnce() -> Option<V>) -> Option<&mut V> {
        let Shard { young, old } = self.shard(hash);
        match young.entry(hash, |entry| entry.0 == *key, |entry| hash_key(&entry.0)) {
            Entry::Occupied(entry) => Some(&mut entry.into_mut().1),
            Entry::Vacant(place) => {
                let entry = match old.find_entry(hash, |entry| entry.0 == *key) {
                    Ok(entry) => entry.remove().0,
                    Err(_) => (key.clone(), fetch()?),
                };
                Some(&mut place.insert(entry).into_mut().1)
            }
        }
    }

    /// The value of a key, if it is in memory; it stays in its generation.
    pub(super) fn peek(&self, hash: u64, key: &K) -> Option<&V> {
        let Shard { young, old } = &self.shards[shard_of(hash)];
        let found = [young, old].into_iter().find_map(|part| part.find(hash, |entry| entry.0 == *key));
        found.map(|entry| &entry.1)
    }

    pub(super) fn remove(&mut self, hash: u64, key: &K) {
        let Shard { young, old } = self.shard(hash);
        for generation in [young, old] {
            if let Ok(entry) = generation.find_entry(hash, |entry| entry.0 == *key) {
                entry.remove();
            }
        }
    }

    /// Begins a new generation in a key's shard, if the key would find no room there: returns the entries that leave.
    pub(super) fn turn(&mut self, hash: u64, key: &K) -> Option<impl Iterator<Item = (K, V)> + use<K, V>> {
        let entries_max = self.entries_max;
        let Shard { young, old } = self.shard(hash);
        if young.len() < entries_max || young.find(hash, |entry| entry.0 == *key).is_some() {
            return None;
        }
        Some(std::mem::replace(old, std::mem::take(young)).into_iter())
    }

    /// Learns how many bytes the entries had that left a shard last.
    pub(super) fn learn(&mut self, entries: usize, bytes: usize) {
        if let Some(each) = bytes.checked_div(entries) {
            self.set_entry_bytes(each);
        }
    }

    /// All entries in memory, in no particular order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &(K, V)> {
        self.shards.iter().flat_map(|Shard { young, old }| young.iter().chain(old))
    }

    fn shard(&mut self, hash: u64) -> &mut Shard<K, V> {
        &mut self.shards[shard_of(hash)]
    }

    /// What an entry has on the heap is told by its encoded length: more than that it hardly is.
    fn set_entry_bytes(&mut self, encoded: usize) {
        let bytes = (size_of::<(K, V)>() + encoded).max(1);
        self.entries_max = (self.memory / (bytes * SHARDS * 2)).max(ENTRIES_MIN);
    }
}

/// The middle bits tell: the lowest ones place within a table.
fn shard_of(hash: u64) -> usize {
    (hash >> 40) as usize % SHARDS
}

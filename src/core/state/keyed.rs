//! One value for each key.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::key::hash_key;
use crate::state::changes::Changes;
use crate::state::deal::{by_group, put_changes};
use crate::state::{
    Changed, Glance, LayerKind, LookError, Looked, Saving, Sections, State, StateError, look, show,
};
use crate::{Data, Key, KeyGroup, KeyGroups};

/// An open-addressing map from keys to values, saved by key group.
///
/// Once it has been saved it notes which entries are looked up to be changed, and saves only those the next
/// time. Whoever asks for all of them to be changed at once has all of them saved.
#[derive(Clone, Debug)]
pub struct KeyedMap<K, V> {
    entries: HashTable<(K, V)>,
    /// What has changed since it was saved; `None` where all has, or it never was.
    changes: Option<Box<Changes<K>>>,
}

impl<K, V> Default for KeyedMap<K, V> {
    fn default() -> Self {
        KeyedMap { entries: HashTable::new(), changes: None }
    }
}

impl<K: Key, V> KeyedMap<K, V> {
    /// The value of a key, if it has one.
    #[inline]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.find(hash_key(key), |entry| entry.0 == *key).map(|entry| &entry.1)
    }

    /// The value of the key that has this hash and for which `is` is true, if there is one.
    pub(super) fn find(&self, hash: u64, is: impl Fn(&K) -> bool) -> Option<&V> {
        self.entries.find(hash, |entry| is(&entry.0)).map(|entry| &entry.1)
    }

    /// The value of a key, if it has one, to be changed.
    #[inline]
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let hash = hash_key(key);
        self.mark(hash);
        self.entries.find_mut(hash, |entry| entry.0 == *key).map(|entry| &mut entry.1)
    }

    /// The value of a key, made by `first` where it has none.
    #[inline]
    pub fn get_or_insert_with(&mut self, key: K, first: impl FnOnce() -> V) -> &mut V {
        let hash = hash_key(&key);
        self.mark(hash);
        match self.entries.entry(hash, |entry| entry.0 == key, |entry| hash_key(&entry.0)) {
            Entry::Occupied(entry) => &mut entry.into_mut().1,
            Entry::Vacant(place) => &mut place.insert((key, first())).into_mut().1,
        }
    }

    /// The value of a key, made by `first` where it has none; clones the key only then.
    #[inline]
    pub fn get_or_insert_ref(&mut self, key: &K, first: impl FnOnce() -> V) -> &mut V {
        let hash = hash_key(key);
        self.mark(hash);
        match self.entries.entry(hash, |entry| entry.0 == *key, |entry| hash_key(&entry.0)) {
            Entry::Occupied(entry) => &mut entry.into_mut().1,
            Entry::Vacant(place) => &mut place.insert((key.clone(), first())).into_mut().1,
        }
    }

    /// Sets the value of a key, and returns the one it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let hash = hash_key(&key);
        self.mark(hash);
        match self.entries.entry(hash, |entry| entry.0 == key, |entry| hash_key(&entry.0)) {
            Entry::Occupied(mut entry) => Some(std::mem::replace(&mut entry.get_mut().1, value)),
            Entry::Vacant(place) => {
                place.insert((key, value));
                None
            }
        }
    }

    /// Takes a key and its value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let found = self.entries.find_entry(hash_key(key), |entry| entry.0 == *key).ok()?;
        let ((key, value), _) = found.remove();
        if let Some(changes) = &mut self.changes {
            changes.remove(key);
        }
        Some(value)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The keys and values, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// Takes all keys and values out and keeps the room.
    pub fn drain(&mut self) -> impl Iterator<Item = (K, V)> {
        self.changes = None;
        self.entries.drain()
    }

    /// Takes out the keys and values for which `taken` is true, as the iterator is read.
    pub fn extract_if(&mut self, mut taken: impl FnMut(&K, &mut V) -> bool) -> impl Iterator<Item = (K, V)> {
        self.changes = None;
        self.entries.extract_if(move |(key, value)| taken(key, value))
    }

    /// Drops all keys and values and keeps the room.
    pub fn clear(&mut self) {
        self.changes = None;
        self.entries.clear();
    }

    #[inline(always)]
    fn mark(&mut self, hash: u64) {
        if let Some(changes) = &mut self.changes {
            changes.mark(hash);
        }
    }

    /// Whether to save all of it is as well as to save the changes.
    fn has_mostly_changed(&self) -> bool {
        self.changes.as_ref().is_none_or(|changes| changes.are_most(self.len()))
    }
}

impl<K: Key, V: Clone> KeyedMap<K, V> {
    /// Copies all entries out, as saved.
    fn take_all(&mut self) -> Vec<(K, V)> {
        self.changes = Some(Box::new(Changes::of(self.len())));
        self.entries.iter().cloned().collect()
    }

    /// Copies out what has changed since it was saved, as saved now. All where it never was.
    fn take_changes(&mut self) -> Changed<(K, V), K> {
        let since = self.changes.replace(Box::new(Changes::of(self.len())));
        let Some(since) = since else { return Changed { put: self.take_all(), removed: Vec::new() } };
        let put = self.entries.iter().filter(|entry| since.has(hash_key(&entry.0))).cloned().collect();
        Changed { put, removed: since.into_removed() }
    }
}

impl<K: Key, V: Data> State for KeyedMap<K, V> {
    fn save(&mut self, saving: &mut Saving) {
        let groups = saving.key_groups();
        if saving.kind() == LayerKind::Full || self.has_mostly_changed() {
            let entries = self.take_all();
            return saving.later(move |sections| {
                for (group, entries) in by_group(groups, entries, |entry| &entry.0) {
                    sections.put(group, &entries);
                }
            });
        }
        let changed = self.take_changes();
        saving.later(move |sections| {
            put_changes(sections, groups, changed, |entry: &(K, V)| &entry.0, |key| key);
        });
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        for piece in sections.pieces::<Vec<(K, V)>>() {
            for (key, value) in piece? {
                self.insert(key, value);
            }
        }
        for piece in sections.changes::<(K, V), K>() {
            let Changed { put, removed } = piece?;
            removed.iter().for_each(|key| drop(self.remove(key)));
            put.into_iter().for_each(|(key, value)| drop(self.insert(key, value)));
        }
        Ok(())
    }

    fn group_of(key: &[u8], groups: KeyGroups) -> Option<Result<KeyGroup, LookError>> {
        Some(look::group_of::<K>(key, groups))
    }

    fn look(&mut self, glance: Glance<'_>) -> Looked {
        glance.whole()?;
        show(self.get(&glance.key()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyGroups;

    #[test]
    fn what_was_saved_is_dealt_out_by_key_group() {
        let groups = KeyGroups::default();
        let mut all = KeyedMap::default();
        (0..1000_u64).for_each(|key| {
            all.insert(key, key * 2);
        });
        let mut saving = Saving::new(groups, LayerKind::Full);
        all.save(&mut saving);
        let saved = saving.encode();

        let mut seen = 0;
        for index in 0..3 {
            let range = groups.range(index, 3);
            let mut part = KeyedMap::<u64, u64>::default();
            part.load(&saved.restrict(&range, true)).unwrap();
            assert!(part.iter().all(|(key, value)| *value == key * 2 && range.contains(groups.of(key))));
            seen += part.len();
        }
        assert_eq!(seen, 1000);
    }

    #[test]
    fn changes_laid_over_what_was_saved_are_the_map() {
        let groups = KeyGroups::default();
        let mut dice = 7_u64;
        let mut map = KeyedMap::<u64, u64>::default();
        let mut all = Sections::default();
        let mut kind = LayerKind::Full;
        let mut changes = 0;
        for round in 0..200 {
            for _ in 0..40 {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let key = (dice >> 33) % 3000;
                match dice >> 62 {
                    0 => drop(map.remove(&key)),
                    1 => drop(map.insert(key, round)),
                    2 => *map.get_or_insert_with(key, || round) += 1,
                    _ => drop(map.get_mut(&key).map(|value| *value += 1)),
                }
            }
            if round == 100 {
                map.clear();
            }
            let mut saving = Saving::new(groups, kind);
            map.save(&mut saving);
            let saved = saving.encode();
            changes += usize::from(saved.hold_changes());
            all.lay_over(saved);
            let mut back = KeyedMap::default();
            back.load(&all).unwrap();
            let sorted = |map: &KeyedMap<u64, u64>| {
                let mut all: Vec<_> = map.iter().map(|(key, value)| (*key, *value)).collect();
                all.sort_unstable();
                all
            };
            assert_eq!(sorted(&map), sorted(&back), "round {round}");
            kind = LayerKind::Changes;
        }
        assert!((50..199).contains(&changes), "{changes} layers of changes");
    }

    #[test]
    fn bytes_of_another_type_are_refused() {
        let mut strings = KeyedMap::default();
        strings.insert(1_u64, "text".to_owned());
        let mut saving = Saving::new(KeyGroups::default(), LayerKind::Full);
        strings.save(&mut saving);
        let saved = saving.encode();
        assert!(KeyedMap::<u64, u64>::default().load(&saved).is_err());
    }
}

//! One value for each key.

use std::collections::BTreeMap;

use crate::state::{Sections, State, StateError};
use crate::{Data, Key, KeyGroup, KeyGroups, key::KeyHashBuilder};

/// An open-addressing map from keys to values, saved by key group.
#[derive(Clone, Debug)]
pub struct KeyedMap<K, V>(hashbrown::HashMap<K, V, KeyHashBuilder>);

impl<K, V> Default for KeyedMap<K, V> {
    fn default() -> Self {
        KeyedMap(hashbrown::HashMap::default())
    }
}

impl<K: Key, V> KeyedMap<K, V> {
    /// The value of a key, if it has one.
    #[inline]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key)
    }

    /// The value of a key, if it has one, to be changed.
    #[inline]
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.0.get_mut(key)
    }

    /// The value of a key, made by `first` where it has none.
    #[inline]
    pub fn get_or_insert_with(&mut self, key: K, first: impl FnOnce() -> V) -> &mut V {
        self.0.entry(key).or_insert_with(first)
    }

    /// The value of a key, made by `first` where it has none; clones the key only then.
    #[inline]
    pub fn get_or_insert_ref(&mut self, key: &K, first: impl FnOnce() -> V) -> &mut V {
        self.0.entry_ref(key).or_insert_with(first)
    }

    /// Sets the value of a key, and returns the one it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    /// Takes a key and its value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.0.remove(key)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys and values, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter()
    }

    /// The keys and values, in no particular order, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.0.iter_mut()
    }

    /// Takes all keys and values out and keeps the room.
    pub fn drain(&mut self) -> impl Iterator<Item = (K, V)> {
        self.0.drain()
    }

    /// Takes out the keys and values for which `taken` is true, as the iterator is read.
    pub fn extract_if(&mut self, taken: impl FnMut(&K, &mut V) -> bool) -> impl Iterator<Item = (K, V)> {
        self.0.extract_if(taken)
    }

    /// Drops all keys and values and keeps the room.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// Groups what is to be saved by the key group of its key.
pub(super) fn by_group<'a, K: Key, E: 'a>(
    groups: KeyGroups,
    entries: impl Iterator<Item = (&'a K, E)>,
) -> BTreeMap<KeyGroup, Vec<E>> {
    let mut pieces: BTreeMap<KeyGroup, Vec<E>> = BTreeMap::new();
    for (key, entry) in entries {
        pieces.entry(groups.of(key)).or_default().push(entry);
    }
    pieces
}

impl<K: Key, V: Data> State for KeyedMap<K, V> {
    fn save(&self, groups: KeyGroups, sections: &mut Sections) {
        for (group, entries) in by_group(groups, self.iter().map(|entry| (entry.0, entry))) {
            sections.put(group, &entries);
        }
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        for piece in sections.pieces::<Vec<(K, V)>>() {
            self.0.extend(piece?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_dealt_out_by_key_group() {
        let groups = KeyGroups::default();
        let mut all = KeyedMap::default();
        (0..1000_u64).for_each(|key| {
            all.insert(key, key * 2);
        });
        let mut saved = Sections::default();
        all.save(groups, &mut saved);

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
    fn bytes_of_another_type_are_refused() {
        let mut strings = KeyedMap::default();
        strings.insert(1_u64, "text".to_owned());
        let mut saved = Sections::default();
        strings.save(KeyGroups::default(), &mut saved);
        assert!(KeyedMap::<u64, u64>::default().load(&saved).is_err());
    }
}

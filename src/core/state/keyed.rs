//! One value for each key.

use crate::state::{Saving, Sections, State, StateError};
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

/// Deals entries out by the key group of their key; groups without any are left out.
pub(super) fn by_group<K: Key, E>(
    groups: KeyGroups,
    entries: Vec<E>,
    key: impl Fn(&E) -> &K,
) -> impl Iterator<Item = (KeyGroup, Vec<E>)> {
    let share = entries.len() / usize::from(groups.count());
    let mut pieces: Vec<Vec<E>> = Vec::new();
    // A little more than an even share, so that most groups grow at most once.
    pieces.resize_with(usize::from(groups.count()), || Vec::with_capacity(share + share / 4));
    for entry in entries {
        pieces[usize::from(groups.of(key(&entry)).0)].push(entry);
    }
    let all = (0..).map(KeyGroup).zip(pieces);
    all.filter(|(_, piece)| !piece.is_empty())
}

impl<K: Key, V: Data> State for KeyedMap<K, V> {
    fn save(&self, saving: &mut Saving) {
        let groups = saving.key_groups();
        let entries: Vec<(K, V)> = self.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        saving.later(move |sections| {
            for (group, entries) in by_group(groups, entries, |entry| &entry.0) {
                sections.put(group, &entries);
            }
        });
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
        let mut saving = Saving::new(groups);
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
    fn bytes_of_another_type_are_refused() {
        let mut strings = KeyedMap::default();
        strings.insert(1_u64, "text".to_owned());
        let mut saving = Saving::new(KeyGroups::default());
        strings.save(&mut saving);
        let saved = saving.encode();
        assert!(KeyedMap::<u64, u64>::default().load(&saved).is_err());
    }
}

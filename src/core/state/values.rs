//! One value for each key, in memory or on disk as the job is configured.

use crate::state::disk::DiskMap;
use crate::state::{
    BackendError, Glance, KeyedMap, LookError, Looked, Room, Saving, Sections, State, StateError, look, show,
};
use crate::{Data, Key, KeyGroup, KeyGroups};

/// One value for each key, found where the job keeps its state: in memory, or on disk with the values in use in
/// memory. What is saved is the same, so a job may be restored with the other.
#[derive(Debug)]
pub struct Values<K, V>(Held<K, V>);

#[derive(Debug)]
enum Held<K, V> {
    Memory(KeyedMap<K, V>),
    Disk(Box<DiskMap<K, V>>),
}

impl<K, V> Default for Values<K, V> {
    /// In memory, until [`State::open`] says otherwise.
    fn default() -> Self {
        Values(Held::Memory(KeyedMap::default()))
    }
}

impl<K: Key, V: Data> Values<K, V> {
    /// The value of a key, if it has one, to be changed.
    ///
    /// # Panics
    ///
    /// With a [`BackendError`] where the disk fails.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        match &mut self.0 {
            Held::Memory(map) => map.get_mut(key),
            Held::Disk(map) => map.get_mut(key),
        }
    }

    /// The value of a key, if it has one.
    ///
    /// # Panics
    ///
    /// With a [`BackendError`] where the disk fails.
    pub fn get(&mut self, key: &K) -> Option<&V> {
        match &mut self.0 {
            Held::Memory(map) => map.get(key),
            Held::Disk(map) => map.get(key),
        }
    }

    /// The value of a key, made by `first` where it has none; clones the key only then.
    ///
    /// # Panics
    ///
    /// With a [`BackendError`] where the disk fails.
    #[inline]
    pub fn get_or_insert_ref(&mut self, key: &K, first: impl FnOnce() -> V) -> &mut V {
        match &mut self.0 {
            Held::Memory(map) => map.get_or_insert_ref(key, first),
            Held::Disk(map) => map.get_or_insert_ref(key, first),
        }
    }

    /// As [`Values::get_or_insert_ref`], and a disk learns of a new key at once, so that a
    /// [visit](DiskMap::visit) there finds it.
    pub(super) fn get_or_enlist(&mut self, key: &K, first: impl FnOnce() -> V) -> &mut V {
        match &mut self.0 {
            Held::Memory(map) => map.get_or_insert_ref(key, first),
            Held::Disk(map) => map.get_or_enlist(key, first),
        }
    }

    /// The keys and values that are in memory, or the disk where they are not.
    pub(super) fn held(&self) -> Result<&KeyedMap<K, V>, &DiskMap<K, V>> {
        match &self.0 {
            Held::Memory(map) => Ok(map),
            Held::Disk(map) => Err(map),
        }
    }

    /// Takes a key and its value out.
    ///
    /// # Panics
    ///
    /// With a [`BackendError`] where the disk fails.
    pub fn remove(&mut self, key: &K) {
        match &mut self.0 {
            Held::Memory(map) => drop(map.remove(key)),
            Held::Disk(map) => map.remove(key),
        }
    }
}

impl<K: Key, V: Data> State for Values<K, V> {
    fn open(&mut self, room: &Room) -> Result<(), BackendError> {
        if let Some(backend) = &room.backend {
            self.0 = Held::Disk(Box::new(DiskMap::open(&**backend, room.key_groups)?));
        }
        Ok(())
    }

    fn save(&mut self, saving: &mut Saving) {
        match &mut self.0 {
            Held::Memory(map) => map.save(saving),
            Held::Disk(map) => map.save(saving),
        }
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        match &mut self.0 {
            Held::Memory(map) => map.load(sections),
            Held::Disk(map) => map.load(sections),
        }
    }

    fn group_of(key: &[u8], groups: KeyGroups) -> Option<Result<KeyGroup, LookError>> {
        Some(look::group_of::<K>(key, groups))
    }

    fn look(&mut self, glance: Glance<'_>) -> Looked {
        glance.whole()?;
        show(self.get(&glance.key()?))
    }
}

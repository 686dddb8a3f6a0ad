//! The saved form of state: a tree of named parts, each cut by key group.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{KeyGroup, KeyGroupRange};

/// Saved state: named parts, each with one piece of MessagePack per key group, and pieces that belong to
/// a whole subtask.
///
/// Structs are written as maps with named fields, so that any MessagePack reader can read them and serde's
/// defaults and aliases carry a changed type over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sections {
    groups: BTreeMap<KeyGroup, Vec<u8>>,
    whole: Vec<Vec<u8>>,
    parts: BTreeMap<String, Sections>,
}

/// Saved bytes that do not fit the type they are to be read as.
#[derive(Debug, thiserror::Error)]
#[error("saved state does not fit the operator's state type: {0}; was the type changed?")]
pub struct StateError(#[from] rmp_serde::decode::Error);

static EMPTY: Sections = Sections { groups: BTreeMap::new(), whole: Vec::new(), parts: BTreeMap::new() };

impl Sections {
    /// The part of this name, made on demand.
    pub fn part(&mut self, name: &str) -> &mut Sections {
        self.parts.entry(name.to_owned()).or_default()
    }

    /// The part of this name; an empty one where nothing was saved under it.
    pub fn get(&self, name: &str) -> &Sections {
        self.parts.get(name).unwrap_or(&EMPTY)
    }

    /// Writes the piece of one key group.
    pub fn put<T: Serialize>(&mut self, group: KeyGroup, value: &T) {
        self.groups.insert(group, encode(value));
    }

    /// Writes the piece of the whole subtask.
    pub fn put_whole<T: Serialize>(&mut self, value: &T) {
        self.whole = vec![encode(value)];
    }

    /// The key groups of which a piece is here or in any part.
    pub fn groups(&self) -> BTreeSet<KeyGroup> {
        let own = self.groups.keys().copied();
        own.chain(self.parts.values().flat_map(Sections::groups)).collect()
    }

    /// Reads the pieces of all key groups, in their order.
    ///
    /// # Errors
    ///
    /// Where a piece is not a `T`.
    pub fn pieces<T: DeserializeOwned>(&self) -> impl Iterator<Item = Result<T, StateError>> {
        self.groups.values().map(|bytes| Ok(rmp_serde::from_slice(bytes)?))
    }

    /// Reads the pieces of whole subtasks: one for each subtask that saved one, whatever the parallelism
    /// is now.
    ///
    /// # Errors
    ///
    /// Where a piece is not a `T`.
    pub fn whole<T: DeserializeOwned>(&self) -> impl Iterator<Item = Result<T, StateError>> {
        self.whole.iter().map(|bytes| Ok(rmp_serde::from_slice(bytes)?))
    }

    /// The bytes of the pieces of the key groups, in their order, without those of the parts.
    pub fn group_bytes(&self) -> impl ExactSizeIterator<Item = (KeyGroup, &[u8])> {
        self.groups.iter().map(|(group, bytes)| (*group, bytes.as_slice()))
    }

    /// The bytes of the pieces of whole subtasks, without those of the parts.
    pub fn whole_bytes(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.whole.iter().map(Vec::as_slice)
    }

    /// The parts, by name.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = (&str, &Sections)> {
        self.parts.iter().map(|(name, part)| (name.as_str(), part))
    }

    /// Puts the bytes of a key group's piece back, as [`group_bytes`](Sections::group_bytes) gave them.
    pub fn put_group_bytes(&mut self, group: KeyGroup, bytes: Vec<u8>) {
        self.groups.insert(group, bytes);
    }

    /// Adds the bytes of a whole subtask's piece, as [`whole_bytes`](Sections::whole_bytes) gave them.
    pub fn add_whole_bytes(&mut self, bytes: Vec<u8>) {
        self.whole.push(bytes);
    }

    /// Leaves out the key groups outside `range`, and the whole pieces where `whole` is false.
    #[must_use]
    pub fn restrict(&self, range: &KeyGroupRange, whole: bool) -> Sections {
        Sections {
            groups: self
                .groups
                .iter()
                .filter(|(group, _)| range.contains(**group))
                .map(|(group, bytes)| (*group, bytes.clone()))
                .collect(),
            whole: if whole { self.whole.clone() } else { Vec::new() },
            parts: self
                .parts
                .iter()
                .map(|(name, part)| (name.clone(), part.restrict(range, whole)))
                .collect(),
        }
    }

    /// Adds what another subtask saved.
    pub fn merge(&mut self, other: Sections) {
        self.groups.extend(other.groups);
        self.whole.extend(other.whole);
        for (name, part) in other.parts {
            self.part(&name).merge(part);
        }
    }
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("state is made of Data, which serde can write")
}

//! The saved form of state: a tree of named parts, each cut by key group.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::state::Changed;
use crate::state::piece::Piece;
use crate::{KeyGroup, KeyGroupRange};

/// Saved state: named parts, each with one piece of MessagePack per key group, and pieces that belong to
/// a whole subtask. Over the pieces of key groups there may lie layers of [`Changed`](crate::state::Changed) pieces.
///
/// Structs are written as maps with named fields, so that any MessagePack reader can read them and serde's
/// defaults and aliases carry a changed type over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sections {
    groups: BTreeMap<KeyGroup, Piece>,
    whole: Vec<Vec<u8>>,
    /// The layers of changes, oldest first.
    changes: Vec<BTreeMap<KeyGroup, Vec<u8>>>,
    parts: BTreeMap<String, Sections>,
}

/// Saved bytes that do not fit the type they are to be read as.
#[derive(Debug, thiserror::Error)]
#[error("saved state does not fit the operator's state type: {0}; was the type changed?")]
pub struct StateError(#[from] rmp_serde::decode::Error);

impl StateError {
    /// A part whose name tells that it is not what it should be.
    pub(super) fn part(name: &str, should_be: &str) -> StateError {
        StateError(rmp_serde::decode::Error::Uncategorized(format!("the part {name:?} is not {should_be}")))
    }
}

static EMPTY: Sections =
    Sections { groups: BTreeMap::new(), whole: Vec::new(), changes: Vec::new(), parts: BTreeMap::new() };

impl Sections {
    /// The part of this name, made on demand.
    pub fn part(&mut self, name: &str) -> &mut Sections {
        self.parts.entry(name.to_owned()).or_default()
    }

    /// The part of this name; an empty one where nothing was saved under it.
    pub fn get(&self, name: &str) -> &Sections {
        self.parts.get(name).unwrap_or(&EMPTY)
    }

    /// The part that was saved under the first of these names, which has parts itself; an empty one where none was.
    pub fn get_any(&self, names: &[&str]) -> &Sections {
        let named = names.iter().filter_map(|name| self.parts.get(*name));
        named.into_iter().find(|part| !part.parts.is_empty()).unwrap_or(&EMPTY)
    }

    /// Refuses a part that has parts itself, holds something, and has none of these names.
    ///
    /// # Errors
    ///
    /// Where there is one.
    pub fn has_only(&self, names: &[&str]) -> Result<(), StateError> {
        let unknown = self.parts.iter().find(|(name, part)| {
            !names.contains(&name.as_str()) && !part.parts.is_empty() && part.holds_any()
        });
        match unknown {
            None => Ok(()),
            Some((name, _)) => Err(StateError(rmp_serde::decode::Error::Uncategorized(format!(
                "a piece {name:?} was saved, and there is none of this name now: say \
                 #[state(alias = {name:?})] of the field that takes over, or #[state(dropped = {name:?})] of the struct"
            )))),
        }
    }

    /// Whether anything is here or in any part.
    fn holds_any(&self) -> bool {
        let own =
            self.groups.len() + self.whole.len() + self.changes.iter().map(BTreeMap::len).sum::<usize>();
        own > 0 || self.parts.values().any(Sections::holds_any)
    }

    /// Writes the piece of one key group.
    pub fn put<T: Serialize>(&mut self, group: KeyGroup, value: &T) {
        self.groups.insert(group, Piece::Bytes(encode(value)));
    }

    /// Has the piece of one key group made when it is wanted, as MessagePack; more than once where it is wanted more
    /// often.
    pub fn put_made(&mut self, group: KeyGroup, make: impl Fn() -> Vec<u8> + Send + Sync + 'static) {
        self.groups.insert(group, Piece::Made(Arc::new(make)));
    }

    /// Writes the piece of the whole subtask.
    pub fn put_whole<T: Serialize>(&mut self, value: &T) {
        self.whole = vec![encode(value)];
    }

    /// Begins a layer of changes: the pieces that [`put_changes`](Sections::put_changes) writes are laid over
    /// those that were saved before, and do not stand in their place.
    pub fn begin_changes(&mut self) {
        self.changes.push(BTreeMap::new());
    }

    /// Writes the piece of one key group in the newest layer of changes.
    ///
    /// # Panics
    ///
    /// Where no layer of changes was begun.
    pub fn put_changes<P: Serialize, R: Serialize>(&mut self, group: KeyGroup, changed: &Changed<P, R>) {
        self.put_change_bytes(group, encode(changed));
    }

    /// Reads the changed pieces, oldest layer first.
    ///
    /// # Errors
    ///
    /// Where a piece is none.
    pub fn changes<P: DeserializeOwned, R: DeserializeOwned>(
        &self,
    ) -> impl Iterator<Item = Result<Changed<P, R>, StateError>> {
        let pieces = self.changes.iter().flat_map(BTreeMap::values);
        pieces.map(|bytes| Ok(rmp_serde::from_slice(bytes)?))
    }

    /// How many layers of changes lie over the pieces here, without those of the parts.
    pub fn layers_of_changes(&self) -> usize {
        self.changes.len()
    }

    /// Whether there are changes here or in any part.
    pub fn hold_changes(&self) -> bool {
        !self.changes.is_empty() || self.parts.values().any(Sections::hold_changes)
    }

    /// Lays the same state, saved later, over this: its changes are added, and all else stands in the place of
    /// what is here. A part that is not there later is gone.
    pub fn lay_over(&mut self, later: Sections) {
        if later.changes.is_empty() {
            self.groups = later.groups;
            self.changes = Vec::new();
        } else {
            self.changes.extend(later.changes);
        }
        self.whole = later.whole;
        self.parts.retain(|name, _| later.parts.contains_key(name));
        for (name, part) in later.parts {
            self.part(&name).lay_over(part);
        }
    }

    /// The key groups of which a piece is here or in any part.
    pub fn groups(&self) -> BTreeSet<KeyGroup> {
        let own = self.groups.keys().chain(self.changes.iter().flat_map(BTreeMap::keys)).copied();
        own.chain(self.parts.values().flat_map(Sections::groups)).collect()
    }

    /// Reads the pieces of all key groups, in their order.
    ///
    /// # Errors
    ///
    /// Where a piece is not a `T`.
    pub fn pieces<T: DeserializeOwned>(&self) -> impl Iterator<Item = Result<T, StateError>> {
        self.groups.values().map(|piece| Ok(rmp_serde::from_slice(&piece.bytes())?))
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
    pub fn group_bytes(&self) -> impl ExactSizeIterator<Item = (KeyGroup, Cow<'_, [u8]>)> {
        self.groups.iter().map(|(group, piece)| (*group, piece.bytes()))
    }

    /// The key groups that have a piece here, without the parts, leaving out what layers of changes lie over it.
    pub fn own_groups(&self) -> impl ExactSizeIterator<Item = KeyGroup> {
        self.groups.keys().copied()
    }

    /// As [`group_bytes`](Sections::group_bytes), of the layers of changes, oldest first.
    pub fn change_bytes(&self) -> impl Iterator<Item = (KeyGroup, &[u8])> {
        self.changes.iter().flatten().map(|(group, bytes)| (*group, bytes.as_slice()))
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
        self.groups.insert(group, Piece::Bytes(bytes));
    }

    /// Puts the bytes of a key group's piece into the newest layer of changes, as
    /// [`change_bytes`](Sections::change_bytes) gave them.
    ///
    /// # Panics
    ///
    /// Where no layer of changes was begun.
    pub fn put_change_bytes(&mut self, group: KeyGroup, bytes: Vec<u8>) {
        let layer = self.changes.last_mut().expect("changes are put after their layer was begun");
        layer.insert(group, bytes);
    }

    /// Adds the bytes of a whole subtask's piece, as [`whole_bytes`](Sections::whole_bytes) gave them.
    pub fn add_whole_bytes(&mut self, bytes: Vec<u8>) {
        self.whole.push(bytes);
    }

    /// Leaves out the key groups outside `range`, and the whole pieces where `whole` is false.
    #[must_use]
    pub fn restrict(&self, range: &KeyGroupRange, whole: bool) -> Sections {
        Sections {
            groups: within(&self.groups, range),
            whole: if whole { self.whole.clone() } else { Vec::new() },
            changes: self.changes.iter().map(|layer| within(layer, range)).collect(),
            parts: self
                .parts
                .iter()
                .map(|(name, part)| (name.clone(), part.restrict(range, whole)))
                .collect(),
        }
    }

    /// Adds what another subtask saved.
    pub fn merge(&mut self, other: Sections) {
        self.changes.resize(self.changes.len().max(other.changes.len()), BTreeMap::new());
        for (layer, more) in self.changes.iter_mut().zip(other.changes) {
            layer.extend(more);
        }
        self.groups.extend(other.groups);
        self.whole.extend(other.whole);
        for (name, part) in other.parts {
            self.part(&name).merge(part);
        }
    }
}

fn within<P: Clone>(pieces: &BTreeMap<KeyGroup, P>, range: &KeyGroupRange) -> BTreeMap<KeyGroup, P> {
    let within = pieces.iter().filter(|(group, _)| range.contains(**group));
    within.map(|(group, piece)| (*group, piece.clone())).collect()
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("state is made of Data, which serde can write")
}

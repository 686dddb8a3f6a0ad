//! What is saved of a map on disk, and how it comes back.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use super::codec::{GROUP_BYTES, Pairs, encode, group_of, key_bytes, prefix};
use crate::state::deal::by_group;
use crate::state::{BackendError, Changed, Sections, StateError, Table, View};
use crate::{Data, Key, KeyGroup, KeyGroupRange, KeyGroups};

/// Entries as in the table.
type Encoded = BTreeMap<Vec<u8>, Vec<u8>>;

fn encoded<K: Key, V: Data>(groups: KeyGroups, entries: impl IntoIterator<Item = (K, V)>) -> Encoded {
    entries.into_iter().map(|(key, value)| (key_bytes(groups, &key), encode(&value))).collect()
}

/// A whole map: what was in memory, over what the table held.
pub(super) struct All<K, V> {
    groups: KeyGroups,
    /// By key group, as they are: encoded they take several times the room, so that is done a group at a time.
    here: BTreeMap<KeyGroup, Mutex<Vec<(K, V)>>>,
    view: Arc<dyn View>,
}

impl<K: Key, V: Data> All<K, V> {
    pub(super) fn of(groups: KeyGroups, here: Vec<(K, V)>, view: Arc<dyn View>) -> Self {
        let here = by_group(groups, here, |entry| &entry.0);
        All { groups, here: here.map(|(group, entries)| (group, Mutex::new(entries))).collect(), view }
    }

    /// Writes a piece for each group: made when the file comes to it, since all together may not fit into memory.
    pub(super) fn write(self: Arc<Self>, range: &KeyGroupRange, sections: &mut Sections) {
        for group in range.0.clone().map(KeyGroup).filter(|group| self.has(*group)) {
            let all = self.clone();
            sections.put_made(group, move || all.piece(group));
        }
    }

    /// Whether a group has any entry.
    fn has(&self, group: KeyGroup) -> bool {
        let mut found = self.here.contains_key(&group);
        if !found {
            let visited = self.view.visit(&prefix(group), &mut |_, _| {
                found = true;
                ControlFlow::Break(())
            });
            visited.unwrap_or_else(|error| error.raise());
        }
        found
    }

    fn piece(&self, group: KeyGroup) -> Vec<u8> {
        let here = self.here.get(&group).map(|entries| {
            let entries = entries.lock().unwrap_or_else(PoisonError::into_inner);
            encoded(self.groups, entries.iter().cloned())
        });
        let mut here = here.unwrap_or_default().into_iter().peekable();
        let mut pairs = Pairs::begin(Vec::new());
        let visited = self.view.visit(&prefix(group), &mut |key, value| {
            while let Some((own, value)) = here.next_if(|(own, _)| own.as_slice() < key) {
                pairs.push(&own[GROUP_BYTES..], &value);
            }
            match here.next_if(|(own, _)| own.as_slice() == key) {
                Some((_, newer)) => pairs.push(&key[GROUP_BYTES..], &newer),
                None => pairs.push(&key[GROUP_BYTES..], value),
            }
            ControlFlow::Continue(())
        });
        visited.unwrap_or_else(|error| error.raise());
        here.for_each(|(own, value)| pairs.push(&own[GROUP_BYTES..], &value));
        pairs.end()
    }
}

/// What has changed in a map, by key group.
pub(super) struct Gathered {
    /// A value, or none where it is in the table, or nowhere any more.
    put: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    removed: BTreeMap<KeyGroup, Vec<Vec<u8>>>,
}

impl Gathered {
    pub(super) fn of<K: Key, V: Data>(
        groups: KeyGroups,
        here: Vec<(K, V)>,
        left: Vec<Vec<u8>>,
        removed: &[K],
    ) -> Gathered {
        let mut put: BTreeMap<_, _> = left.into_iter().map(|key| (key, None)).collect();
        put.extend(encoded(groups, here).into_iter().map(|(key, value)| (key, Some(value))));
        let mut by_group: BTreeMap<KeyGroup, Vec<Vec<u8>>> = BTreeMap::new();
        for key in removed {
            by_group.entry(groups.of_kept(key)).or_default().push(encode(key));
        }
        Gathered { put, removed: by_group }
    }

    pub(super) fn write(self, view: &dyn View, sections: &mut Sections) {
        sections.begin_changes();
        let mut pieces: BTreeMap<KeyGroup, Pairs> = BTreeMap::new();
        // A map of two members, of which the first one is begun.
        let begin = || Pairs::begin([&[0x82], encode(&"put").as_slice()].concat());
        for group in self.removed.keys() {
            pieces.insert(*group, begin());
        }
        for (key, value) in self.put {
            let pairs = pieces.entry(group_of(&key)).or_insert_with(begin);
            let found = match value {
                Some(value) => {
                    pairs.push(&key[GROUP_BYTES..], &value);
                    Ok(true)
                }
                None => view.get(&key, &mut |value| pairs.push(&key[GROUP_BYTES..], value)),
            };
            found.unwrap_or_else(|error| error.raise());
        }
        for (group, pairs) in pieces {
            let removed = self.removed.get(&group).map_or(&[][..], Vec::as_slice);
            if pairs.len() == 0 && removed.is_empty() {
                continue;
            }
            let mut bytes = pairs.end();
            bytes.extend(encode(&"removed"));
            bytes.push(0xdd);
            bytes.extend((removed.len() as u32).to_be_bytes());
            bytes.extend(removed.iter().flatten());
            sections.put_change_bytes(group, bytes);
        }
    }
}

/// Fills a table with the pieces of key groups, which come in the order of the groups.
pub(super) fn fill<K: Key, V: Data>(
    table: &mut dyn Table,
    groups: KeyGroups,
    pieces: impl Iterator<Item = Result<Vec<(K, V)>, StateError>>,
) -> Result<(), StateError> {
    let mut failed = None;
    let readable = pieces.map_while(|piece| piece.map_err(|error| failed = Some(error)).ok());
    let mut entries = readable.flat_map(|piece| encoded(groups, piece));
    let filled = table.fill(&mut entries);
    drop(entries);
    match failed {
        Some(error) => Err(error),
        None => filled.map_err(raised),
    }
}

/// Lays a changed piece over what a table holds.
pub(super) fn change<K: Key, V: Data>(
    table: &mut dyn Table,
    groups: KeyGroups,
    changed: Changed<(K, V), K>,
) -> Result<(), StateError> {
    // A key that was taken out and came back is written once.
    let mut writes: BTreeMap<_, _> =
        changed.removed.iter().map(|key| (key_bytes(groups, key), None)).collect();
    writes.extend(encoded(groups, changed.put).into_iter().map(|(key, value)| (key, Some(value))));
    table.write(&mut writes.into_iter()).map_err(raised)
}

fn raised(error: BackendError) -> StateError {
    error.raise()
}

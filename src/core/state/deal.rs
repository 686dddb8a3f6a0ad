//! Entries dealt out by key group, the cut in which they are saved.

use serde::Serialize;

use crate::state::{Changed, Sections};
use crate::{Key, KeyGroup, KeyGroups};

/// Deals entries out by the key group of their key; groups without any are left out.
pub(super) fn by_group<K: Key, E>(
    groups: KeyGroups,
    entries: Vec<E>,
    key: impl Fn(&E) -> &K,
) -> impl Iterator<Item = (KeyGroup, Vec<E>)> {
    let all = (0..).map(KeyGroup).zip(deal(groups, entries, key));
    all.filter(|(_, piece)| !piece.is_empty())
}

/// Writes changes by the key group of their keys, those of `put` by `put_key` and those of `removed` by
/// `removed_key`.
pub(super) fn put_changes<K: Key, P: Serialize, R: Serialize>(
    sections: &mut Sections,
    groups: KeyGroups,
    changed: Changed<P, R>,
    put_key: impl Fn(&P) -> &K,
    removed_key: impl Fn(&R) -> &K,
) {
    sections.begin_changes();
    let put = deal(groups, changed.put, put_key);
    let removed = deal(groups, changed.removed, removed_key);
    for (group, (put, removed)) in (0..).zip(put.into_iter().zip(removed)) {
        if !put.is_empty() || !removed.is_empty() {
            sections.put_changes(KeyGroup(group), &Changed { put, removed });
        }
    }
}

/// The entries of each group.
fn deal<K: Key, E>(groups: KeyGroups, entries: Vec<E>, key: impl Fn(&E) -> &K) -> Vec<Vec<E>> {
    let share = entries.len() / usize::from(groups.count());
    let mut pieces: Vec<Vec<E>> = Vec::new();
    // A little more than an even share, so that most groups grow at most once.
    pieces.resize_with(usize::from(groups.count()), || Vec::with_capacity(share + share / 4));
    for entry in entries {
        pieces[usize::from(groups.of_kept(key(&entry)).0)].push(entry);
    }
    pieces
}

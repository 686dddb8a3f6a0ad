//! What changed between two checkpoints.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use watershed_core::{Epoch, KeyGroup};

use crate::inspect::contents::{self, Contents, Part, PartName};
use crate::inspect::entries::{Entries, KeyBytes, json_of};
use crate::inspect::text::{Plain, Size, count};
use crate::inspect::{InspectError, Offline, SharedDiff, Which};
use crate::msgpack::to_json;

/// What changed from one checkpoint to another. Parts and key groups that did not change are left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diff {
    /// The first checkpoint.
    pub from: Epoch,
    /// The second one.
    pub to: Epoch,
    /// What changed, by operator and part.
    pub parts: Vec<PartDiff>,
    /// What changed in shared state, of which the caller [knows](SharedDiff::between).
    pub shared: Vec<SharedDiff>,
}

/// What changed in a part of an operator's state.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartDiff {
    /// The uid of the stage.
    pub operator: String,
    /// The names of the parts, from the stage down.
    pub part: String,
    /// What changed in each key group, and last in the pieces of whole subtasks.
    pub groups: Vec<GroupDiff>,
}

/// What changed in one key group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupDiff {
    /// The key group; `None` for the pieces of whole subtasks.
    pub key_group: Option<u16>,
    /// How many bytes keys and values had.
    pub bytes_before: u64,
    /// How many they have.
    pub bytes_after: u64,
    /// Keys that were not there.
    pub added: Keys,
    /// Keys that are not there any more.
    pub removed: Keys,
    /// Keys whose value is another.
    pub changed: Keys,
}

/// Some keys, of which the first few are named.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Keys {
    /// How many there are.
    pub count: usize,
    /// The first ones, each from the outermost member in.
    pub first: Vec<Vec<serde_json::Value>>,
}

impl Offline {
    /// Compares the state of two checkpoints, key by key, and names up to `keys_max` keys of each kind in
    /// each key group. The parallelism may differ between them. Holds the state of both. Shared state is left to the caller.
    ///
    /// # Errors
    ///
    /// Where a checkpoint, or what it names, is missing or damaged.
    pub async fn diff(&self, from: Which, to: Which, keys_max: usize) -> Result<Diff, InspectError> {
        let ((_, from), (_, to)) = (self.manifest(from).await?, self.manifest(to).await?);
        let before = contents::of_checkpoint(&self.store, &from).await?;
        let after = contents::of_checkpoint(&self.store, &to).await?;
        let parts = parts(&before, &after, keys_max);
        Ok(Diff { from: from.epoch, to: to.epoch, parts, shared: Vec::new() })
    }
}

fn parts(before: &Contents, after: &Contents, keys_max: usize) -> Vec<PartDiff> {
    let names: BTreeSet<&PartName> = before.keys().chain(after.keys()).collect();
    let none = Part::default();
    let part = |name: &PartName| {
        let (before, after) = (before.get(name).unwrap_or(&none), after.get(name).unwrap_or(&none));
        let groups = groups(before, after, keys_max);
        let changed = !groups.is_empty();
        changed.then(|| PartDiff { operator: name.0.clone(), part: name.1.clone(), groups })
    };
    names.into_iter().filter_map(part).collect()
}

fn groups(before: &Part, after: &Part, keys_max: usize) -> Vec<GroupDiff> {
    let numbers: BTreeSet<&KeyGroup> = before.groups.keys().chain(after.groups.keys()).collect();
    let none = Entries::default();
    let of = |part: &Part, group: &KeyGroup| {
        part.groups.get(group).map_or(none.clone(), |(_, entries)| entries.clone())
    };
    let by_group = numbers
        .into_iter()
        .filter_map(|group| compare(Some(group.0), &of(before, group), &of(after, group), keys_max));
    let whole = compare(None, &numbered(before), &numbered(after), keys_max);
    by_group.chain(whole).collect()
}

/// The pieces of whole subtasks as entries; the number of the piece comes first in each key.
fn numbered(part: &Part) -> Entries {
    let pieces = (0_u32..).zip(&part.whole);
    let entries = pieces.flat_map(|(number, (_, Entries(entries)))| {
        entries.iter().map(move |(key, value)| {
            let number = crate::msgpack::encode(&number);
            (std::iter::once(number).chain(key.iter().cloned()).collect(), value.clone())
        })
    });
    Entries(entries.collect())
}

fn compare(key_group: Option<u16>, before: &Entries, after: &Entries, keys_max: usize) -> Option<GroupDiff> {
    let mut diff = GroupDiff {
        key_group,
        bytes_before: before.bytes(),
        bytes_after: after.bytes(),
        added: Keys::default(),
        removed: Keys::default(),
        changed: Keys::default(),
    };
    for (key, value) in &after.0 {
        match before.0.get(key) {
            None => diff.added.note(key, keys_max),
            Some(old) if !same(old, value) => diff.changed.note(key, keys_max),
            Some(_) => {}
        }
    }
    for key in before.0.keys().filter(|key| !after.0.contains_key(*key)) {
        diff.removed.note(key, keys_max);
    }
    let changed = diff.added.count + diff.removed.count + diff.changed.count > 0;
    changed.then_some(diff)
}

/// Whether two values are the same: the same bytes, or the same fields in another order, as hash maps write
/// them.
fn same(old: &[u8], new: &[u8]) -> bool {
    old == new || matches!((to_json(old), to_json(new)), (Ok(old), Ok(new)) if old == new)
}

impl Keys {
    /// What was read as entries can be written as JSON.
    fn note(&mut self, key: &KeyBytes, keys_max: usize) {
        self.count_in(|| json_of(key).unwrap_or_default(), keys_max);
    }

    /// Counts a key, and names it where it is one of the first.
    pub(super) fn count_in(&mut self, key: impl FnOnce() -> Vec<serde_json::Value>, keys_max: usize) {
        self.count += 1;
        if self.first.len() < keys_max {
            self.first.push(key());
        }
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "from checkpoint {} to {}: {}",
            self.from,
            self.to,
            count(self.parts.len() + self.shared.len(), "changed part")
        )?;
        for part in &self.parts {
            writeln!(f, "{} {}", Plain(&part.operator), Plain(&part.part))?;
            for group in &part.groups {
                let name = match group.key_group {
                    Some(group) => format!("key group {group}"),
                    None => "whole subtasks".to_owned(),
                };
                writeln!(f, "  {name}: {} -> {}", Size(group.bytes_before), Size(group.bytes_after))?;
                print([&group.added, &group.removed, &group.changed], f)?;
            }
        }
        for SharedDiff { shared, values, added, removed, changed } in &self.shared {
            let how = if *values { "" } else { ", as it was saved" };
            writeln!(f, "shared state {}{how}", Plain(shared))?;
            print([added, removed, changed], f)?;
        }
        Ok(())
    }
}

fn print(kinds: [&Keys; 3], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    kinds.into_iter().zip(['+', '-', '~']).try_for_each(|(keys, sign)| keys.print(sign, f))
}

impl Keys {
    fn print(&self, sign: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for key in &self.first {
            let members: Vec<_> = key.iter().map(serde_json::Value::to_string).collect();
            writeln!(f, "    {sign} {}", Plain(&members.join(" / ")))?;
        }
        match self.count - self.first.len() {
            0 => Ok(()),
            more => writeln!(f, "    {sign} and {more} more"),
        }
    }
}

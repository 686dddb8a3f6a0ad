//! The state of a checkpoint, entry by entry.

use std::collections::BTreeMap;

use watershed_core::checkpoint::{Manifest, Vote};
use watershed_core::state::Sections;
use watershed_core::{KeyGroup, SubtaskId};

use crate::error::Damage;
use crate::inspect::entries::Entries;
use crate::{CheckpointStore, StoreError};

/// The uid of a stage, and the names of the parts below it with `/` between them.
pub(super) type PartName = (String, String);

/// The state of one part.
#[derive(Clone, Debug, Default)]
pub(super) struct Part {
    /// By key group: who saved it, and what.
    pub(super) groups: BTreeMap<KeyGroup, (SubtaskId, Entries)>,
    /// Of whole subtasks, in the order in which they were saved.
    pub(super) whole: Vec<(SubtaskId, Entries)>,
}

/// The state of a subtask, or of all.
pub(super) type Contents = BTreeMap<PartName, Part>;

/// Reads the state of one subtask.
pub(super) async fn of_subtask(store: &CheckpointStore, vote: &Vote) -> Result<Contents, StoreError> {
    let mut contents = Contents::new();
    for (uid, stage) in store.state(&vote.snapshot, None, true).await? {
        read(&mut contents, vote.subtask, &uid, String::new(), &stage).map_err(|what| {
            let newest = vote.snapshot.last().map_or("", |object| object.path.as_str());
            StoreError::damaged(newest, Damage::Content(format!("in the state of {uid}: {what}")))
        })?;
    }
    Ok(contents)
}

/// Reads the state of all subtasks.
pub(super) async fn of_checkpoint(
    store: &CheckpointStore,
    manifest: &Manifest,
) -> Result<Contents, StoreError> {
    let mut all = Contents::new();
    for vote in &manifest.votes {
        for (name, part) in of_subtask(store, vote).await? {
            let into = all.entry(name).or_default();
            into.groups.extend(part.groups);
            into.whole.extend(part.whole);
        }
    }
    Ok(all)
}

/// Reads a part and those below it.
fn read(
    contents: &mut Contents,
    subtask: SubtaskId,
    uid: &str,
    name: String,
    sections: &Sections,
) -> Result<(), String> {
    let mut part = Part::default();
    for (group, piece) in sections.group_bytes() {
        part.groups.insert(group, (subtask, Entries::of(&piece)?));
    }
    for (group, piece) in sections.change_bytes() {
        part.groups.entry(group).or_insert_with(|| (subtask, Entries::default())).1.apply(piece)?;
    }
    for piece in sections.whole_bytes() {
        part.whole.push((subtask, Entries::of(piece)?));
    }
    contents.insert((uid.to_owned(), name.clone()), part);
    for (below, sections) in sections.parts() {
        let name = if name.is_empty() { below.to_owned() } else { format!("{name}/{below}") };
        read(contents, subtask, uid, name, sections)?;
    }
    Ok(())
}

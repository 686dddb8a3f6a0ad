//! The state of a checkpoint, with its layers laid over each other.

use std::collections::BTreeMap;

use watershed_core::checkpoint::{Manifest, Vote};
use watershed_core::state::{LayerKind, Sections};
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
    let layers = store.layers(&vote.snapshot, None, true).await?;
    for (layer, object) in layers.into_iter().zip(&vote.snapshot) {
        for (uid, stage) in &layer.stages {
            let mut lay = Laying { subtask: vote.subtask, kind: layer.kind, contents: &mut contents };
            lay.over(uid, String::new(), stage).map_err(|what| {
                StoreError::damaged(&object.path, Damage::Content(format!("in the state of {uid}: {what}")))
            })?;
        }
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

/// Lays one layer of a subtask over what is there.
struct Laying<'a> {
    subtask: SubtaskId,
    kind: LayerKind,
    contents: &'a mut Contents,
}

impl Laying<'_> {
    fn over(&mut self, uid: &str, name: String, sections: &Sections) -> Result<(), String> {
        let part = self.contents.entry((uid.to_owned(), name.clone())).or_default();
        for (group, piece) in sections.group_bytes() {
            match (self.kind, part.groups.get_mut(&group)) {
                (LayerKind::Full, _) => {
                    let entries = Entries::of(piece)?;
                    part.groups.insert(group, (self.subtask, entries));
                }
                (LayerKind::Changes, Some((_, entries))) => entries.apply(piece)?,
                (LayerKind::Changes, None) => {
                    let mut entries = Entries::default();
                    entries.apply(piece)?;
                    part.groups.insert(group, (self.subtask, entries));
                }
            }
        }
        if sections.whole_bytes().len() > 0 {
            let pieces = sections.whole_bytes().map(|piece| Ok((self.subtask, Entries::of(piece)?)));
            part.whole = pieces.collect::<Result<_, String>>()?;
        }
        for (below, sections) in sections.parts() {
            let name = if name.is_empty() { below.to_owned() } else { format!("{name}/{below}") };
            self.over(uid, name, sections)?;
        }
        Ok(())
    }
}

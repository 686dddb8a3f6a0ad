//! Loads a checkpoint into tasks of a plan, and takes it out again, as a run would and without one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::Waker;

use watershed_core::checkpoint::Manifest;
use watershed_core::stage::{Snapshot, TaskContext};
use watershed_core::state::{LayerKind, Sections};
use watershed_core::task::{AnyTask, Task};
use watershed_core::{KeyGroup, KeyGroupRange, Plan};
use watershed_protocol::checkpoint::{Authority, Part, deal};
use watershed_state::{CheckpointStore, StoreError};

use super::{Obstacle, is_state};
use crate::config::Config;
use crate::deploy::{Deployment, key_groups_of};
use crate::guard::guarded;

/// Loads every subtask's part and notes what cannot be read or is not kept.
pub(super) async fn load(
    plan: &Plan,
    config: &Config,
    store: &CheckpointStore,
    manifest: &Manifest,
    obstacles: &mut BTreeSet<Obstacle>,
) -> Result<(), StoreError> {
    let (parallelism, batch_records) = (config.parallelism, config.batch_records);
    let layout = Deployment::of(plan, parallelism, batch_records, 1, Authority::default());
    let mut parts = match deal(manifest, &layout.roster(plan)) {
        Ok(parts) => parts,
        Err(error) => {
            obstacles.insert(Obstacle { operator: None, what: error.to_string() });
            return Ok(());
        }
    };
    for (subtask, placement) in layout.subtasks {
        let part = parts.remove(&subtask).unwrap_or_default();
        let vertex = &plan.vertices[subtask.vertex.0 as usize];
        for cut in part.splits.iter().flatten() {
            if let Err(error) = vertex.factory.describe(&cut.description) {
                let uid = vertex.stages.first().map_or("", |stage| stage.uid.as_str());
                obstacles
                    .insert(Obstacle::of(uid, format!("the places in its input cannot be read: {error}")));
            }
        }
        let keyed = key_groups_of(plan, subtask, placement.info.parallelism).is_some();
        let cx = TaskContext::new(Arc::new(placement.info), Waker::noop().clone());
        match vertex.factory.task() {
            AnyTask::Chain(mut task) => subtask_of(&mut *task, &cx, store, part, keyed, obstacles).await?,
            AnyTask::Source(mut task) => {
                subtask_of(task.chain_mut(), &cx, store, part, keyed, obstacles).await?;
            }
        }
    }
    Ok(())
}

async fn subtask_of(
    task: &mut (impl Task + ?Sized),
    cx: &TaskContext,
    store: &CheckpointStore,
    part: Part,
    keyed: bool,
    obstacles: &mut BTreeSet<Obstacle>,
) -> Result<(), StoreError> {
    let nothing = KeyGroupRange(0..0);
    let mut before: BTreeMap<String, Held> = BTreeMap::new();
    let mut unread = BTreeSet::new();
    for share in part.snapshots {
        let range = if keyed { Some(share.key_groups.as_ref().unwrap_or(&nothing)) } else { None };
        let state = store.state(&share.layers, range, share.whole).await?;
        for (uid, sections) in state.into_iter().filter(|(_, saved)| is_state(saved)) {
            Held::note(&sections, "", before.entry(uid.clone()).or_default());
            // One operator at a time, so that what cannot be read has a name.
            let alone: Snapshot = [(uid.clone(), sections)].into_iter().collect();
            let failure = match guarded(|| task.load(&alone, cx)) {
                Ok(loaded) => loaded.err().map(|error| error.to_string()),
                Err(caught) => Some(caught.message),
            };
            if let Some(failure) = failure {
                obstacles.insert(Obstacle::of(&uid, format!("its state cannot be read: {failure}")));
                unread.insert(uid);
            }
        }
    }
    let saved = task.save(LayerKind::Full, cx).into_iter().map(|(uid, saving)| (uid, saving.encode()));
    let saved: Snapshot = saved.collect();
    for (uid, held) in before.iter().filter(|(uid, _)| !unread.contains(*uid)) {
        let mut after = Held::default();
        saved.get(uid).into_iter().for_each(|sections| Held::note(sections, "", &mut after));
        obstacles.extend(held.lost_in(&after).map(|what| Obstacle::of(uid, what)));
    }
    Ok(())
}

/// Where an operator holds something: the names of parts, with the key groups of their pieces.
#[derive(Default)]
struct Held {
    groups: BTreeMap<String, BTreeSet<KeyGroup>>,
    whole: BTreeSet<String>,
    /// The parts of which some groups may be empty, all their keys being removed by a later layer.
    layered: BTreeSet<String>,
}

impl Held {
    fn note(sections: &Sections, name: &str, held: &mut Held) {
        let changed = sections.change_bytes().map(|(group, _)| group);
        let groups: BTreeSet<KeyGroup> = sections.own_groups().chain(changed).collect();
        if sections.layers_of_changes() > 0 {
            held.layered.insert(name.to_owned());
        }
        if !groups.is_empty() {
            held.groups.entry(name.to_owned()).or_default().extend(groups);
        }
        if sections.whole_bytes().len() > 0 {
            held.whole.insert(name.to_owned());
        }
        for (below, sections) in sections.parts() {
            let name = if name.is_empty() { below.to_owned() } else { format!("{name}/{below}") };
            Held::note(sections, &name, held);
        }
    }

    /// Whether a part, or one that it was in, has left a note of what has become of it.
    fn has_note_of(&self, part: &str) -> bool {
        let ends = part.match_indices('/').map(|(end, _)| end).chain([part.len()]);
        ends.into_iter().any(|end| self.whole.contains(&part[..end]))
    }

    /// What was held and is not any more.
    fn lost_in(&self, after: &Held) -> Option<String> {
        if let Some(part) = self.whole.difference(&after.whole).next() {
            return Some(format!("its {part} is read, and not kept: the operator has no place for it"));
        }
        self.groups.iter().find_map(|(part, groups)| {
            let now = after.groups.get(part);
            match now {
                None if after.has_note_of(part) => None,
                _ if self.layered.contains(part) && now.is_none_or(|now| now.is_subset(groups)) => None,
                None => Some(format!("its {part} is read, and not kept: the operator has no place for it")),
                Some(now) if groups.is_subset(now) && now.is_subset(groups) => None,
                Some(_) => Some(format!(
                    "the keys of its {part} belong to other key groups now: the key's type has changed"
                )),
            }
        })
    }
}

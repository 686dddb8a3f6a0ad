//! The decision which objects may go. Pure.

use std::collections::BTreeSet;
use std::time::SystemTime;

use serde::Serialize;
use watershed_core::Epoch;
use watershed_core::checkpoint::{Manifest, Meta, Pointer};

use crate::retention::{Inventory, Needs, RetentionError};
use crate::store::manifest::references;
use crate::{Object, ObjectKey, Stored};

/// What is to become of each object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// What goes, in the order in which it must.
    pub take: Vec<Taken>,
    /// What no manifest names and is too young to go.
    pub wait: Vec<String>,
    /// What is none of ours, or newer than the meta record: left alone, whatever it is.
    pub leave: Vec<String>,
    /// How many objects are kept because they are needed.
    pub kept: usize,
}

/// An object that goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// Its path.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Why it may go.
    pub reason: Reason,
}

/// Why an object may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It belonged to decided checkpoints that newer ones have replaced.
    Superseded,
    /// No decided checkpoint names it: a run died, or a checkpoint was given up.
    Orphaned,
}

/// Says which objects may go. Takes nothing, and reads no clock.
///
/// # Errors
///
/// Where the manifest of a checkpoint that is needed is missing, or one is of another job.
pub fn judge(
    meta: &Meta,
    inventory: &Inventory,
    needs: &Needs,
    now: SystemTime,
) -> Result<Verdict, RetentionError> {
    one_job(inventory)?;
    let history = History::of(meta, inventory)?;
    let kept = history.kept(needs)?;
    let decided = named(history.decided.iter().copied());
    let needed = named(kept.into_iter());
    let mut verdict = Verdict::default();
    for object in &inventory.objects {
        match fate(object, meta, &needed, &decided, needs, now) {
            Fate::Keep => verdict.kept += 1,
            Fate::Leave => verdict.leave.push(object.path.clone()),
            Fate::Wait => verdict.wait.push(object.path.clone()),
            Fate::Take(reason) => {
                verdict.take.push(Taken { path: object.path.clone(), bytes: object.bytes, reason });
            }
        }
    }
    let is_manifest = |path: &str| ObjectKey::of_path(path).is_some_and(|key| key.object == Object::Manifest);
    verdict.take.sort_by_key(|taken| (!is_manifest(&taken.path), taken.path.clone()));
    Ok(verdict)
}

enum Fate {
    Keep,
    Leave,
    Wait,
    Take(Reason),
}

fn fate(
    object: &Stored,
    meta: &Meta,
    needed: &BTreeSet<&str>,
    decided: &BTreeSet<&str>,
    needs: &Needs,
    now: SystemTime,
) -> Fate {
    let path = object.path.as_str();
    if needed.contains(path) {
        return Fate::Keep;
    }
    let Some(key) = ObjectKey::of_path(path) else { return Fate::Leave };
    if key.lineage > meta.lineage || key.run > meta.run {
        return Fate::Leave;
    }
    let newer = meta.completed.as_ref().is_none_or(|completed| key.epoch > completed.epoch);
    if key.run == meta.run && newer && !meta.finished {
        return Fate::Keep;
    }
    if decided.contains(path) {
        return Fate::Take(Reason::Superseded);
    }
    match now.duration_since(object.modified) {
        Ok(age) if age >= needs.grace => Fate::Take(Reason::Orphaned),
        // Too young, or from the future by the store's clock.
        _ => Fate::Wait,
    }
}

/// A manifest and where it is.
type Found<'a> = &'a (Pointer, Manifest);

/// The manifests of a store, sorted by what the meta record says of them.
struct History<'a> {
    meta: &'a Meta,
    all: Vec<Found<'a>>,
    /// Those on the way back from the completed checkpoint, newest first.
    decided: Vec<Found<'a>>,
}

impl<'a> History<'a> {
    fn of(meta: &'a Meta, inventory: &'a Inventory) -> Result<Self, RetentionError> {
        let all: Vec<Found<'_>> = inventory.manifests.values().collect();
        let mut decided: Vec<Found<'_>> = Vec::new();
        if let Some(completed) = &meta.completed {
            let newest = inventory.manifests.get(&completed.manifest.path);
            decided.push(newest.ok_or(RetentionError::Needed { epoch: completed.epoch })?);
        }
        // Each step goes to a smaller epoch, so the way ends.
        while let Some((_, newer)) = decided.last()
            && let Some(base) = newer.base.filter(|base| *base < newer.epoch)
            && let Some(older) = all.iter().find(|(_, manifest)| manifest.epoch == base)
        {
            decided.push(older);
        }
        Ok(History { meta, all, decided })
    }

    /// Those whose objects are needed.
    fn kept(&self, needs: &Needs) -> Result<Vec<Found<'a>>, RetentionError> {
        let mut kept: Vec<_> = self.decided.iter().copied().take(needs.retain.max(1)).collect();
        kept.extend(self.all.iter().copied().filter(|(_, manifest)| {
            (manifest.savepoint && !self.was_passed_over(manifest)) || self.may_be_decided(manifest)
        }));
        for epoch in needs.outstanding.union(&needs.in_use) {
            let before = kept.len();
            kept.extend(self.all.iter().copied().filter(|(_, manifest)| manifest.epoch == *epoch));
            if kept.len() == before {
                return Err(RetentionError::Needed { epoch: *epoch });
            }
        }
        Ok(kept)
    }

    fn completed(&self) -> Option<Epoch> {
        self.meta.completed.as_ref().map(|pointer| pointer.epoch)
    }

    /// Whether a manifest is newer than the completed one and nobody has been fenced who may decide it, or has
    /// decided it since the meta record was read.
    fn may_be_decided(&self, manifest: &Manifest) -> bool {
        Some(manifest.epoch) > self.completed() && manifest.run >= self.meta.run
    }

    /// Whether it is certain that a manifest was never decided: its history has gone on without it.
    fn was_passed_over(&self, manifest: &Manifest) -> bool {
        let fenced = manifest.lineage == self.meta.lineage
            && Some(manifest.epoch) > self.completed()
            && manifest.run < self.meta.run;
        let skipped = self.decided.iter().any(|(_, newer)| {
            newer.lineage == manifest.lineage
                && newer.epoch > manifest.epoch
                && newer.base < Some(manifest.epoch)
        });
        fenced || skipped
    }
}

/// The paths of manifests, and of all objects that they name.
fn named<'a>(manifests: impl Iterator<Item = Found<'a>>) -> BTreeSet<&'a str> {
    let mut named = BTreeSet::new();
    for (pointer, manifest) in manifests {
        named.insert(pointer.manifest.path.as_str());
        named.extend(references(manifest).map(|object| object.path.as_str()));
    }
    named
}

fn one_job(inventory: &Inventory) -> Result<(), RetentionError> {
    let mut manifests = inventory.manifests.iter();
    let Some((_, (_, first))) = manifests.next() else { return Ok(()) };
    match manifests.find(|(_, (_, manifest))| manifest.job != first.job) {
        None => Ok(()),
        Some((path, (_, other))) => Err(RetentionError::Foreign {
            path: path.clone(),
            expected: first.job.clone(),
            found: other.job.clone(),
        }),
    }
}

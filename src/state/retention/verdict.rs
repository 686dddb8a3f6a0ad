//! The decision which objects may go. Pure.

use std::collections::BTreeSet;
use std::time::SystemTime;

use serde::Serialize;
use watershed_core::checkpoint::Meta;

use crate::retention::history::{Found, History};
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
    let named = Named {
        needed: named(kept.into_iter()),
        decided: named(history.decided.iter().copied()),
        passed_over: named(history.passed_over()),
    };
    let mut verdict = Verdict::default();
    for object in &inventory.objects {
        match fate(object, meta, &named, needs, now) {
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

/// The paths of manifests and of what they name, by what is known of them.
struct Named<'a> {
    needed: BTreeSet<&'a str>,
    decided: BTreeSet<&'a str>,
    passed_over: BTreeSet<&'a str>,
}

fn fate(object: &Stored, meta: &Meta, named: &Named<'_>, needs: &Needs, now: SystemTime) -> Fate {
    let path = object.path.as_str();
    if named.needed.contains(path) {
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
    if named.decided.contains(path) {
        return Fate::Take(Reason::Superseded);
    }
    // At once: the manifests that prove it are themselves soon replaced.
    if named.passed_over.contains(path) {
        return Fate::Take(Reason::Orphaned);
    }
    match now.duration_since(object.modified) {
        Ok(age) if age >= needs.grace => Fate::Take(Reason::Orphaned),
        // Too young, or from the future by the store's clock.
        _ => Fate::Wait,
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

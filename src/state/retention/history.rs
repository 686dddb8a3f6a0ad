//! Which of the checkpoints that were written were decided.

use std::fmt;

use serde::Serialize;
use watershed_core::Epoch;
use watershed_core::checkpoint::{Manifest, Meta, Pointer};

use crate::retention::{Inventory, Keep, Needs, RetentionError};

/// Whether a checkpoint counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It is the one that the job would be restored from.
    Newest,
    /// It was decided: the newest one came from it, or the job has gone on from it.
    Decided,
    /// It was written and never decided: its history went on without it.
    NotDecided,
    /// It is not on the way to the newest one: of another lineage, not decided yet, or nobody knows.
    Unknown,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Standing::Newest => "newest",
            Standing::Decided => "decided",
            Standing::NotDecided => "not decided",
            Standing::Unknown => "unknown",
        })
    }
}

/// A manifest and where it is.
pub(super) type Found<'a> = &'a (Pointer, Manifest);

/// The manifests of a store, sorted by what the meta record says of them.
pub(crate) struct History<'a> {
    meta: &'a Meta,
    pub(super) all: Vec<Found<'a>>,
    /// Those on the way back from the completed checkpoint, newest first.
    pub(super) decided: Vec<Found<'a>>,
}

impl<'a> History<'a> {
    /// Goes back from the completed checkpoint as far as there are manifests.
    pub(crate) fn of(meta: &'a Meta, inventory: &'a Inventory) -> Result<Self, RetentionError> {
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

    /// What is known of a manifest.
    pub(crate) fn standing(&self, manifest: &Manifest) -> Standing {
        let same = |found: &Found<'_>| found.1 == *manifest;
        match self.decided.iter().position(same) {
            Some(0) => Standing::Newest,
            Some(_) => Standing::Decided,
            // The way to it may be let go.
            None if self.was_gone_on_from(manifest) => Standing::Decided,
            None if self.was_passed_over(manifest) => Standing::NotDecided,
            None => Standing::Unknown,
        }
    }

    /// Those whose objects are needed.
    pub(super) fn kept(&self, needs: &Needs) -> Result<Vec<Found<'a>>, RetentionError> {
        let asked = |number: usize, found: &Found<'_>| match needs.keep {
            Keep::Newest(count) => number < count,
            Keep::From(epoch) => found.1.epoch >= epoch,
        };
        let numbered = self.decided.iter().copied().enumerate();
        let mut kept: Vec<_> = numbered
            .filter(|(number, found)| *number == 0 || asked(*number, found))
            .map(|(_, found)| found)
            .collect();
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

    /// Those that were certainly never decided.
    pub(super) fn passed_over(&self) -> impl Iterator<Item = Found<'a>> {
        self.all.iter().copied().filter(|(_, manifest)| self.was_passed_over(manifest))
    }

    fn completed(&self) -> Option<Epoch> {
        self.meta.completed.as_ref().map(|pointer| pointer.epoch)
    }

    /// Whether a manifest is newer than the completed one and nobody has been fenced who may decide it, or
    /// has decided it since the meta record was read.
    fn may_be_decided(&self, manifest: &Manifest) -> bool {
        Some(manifest.epoch) > self.completed() && manifest.run >= self.meta.run
    }

    /// Whether a run began from it: nothing else has its number, and no run begins from what was not decided.
    fn was_gone_on_from(&self, manifest: &Manifest) -> bool {
        self.meta.roll_backs.iter().any(|record| record.base == Some(manifest.epoch))
    }

    /// Whether it is certain that a manifest was never decided: its run was fenced before it could be, or a
    /// decided checkpoint, whose base is the one decided right before it, is newer and its base is older.
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

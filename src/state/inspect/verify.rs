//! Proving a checkpoint, to the last byte.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use watershed_core::checkpoint::{Manifest, ObjectRef, Payload, Pointer, Vote};
use watershed_core::{Epoch, KeyGroupRange};

use crate::inspect::offline::Places;
use crate::inspect::text::{Plain, Size, count};
use crate::inspect::{InspectError, Listing, Offline, Summary, Which};
use crate::snapshot::{LayerKind, Snapshot};
use crate::store::manifest::{references, shared};
use crate::{Object, ObjectKey, StoreError};

/// What was found when a checkpoint was verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The checkpoint.
    pub epoch: Epoch,
    /// How many objects were read and compared with their hashes; the manifest is one.
    pub objects: usize,
    /// How many bytes these had.
    pub bytes: u64,
    /// What is wrong; nothing where the checkpoint is proved.
    pub problems: Vec<Problem>,
}

/// Something that is wrong with a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The object, where it is about one.
    pub object: Option<String>,
    /// What is wrong.
    pub what: String,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}

/// A check of the cut: the manifest, and the one that it came from where that is still there. Returns what is
/// wrong.
pub type Certificate<'a> = &'a (dyn Fn(&Manifest, Option<&Manifest>) -> Vec<String> + Sync);

impl Offline {
    /// Reads everything that a checkpoint names, and checks it: lengths, hashes, block checksums, that each
    /// snapshot is the one of its subtask, that layers and key groups fit, and by `certificate` that the cut
    /// is consistent.
    ///
    /// # Errors
    ///
    /// Where there is no such checkpoint, or its manifest cannot be read. All else is in the report.
    pub async fn verify(&self, which: Which, certificate: Certificate<'_>) -> Result<Report, InspectError> {
        let (pointer, manifest) = self.manifest(which).await?;
        let places = Places::of(&self.store.list().await?);
        Ok(self.verify_found(&pointer, &manifest, &places, certificate).await)
    }

    async fn verify_found(
        &self,
        pointer: &Pointer,
        manifest: &Manifest,
        places: &Places,
        certificate: Certificate<'_>,
    ) -> Report {
        let mut report =
            Report { epoch: manifest.epoch, objects: 1, bytes: pointer.manifest.bytes, problems: Vec::new() };
        self.verify_identity(manifest, &pointer.manifest.path, &mut report);
        one_reference_each(manifest, &mut report);
        for vote in &manifest.votes {
            self.verify_vote(manifest, vote, &mut report).await;
        }
        let base = self.base(manifest, places).await.unwrap_or_else(|error| {
            report.wrong(None, format!("the checkpoint that it came from cannot be read: {error}"));
            None
        });
        let cut = certificate(manifest, base.as_ref());
        report.problems.extend(cut.into_iter().map(|what| Problem { object: None, what }));
        report
    }

    /// Verifies a checkpoint of a [listing](Offline::list); `None` where it was let go since. The store is listed again only
    /// where something is wrong.
    ///
    /// A job that runs lets old checkpoints go at any moment. It takes the manifest before what that names, so what is
    /// missing of a checkpoint whose manifest is still there afterwards has been lost, and a checkpoint whose manifest
    /// is gone was let go.
    ///
    /// # Errors
    ///
    /// Where its manifest is there and cannot be read, or the store cannot be listed.
    pub async fn verify_listed(
        &self,
        listing: &Listing,
        listed: &Summary,
        certificate: Certificate<'_>,
    ) -> Result<Option<Report>, InspectError> {
        let places = &listing.places;
        let verified = async {
            let pointer = self.pointer(listed.epoch, places).await?;
            let manifest = self.store.manifest(&pointer).await?;
            Ok(self.verify_found(&pointer, &manifest, places, certificate).await)
        };
        match verified.await {
            Ok(report) if report.is_sound() => Ok(Some(report)),
            found if self.is_listed(&listed.manifest).await? => found.map(Some),
            Ok(_) | Err(_) => Ok(None),
        }
    }

    /// Verifies every checkpoint that is listed, but for those that a job [lets go](Offline::verify_listed) meanwhile.
    /// Manifests that cannot be read are problems of the reports' last.
    ///
    /// # Errors
    ///
    /// Where the store cannot be listed.
    pub async fn verify_all(
        &self,
        certificate: Certificate<'_>,
    ) -> Result<(Vec<Report>, Vec<String>), InspectError> {
        let listing = self.list().await?;
        let mut reports = Vec::new();
        for summary in &listing.checkpoints {
            reports.extend(self.verify_listed(&listing, summary, certificate).await?);
        }
        Ok((reports, listing.unread))
    }

    pub(super) async fn is_listed(&self, path: &str) -> Result<bool, StoreError> {
        Ok(self.store.list().await?.iter().any(|stored| stored.path == path))
    }

    /// The manifests of some checkpoints, each with the one that it came from where that is still there: what their cuts are
    /// proved by.
    ///
    /// # Errors
    ///
    /// Where the store cannot be listed. Of a checkpoint that cannot be read, the error stands in its place.
    pub async fn cuts(
        &self,
        epochs: &[Epoch],
    ) -> Result<Vec<Result<(Manifest, Option<Manifest>), InspectError>>, InspectError> {
        let places = Places::of(&self.store.list().await?);
        let mut cuts = Vec::new();
        for epoch in epochs {
            let cut = async {
                let pointer = self.pointer(*epoch, &places).await?;
                let manifest = self.store.manifest(&pointer).await?;
                let base = self.base(&manifest, &places).await?;
                Ok((manifest, base))
            };
            cuts.push(cut.await);
        }
        Ok(cuts)
    }

    /// The manifest that this one came from, where it is still there.
    async fn base(&self, manifest: &Manifest, places: &Places) -> Result<Option<Manifest>, InspectError> {
        let Some(base) = manifest.base else { return Ok(None) };
        let read = async {
            let pointer = self.pointer(base, places).await?;
            Ok(self.store.manifest(&pointer).await?)
        };
        match read.await {
            Ok(base) => Ok(Some(base)),
            // It may have been removed before the store was listed, or since.
            Err(InspectError::NoSuch { .. }) => Ok(None),
            Err(error) => match places.path(base) {
                Some(path) if !self.is_listed(path).await? => Ok(None),
                Some(_) | None => Err(error),
            },
        }
    }

    fn verify_identity(&self, manifest: &Manifest, path: &str, report: &mut Report) {
        let Some(identity) = &self.identity else { return };
        if (&identity.job, identity.key_groups) != (&manifest.job, manifest.key_groups) {
            let what = format!(
                "it is of job {:?} with {} key groups, and the directory is job {:?}'s with {} key groups",
                manifest.job,
                manifest.key_groups.count(),
                identity.job,
                identity.key_groups.count()
            );
            report.wrong(Some(path), what);
        }
    }

    async fn verify_vote(&self, manifest: &Manifest, vote: &Vote, report: &mut Report) {
        for (number, object) in vote.snapshot.iter().enumerate() {
            match self.store.snapshot(object).await {
                Ok(snapshot) => {
                    report.read(object);
                    for what in layer_problems(&snapshot, number == 0, manifest, vote) {
                        report.wrong(Some(&object.path), what);
                    }
                }
                Err(error) => report.wrong(Some(&object.path), error.to_string()),
            }
        }
        let staged = vote.staged.iter().filter_map(|staged| match &staged.payload {
            Payload::Inline(_) => None,
            Payload::Object(object) => Some(object),
        });
        let in_flight = vote.in_flight.iter().map(|in_flight| &in_flight.object);
        for object in in_flight.chain(staged).chain(shared(vote)) {
            match self.store.get(object).await {
                Ok(_) => report.read(object),
                Err(error) => report.wrong(Some(&object.path), error.to_string()),
            }
        }
        for staged in &vote.staged {
            if staged.xid.epoch > manifest.epoch || staged.xid.lineage > manifest.lineage {
                report.wrong(None, format!("{} has staged {}, which is newer", vote.subtask, staged.xid));
            }
        }
    }
}

impl Report {
    fn read(&mut self, object: &ObjectRef) {
        self.objects += 1;
        self.bytes += object.bytes;
    }

    fn wrong(&mut self, object: Option<&str>, what: String) {
        self.problems.push(Problem { object: object.map(str::to_owned), what });
    }
}

/// A path stands for one content.
fn one_reference_each(manifest: &Manifest, report: &mut Report) {
    let mut seen: BTreeMap<&str, &ObjectRef> = BTreeMap::new();
    for object in references(manifest) {
        if *seen.entry(&object.path).or_insert(object) != object {
            report.wrong(Some(&object.path), "it is named twice, with another length or hash".to_owned());
        }
        let epoch = ObjectKey::of_path(&object.path)
            .filter(|key| key.object != Object::Manifest)
            .map(|key| key.epoch);
        if epoch.is_none_or(|epoch| epoch > manifest.epoch) {
            report.wrong(Some(&object.path), "a checkpoint cannot name such an object".to_owned());
        }
    }
}

/// What is wrong with a snapshot as a layer of a vote.
fn layer_problems(snapshot: &Snapshot, first: bool, manifest: &Manifest, vote: &Vote) -> Vec<String> {
    let mut problems = Vec::new();
    let header = snapshot.header();
    if header.job != manifest.job || header.key_groups != manifest.key_groups {
        let (job, groups) = (&header.job, header.key_groups.count());
        problems.push(format!("it is of job {job:?} with {groups} key groups"));
    }
    if header.subtask != vote.subtask {
        problems.push(format!("it is of subtask {}, and subtask {} names it", header.subtask, vote.subtask));
    }
    if header.epoch > manifest.epoch || header.lineage > manifest.lineage || header.run > manifest.run {
        problems.push("it is newer than the checkpoint that names it".to_owned());
    }
    if (header.kind == LayerKind::Full) != first {
        problems.push("the first layer of a subtask, and only the first, must be full".to_owned());
    }
    if let Some(range) = &vote.key_groups {
        let outside = snapshot.sections().iter().flat_map(|section| &section.groups);
        let outside = outside.filter(|(group, _)| !range.contains(*group)).count();
        if outside > 0 {
            let KeyGroupRange(range) = range;
            let (start, end) = (range.start, range.end);
            problems.push(format!(
                "{} outside the subtask's {start}..{end}",
                count(outside, "piece of a key group")
            ));
        }
    }
    problems
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = format!("{} read ({})", count(self.objects, "object"), Size(self.bytes));
        if self.is_sound() {
            return writeln!(f, "checkpoint {}: sound, {read}", self.epoch);
        }
        writeln!(f, "checkpoint {}: {}, {read}", self.epoch, count(self.problems.len(), "problem"))?;
        for Problem { object, what } in &self.problems {
            match object {
                Some(object) => writeln!(f, "  {}: {}", Plain(object), Plain(what))?,
                None => writeln!(f, "  {}", Plain(what))?,
            }
        }
        Ok(())
    }
}

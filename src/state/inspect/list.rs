//! Which checkpoints there are.

use std::fmt;

use serde::Serialize;
use watershed_core::checkpoint::Manifest;
use watershed_core::{Epoch, Lineage, Run, Term};

use crate::StoreError;
use crate::inspect::Offline;
use crate::inspect::offline::Places;
use crate::inspect::text::{Plain, Size, Time, count};
use crate::retention::{History, Inventory, Standing, is_manifest};
use crate::store::manifest::references;

/// All checkpoints of a store.
#[derive(Clone, Debug, Serialize)]
pub struct Listing {
    /// The job's name, where it is known.
    pub job: Option<String>,
    /// Whether the job has come to its end.
    pub finished: bool,
    /// Whether what was decided is written here too. Of a cluster's job, its nodes know it.
    pub decisions: bool,
    /// The checkpoints, oldest first.
    pub checkpoints: Vec<Summary>,
    /// What could not be read.
    pub unread: Vec<String>,
    /// Where the manifests are, those that cannot be read among them.
    #[serde(skip)]
    pub(super) places: Places,
}

/// One checkpoint in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Its number.
    pub epoch: Epoch,
    /// Its history.
    pub lineage: Lineage,
    /// The execution that took it.
    pub run: Run,
    /// The reign that wrote it.
    pub term: Term,
    /// What it came from.
    pub base: Option<Epoch>,
    /// Milliseconds since 1970.
    pub taken_at: i64,
    /// Whether it counts.
    pub standing: Standing,
    /// Whether a person asked for it.
    pub savepoint: bool,
    /// Whether the job came to its end with it.
    pub last: bool,
    /// How many subtasks voted.
    pub subtasks: usize,
    /// How many objects it names.
    pub objects: usize,
    /// How many bytes these have.
    pub bytes: u64,
    /// Where its manifest is.
    pub manifest: String,
}

impl Summary {
    pub(super) fn of(manifest: &Manifest, path: &str, standing: Standing) -> Summary {
        Summary {
            epoch: manifest.epoch,
            lineage: manifest.lineage,
            run: manifest.run,
            term: manifest.term,
            base: manifest.base,
            taken_at: manifest.taken_at,
            standing,
            savepoint: manifest.savepoint,
            last: manifest.last,
            subtasks: manifest.votes.len(),
            objects: references(manifest).count(),
            bytes: references(manifest).map(|object| object.bytes).sum(),
            manifest: path.to_owned(),
        }
    }
}

impl Offline {
    /// Lists all checkpoints whose manifests can be read, and names those that cannot. One that a job lets go meanwhile is
    /// not there.
    ///
    /// # Errors
    ///
    /// Where the store cannot be listed.
    pub async fn list(&self) -> Result<Listing, StoreError> {
        let mut unread = self.unread.clone();
        let inventory = self.inventory(&mut unread).await?;
        let no_meta = watershed_core::checkpoint::Meta::default();
        let history = History::of(self.meta.as_ref().unwrap_or(&no_meta), &inventory);
        if let Err(missing) = &history {
            unread.push(missing.to_string());
        }
        let standing = |manifest: &Manifest| match &history {
            Ok(history) => history.standing(manifest),
            Err(_) => Standing::Unknown,
        };
        let summaries = inventory
            .manifests
            .iter()
            .map(|(path, (_, manifest))| Summary::of(manifest, path, standing(manifest)));
        let mut checkpoints: Vec<Summary> = summaries.collect();
        checkpoints.sort_by_key(|summary| (summary.epoch, summary.run));
        let job = inventory.manifests.values().next().map(|(_, manifest)| manifest.job.clone());
        Ok(Listing {
            job: self.identity.as_ref().map(|identity| identity.job.clone()).or(job),
            finished: self.meta.as_ref().is_some_and(|meta| meta.finished),
            decisions: self.meta.is_some(),
            checkpoints,
            unread,
            places: Places::of(&inventory.objects),
        })
    }

    /// What is in the store; manifests that cannot be read are named in `unread`.
    async fn inventory(&self, unread: &mut Vec<String>) -> Result<Inventory, StoreError> {
        let mut inventory = Inventory { objects: self.store.list().await?, ..Inventory::default() };
        let mut gone = Vec::new();
        for stored in &inventory.objects {
            if !is_manifest(&stored.path) {
                continue;
            }
            match self.store.manifest_at(&stored.path).await {
                Ok(found) => drop(inventory.manifests.insert(stored.path.clone(), found)),
                Err(error) if self.is_listed(&stored.path).await? => unread.push(error.to_string()),
                Err(_) => gone.push(stored.path.clone()),
            }
        }
        inventory.objects.retain(|stored| !gone.contains(&stored.path));
        Ok(inventory)
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let job = self.job.as_deref().unwrap_or("unknown");
        let ended = if self.finished { ", which has come to its end" } else { "" };
        writeln!(f, "job {}{ended}: {}", Plain(job), count(self.checkpoints.len(), "checkpoint"))?;
        if !self.checkpoints.is_empty() {
            writeln!(
                f,
                "{:>8}  {:<20}  {:>11}  {:>8}  {:>10}  run",
                "epoch", "taken at", "standing", "objects", "size"
            )?;
        }
        for summary in &self.checkpoints {
            let Summary { epoch, standing, objects, run, .. } = summary;
            let savepoint = if summary.savepoint { ", savepoint" } else { "" };
            let last = if summary.last { ", last" } else { "" };
            writeln!(
                f,
                "{epoch:>8}  {:<20}  {standing:>11}  {objects:>8}  {:>10}  {run} of lineage {}{savepoint}{last}",
                Time(summary.taken_at),
                Size(summary.bytes),
                summary.lineage
            )?;
        }
        if !self.decisions && self.unread.is_empty() && !self.checkpoints.is_empty() {
            writeln!(
                f,
                "which of these were decided is not written here; of a cluster's job its nodes know it: `checkpoints JOB`"
            )?;
        }
        self.unread.iter().try_for_each(|unread| writeln!(f, "cannot be read: {}", Plain(unread)))
    }
}

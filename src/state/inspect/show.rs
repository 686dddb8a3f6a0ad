//! One checkpoint, in detail.

use std::fmt;

use serde::Serialize;
use watershed_core::checkpoint::{Payload, Vote};
use watershed_core::{KeyGroupRange, SplitId, SubtaskId};

use crate::inspect::contents;
use crate::inspect::list::Summary;
use crate::inspect::text::{Plain, Size, Time, count};
use crate::inspect::{InspectError, Offline, Which};

/// One checkpoint.
#[derive(Clone, Debug, Serialize)]
pub struct Detail {
    /// The job.
    pub job: String,
    /// The checkpoint in a line.
    pub summary: Summary,
    /// Into how many groups the keys are divided.
    pub key_groups: u16,
    /// The fingerprint of the program.
    pub plan: String,
    /// What each subtask voted.
    pub subtasks: Vec<SubtaskDetail>,
    /// How large the state is, by operator and part.
    pub parts: Vec<PartSize>,
    /// What could not be read.
    pub unread: Vec<String>,
}

/// What a subtask voted.
#[derive(Clone, Debug, Serialize)]
pub struct SubtaskDetail {
    /// Who, as `vertex.index`.
    pub subtask: String,
    /// Its key groups, where its input is keyed.
    pub key_groups: Option<KeyGroupRange>,
    /// The objects of its state, oldest first: path and length.
    pub layers: Vec<(String, u64)>,
    /// How many records it had received in its run.
    pub received: u64,
    /// How many it had sent.
    pub sent: u64,
    /// How many records were under way to it, and recorded.
    pub in_flight: u64,
    /// Where its splits stand.
    pub splits: Vec<SplitDetail>,
    /// The names of what its sink has prepared and not committed.
    pub staged: Vec<String>,
    /// How many bytes that has.
    pub staged_bytes: u64,
    /// Whether it has come to its end.
    pub finished: bool,
}

/// Where a split stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SplitDetail {
    /// Its number.
    pub split: SplitId,
    /// The next record to read.
    pub position: u64,
    /// Whether it has been read to its end.
    pub ended: bool,
}

/// How large a part of the state is, with its layers laid over each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartSize {
    /// The uid of the stage.
    pub operator: String,
    /// The names of the parts, from the stage down.
    pub part: String,
    /// In how many key groups there is something.
    pub key_groups: usize,
    /// How many entries there are.
    pub entries: usize,
    /// How many bytes their keys and values have.
    pub bytes: u64,
}

impl SubtaskDetail {
    fn of(vote: &Vote) -> SubtaskDetail {
        let bytes = |payload: &Payload| match payload {
            Payload::Inline(bytes) => bytes.len() as u64,
            Payload::Object(object) => object.bytes,
        };
        let SubtaskId { vertex, index } = vote.subtask;
        SubtaskDetail {
            subtask: format!("{vertex}.{index}"),
            key_groups: vote.key_groups.clone(),
            layers: vote.snapshot.iter().map(|object| (object.path.clone(), object.bytes)).collect(),
            received: vote.received.iter().map(|cut| cut.records).sum(),
            sent: vote.sent.iter().map(|cut| cut.records).sum(),
            in_flight: vote.in_flight.iter().map(|in_flight| in_flight.cut.records).sum(),
            splits: vote
                .splits
                .iter()
                .map(|cut| SplitDetail { split: cut.split, position: cut.position.0, ended: cut.ended })
                .collect(),
            staged: vote.staged.iter().map(|staged| staged.xid.to_string()).collect(),
            staged_bytes: vote.staged.iter().map(|staged| bytes(&staged.payload)).sum(),
            finished: vote.finished,
        }
    }
}

impl Offline {
    /// Shows one checkpoint. State that cannot be read is named, and the rest shown.
    ///
    /// # Errors
    ///
    /// Where there is no such checkpoint, or its manifest cannot be read.
    pub async fn show(&self, which: Which) -> Result<Detail, InspectError> {
        let (pointer, manifest) = self.manifest(which).await?;
        let listing = self.list().await?;
        let mut listed = listing.checkpoints.into_iter();
        let path = &pointer.manifest.path;
        let standing = listed.find(|summary| summary.manifest == *path).map(|summary| summary.standing);
        let standing = standing.unwrap_or(crate::inspect::Standing::Unknown);
        let mut unread = Vec::new();
        let mut all = contents::Contents::new();
        for vote in &manifest.votes {
            match contents::of_subtask(&self.store, vote).await {
                Ok(contents) => {
                    for (name, part) in contents {
                        let into = all.entry(name).or_default();
                        into.groups.extend(part.groups);
                        into.whole.extend(part.whole);
                    }
                }
                Err(error) => unread.push(error.to_string()),
            }
        }
        Ok(Detail {
            job: manifest.job.clone(),
            summary: Summary::of(&manifest, path, standing),
            key_groups: manifest.key_groups.count(),
            plan: manifest.plan.to_string(),
            subtasks: manifest.votes.iter().map(SubtaskDetail::of).collect(),
            parts: sizes(&all),
            unread,
        })
    }
}

fn sizes(contents: &contents::Contents) -> Vec<PartSize> {
    let size = |((operator, part), content): (&contents::PartName, &contents::Part)| {
        let pieces = content.groups.values().chain(&content.whole).map(|(_, entries)| entries);
        let (entries, bytes) =
            pieces.fold((0, 0), |(count, bytes), piece| (count + piece.0.len(), bytes + piece.bytes()));
        PartSize {
            operator: operator.clone(),
            part: part.clone(),
            key_groups: content.groups.len(),
            entries,
            bytes,
        }
    };
    contents.iter().map(size).filter(|size| size.entries > 0).collect()
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { epoch, lineage, run, standing, objects, bytes, taken_at, .. } = &self.summary;
        writeln!(f, "checkpoint {epoch} of job {}: {standing}", Plain(&self.job))?;
        writeln!(f, "  taken at {}, by run {run} of lineage {lineage}", Time(*taken_at))?;
        if let Some(base) = self.summary.base {
            writeln!(f, "  came from checkpoint {base}")?;
        }
        writeln!(f, "  plan {}, {}", self.plan, count(usize::from(self.key_groups), "key group"))?;
        writeln!(f, "  {}, {}", count(*objects, "object"), Size(*bytes))?;
        for subtask in &self.subtasks {
            writeln!(f, "{subtask}")?;
        }
        for part in &self.parts {
            let PartSize { operator, part, key_groups, entries, bytes } = part;
            let entries = if *entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") };
            let groups = if *key_groups > 0 {
                format!(" in {}", count(*key_groups, "key group"))
            } else {
                String::new()
            };
            writeln!(
                f,
                "  state of {} {}: {entries}{groups}, {}",
                Plain(operator),
                Plain(part),
                Size(*bytes)
            )?;
        }
        self.unread.iter().try_for_each(|unread| writeln!(f, "cannot be read: {}", Plain(unread)))
    }
}

impl fmt::Display for SubtaskDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  subtask {}: ", self.subtask)?;
        if let Some(KeyGroupRange(range)) = &self.key_groups {
            write!(f, "key groups {} to {}, ", range.start, range.end.saturating_sub(1))?;
        }
        let bytes = self.layers.iter().map(|(_, bytes)| bytes).sum();
        write!(f, "{} ({}), ", count(self.layers.len(), "layer"), Size(bytes))?;
        write!(f, "{} received, {} sent", self.received, self.sent)?;
        if self.in_flight > 0 {
            write!(f, ", {} in flight", self.in_flight)?;
        }
        if !self.staged.is_empty() {
            write!(f, ", staged {} ({})", self.staged.join(", "), Size(self.staged_bytes))?;
        }
        if self.finished {
            write!(f, ", finished")?;
        }
        for SplitDetail { split, position, ended } in &self.splits {
            let ended = if *ended { ", at its end" } else { "" };
            write!(f, "\n    split {split} at {position}{ended}")?;
        }
        Ok(())
    }
}

//! Deals a checkpoint out to the subtasks that go on from it, of which there may be more or fewer than before.
//!
//! | what | goes to |
//! | --- | --- |
//! | pieces of a key group | the subtask that owns the group now |
//! | pieces of a whole subtask (no key group) | one subtask, so that nothing is there twice |
//! | splits of a source | the same subtask, or dealt anew where their number has changed |
//! | staged output | the same subtask, or where it is no more another of the vertex: anybody can commit it |
//! | shared state | everybody: each site restores all of it |
//! | what was in flight | the same subtask; it can be dealt to no other, since the records are routed already |
//!
//! Vertices are matched by their numbers: that the plan is the one the checkpoint was taken of, or one that can
//! go on from it, is for the driver to find out first (a fingerprint's difference says where it is not).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use watershed_core::checkpoint::{InFlight, Manifest, ObjectRef, SiteShare, SplitCut, Staged, Vote};
use watershed_core::{KeyGroupRange, SubtaskId, VertexId};

use super::Roster;

/// What one subtask is restored with. Empty where the job begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Part {
    /// The snapshots to load, in the order of the subtasks that took them.
    pub snapshots: Vec<Share>,
    /// What to feed before anything new that comes on the same channel.
    pub in_flight: Vec<InFlight>,
    /// The splits to read, from where they stand, in their order. `None` where the job begins: the source lists
    /// them.
    pub splits: Option<Vec<SplitCut>>,
    /// What to commit before anything else, oldest first.
    pub staged: Vec<Staged>,
    /// What there is of shared state. All parts have the same, since every site restores all of it.
    pub shared: Vec<SiteShare>,
}

/// A share of one subtask's snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Share {
    /// Who took the snapshot.
    pub from: SubtaskId,
    /// Its objects, oldest first.
    pub layers: Vec<ObjectRef>,
    /// The key groups to load of it, where it is keyed.
    pub key_groups: Option<KeyGroupRange>,
    /// Whether to load its pieces that belong to no key group.
    pub whole: bool,
}

/// Why a checkpoint cannot be dealt out to these subtasks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryError {
    /// State is cut by key group, and a group of one number is none of another.
    #[error("the checkpoint has {found} key groups and the job {expected}: run the job with {found}")]
    KeyGroups {
        /// The checkpoint's.
        found: u16,
        /// The job's.
        expected: u16,
    },
    /// What the vertex saved would be lost.
    #[error(
        "the checkpoint has state of vertex {0}, and the job has no such vertex: restore it with its plan"
    )]
    VertexGone(VertexId),
    /// Records that were in flight are routed already.
    #[error(
        "the checkpoint has records in flight to vertex {vertex}, which had {found} subtasks and has {expected}: \
         restore it with {found}, or rescale from a savepoint without any"
    )]
    InFlight {
        /// The receiver.
        vertex: VertexId,
        /// How many subtasks it had.
        found: u32,
        /// How many it has.
        expected: u32,
    },
}

/// What each subtask of the roster is restored with from a checkpoint.
///
/// # Errors
///
/// Where something of the checkpoint would find no place.
pub fn deal(manifest: &Manifest, roster: &Roster) -> Result<BTreeMap<SubtaskId, Part>, RecoveryError> {
    if manifest.key_groups != roster.key_groups {
        let (found, expected) = (manifest.key_groups.count(), roster.key_groups.count());
        return Err(RecoveryError::KeyGroups { found, expected });
    }
    let mut vertices: BTreeMap<VertexId, Vec<&Vote>> = BTreeMap::new();
    for vote in &manifest.votes {
        vertices.entry(vote.subtask.vertex).or_default().push(vote);
    }
    let mut parts: BTreeMap<SubtaskId, Part> =
        roster.subtasks.keys().map(|&subtask| (subtask, Part::default())).collect();
    for (vertex, mut votes) in vertices {
        votes.sort_by_key(|vote| vote.subtask);
        let parallelism = roster.parallelism(vertex);
        if parallelism == 0 {
            return Err(RecoveryError::VertexGone(vertex));
        }
        let before = votes.len() as u32;
        let in_flight = votes.iter().any(|vote| !vote.in_flight.is_empty());
        if in_flight && before != parallelism {
            return Err(RecoveryError::InFlight { vertex, found: before, expected: parallelism });
        }
        for index in 0..parallelism {
            let heir = Heir { index, parallelism, before };
            let part = parts.entry(SubtaskId { vertex, index }).or_default();
            *part = heir.part(roster, &votes);
        }
    }
    let shares: Vec<SiteShare> =
        manifest.votes.iter().filter_map(|vote| vote.shared.as_ref()?.share.clone()).collect();
    if !shares.is_empty() {
        parts.values_mut().for_each(|part| part.shared.clone_from(&shares));
    }
    Ok(parts)
}

/// A subtask, as the heir of a vertex that had `before` subtasks.
struct Heir {
    index: u32,
    parallelism: u32,
    before: u32,
}

impl Heir {
    fn part(&self, roster: &Roster, votes: &[&Vote]) -> Part {
        let own = roster.key_groups.range(self.index, self.parallelism);
        let mine = || votes.iter().filter(|vote| self.inherits(vote.subtask.index));
        let mut staged: Vec<Staged> = mine().flat_map(|vote| vote.staged.iter().cloned()).collect();
        staged.sort_by_key(|staged| (staged.xid.epoch, staged.xid.subtask));
        Part {
            snapshots: votes.iter().filter_map(|vote| self.share(&own, vote)).collect(),
            in_flight: mine().flat_map(|vote| vote.in_flight.iter().cloned()).collect(),
            splits: Some(self.splits(votes)),
            staged,
            shared: Vec::new(),
        }
    }

    /// Whether what cannot be divided of subtask `index` of before is this one's.
    fn inherits(&self, index: u32) -> bool {
        index % self.parallelism == self.index
    }

    fn share(&self, own: &KeyGroupRange, vote: &Vote) -> Option<Share> {
        let whole = self.inherits(vote.subtask.index);
        let key_groups = vote.key_groups.as_ref().and_then(|range| common(own, range));
        let wanted = (whole || key_groups.is_some()) && !vote.snapshot.is_empty();
        let layers = vote.snapshot.clone();
        wanted.then_some(Share { from: vote.subtask, layers, key_groups, whole })
    }

    fn splits(&self, votes: &[&Vote]) -> Vec<SplitCut> {
        let mut all: Vec<(u32, &SplitCut)> = Vec::new();
        for vote in votes {
            all.extend(vote.splits.iter().map(|split| (vote.subtask.index, split)));
        }
        all.sort_by_key(|(_, split)| split.split);
        let dealt = all.into_iter().enumerate().filter(|(turn, (reader, _))| {
            let heir =
                if self.before == self.parallelism { *reader } else { *turn as u32 % self.parallelism };
            heir == self.index
        });
        dealt.map(|(_, (_, split))| split.clone()).collect()
    }
}

fn common(one: &KeyGroupRange, other: &KeyGroupRange) -> Option<KeyGroupRange> {
    let range = one.0.start.max(other.0.start)..one.0.end.min(other.0.end);
    (!range.is_empty()).then_some(KeyGroupRange(range))
}

#[cfg(test)]
mod tests;

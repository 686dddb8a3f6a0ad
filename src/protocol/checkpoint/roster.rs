//! Who takes part in a job's checkpoints.

use std::collections::{BTreeMap, BTreeSet};

use watershed_core::checkpoint::{ChannelKey, Manifest};
use watershed_core::plan::Fingerprint;
use watershed_core::{KeyGroups, SubtaskId, VertexId};

/// The subtasks of one run and the channels between them: of whom votes are expected, and about what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Roster {
    /// The program that they run.
    pub plan: Fingerprint,
    /// Into how many groups the keys are divided.
    pub key_groups: KeyGroups,
    /// Every subtask, and what it does at the edges of the world.
    pub subtasks: BTreeMap<SubtaskId, Role>,
    /// Every channel between two of them.
    pub channels: BTreeSet<ChannelKey>,
}

/// What a subtask does at the edges of the world. A chain may do both, or neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Role {
    /// It reads splits: checkpoints are triggered here.
    pub source: bool,
    /// It stages output: something may have to be committed here.
    pub sink: bool,
}

impl Roster {
    /// The roster that a manifest was taken of, as far as it tells: whoever voted took part, and a channel
    /// that either end reported existed.
    ///
    /// A checker that holds no job has nothing better. It cannot notice a subtask with the highest index of
    /// its vertex, or a channel, of which not one vote speaks.
    pub fn of_manifest(manifest: &Manifest) -> Roster {
        let votes = &manifest.votes;
        let mut highest: BTreeMap<VertexId, u32> = BTreeMap::new();
        for SubtaskId { vertex, index } in votes.iter().map(|vote| vote.subtask) {
            let known = highest.entry(vertex).or_default();
            *known = index.min(SUBTASKS_MAX).max(*known);
        }
        let all = highest.iter().flat_map(|(&vertex, &last)| (0..=last).map(move |index| (vertex, index)));
        let mut subtasks: BTreeMap<SubtaskId, Role> =
            all.map(|(vertex, index)| (SubtaskId { vertex, index }, Role::default())).collect();
        for vote in votes {
            let role = Role { source: !vote.splits.is_empty(), sink: !vote.staged.is_empty() };
            subtasks.insert(vote.subtask, role);
        }
        let ends = votes.iter().flat_map(|vote| vote.received.iter().chain(&vote.sent));
        Roster {
            plan: manifest.plan.clone(),
            key_groups: manifest.key_groups,
            subtasks,
            channels: ends.map(|cut| cut.channel).collect(),
        }
    }

    /// How many subtasks a vertex has.
    pub fn parallelism(&self, vertex: VertexId) -> u32 {
        let first = SubtaskId { vertex, index: 0 };
        let last = SubtaskId { vertex, index: u32::MAX };
        self.subtasks.range(first..=last).count() as u32
    }

    /// The subtasks at which checkpoints are triggered.
    pub fn sources(&self) -> impl Iterator<Item = SubtaskId> {
        self.subtasks.iter().filter(|(_, role)| role.source).map(|(&subtask, _)| subtask)
    }
}

/// No vertex of a manifest is believed to have more subtasks than this: a hostile index must not fill the
/// memory. There are never more than key groups.
const SUBTASKS_MAX: u32 = KeyGroups::MAX as u32;

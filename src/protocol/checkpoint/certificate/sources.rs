//! K5, sources: nothing that was read is read again in the same history, and nothing is left out.

use std::collections::BTreeMap;

use watershed_core::checkpoint::{SplitCut, Vote};
use watershed_core::{Position, SplitId, SubtaskId, VertexId};

use super::{Checked, Violation};

/// How far every split of every source had come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Positions(BTreeMap<(VertexId, SplitId), Standing>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Standing {
    position: Position,
    ended: bool,
}

impl Positions {
    /// The positions that these votes tell.
    pub fn of(votes: &[Vote]) -> Positions {
        let splits = votes.iter().flat_map(|vote| vote.splits.iter().map(move |split| (vote.subtask, split)));
        Positions(splits.map(|(subtask, split)| ((subtask.vertex, split.split), standing(split))).collect())
    }

    /// How far one split of a source had come.
    pub fn of_split(&self, vertex: VertexId, split: SplitId) -> Option<Position> {
        self.0.get(&(vertex, split)).map(|standing| standing.position)
    }
}

fn standing(split: &SplitCut) -> Standing {
    Standing { position: split.position, ended: split.ended }
}

/// Proves that no split stands before where it stood in the checkpoint before.
pub(super) fn check(previous: &Positions, votes: &[Vote]) -> Result<Checked, Violation> {
    let mut readers: BTreeMap<(VertexId, SplitId), SubtaskId> = BTreeMap::new();
    for vote in votes {
        let vertex = vote.subtask.vertex;
        for SplitCut { split, position, .. } in &vote.splits {
            let (split, found) = (*split, *position);
            if let Some(first) = readers.insert((vertex, split), vote.subtask) {
                return Err(Violation::SplitTwice { vertex, split, subtasks: (first, vote.subtask) });
            }
            match previous.of_split(vertex, split) {
                Some(previous) if found < previous => {
                    return Err(Violation::WentBack { vertex, split, found, previous });
                }
                Some(_) | None => {}
            }
        }
    }
    // A split that was read to its end need not be carried along for ever.
    let forgotten =
        |(key, standing): &(&(VertexId, SplitId), &Standing)| !standing.ended && !readers.contains_key(*key);
    match previous.0.iter().find(forgotten) {
        Some((&(vertex, split), standing)) => {
            Err(Violation::SplitForgotten { vertex, split, previous: standing.position })
        }
        None => Ok(Checked::of([("splits", readers.len())])),
    }
}

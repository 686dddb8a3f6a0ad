//! K4, identity: those vote who take part, of one plan, and every key is owned once.

use std::collections::BTreeMap;

use watershed_core::checkpoint::Vote;
use watershed_core::{KeyGroupRange, SubtaskId, VertexId};

use super::{Checked, Violation};
use crate::checkpoint::Roster;

/// Proves that each subtask votes once and owns its part of the keys.
pub(super) fn check(roster: &Roster, votes: &[Vote]) -> Result<Checked, Violation> {
    voters(roster, votes)?;
    let keyed = key_groups(roster, votes)?;
    Ok(Checked::of([
        ("subtasks", votes.len()),
        ("key groups", keyed * usize::from(roster.key_groups.count())),
    ]))
}

fn voters(roster: &Roster, votes: &[Vote]) -> Result<(), Violation> {
    let mut missing = roster.subtasks.clone();
    for vote in votes {
        let subtask = vote.subtask;
        if missing.remove(&subtask).is_none() {
            let known = roster.subtasks.contains_key(&subtask);
            return Err(if known { Violation::VoteTwice(subtask) } else { Violation::Stranger(subtask) });
        }
        let expected = roster.plan.digest();
        if vote.plan != expected {
            return Err(Violation::OtherPlan { subtask, found: vote.plan, expected });
        }
    }
    missing.first_key_value().map_or(Ok(()), |(&subtask, _)| Err(Violation::VoteMissing(subtask)))
}

/// Returns how many vertices are keyed.
fn key_groups(roster: &Roster, votes: &[Vote]) -> Result<usize, Violation> {
    let mut keyed: BTreeMap<VertexId, Vec<(&KeyGroupRange, SubtaskId)>> = BTreeMap::new();
    for vote in votes {
        if let Some(range) = &vote.key_groups {
            keyed.entry(vote.subtask.vertex).or_default().push((range, vote.subtask));
        }
    }
    for vote in votes {
        if vote.key_groups.is_none() && keyed.contains_key(&vote.subtask.vertex) {
            return Err(Violation::NotKeyed { subtask: vote.subtask });
        }
    }
    let vertices = keyed.len();
    for (vertex, mut ranges) in keyed {
        ranges.sort_by_key(|(range, subtask)| (range.0.start, range.0.end, *subtask));
        let mut expected = 0;
        for (range, subtask) in ranges {
            let found = range.0.start;
            if found != expected {
                return Err(Violation::KeyGroups { vertex, subtask, found, expected });
            }
            expected = range.0.end;
        }
        let all = roster.key_groups.count();
        if expected != all {
            return Err(Violation::KeyGroupsEnd { vertex, found: expected, expected: all });
        }
    }
    Ok(vertices)
}

//! What is looked at when something becomes visible.

use watershed_core::SubtaskId;
use watershed_core::checkpoint::Staged;

use super::Broken;
use crate::record::Record;
use crate::sink::Committed;
use crate::world::World;

/// Takes note of a commit that an external system has just performed.
pub(crate) fn committed(world: &mut World, subtask: SubtaskId, staged: &Staged, committed: Committed) {
    let xid = staged.xid;
    let mut reasons: Vec<(Broken, String)> = Vec::new();
    if !world.listed.contains(&xid) {
        reasons.push((Broken::D5, format!("{xid} is committed, and no decided manifest lists it")));
    }
    let outside = world.outside.get_mut(&subtask.vertex).expect("a sink has its system");
    if outside.taken_back.contains(&xid) && !matches!(committed, Committed::Before) {
        reasons.push((Broken::D4, format!("{xid} is committed after it was taken back")));
    }
    match committed {
        Committed::Now(rows) => {
            for row in rows {
                reasons.extend(early(&world.positions, &row));
                reasons.extend(mistaken(&world.expected[&subtask.vertex], &row));
                if outside.visible.insert(row.name(), row).is_some() {
                    reasons.push((Broken::I1, format!("{row:?} is visible twice")));
                }
            }
        }
        Committed::Before => {}
        Committed::Lost => {
            reasons.push((Broken::D4, format!("{xid} is neither there nor marked: lost in doubt")));
        }
    }
    for (broken, reason) in reasons {
        world.broken(broken, reason);
    }
}

/// Whether the newest decision does not cover a row.
fn early(positions: &[u64], row: &Record) -> Option<(Broken, String)> {
    let decided = positions.get(row.split as usize).is_some_and(|position| row.position < *position);
    (!decided).then(|| (Broken::I3, format!("{row:?} is visible before its checkpoint is decided")))
}

/// Whether a row is a dead letter that should not be one, or should be one and is not. `expected` is in the order of names.
fn mistaken(expected: &[Record], row: &Record) -> Option<(Broken, String)> {
    let place = expected.binary_search_by_key(&row.name(), Record::name).ok()?;
    (expected[place].dead != row.dead)
        .then(|| (Broken::Poison, format!("{row:?} has been taken for what it is not")))
}

//! What is looked at whenever a decision is made or something outside changes: nothing that is decided is gone.

use std::collections::BTreeSet;

use super::Broken;
use crate::record::Name;
use crate::world::World;

/// Looks whether each decided record is visible at each sink, or staged under a name that the manifest lists.
pub(crate) fn look(world: &mut World) {
    let Some(decided) = &world.decided else { return };
    let mut lost = None;
    for (&sink, outside) in &world.outside {
        let listed = decided.votes.iter().filter(|vote| vote.subtask.vertex == sink);
        let staged: BTreeSet<Name> = listed
            .flat_map(|vote| &vote.staged)
            .flat_map(|staged| outside.would_show(staged))
            .map(|row| row.name())
            .collect();
        let is_decided = |split: u32, position: u64| position < world.positions[split as usize];
        let gone = world.expected[&sink].iter().find(|record| {
            is_decided(record.split, record.position)
                && !outside.visible.contains_key(&record.name())
                && !staged.contains(&record.name())
        });
        lost = lost.or(gone.map(|record| (sink, *record)));
    }
    if let Some((sink, record)) = lost {
        world.broken(Broken::I2, format!("{record:?} is decided, and lost to sink {sink}"));
    }
}

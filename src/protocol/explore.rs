//! Walks every state that a small world can reach, so that a test can check all orders of events.

use std::collections::HashSet;
use std::hash::Hash;

/// The number of states after which a walk gives up: the world was meant to be small.
const STATES_MAX: usize = 4_000_000;

/// Visits every world reachable from `start` by `successors` once, depth first, and returns how many there
/// are.
///
/// `successors` checks the properties of the worlds that it makes, and panics where one does not hold.
///
/// # Panics
/// When more than [`STATES_MAX`] worlds can be reached.
pub(crate) fn explore<W: Clone + Eq + Hash>(start: W, mut successors: impl FnMut(&W, &mut Vec<W>)) -> usize {
    let mut seen = HashSet::from([start.clone()]);
    let mut ahead = vec![start];
    let mut next = Vec::new();
    while let Some(world) = ahead.pop() {
        successors(&world, &mut next);
        for world in next.drain(..) {
            if seen.insert(world.clone()) {
                ahead.push(world);
            }
        }
        assert!(seen.len() <= STATES_MAX, "the world has more than {STATES_MAX} states");
    }
    seen.len()
}

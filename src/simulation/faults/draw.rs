//! Draws what goes wrong: each kind of fault, so that it finds something to harm.

use watershed_core::VertexId;

use super::{BORNE, Fault, HARM_UNTIL, Harm};
use crate::dice::Dice;
use crate::graph::Graph;

/// By how many milliseconds clocks are ahead that are to be refused: by so much that whoever hears of it has to find out,
/// or an hour.
const BARELY: (u64, u64) = (BORNE, 580);
const HOUR: i64 = 3_600_000;

/// The last of the kinds that [`mixed`] draws from.
const SKEW: u64 = 9;

/// Draws when two nodes lose each other alone.
pub(crate) fn pairs(dice: &mut Dice, nodes: usize, until: u64) -> Vec<Fault> {
    let count = if nodes > 2 && dice.hit(25) { dice.between(1, 2) } else { 0 };
    let draw = |_| {
        let (one, other) = two(dice, nodes);
        Fault { at: dice.below(until), lasts: dice.between(20, 1000), harm: Harm::Pair(one, other) }
    };
    (0..count).map(draw).collect()
}

/// Draws when a wall clock is as wrong as must not be borne. Only what is shared is stamped.
pub(crate) fn skews(dice: &mut Dice, nodes: usize, graph: &Graph, until: u64) -> Vec<Fault> {
    let count = if graph.shares && dice.hit(40) { dice.between(1, 2) } else { 0 };
    let draw = |_| {
        let node = dice.place(nodes);
        let millis = match dice.below(4) {
            0 => HOUR,
            1 => -HOUR,
            _ => dice.between(BARELY.0, BARELY.1) as i64,
        };
        Fault { at: dice.below(until), lasts: dice.between(20, 1000), harm: Harm::Skew(node, millis) }
    };
    (0..count).map(draw).collect()
}

/// Two nodes that are not the same.
fn two(dice: &mut Dice, nodes: usize) -> (usize, usize) {
    let one = dice.place(nodes);
    (one, (one + 1 + dice.place(nodes - 1)) % nodes)
}

/// Draws the faults of a seed: some kinds of them, each some times.
pub(crate) fn mixed(dice: &mut Dice, nodes: usize, graph: &Graph, until: u64) -> Vec<Fault> {
    let mut kinds: Vec<u64> = (0..10).filter(|_| dice.hit(45)).collect();
    kinds.retain(|kind| graph.shares || *kind != SKEW);
    let count = if kinds.is_empty() { 0 } else { dice.between(1, 10) };
    let sinks: Vec<VertexId> = graph.sinks().map(|(sink, _)| sink).collect();
    let mut faults: Vec<Fault> = (0..count)
        .map(|_| {
            let (node, other) = two(dice, nodes);
            let harm = match dice.pick(&kinds) {
                0 => Harm::Crash(node),
                1 => Harm::Pause(node),
                2 => Harm::OneWay(node, other),
                3 => Harm::Partition(dice.between(1, (1 << nodes) - 2) as u8),
                4 => Harm::Loss(dice.between(5, 40)),
                5 => Harm::DiskFull(node),
                6 => Harm::SlowSink(dice.pick(&sinks)),
                7 => Harm::Doubt,
                8 => Harm::Rival(node),
                _ => Harm::Skew(node, dice.between(0, 400) as i64 - 200),
            };
            Fault { at: dice.below(until), lasts: dice.between(20, HARM_UNTIL / 4), harm }
        })
        .collect();
    faults.sort_by_key(|fault| fault.at);
    faults
}

//! What goes wrong, drawn up before anything happens: the first act.
//!
//! Each fault has its moment and its length. When the last one is over, the second act begins: nothing goes wrong any
//! more, all nodes are there, and the job has to come to its end.

use std::fmt;

use watershed_core::VertexId;

use crate::agenda::Happening;
use crate::dice::Dice;
use crate::graph::Graph;
use crate::world::World;

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// When.
    pub at: u64,
    /// For how long.
    pub lasts: u64,
    /// What.
    pub harm: Harm,
}

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// A node dies, with all that it had not synced, and comes back.
    Crash(usize),
    /// A node stands still, and comes back as a zombie: it does not know that time has passed.
    Pause(usize),
    /// Nothing gets from one node to another; the other way it does.
    OneWay(usize, usize),
    /// The nodes whose bits are set are cut off from the others.
    Partition(u8),
    /// So many of a hundred messages are lost, as many come twice, and all are slow.
    Loss(u64),
    /// The disk of a node is full.
    DiskFull(usize),
    /// The system behind a sink is slow, and refuses or forgets to answer now and then.
    SlowSink(VertexId),
    /// The meta store does not answer in time, now and then.
    Doubt,
    /// A node campaigns although another reigns.
    Rival(usize),
    /// The wall clock of a node jumps by so many milliseconds.
    Skew(usize, i64),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {} for {}: {:?}", self.at, self.lasts, self.harm)
    }
}

impl Harm {
    /// What kind it is of, for the report.
    pub fn kind(self) -> &'static str {
        match self {
            Harm::Crash(_) => "crash",
            Harm::Pause(_) => "pause",
            Harm::OneWay(..) => "one-way partition",
            Harm::Partition(_) => "partition",
            Harm::Loss(_) => "loss, repetition, reordering",
            Harm::DiskFull(_) => "full disk",
            Harm::SlowSink(_) => "slow sink",
            Harm::Doubt => "silent meta store",
            Harm::Rival(_) => "change of leader",
            Harm::Skew(..) => "clock skew",
        }
    }
}

/// The first act lasts so long.
const HARM_UNTIL: u64 = 4000;

/// Draws the faults of a seed: some kinds of them, each some times.
pub(crate) fn draw(dice: &mut Dice, nodes: usize, graph: &Graph) -> Vec<Fault> {
    let kinds: Vec<u64> = (0..10).filter(|_| dice.hit(45)).collect();
    let count = if kinds.is_empty() { 0 } else { dice.between(1, 10) };
    let sinks: Vec<VertexId> = graph.sinks().map(|(sink, _)| sink).collect();
    let mut faults: Vec<Fault> = (0..count)
        .map(|_| {
            let (node, other) = (dice.place(nodes), dice.place(nodes));
            let harm = match dice.pick(&kinds) {
                0 => Harm::Crash(node),
                1 => Harm::Pause(node),
                2 => Harm::OneWay(node, other),
                3 => Harm::Partition(dice.between(1, (1 << nodes) - 1) as u8),
                4 => Harm::Loss(dice.between(5, 40)),
                5 => Harm::DiskFull(node),
                6 => Harm::SlowSink(dice.pick(&sinks)),
                7 => Harm::Doubt,
                8 => Harm::Rival(node),
                _ => Harm::Skew(node, dice.between(0, 400) as i64 - 200),
            };
            Fault { at: dice.below(HARM_UNTIL * 3 / 4), lasts: dice.between(20, HARM_UNTIL / 4), harm }
        })
        .collect();
    faults.sort_by_key(|fault| fault.at);
    faults
}

impl World {
    /// Enters all faults.
    pub(crate) fn schedule(&mut self) {
        for (place, fault) in self.faults.iter().enumerate() {
            self.agenda.enter(fault.at, Happening::Harm(place));
            self.agenda.enter(fault.at + fault.lasts, Happening::Heal(place));
        }
    }

    /// When the second act begins.
    pub(crate) fn healed_at(&self) -> u64 {
        self.faults.iter().map(|fault| fault.at + fault.lasts).max().unwrap_or(0)
    }

    pub(crate) fn harm(&mut self, place: usize) {
        let Fault { harm, lasts, .. } = self.faults[place];
        if !self.is_over() {
            self.tally.struck(harm.kind(), self.now);
        }
        match harm {
            Harm::Crash(node) => self.crash(node),
            Harm::Pause(node) => {
                let until = self.now + lasts;
                let paused = &mut self.nodes[node].paused_until;
                *paused = until.max(*paused);
            }
            Harm::OneWay(..) | Harm::Partition(_) => self.cut(harm, true),
            Harm::Loss(percent) => (self.network.loss, self.network.delay) = (percent, 60),
            Harm::DiskFull(node) => self.nodes[node].disk_full += 1,
            Harm::SlowSink(sink) => {
                let outside = self.outside.get_mut(&sink).expect("it is a sink");
                (outside.slowness, outside.failures) = (150, 15);
            }
            Harm::Doubt => self.doubt = 25,
            Harm::Rival(node) => self.campaign(node),
            Harm::Skew(node, millis) => self.nodes[node].wall_offset = millis,
        }
    }

    pub(crate) fn heal(&mut self, place: usize) {
        match self.faults[place].harm {
            Harm::Crash(node) => self.boot(node),
            Harm::Pause(_) | Harm::Rival(_) => {}
            harm @ (Harm::OneWay(..) | Harm::Partition(_)) => self.cut(harm, false),
            Harm::Loss(_) => (self.network.loss, self.network.delay) = (0, 8),
            Harm::DiskFull(node) => self.nodes[node].disk_full -= 1,
            Harm::SlowSink(sink) => {
                let outside = self.outside.get_mut(&sink).expect("it is a sink");
                (outside.slowness, outside.failures) = (5, 0);
            }
            Harm::Doubt => self.doubt = 0,
            Harm::Skew(node, _) => self.nodes[node].wall_offset = 0,
        }
    }

    fn cut(&mut self, harm: Harm, begins: bool) {
        for from in 0..self.nodes.len() {
            for to in 0..self.nodes.len() {
                let is_cut = match harm {
                    Harm::OneWay(one, other) => (one, other) == (from, to) && from != to,
                    Harm::Partition(side) => (side >> from) & 1 != (side >> to) & 1,
                    Harm::Crash(_)
                    | Harm::Pause(_)
                    | Harm::Loss(_)
                    | Harm::DiskFull(_)
                    | Harm::SlowSink(_)
                    | Harm::Doubt
                    | Harm::Rival(_)
                    | Harm::Skew(..) => false,
                };
                if is_cut {
                    let cuts = self.network.cuts.entry((from, to)).or_default();
                    *cuts = if begins { *cuts + 1 } else { *cuts - 1 };
                }
            }
        }
    }
}

//! What goes wrong, drawn up before anything happens: the first act.
//!
//! Each fault has its moment and its length. When the last one is over, the second act begins: nothing goes wrong any
//! more, all nodes are there, and the job has to come to its end.

pub(crate) mod draw;

use std::fmt;

use watershed_core::VertexId;

use crate::agenda::Happening;
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
    /// Two nodes do not reach each other, and all others reach both.
    Pair(usize, usize),
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
    /// A node takes itself for elected, whoever else is, and campaigns whenever it has been deposed.
    Claim(usize),
    /// A node that leads loses its reign and has it again at once, with another coordinator.
    Flicker(usize),
    /// Nobody has a majority: nobody is elected, and the meta store decides nothing.
    Leaderless,
    /// A node campaigns at the end, with what was decided at the beginning.
    LateCampaign(usize),
    /// The job is to run with other parallelism.
    Rescale,
    /// A person wants a savepoint.
    Savepoint,
    /// A person wants a savepoint and the end of the run, and later lets the job go on with other parallelism: where it
    /// is, or back from one of its savepoints.
    Suspend {
        /// Whether it goes back.
        back: bool,
    },
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
            Harm::Pair(..) => "cut between two nodes",
            Harm::Loss(_) => "loss, repetition, reordering",
            Harm::DiskFull(_) => "full disk",
            Harm::SlowSink(_) => "slow sink",
            Harm::Doubt => "silent meta store",
            Harm::Rival(_) => "change of leader",
            Harm::Skew(_, millis) if millis.unsigned_abs() < BORNE => "clock skew that is borne",
            Harm::Skew(..) => "clock skew",
            Harm::Claim(_) => "two leaders at once",
            Harm::Flicker(_) => "reign lost and had again",
            Harm::Leaderless => "no majority",
            Harm::LateCampaign(_) => "late campaign",
            Harm::Rescale => "other parallelism",
            Harm::Savepoint => "savepoint",
            Harm::Suspend { back: false } => "suspended, and on",
            Harm::Suspend { back: true } => "suspended, and back",
        }
    }
}

/// The first act lasts so long.
pub(crate) const HARM_UNTIL: u64 = 4000;

/// By how many milliseconds clocks may differ without harm.
const BORNE: u64 = 500;

impl World {
    /// Enters all faults.
    pub(crate) fn schedule(&mut self) {
        for (place, fault) in self.faults.iter().enumerate() {
            *self.tally.faults.entry(fault.harm.kind()).or_default() += 1;
            self.agenda.enter(fault.at, Happening::Harm(place));
            self.agenda.enter(fault.at + fault.lasts, Happening::Heal(place));
        }
    }

    /// When the second act begins.
    pub(crate) fn healed_at(&self) -> u64 {
        self.faults.iter().map(|fault| fault.at + fault.lasts).max().unwrap_or(0)
    }

    pub(crate) fn harm(&mut self, place: usize) {
        let Fault { harm, lasts, at } = self.faults[place];
        let harm = self.aimed(harm);
        if !self.is_over() && self.can_do_harm(harm) {
            self.tally.strike(harm.kind(), self.now);
        }
        match harm {
            Harm::Crash(node) => self.crash(node),
            Harm::Pause(node) => {
                let until = self.now + lasts;
                let paused = &mut self.nodes[node].paused_until;
                *paused = until.max(*paused);
            }
            Harm::OneWay(..) | Harm::Partition(_) | Harm::Pair(..) => self.cut(harm, true),
            Harm::Loss(percent) => (self.network.loss, self.network.delay) = (percent, 60),
            Harm::DiskFull(node) => self.nodes[node].disk_full += 1,
            Harm::SlowSink(sink) => {
                let outside = self.outside.get_mut(&sink).expect("it is a sink");
                (outside.slowness, outside.failures) = (150, 15);
            }
            Harm::Doubt => self.doubt = 25,
            Harm::Rival(node) => self.campaign(node),
            Harm::Skew(node, millis) => self.nodes[node].wall_offset = millis,
            Harm::Claim(node) => self.claim(node, true),
            Harm::Flicker(node) => self.flicker(node),
            Harm::Leaderless => self.lose_majority(),
            Harm::LateCampaign(node) => self.read_early(node),
            Harm::Rescale => self.go_on(at, false),
            Harm::Savepoint => self.wish(false),
            Harm::Suspend { .. } => self.wish(true),
        }
    }

    pub(crate) fn heal(&mut self, place: usize) {
        let Fault { harm, at, .. } = self.faults[place];
        match harm {
            Harm::Crash(node) => self.boot(node),
            Harm::Pause(_) | Harm::Rival(_) | Harm::Flicker(_) | Harm::Rescale | Harm::Savepoint => {}
            Harm::Claim(node) => self.claim(node, false),
            Harm::Leaderless => self.have_majority(),
            Harm::LateCampaign(node) => self.campaign_late(node),
            Harm::Suspend { back } => self.go_on(at, back),
            harm @ (Harm::OneWay(..) | Harm::Partition(_) | Harm::Pair(..)) => self.cut(harm, false),
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

    /// The fault, at the next node that it can do anything to where it can do nothing to its own.
    fn aimed(&self, harm: Harm) -> Harm {
        let next = |from: usize, leads: bool| {
            let all = (from..self.nodes.len()).chain(0..from);
            let is_it =
                |node: &usize| self.nodes[*node].lead.is_some() == leads && self.nodes[*node].down == 0;
            all.into_iter().find(is_it).unwrap_or(from)
        };
        match harm {
            Harm::Rival(node) => Harm::Rival(next(node, false)),
            Harm::Flicker(node) => Harm::Flicker(next(node, true)),
            harm => harm,
        }
    }

    /// Whether a fault finds anything that it could harm now.
    fn can_do_harm(&self, harm: Harm) -> bool {
        match harm {
            // Whoever leads need not campaign.
            Harm::Rival(node) => self.nodes[node].lead.is_none() && self.nodes[node].down == 0,
            Harm::Flicker(node) => self.nodes[node].lead.is_some(),
            // Nobody stamps anything.
            Harm::Skew(..) => self.graph.shares,
            Harm::Crash(_)
            | Harm::Pause(_)
            | Harm::OneWay(..)
            | Harm::Partition(_)
            | Harm::Pair(..)
            | Harm::Loss(_)
            | Harm::DiskFull(_)
            | Harm::SlowSink(_)
            | Harm::Doubt
            | Harm::Claim(_)
            | Harm::Leaderless
            | Harm::LateCampaign(_)
            | Harm::Rescale
            | Harm::Savepoint
            | Harm::Suspend { .. } => true,
        }
    }

    fn cut(&mut self, harm: Harm, begins: bool) {
        for from in 0..self.nodes.len() {
            for to in 0..self.nodes.len() {
                let is_cut = match harm {
                    Harm::OneWay(one, other) => (one, other) == (from, to),
                    Harm::Partition(side) => is_in(side, from) != is_in(side, to),
                    Harm::Pair(one, other) => [(one, other), (other, one)].contains(&(from, to)),
                    Harm::Crash(_)
                    | Harm::Pause(_)
                    | Harm::Loss(_)
                    | Harm::DiskFull(_)
                    | Harm::SlowSink(_)
                    | Harm::Doubt
                    | Harm::Rival(_)
                    | Harm::Skew(..)
                    | Harm::Claim(_)
                    | Harm::Flicker(_)
                    | Harm::Leaderless
                    | Harm::LateCampaign(_)
                    | Harm::Rescale
                    | Harm::Savepoint
                    | Harm::Suspend { .. } => false,
                };
                if is_cut {
                    let cuts = self.network.cuts.entry((from, to)).or_default();
                    *cuts = if begins { *cuts + 1 } else { *cuts - 1 };
                }
            }
        }
    }
}

/// Whether a node is on the side of a partition whose bits are set.
pub(crate) fn is_in(side: u8, node: usize) -> bool {
    (side >> node) & 1 == 1
}

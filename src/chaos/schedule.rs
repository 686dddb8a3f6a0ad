//! What is done when, and to whom: decided by a seed alone, before anything runs.
//!
//! Kinds are dealt out in rounds, each of which has every kind once, so that a short rehearsal is not spent on one of them.
//! A fault is healed before the next one begins: what is rehearsed is one failure at a time, in any order and at any
//! moment of the job.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::dice::Dice;
use crate::fault::Kind;

/// Who is harmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// The node of this number, from 0.
    Node(usize),
    /// Whoever leads when it is time.
    Leader,
    /// What the first of two nodes sends to the second.
    Way(usize, usize),
    /// The directory of the checkpoints, which all nodes share.
    Checkpoints,
}

/// One harm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Act {
    /// Its place among all, from 1.
    pub number: usize,
    /// When it begins, counted from the begin of the first job.
    #[serde(rename = "planned_seconds", serialize_with = "seconds")]
    pub at: Duration,
    /// What is done.
    pub kind: Kind,
    /// To whom.
    pub victim: Victim,
    /// How long it lasts, where it lasts: until a killed node comes back, a still one goes on, a way is open.
    #[serde(rename = "lasts_seconds", serialize_with = "seconds")]
    pub lasts: Duration,
    /// A number that decides about the rest: how slow, which bit, which kind of frame.
    #[serde(skip)]
    pub lot: u64,
}

/// What a schedule is drawn from.
#[derive(Clone, Debug)]
pub struct Draw {
    /// What decides.
    pub seed: u64,
    /// Which kinds there are to be.
    pub kinds: Vec<Kind>,
    /// How many nodes there are.
    pub nodes: usize,
    /// Within which time.
    pub span: Duration,
    /// From one to the next, on the average.
    pub every: Duration,
}

/// How long the harms of each kind last, at least and at most, in ms. A peer that is silent for 2.4 s is given up, so
/// that some of those that last are over before anybody has noticed.
fn lasting(kind: Kind) -> (u64, u64) {
    match kind {
        Kind::Kill | Kind::Leader => (200, 3000),
        Kind::Pause | Kind::Partition | Kind::OneWay => (1000, 5000),
        Kind::Slow | Kind::Delay => (2000, 5000),
        Kind::Disk | Kind::FullDisk => (1000, 4000),
        Kind::Reorder | Kind::Duplicate | Kind::Truncate | Kind::Flip | Kind::Cut => (0, 0),
    }
}

impl Draw {
    /// What is to be done, in its order. None where there are no kinds.
    pub fn acts(&self) -> Vec<Act> {
        let (mut dice, mut acts) = (Dice::new(self.seed), Vec::new());
        let mut round: Vec<Kind> = Vec::new();
        let (least, most) = (self.every / 2, self.every * 3 / 2);
        let mut at = dice.between(least, most);
        while at < self.span {
            if round.is_empty() {
                round = dice.shuffled(&self.kinds);
            }
            let Some(kind) = round.pop() else { break };
            let victim = self.victim(kind, &mut dice);
            let (shortest, longest) = lasting(kind);
            let lasts = dice.between(Duration::from_millis(shortest), Duration::from_millis(longest));
            let (lot, gap) = (dice.any(), dice.between(least, most));
            acts.push(Act { number: acts.len() + 1, at, kind, victim, lasts, lot });
            at += gap.max(lasts);
        }
        acts
    }

    fn victim(&self, kind: Kind, dice: &mut Dice) -> Victim {
        let node = dice.below(self.nodes.max(1) as u64) as usize;
        let other = dice.below(self.nodes.saturating_sub(1).max(1) as u64) as usize;
        match kind {
            Kind::Leader => Victim::Leader,
            Kind::Disk | Kind::FullDisk => Victim::Checkpoints,
            Kind::Kill | Kind::Pause | Kind::Partition => Victim::Node(node),
            Kind::OneWay
            | Kind::Slow
            | Kind::Delay
            | Kind::Reorder
            | Kind::Duplicate
            | Kind::Truncate
            | Kind::Flip
            | Kind::Cut => Victim::Way(node, if other < node { other } else { other + 1 }),
        }
    }
}

/// The name of a node.
pub(crate) fn name_of(node: usize) -> String {
    format!("n{}", node + 1)
}

/// So many nodes, in words.
pub(crate) fn count_of(nodes: usize) -> String {
    format!("{nodes} node{}", if nodes == 1 { "" } else { "s" })
}

impl fmt::Display for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Victim::Node(node) => f.pad(&name_of(*node)),
            Victim::Leader => f.pad("the leader"),
            Victim::Way(from, to) => f.pad(&format!("{} to {}", name_of(*from), name_of(*to))),
            Victim::Checkpoints => f.pad("checkpoints"),
        }
    }
}

impl Serialize for Victim {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

fn seconds<S: Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(span.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(seed: u64) -> Draw {
        let (span, every) = (Duration::from_secs(600), Duration::from_secs(6));
        Draw { seed, kinds: Kind::ALL.to_vec(), nodes: 3, span, every }
    }

    #[test]
    fn a_seed_decides_about_everything() {
        assert_eq!(draw(7).acts(), draw(7).acts());
        assert_ne!(draw(7).acts(), draw(8).acts());
    }

    #[test]
    fn every_kind_comes_in_every_round() {
        let acts = draw(7).acts();
        assert!(acts.len() > 60, "{}", acts.len());
        for round in acts.chunks_exact(Kind::ALL.len()) {
            let mut kinds: Vec<Kind> = round.iter().map(|act| act.kind).collect();
            kinds.sort_unstable();
            assert_eq!(kinds, Kind::ALL);
        }
    }

    #[test]
    fn a_harm_is_over_before_the_next_begins_and_nobody_is_cut_from_himself() {
        for seed in 0..50 {
            let acts = draw(seed).acts();
            for (act, next) in acts.iter().zip(&acts[1..]) {
                assert!(act.at + act.lasts <= next.at, "{act:?} {next:?}");
            }
            for act in &acts {
                assert_eq!(act.kind.needs_links() && act.kind != Kind::Partition, {
                    matches!(act.victim, Victim::Way(from, to) if from != to && from < 3 && to < 3)
                });
            }
        }
    }

    #[test]
    fn where_there_is_nothing_to_do_nothing_is_done() {
        assert_eq!(Draw { kinds: Vec::new(), ..draw(1) }.acts(), []);
    }
}

//! Subtasks that vote, round after round, and a leader that decides each round once.

use std::collections::{BTreeMap, BTreeSet};

use watershed_actors::resolver::{
    Ballot, Decision, Majority, Mean, Median, Poll, ROUNDS_KEPT, Round, Tally, Vote, VoteUpdate,
};
use watershed_actors::source::Dice;
use watershed_core::SubtaskId;
use watershed_core::causal::Dot;

use crate::site::TASKS;
use crate::world::{SITES, Script, Told};

const VOTERS: u32 = SITES as u32 * TASKS;
const QUORUM: u32 = 2;

/// A tally, and the same by its definition.
pub(crate) trait ByHand: Tally<i64> + Default {
    /// What votes come to. They come in no order.
    fn by_hand(votes: Vec<i64>) -> i64;
}

impl ByHand for Mean {
    fn by_hand(votes: Vec<i64>) -> i64 {
        votes.iter().sum::<i64>() / votes.len() as i64
    }
}

impl ByHand for Median {
    fn by_hand(mut votes: Vec<i64>) -> i64 {
        votes.sort_unstable();
        while votes.len() > 2 {
            votes.pop();
            votes.remove(0);
        }
        votes.iter().sum::<i64>() / votes.len() as i64
    }
}

impl ByHand for Majority {
    fn by_hand(votes: Vec<i64>) -> i64 {
        let count = |value: i64| votes.iter().filter(|vote| **vote == value).count();
        let most = votes.iter().map(|vote| count(*vote)).max().unwrap();
        votes.iter().copied().filter(|vote| count(*vote) == most).min().unwrap()
    }
}

/// Votes in the newest rounds, decided as soon as somebody sees a quorum and nobody has been before.
#[derive(Default)]
pub(crate) struct Ballots<T> {
    tally: T,
    /// How often a vote opens a round: in some executions so often that the oldest are forgotten, in others so seldom that
    /// most are decided.
    haste: Option<f64>,
    /// What a compare-and-swap keeps the leaders from deciding twice.
    decided: BTreeSet<Round>,
}

impl<T: ByHand> Script for Ballots<T> {
    type Of = i64;
    type Resolver = Vote<T>;

    fn resolver(&self) -> Vote<T> {
        Vote::by(self.tally.clone(), VOTERS, QUORUM)
    }

    fn next(&mut self, rounds: &BTreeMap<Round, Poll<i64>>, dice: &mut Dice) -> VoteUpdate<i64> {
        let newest = rounds.keys().next_back().map_or(0, |round| round.0);
        let vote = self.resolver();
        for round in rounds.keys() {
            if let Some(decision) = vote.ready(rounds, *round)
                && self.decided.insert(*round)
            {
                return VoteUpdate::Decide { round: *round, decision };
            }
        }
        let haste = *self.haste.get_or_insert_with(|| dice.unit());
        let older = newest.saturating_sub(dice.below(3));
        let round = Round(if dice.chance(haste) { newest + 1 } else { older });
        VoteUpdate::Cast { round, value: dice.below(7) as i64 - 3 }
    }

    fn expected(&self, told: &[&Told<VoteUpdate<i64>>]) -> Ballot<i64> {
        let mut votes: BTreeMap<Round, BTreeMap<(SubtaskId, Dot), i64>> = BTreeMap::new();
        let mut decided = BTreeMap::new();
        for one in told {
            match &one.update {
                VoteUpdate::Cast { round, value } => {
                    let (votes, voter) = (votes.entry(*round).or_default(), one.stamp.writer);
                    assert!(votes.keys().all(|(other, _)| *other != voter), "a voter votes once in a round");
                    votes.insert((voter, one.stamp.dot), *value);
                }
                VoteUpdate::Decide { round, decision } => {
                    let counted: Vec<SubtaskId> = decision.voters.iter().map(|(voter, _)| *voter).collect();
                    decided.insert(*round, (T::by_hand(listed(told, decision)), counted));
                }
            }
        }
        let kept: Vec<Round> = votes.keys().copied().rev().take(ROUNDS_KEPT).collect();
        let newest = kept.first().map(|round| (*round, &votes[round]));
        let ready = |round: &Round| {
            let votes = &votes[round];
            let is_ready = votes.len() >= QUORUM as usize && !decided.contains_key(round);
            let value = || T::by_hand(votes.values().copied().collect());
            is_ready.then(|| (*round, Decision { voters: votes.keys().copied().collect(), value: value() }))
        };
        Ballot {
            round: newest.map(|(round, _)| round).unwrap_or_default(),
            decided: newest.and_then(|(round, _)| Some(decided.get(&round)?.0)),
            counted: newest.and_then(|(round, _)| Some(decided.get(&round)?.1.clone())).unwrap_or_default(),
            provisional: newest.map(|(_, votes)| T::by_hand(votes.values().copied().collect())),
            votes: newest.map_or(0, |(_, votes)| votes.len()),
            needed: QUORUM as usize,
            earlier: kept.iter().skip(1).filter_map(|round| Some((*round, decided.get(round)?.0))).collect(),
            ready: kept.iter().rev().filter_map(ready).collect(),
        }
    }
}

/// What those voted for whose votes a decision lists.
fn listed(told: &[&Told<VoteUpdate<i64>>], decision: &Decision<i64>) -> Vec<i64> {
    let vote = |(voter, dot): &(SubtaskId, _)| {
        let cast = told.iter().find(|told| told.stamp.dot == *dot && told.stamp.writer == *voter);
        match &cast.expect("a decision comes after its votes").update {
            VoteUpdate::Cast { value, .. } => *value,
            VoteUpdate::Decide { .. } => panic!("a decision lists votes"),
        }
    };
    decision.voters.iter().map(vote).collect()
}

//! What is known of one round: who voted for what, and what was decided.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use watershed_core::causal::Dot;
use watershed_core::shared::{Refusal, Stamp};
use watershed_core::{Data, Round, SubtaskId};

/// What a round comes to, and the votes from which anybody can work it out again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
pub struct Decision<V> {
    /// The votes that were counted, by voter: each by the update that cast it.
    pub voters: Vec<(SubtaskId, Dot)>,
    /// What they come to, tallied in this order.
    pub value: V,
}

/// The votes and decisions of one round, each under the update that told it.
///
/// Of several votes of one voter the one with the least dot counts; the others are kept, for a decision may have listed
/// them before the first was heard of. With voters that live once, as subtasks do, there are none. The same is true of
/// decisions: one is made by compare-and-swap.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub struct Poll<V> {
    votes: BTreeMap<(SubtaskId, Dot), V>,
    decisions: BTreeMap<Dot, Decision<V>>,
}

/// What a delta tells.
pub(super) enum Fact<'a, V> {
    Vote(&'a V),
    Decision(&'a Decision<V>),
}

impl<V> Poll<V> {
    /// The decision of the round.
    pub fn decision(&self) -> Option<&Decision<V>> {
        self.decisions.values().next()
    }

    /// The votes that count, in the order of the voters.
    pub fn counted(&self) -> impl Iterator<Item = (SubtaskId, Dot, &V)> {
        let mut last = None;
        let votes = self.votes.iter().map(|((voter, dot), value)| (*voter, *dot, value));
        votes.filter(move |(voter, _, _)| last.replace(*voter) != Some(*voter))
    }

    /// What a voter voted for in one of its updates.
    pub(super) fn vote(&self, voter: SubtaskId, dot: Dot) -> Option<&V> {
        self.votes.get(&(voter, dot))
    }

    pub(super) fn of_vote(value: V, stamp: &Stamp) -> Self {
        Poll { votes: [((stamp.writer, stamp.dot), value)].into(), decisions: BTreeMap::new() }
    }

    pub(super) fn of_decision(decision: Decision<V>, stamp: &Stamp) -> Self {
        Poll { votes: BTreeMap::new(), decisions: [(stamp.dot, decision)].into() }
    }

    /// Refuses a second vote, and a vote of another vertex than that which votes in this round.
    pub(super) fn check_voter(&self, voter: SubtaskId, round: Round) -> Result<(), Refusal> {
        for (other, _) in self.votes.keys() {
            if *other == voter {
                return Err(Refusal::Update(format!("subtask {voter} has voted in round {round}")));
            }
            if other.vertex != voter.vertex {
                let why =
                    format!("subtask {voter} has no vote: vertex {} votes in round {round}", other.vertex);
                return Err(Refusal::Update(why));
            }
        }
        Ok(())
    }

    /// The one thing that a delta tells. Refuses one that tells more or less, or in the name of another.
    pub(super) fn only_fact(&self, stamp: &Stamp) -> Result<Fact<'_, V>, Refusal> {
        match (self.votes.first_key_value(), self.decisions.first_key_value()) {
            (Some(((voter, dot), value)), None)
                if self.votes.len() == 1 && (*voter, *dot) == (stamp.writer, stamp.dot) =>
            {
                Ok(Fact::Vote(value))
            }
            (None, Some((dot, decision))) if self.decisions.len() == 1 && *dot == stamp.dot => {
                Ok(Fact::Decision(decision))
            }
            (_, _) => {
                Err(Refusal::Update(format!("{} is not one vote or decision of its writer", stamp.dot)))
            }
        }
    }
}

impl<V: Clone> Poll<V> {
    pub(super) fn join(&mut self, other: &Poll<V>) {
        for (vote, value) in &other.votes {
            self.votes.entry(*vote).or_insert_with(|| value.clone());
        }
        for (dot, decision) in &other.decisions {
            self.decisions.entry(*dot).or_insert_with(|| decision.clone());
        }
    }
}

impl<V> Default for Poll<V> {
    fn default() -> Self {
        Poll { votes: BTreeMap::new(), decisions: BTreeMap::new() }
    }
}

/// A dot names one vote or one decision, so that equal names are equal facts.
impl<V> PartialEq for Poll<V> {
    fn eq(&self, other: &Self) -> bool {
        self.votes.keys().eq(other.votes.keys()) && self.decisions.keys().eq(other.decisions.keys())
    }
}

//! Which votes and decisions are taken, by their writers and again by everybody who hears of them.

use std::collections::BTreeMap;

use watershed_core::shared::Refusal;
use watershed_core::{Data, SubtaskId};

use super::{Decision, Poll, ROUNDS_KEPT, Round, Tally, Vote};

impl<T> Vote<T> {
    /// Refuses the vote of somebody who has none, or one that cannot be tallied.
    pub(super) fn check_vote<V>(&self, voter: SubtaskId, value: &V) -> Result<(), Refusal>
    where
        T: Tally<V>,
    {
        if voter.index >= self.voters {
            let voters = self.voters;
            return refuse(format!(
                "subtask {voter} has no vote: the electorate is subtasks 0 to {}",
                voters - 1
            ));
        }
        self.tally.check(value)
    }

    /// Refuses a decision that is not the tally of the votes that it lists.
    pub(super) fn check_decision<V: Data>(
        &self,
        poll: &Poll<V>,
        decision: &Decision<V>,
    ) -> Result<(), Refusal>
    where
        T: Tally<V>,
    {
        let listed = &decision.voters;
        if !listed.is_sorted_by(|(one, _), (next, _)| one < next) {
            return refuse("a decision lists its voters out of order, or one of them twice".to_owned());
        }
        if listed.len() < self.quorum as usize {
            return refuse(format!(
                "a decision counts {} votes, and {} are needed",
                listed.len(),
                self.quorum
            ));
        }
        let mut values = Vec::with_capacity(listed.len());
        for (voter, dot) in listed {
            let Some(value) = poll.vote(*voter, *dot) else {
                return refuse(format!(
                    "a decision counts a vote of subtask {voter} that nobody cast: {dot}"
                ));
            };
            values.push(value);
        }
        if same_bytes(&self.tally.tally(&values), &decision.value) {
            return Ok(());
        }
        refuse(format!("a decision is not what its {} votes come to", listed.len()))
    }
}

/// Whether a round is older than all that are kept.
pub(super) fn is_past<V>(rounds: &BTreeMap<Round, Poll<V>>, round: Round) -> bool {
    rounds.len() >= ROUNDS_KEPT && rounds.keys().next().is_some_and(|oldest| round < *oldest)
}

/// Whether two values are the same bit for bit: numbers that only compare equal are not.
fn same_bytes<V: Data>(one: &V, other: &V) -> bool {
    let bytes =
        |value| rmp_serde::to_vec(value).expect("what is shared between sites can be told as MessagePack");
    bytes(one) == bytes(other)
}

pub(super) fn refuse<T>(why: String) -> Result<T, Refusal> {
    Err(Refusal::Update(why))
}

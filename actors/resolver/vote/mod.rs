//! A value that the subtasks of a vertex vote on.
//!
//! A mean cannot be joined: the mean of means is no mean, and depends on how they are grouped. So votes are kept, not
//! results, in a register of rounds; and what is *decided* is a function of one fixed set of votes:
//!
//! ```text
//!   voters      Cast{round, value} ....... once each
//!   the leader  sees a quorum of votes (Vote::ready), decides once (compare-and-swap in the meta store)
//!               Decide{round, the votes it counted, their tally} ..... an update like any other
//!   all sites   have the listed votes already (causal order), tally them again, and take the
//!               decision only where it comes out the same, bit for bit
//! ```
//!
//! What is kept for a round is a set of facts, each under the dot of the update that told it: votes, and decisions.
//! Joining is the union, so it is a lattice whatever is told. Facts never change, so that all sites judge a decision
//! alike, however many votes they have beyond those listed. Only the newest rounds are kept: the greatest few of a
//! union are again a function of the union.

mod ballot;
mod poll;
mod rules;
mod tally;
#[cfg(test)]
mod tests;

pub use ballot::Ballot;
pub use poll::{Decision, Poll};
pub use tally::{Majority, Mean, Median, Tally};
pub use watershed_core::Round;

use std::collections::BTreeMap;

use rules::{is_past, refuse};
use serde::{Deserialize, Serialize};
use watershed_core::Data;
use watershed_core::shared::{Refusal, Resolver, Stamp};

/// How many rounds are kept, the newest ones. What belongs to an older one is past.
pub const ROUNDS_KEPT: usize = 16;

/// Lets the subtasks of a vertex vote, round by round, and reads as the tally of their votes.
///
/// Each voter has one vote in a round: the first one counts. A round is decided once, over the votes that were in then;
/// what comes later changes nothing. Rounds are the author's numbers, and grow: of an operator that votes on each
/// window, the window's number.
///
/// The electorate is fixed: give the vertex that votes this parallelism.
///
/// ```
/// use watershed_actors::resolver::{Round, Vote, VoteUpdate};
/// use watershed_core::shared::Resolver;
/// use watershed_core::testing::Stamps;
///
/// // Three vote on a set point, and two of them are enough.
/// let vote = Vote::mean(3, 2);
/// let (mut first, mut second, mut third) = (Stamps::of(0), Stamps::of(1), Stamps::of(2));
/// let mut set_point = Default::default();
/// for (value, stamp) in [(20.0, first.at(1)), (23.0, second.at(1))] {
///     let cast = VoteUpdate::Cast { round: Round(7), value };
///     let delta = vote.update(&set_point, cast, &stamp)?;
///     vote.join(&mut set_point, &delta);
/// }
/// assert_eq!(vote.value(&set_point).provisional, Some(21.5));
///
/// // The leader decides. The third vote is too late.
/// let decision = vote.ready(&set_point, Round(7)).expect("two votes are in");
/// let decided = vote.update(&set_point, VoteUpdate::Decide { round: Round(7), decision }, &first.at(2))?;
/// let late = vote.update(&set_point, VoteUpdate::Cast { round: Round(7), value: 80.0 }, &third.at(1))?;
/// vote.join(&mut set_point, &late);
/// vote.join(&mut set_point, &decided);
/// assert_eq!(vote.value(&set_point).decided, Some(21.5));
/// # Ok::<(), watershed_core::shared::Refusal>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Vote<T> {
    tally: T,
    voters: u32,
    quorum: u32,
}

/// What a voter, or the leader, has to say.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub enum VoteUpdate<V> {
    /// A vote of the subtask that writes.
    Cast {
        /// In which round.
        round: Round,
        /// For what.
        value: V,
    },
    /// The decision of a round.
    Decide {
        /// Of which round.
        round: Round,
        /// Which votes were counted, and what they say.
        decision: Decision<V>,
    },
}

impl Vote<Mean> {
    /// The mean of the votes of so many voters, of which a quorum is enough to decide.
    ///
    /// # Panics
    ///
    /// Where the quorum is not from 1 to the number of voters.
    pub fn mean(voters: u32, quorum: u32) -> Self {
        Vote::by(Mean, voters, quorum)
    }
}

impl Vote<Median> {
    /// The median of the votes of so many voters, of which a quorum is enough to decide.
    ///
    /// # Panics
    ///
    /// Where the quorum is not from 1 to the number of voters.
    pub fn median(voters: u32, quorum: u32) -> Self {
        Vote::by(Median, voters, quorum)
    }
}

impl Vote<Majority> {
    /// What most of so many voters vote for; a quorum of them is enough to decide.
    ///
    /// # Panics
    ///
    /// Where the quorum is not from 1 to the number of voters.
    pub fn majority(voters: u32, quorum: u32) -> Self {
        Vote::by(Majority, voters, quorum)
    }
}

impl<T> Vote<T> {
    /// What the votes of so many voters come to by an own tally; a quorum of them is enough to decide.
    ///
    /// # Panics
    ///
    /// Where the quorum is not from 1 to the number of voters.
    pub fn by(tally: T, voters: u32, quorum: u32) -> Self {
        assert!(
            (1..=voters).contains(&quorum),
            "a quorum of {quorum} out of {voters} voters decides nothing"
        );
        Vote { tally, voters, quorum }
    }

    /// What the leader decides when a round has a quorum of votes and no decision; `None` before, and after.
    pub fn ready<V: Data>(&self, rounds: &BTreeMap<Round, Poll<V>>, round: Round) -> Option<Decision<V>>
    where
        T: Tally<V>,
    {
        let poll = rounds.get(&round)?;
        let counted: Vec<_> = poll.counted().collect();
        if counted.len() < self.quorum as usize || poll.decision().is_some() {
            return None;
        }
        let values: Vec<&V> = counted.iter().map(|(_, _, value)| *value).collect();
        let voters = counted.iter().map(|(voter, dot, _)| (*voter, *dot)).collect();
        Some(Decision { voters, value: self.tally.tally(&values) })
    }

    /// What has been decided in a round, as long as the round is kept.
    pub fn decided<'a, V>(&self, rounds: &'a BTreeMap<Round, Poll<V>>, round: Round) -> Option<&'a V> {
        rounds.get(&round)?.decision().map(|decision| &decision.value)
    }
}

impl<V: Data, T: Tally<V>> Resolver<V> for Vote<T> {
    type State = BTreeMap<Round, Poll<V>>;
    type Update = VoteUpdate<V>;
    type Value = Ballot<V>;

    fn update(
        &self,
        rounds: &Self::State,
        update: VoteUpdate<V>,
        stamp: &Stamp,
    ) -> Result<Self::State, Refusal> {
        let round = match &update {
            VoteUpdate::Cast { round, .. } | VoteUpdate::Decide { round, .. } => *round,
        };
        if is_past(rounds, round) {
            return refuse(format!("round {round} is past: the newest {ROUNDS_KEPT} rounds are kept"));
        }
        let none = Poll::default();
        let poll = rounds.get(&round).unwrap_or(&none);
        let told = match update {
            VoteUpdate::Cast { value, .. } => {
                self.check_vote(stamp.writer, &value)?;
                poll.check_voter(stamp.writer, round)?;
                Poll::of_vote(value, stamp)
            }
            VoteUpdate::Decide { decision, .. } => {
                self.check_decision(poll, &decision)?;
                if poll.decision().is_some() {
                    return refuse(format!("round {round} is decided"));
                }
                Poll::of_decision(decision, stamp)
            }
        };
        Ok([(round, told)].into())
    }

    fn join(&self, rounds: &mut Self::State, other: &Self::State) {
        for (round, theirs) in other {
            rounds.entry(*round).or_default().join(theirs);
        }
        while rounds.len() > ROUNDS_KEPT {
            rounds.pop_first();
        }
    }

    fn value(&self, rounds: &Self::State) -> Ballot<V> {
        let needed = self.quorum as usize;
        let Some((round, poll)) = rounds.last_key_value() else { return Ballot::empty(needed) };
        let votes: Vec<&V> = poll.counted().map(|(_, _, value)| value).collect();
        let older = rounds.range(..round).rev();
        let counted = |decision: &Decision<V>| decision.voters.iter().map(|(voter, _)| *voter).collect();
        Ballot {
            round: *round,
            counted: poll.decision().map(counted).unwrap_or_default(),
            decided: poll.decision().map(|decision| decision.value.clone()),
            provisional: (!votes.is_empty()).then(|| self.tally.tally(&votes)),
            votes: votes.len(),
            needed,
            earlier: older
                .filter_map(|(round, poll)| Some((*round, poll.decision()?.value.clone())))
                .collect(),
            ready: rounds.keys().filter_map(|round| Some((*round, self.ready(rounds, *round)?))).collect(),
        }
    }

    fn check(&self, rounds: &Self::State, delta: &Self::State, stamp: &Stamp) -> Result<(), Refusal> {
        let mut told = delta.iter();
        let (Some((round, fact)), None) = (told.next(), told.next()) else {
            return refuse(format!("{} tells of {} rounds, not of one", stamp.dot, delta.len()));
        };
        match fact.only_fact(stamp)? {
            poll::Fact::Vote(value) => self.check_vote(stamp.writer, value),
            // It is dropped when it is joined, whatever it says.
            poll::Fact::Decision(_) if is_past(rounds, *round) => Ok(()),
            poll::Fact::Decision(decision) => {
                let none = Poll::default();
                self.check_decision(rounds.get(round).unwrap_or(&none), decision)
            }
        }
    }
}

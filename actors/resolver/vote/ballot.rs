//! How a vote stands.

use serde::{Deserialize, Serialize};
use watershed_core::{Data, SubtaskId};

use super::{Decision, Round};

/// How the newest round stands, and what was decided in those before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
pub struct Ballot<V> {
    /// The newest round in which there is anything; 0 where nobody ever voted.
    pub round: Round,
    /// What was decided in it. Never changes again.
    pub decided: Option<V>,
    /// Whose votes were counted in it.
    pub counted: Vec<SubtaskId>,
    /// What the votes that this site has come to, were it decided now. May change with each vote.
    pub provisional: Option<V>,
    /// How many votes this site has.
    pub votes: usize,
    /// How many are needed to decide.
    pub needed: usize,
    /// What was decided in earlier rounds, the newest of them first, as far as they are kept.
    pub earlier: Vec<(Round, V)>,
    /// What can be decided now: rounds that have a quorum of votes and no decision, the oldest first.
    pub ready: Vec<(Round, Decision<V>)>,
}

impl<V> Ballot<V> {
    pub(super) fn empty(needed: usize) -> Self {
        Ballot {
            round: Round(0),
            decided: None,
            counted: Vec::new(),
            provisional: None,
            votes: 0,
            needed,
            earlier: Vec::new(),
            ready: Vec::new(),
        }
    }

    /// The newest decision there is, of whichever round.
    pub fn newest(&self) -> Option<(Round, &V)> {
        let earlier = || self.earlier.first().map(|(round, value)| (*round, value));
        self.decided.as_ref().map(|value| (self.round, value)).or_else(earlier)
    }
}

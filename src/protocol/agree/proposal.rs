//! What is proposed, and why it is not decided.

use serde::{Deserialize, Serialize};
use watershed_core::Round;
use watershed_core::checkpoint::{self, Register, Voice};

/// Votes of one round on one register, to be decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Proposal {
    /// The register.
    pub register: Register,
    /// The round; the next one, whichever that is, where none is named. One round beyond that which was read makes a
    /// compare-and-set of it: whoever is second finds the round closed.
    pub round: Option<Round>,
    /// Who voted for what, in any order.
    pub votes: Vec<Voice>,
    /// What the votes come to, where the proposer has worked it out. It is compared and not believed.
    #[serde(with = "serde_bytes")]
    pub value: Option<Vec<u8>>,
}

/// Why a proposal is not decided.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// A voter has no vote.
    #[error("{voter:?} has no vote: it is no node of the job; nodes are {}", view.join(", "))]
    Stranger {
        /// The voter.
        voter: String,
        /// Who has one.
        view: Vec<String>,
    },
    /// A voter has one vote in a round.
    #[error("{voter:?} has voted twice in one round")]
    Twice {
        /// The voter.
        voter: String,
    },
    /// The votes are no quorum.
    #[error("a round has {found} votes, and {needed} are needed to decide it")]
    TooFew {
        /// How many there are.
        found: usize,
        /// How many are needed.
        needed: usize,
    },
    /// A vote cannot be counted.
    #[error("a vote cannot be counted: {0}")]
    Vote(String),
    /// The proposed value is another than that of the votes.
    #[error("the proposed value is not what the {votes} votes come to")]
    Mismatch {
        /// How many votes there are.
        votes: usize,
    },
    /// The round was decided, or a later one.
    #[error("round {asked} is closed: round {newest} is decided; read the register, and propose a later one")]
    Closed {
        /// The proposal's.
        asked: Round,
        /// The newest one that is decided.
        newest: Round,
    },
    /// Others were first each time.
    #[error("others were first {tries} times: propose it again")]
    Contended {
        /// How often it was tried.
        tries: u32,
    },
    /// There is no such register.
    #[error("{0}")]
    Absent(String),
    /// What is decided breaks a rule of the meta store.
    #[error("{0}")]
    Rule(String),
    /// It was not decided: whoever decides cannot be reached.
    #[error("it was not decided: {0}; see that a majority of the coordinators runs and is reached")]
    Unavailable(String),
    /// It may have been decided.
    #[error("whether it was decided is not known: {0}; read the register before it is proposed again")]
    Unknown(String),
}

impl Refused {
    /// Whether it is certain that the proposal was not decided, and never will be.
    pub fn is_definite(&self) -> bool {
        !matches!(self, Refused::Unknown(_))
    }
}

impl From<checkpoint::Refusal> for Refused {
    fn from(refusal: checkpoint::Refusal) -> Self {
        match refusal {
            checkpoint::Refusal::Closed { asked, newest } => Refused::Closed { asked, newest },
            other => Refused::Rule(other.to_string()),
        }
    }
}

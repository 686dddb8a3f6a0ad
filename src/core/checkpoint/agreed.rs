//! What a job has agreed on: values that are decided by vote, once, and never undone.
//!
//! A checkpoint can be gone back to; what was agreed on cannot. So it is no state of the stream but a few facts beside the
//! decisions about checkpoints, changed by the same compare-and-swap. All of it is read and written with each decision,
//! which is why there is little room.

use serde::{Deserialize, Serialize};

use crate::Round;
use crate::checkpoint::Refusal;

/// How many registers a job may have agreed on.
pub const REGISTERS_MAX: usize = 256;

/// How many bytes all that a job has agreed on may have, names and votes among them.
pub const AGREED_BYTES_MAX: usize = 64 << 10;

/// How many votes an agreement may count.
pub const VOTES_MAX: usize = 64;

/// A place for a value that is agreed on: a key of a shared state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Register {
    /// The name of the shared state.
    pub state: String,
    /// The key as MessagePack.
    #[serde(with = "serde_bytes")]
    pub key: Vec<u8>,
}

/// What a voter voted for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Voice {
    /// The voter: the name of a node.
    pub voter: String,
    /// The value as MessagePack.
    #[serde(with = "serde_bytes")]
    pub value: Vec<u8>,
}

/// What the votes of one round on one register have come to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Agreement {
    /// The register.
    pub register: Register,
    /// The round. Later ones have greater numbers, and no register has two agreements of one round.
    pub round: Round,
    /// The votes that were counted, in the order of the voters: anybody can work the value out again.
    pub votes: Vec<Voice>,
    /// The value as MessagePack.
    #[serde(with = "serde_bytes")]
    pub value: Vec<u8>,
}

/// The newest agreement on each register of a job, in the order of the registers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Agreed(Vec<Agreement>);

impl Agreed {
    /// The newest agreement on a register.
    pub fn on(&self, register: &Register) -> Option<&Agreement> {
        self.place(register).ok().map(|place| &self.0[place])
    }

    /// The newest agreements, in the order of their registers.
    pub fn all(&self) -> impl Iterator<Item = &Agreement> {
        self.0.iter()
    }

    /// Whether nothing was ever agreed on.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of it, with one more agreement, which takes the place of an older one on its register. This is where a round is
    /// decided once: one that is not newer than the last is closed.
    ///
    /// # Errors
    ///
    /// Where the round is closed, or there is no room.
    pub fn with(&self, agreement: &Agreement) -> Result<Agreed, Refusal> {
        let mut next = self.clone();
        match self.place(&agreement.register) {
            Ok(place) => {
                let newest = self.0[place].round;
                if agreement.round <= newest {
                    return Err(Refusal::Closed { asked: agreement.round, newest });
                }
                next.0[place].clone_from(agreement);
            }
            Err(place) => next.0.insert(place, agreement.clone()),
        }
        if next.0.len() > REGISTERS_MAX {
            return Err(Refusal::Registers { max: REGISTERS_MAX });
        }
        let bytes = next.0.iter().map(Agreement::bytes).sum();
        if bytes > AGREED_BYTES_MAX || agreement.votes.len() > VOTES_MAX {
            return Err(Refusal::AgreedBytes { bytes, max: AGREED_BYTES_MAX, votes: VOTES_MAX });
        }
        Ok(next)
    }

    fn place(&self, register: &Register) -> Result<usize, usize> {
        self.0.binary_search_by(|known| known.register.cmp(register))
    }
}

impl Agreement {
    /// How much room it takes, about.
    fn bytes(&self) -> usize {
        let votes = self.votes.iter().map(|vote| vote.voter.len() + vote.value.len());
        self.register.state.len() + self.register.key.len() + votes.sum::<usize>() + self.value.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreement(key: u8, round: u64, value: &[u8]) -> Agreement {
        let register = Register { state: "limits".to_owned(), key: vec![key] };
        let votes = vec![Voice { voter: "a".to_owned(), value: value.to_vec() }];
        Agreement { register, round: Round(round), votes, value: value.to_vec() }
    }

    #[test]
    fn a_round_is_decided_once_and_later_rounds_take_its_place() {
        let first = agreement(7, 2, b"x");
        let agreed = Agreed::default().with(&first).unwrap();
        for round in [1, 2] {
            let closed = Refusal::Closed { asked: Round(round), newest: Round(2) };
            assert_eq!(agreed.with(&agreement(7, round, b"y")), Err(closed));
        }
        let next = agreement(7, 3, b"y");
        let agreed = agreed.with(&next).unwrap();
        assert_eq!(agreed.on(&first.register), Some(&next));
        assert_eq!(agreed.all().count(), 1);
    }

    #[test]
    fn registers_are_independent_and_kept_in_their_order() {
        let (one, other) = (agreement(9, 5, b"x"), agreement(3, 1, b"y"));
        let agreed = Agreed::default().with(&one).unwrap().with(&other).unwrap();
        assert_eq!(agreed.all().collect::<Vec<_>>(), [&other, &one]);
        assert_eq!(agreed, Agreed::default().with(&other).unwrap().with(&one).unwrap());
        assert_eq!(agreed.on(&agreement(4, 0, b"").register), None);
    }

    #[test]
    fn there_is_a_limit_to_what_can_be_agreed_on() {
        let full = (0..REGISTERS_MAX).fold(Agreed::default(), |agreed, number| {
            let mut one = agreement(0, 1, b"");
            one.register.key = (number as u16).to_be_bytes().to_vec();
            agreed.with(&one).unwrap()
        });
        assert_eq!(full.with(&agreement(0, 1, b"")), Err(Refusal::Registers { max: REGISTERS_MAX }));

        // The value and the one vote, with the names.
        let most = (AGREED_BYTES_MAX - "limits".len() - 2) / 2;
        assert!(Agreed::default().with(&agreement(0, 1, &vec![0; most])).is_ok());
        let refused = Agreed::default().with(&agreement(0, 1, &vec![0; most + 1]));
        assert!(matches!(refused, Err(Refusal::AgreedBytes { .. })), "{refused:?}");
        let mut crowd = agreement(0, 1, b"");
        crowd.votes = vec![crowd.votes[0].clone(); VOTES_MAX + 1];
        assert!(matches!(Agreed::default().with(&crowd), Err(Refusal::AgreedBytes { .. })));
    }
}

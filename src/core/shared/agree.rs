//! Shared state whose values are agreed on: decided by votes, once a round, before any site has them.
//!
//! No task updates such a state. What was decided for the whole job is made an update like any other, in the name of
//! [`AGREED`], and travels in causal order with the rest; every site works the value out again from the votes that the
//! update lists, and sets it aside where it comes out another.

use crate::checkpoint::Agreement;
use crate::shared::msgpack::{decode, encode};
use crate::shared::{AnyTable, Refusal, Resolver, Stamp, Table, TableError};
use crate::{Data, Epoch, Key, Round, SubtaskId, VertexId};

/// In whose name updates are made that say what was agreed on. No plan has so many vertices.
pub const AGREED: SubtaskId = SubtaskId { vertex: VertexId(u32::MAX - 1), index: 0 };

/// The epoch that sees all there is.
const NEWEST: Epoch = Epoch(u64::MAX);

/// How a [`Resolver`] counts votes, where its values are agreed on.
pub trait Agrees<V, R: Resolver<V>> {
    /// How many votes are needed.
    fn quorum(&self) -> u32;

    /// What votes come to, in the order of the voters: the same wherever they are counted, bit for bit. There is at least
    /// one.
    ///
    /// # Errors
    ///
    /// Where one of them cannot be counted.
    fn tally(&self, votes: &[&V]) -> Result<V, Refusal>;

    /// The update that says what was agreed on, and by whose votes.
    fn announce(&self, round: Round, votes: Vec<(String, V)>, value: V) -> R::Update;

    /// The newest round that a state knows to be decided; 0 where there is none.
    fn round(&self, state: &R::State) -> Round;
}

/// A table of such a state with its types hidden: all values are MessagePack.
pub trait AnyAgrees: Send + Sync {
    /// How many votes are needed.
    fn quorum(&self) -> u32;

    /// A key in the one form in which keys are compared.
    ///
    /// # Errors
    ///
    /// Where it is no key of the state.
    fn key(&self, key: &[u8]) -> Result<Vec<u8>, TableError>;

    /// A value in the one form in which values are compared.
    ///
    /// # Errors
    ///
    /// Where it is no value of the state.
    fn value(&self, value: &[u8]) -> Result<Vec<u8>, TableError>;

    /// What votes come to, in the order of the voters.
    ///
    /// # Errors
    ///
    /// Where one of them cannot be counted.
    fn tally(&self, votes: &[&[u8]]) -> Result<Vec<u8>, TableError>;

    /// Whether the table has an agreement, or a later one on the same register.
    ///
    /// # Errors
    ///
    /// Where its key is no key of the state.
    fn has(&self, agreement: &Agreement) -> Result<bool, TableError>;

    /// Makes an agreement an update, and applies it. The delta for the other sites.
    ///
    /// # Errors
    ///
    /// Where it is none of this state, or its value is not what its votes come to. Nothing changes then.
    fn agree(&self, stamp: &Stamp, agreement: &Agreement) -> Result<Vec<u8>, TableError>;
}

impl<K, V, R> Table<K, V, R>
where
    K: Key + Sync,
    V: Data,
    R: Resolver<V>,
{
    fn agrees(&self) -> &dyn Agrees<V, R> {
        self.resolver().agrees().expect("the table said that its values are agreed on")
    }

    fn decoded<T: Data>(&self, part: &'static str, bytes: &[u8]) -> Result<T, TableError> {
        decode(bytes).map_err(self.malformed(part))
    }
}

impl<K, V, R> AnyAgrees for Table<K, V, R>
where
    K: Key + Sync,
    V: Data,
    R: Resolver<V, State: Sync>,
    Self: AnyTable,
{
    fn quorum(&self) -> u32 {
        self.agrees().quorum()
    }

    fn key(&self, key: &[u8]) -> Result<Vec<u8>, TableError> {
        Ok(encode(&self.decoded::<K>("a key", key)?))
    }

    fn value(&self, value: &[u8]) -> Result<Vec<u8>, TableError> {
        Ok(encode(&self.decoded::<V>("a value", value)?))
    }

    fn tally(&self, votes: &[&[u8]]) -> Result<Vec<u8>, TableError> {
        let votes: Vec<V> =
            votes.iter().map(|vote| self.decoded("a vote", vote)).collect::<Result<_, TableError>>()?;
        let value = self.agrees().tally(&votes.iter().collect::<Vec<_>>());
        value.map(|value| encode(&value)).map_err(|refusal| self.refused(refusal))
    }

    fn has(&self, agreement: &Agreement) -> Result<bool, TableError> {
        let key: K = self.decoded("a key", &agreement.register.key)?;
        Ok(self.with(NEWEST, &key, |state| self.agrees().round(state)) >= agreement.round)
    }

    fn agree(&self, stamp: &Stamp, agreement: &Agreement) -> Result<Vec<u8>, TableError> {
        let key: K = self.decoded("a key", &agreement.register.key)?;
        let vote = |vote: &crate::checkpoint::Voice| -> Result<(String, V), TableError> {
            Ok((vote.voter.clone(), self.decoded("a vote", &vote.value)?))
        };
        let votes = agreement.votes.iter().map(vote).collect::<Result<_, TableError>>()?;
        let value = self.decoded("a value", &agreement.value)?;
        let update = self.agrees().announce(agreement.round, votes, value);
        self.update(stamp, &key, update).map_err(|refusal| self.refused(refusal))
    }
}

//! What flows, and how it is written down: MessagePack, as everything that leaves a node.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use watershed_core::Epoch;

/// A record, whose name is its place in the input and the way that it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) split: u32,
    /// Its place in the split, and its event time.
    pub(crate) position: u64,
    pub(crate) key: u64,
    /// By which of two branches it has come.
    pub(crate) way: u8,
    /// How many records of its key had been counted with it.
    pub(crate) count: u32,
    /// Whether it is the dead letter of a record that could not be borne.
    pub(crate) dead: bool,
}

/// The name of a record at a sink, where it may be once.
pub(crate) type Name = (u32, u64, u8);

impl Record {
    pub(crate) fn name(&self) -> Name {
        (self.split, self.position, self.way)
    }
}

/// What a channel carries between batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Element {
    Barrier {
        epoch: Epoch,
        completed: Option<Epoch>,
    },
    /// No record at or before this time follows.
    Watermark(i64),
    End,
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("what is ours can be written as MessagePack")
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> T {
    rmp_serde::from_slice(bytes).expect("what was written here can be read here")
}

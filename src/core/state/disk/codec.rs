//! Keys and values as bytes.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Key, KeyGroup, KeyGroups};

/// How many bytes of a key say its group.
pub(super) const GROUP_BYTES: usize = 2;

/// A key as it stands in the table.
pub(super) fn key_bytes<K: Key>(groups: KeyGroups, key: &K) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(GROUP_BYTES + 14);
    bytes.extend_from_slice(&prefix(groups.of_kept(key)));
    rmp_serde::encode::write_named(&mut bytes, key).expect("keys are Data, which serde can write");
    bytes
}

/// What the keys begin with that are pairs of `outer` and something more. No MessagePack value is the beginning of
/// another, so that these keys and no others do.
pub(super) fn outer_bytes<O: Key>(groups: KeyGroups, outer: &O) -> Vec<u8> {
    let mut bytes = prefix(groups.of(outer)).to_vec();
    bytes.push(0x92);
    bytes.extend(encode(outer));
    bytes
}

/// What the keys of a group begin with.
pub(super) fn prefix(group: KeyGroup) -> [u8; GROUP_BYTES] {
    group.0.to_be_bytes()
}

/// The group of a key in the table.
pub(super) fn group_of(key: &[u8]) -> KeyGroup {
    KeyGroup(u16::from_be_bytes([key[0], key[1]]))
}

/// A value as it stands in the table, and in a snapshot.
pub(super) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("state is made of Data, which serde can write")
}

/// Reads a value that this process has written, or has checked when it was loaded.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> T {
    rmp_serde::from_slice(bytes).expect("a table holds what was written to it")
}

/// An array of pairs, written pair by pair.
pub(super) struct Pairs {
    bytes: Vec<u8>,
    count: u32,
    /// Where the count goes.
    at: usize,
}

impl Pairs {
    /// Begins an array behind what has been written.
    pub(super) fn begin(mut bytes: Vec<u8>) -> Pairs {
        bytes.push(0xdd);
        let at = bytes.len();
        bytes.extend_from_slice(&[0; 4]);
        Pairs { bytes, count: 0, at }
    }

    /// Adds a pair of two encoded values.
    pub(super) fn push(&mut self, key: &[u8], value: &[u8]) {
        self.count += 1;
        self.bytes.push(0x92);
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
    }

    /// How many pairs there are.
    pub(super) fn len(&self) -> u32 {
        self.count
    }

    /// The bytes, with the array at their end.
    pub(super) fn end(mut self) -> Vec<u8> {
        self.bytes[self.at..self.at + 4].copy_from_slice(&self.count.to_be_bytes());
        self.bytes
    }
}

//! Keys, and the fixed buckets they fall into.
//!
//! A key's hash, its key group and a subtask's range of groups are part of Watershed's formats: snapshots
//! are cut by key group and read back at another parallelism, and two nodes must agree where a key lives.
//! So the hash is our own, seeded with a constant, and pinned by golden tests.
//!
//! The hash folds each 64-bit word into the state with one 64 x 64 -> 128 bit multiplication and the
//! exclusive or of both halves (the mixing step of Wang Yi's wyhash, public domain). Integers of any width
//! count as one word (128-bit ones as two); byte strings as little-endian words, the last one padded with
//! zeros, followed by their length.

use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::Data;

/// What a stream can be keyed by: data with equality, order and a hash. Floats are none (NaN, -0.0).
pub trait Key: Data + Hash + Eq + Ord {}

impl<T: Data + Hash + Eq + Ord> Key for T {}

const SEED: u64 = 0x243F_6A88_85A3_08D3;
const MULTIPLE: u64 = 0x9E37_79B9_7F4A_7C15;

/// The hash of keys: fixed, seeded, the same on every machine and in every version of format 1.
#[derive(Clone, Copy, Debug)]
pub struct KeyHasher(u64);

impl Default for KeyHasher {
    #[inline]
    fn default() -> Self {
        KeyHasher(SEED)
    }
}

impl KeyHasher {
    #[inline]
    fn word(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(MULTIPLE);
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for KeyHasher {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.word(u64::from_le_bytes(last));
        }
        self.word(bytes.len() as u64);
    }

    #[inline]
    fn write_u8(&mut self, value: u8) {
        self.word(u64::from(value));
    }
    #[inline]
    fn write_u16(&mut self, value: u16) {
        self.word(u64::from(value));
    }
    #[inline]
    fn write_u32(&mut self, value: u32) {
        self.word(u64::from(value));
    }
    #[inline]
    fn write_u64(&mut self, value: u64) {
        self.word(value);
    }
    #[inline]
    fn write_u128(&mut self, value: u128) {
        self.word(value as u64);
        self.word((value >> 64) as u64);
    }
    #[inline]
    fn write_usize(&mut self, value: usize) {
        self.word(value as u64);
    }
    #[inline]
    fn write_i8(&mut self, value: i8) {
        self.word(i64::from(value) as u64);
    }
    #[inline]
    fn write_i16(&mut self, value: i16) {
        self.word(i64::from(value) as u64);
    }
    #[inline]
    fn write_i32(&mut self, value: i32) {
        self.word(i64::from(value) as u64);
    }
    #[inline]
    fn write_i64(&mut self, value: i64) {
        self.word(value as u64);
    }
    #[inline]
    fn write_i128(&mut self, value: i128) {
        self.write_u128(value as u128);
    }
    #[inline]
    fn write_isize(&mut self, value: isize) {
        self.word(value as i64 as u64);
    }
}

/// Builds [`KeyHasher`]s; the hasher of every keyed map.
pub type KeyHashBuilder = BuildHasherDefault<KeyHasher>;

/// The 64-bit hash of a key.
#[inline]
pub fn hash_key<K: Hash + ?Sized>(key: &K) -> u64 {
    let mut hasher = KeyHasher::default();
    key.hash(&mut hasher);
    hasher.finish()
}

/// A fixed bucket of keys, the unit in which state is saved and moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyGroup(pub u16);

/// Into how many groups the keys of a job are divided, from 1 to [`KeyGroups::MAX`].
///
/// Fixed for the life of a job's state, since snapshots are cut by it; it bounds the parallelism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyGroups(u16);

impl Default for KeyGroups {
    fn default() -> Self {
        KeyGroups(128)
    }
}

impl KeyGroups {
    /// The largest number of key groups.
    pub const MAX: u16 = 1 << 15;

    /// So many groups, or `None` where the number is 0 or above [`KeyGroups::MAX`].
    pub const fn new(count: u16) -> Option<KeyGroups> {
        if count == 0 || count > KeyGroups::MAX { None } else { Some(KeyGroups(count)) }
    }

    /// How many groups there are.
    pub const fn count(self) -> u16 {
        self.0
    }

    /// The group of a key.
    #[inline]
    pub fn of<K: Hash + ?Sized>(self, key: &K) -> KeyGroup {
        self.of_hash(hash_key(key))
    }

    /// The group in which what is kept under `key` is saved.
    #[inline]
    pub(crate) fn of_kept<K: Key>(self, key: &K) -> KeyGroup {
        self.of_hash(key.group_hash().unwrap_or_else(|| hash_key(key)))
    }

    /// The group of a key with this hash.
    ///
    /// Taken from the middle of the hash: hash tables use the lowest and the highest bits, and would
    /// degrade if all keys of a subtask shared them.
    #[inline]
    pub fn of_hash(self, hash: u64) -> KeyGroup {
        let middle = (hash >> 20) as u32;
        KeyGroup(((u64::from(middle) * u64::from(self.0)) >> 32) as u16)
    }

    /// The subtask, of `parallelism`, that owns a group.
    #[inline]
    pub fn owner(self, group: KeyGroup, parallelism: u32) -> u32 {
        u32::from(group.0) * parallelism / u32::from(self.0)
    }

    /// The groups that subtask `index` of `parallelism` owns.
    pub fn range(self, index: u32, parallelism: u32) -> KeyGroupRange {
        let groups = u32::from(self.0);
        let first = |index: u32| (index * groups).div_ceil(parallelism) as u16;
        KeyGroupRange(first(index)..first(index + 1))
    }
}

/// A subtask's share of the key groups.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyGroupRange(pub Range<u16>);

impl KeyGroupRange {
    /// Whether the range holds a group.
    pub fn contains(&self, group: KeyGroup) -> bool {
        self.0.contains(&group.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_golden() {
        // Computed by an independent program from the description at the top of this file.
        let golden: [(u64, u64); 6] = [
            (hash_key(&0_u64), 0xE184_8576_4BA0_3644),
            (hash_key(&1_u64), 0x4FCD_FCAC_CA5A_AA31),
            (hash_key(&42_i32), 0x6278_73EF_6EB1_834E),
            (hash_key("EWR"), 0x39A4_CCB5_64C8_33BB),
            (hash_key(&("JFK".to_owned(), 7_u8)), 0x1117_292B_0188_94F2),
            (hash_key("a string that is longer than one word"), 0x5D2C_9BE7_D3F0_619B),
        ];
        for (found, expected) in golden {
            assert_eq!(found, expected, "{found:#018x} is not {expected:#018x}");
        }
    }

    #[test]
    fn equal_keys_of_different_widths_share_a_group() {
        let groups = KeyGroups::default();
        assert_eq!(groups.of(&7_u8), groups.of(&7_u64));
        assert_eq!(groups.of(&-7_i8), groups.of(&-7_i64));
        assert_eq!(groups.of("LGA"), groups.of(&String::from("LGA")));
        assert_eq!(groups.of("LGA"), groups.of(&compact_str::CompactString::from("LGA")));
    }

    #[test]
    fn ranges_cover_every_group_once_and_agree_with_the_owner() {
        for groups in [1, 2, 7, 128, 1000, KeyGroups::MAX] {
            let groups = KeyGroups::new(groups).unwrap();
            for parallelism in [1, 2, 3, 7, 64, 128, 1000] {
                if parallelism > u32::from(groups.count()) {
                    continue;
                }
                let mut next = 0;
                for index in 0..parallelism {
                    let range = groups.range(index, parallelism);
                    assert_eq!(range.0.start, next);
                    assert!(!range.0.is_empty());
                    for group in range.0.clone() {
                        assert_eq!(groups.owner(KeyGroup(group), parallelism), index);
                    }
                    next = range.0.end;
                }
                assert_eq!(next, groups.count());
            }
        }
    }

    #[test]
    fn consecutive_integers_spread_evenly_over_the_groups() {
        let groups = KeyGroups::default();
        let mut count = [0_u32; 128];
        (0..128_000_u64).for_each(|key| count[groups.of(&key).0 as usize] += 1);
        assert!(count.iter().all(|n| (800..1200).contains(n)), "{count:?}");
    }
}

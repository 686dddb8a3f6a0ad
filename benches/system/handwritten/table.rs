//! Counts per key: open addressing, key beside count, no removal.
//!
//! Tried: separate branches for a new and a known key (at 500,000 keys, where half of the keys are new, 4 ns more);
//! a quarter or an eighth of the slots in use instead of half (no faster at 5,000 keys, slower at 500,000).

/// An odd number by which keys are multiplied; the high bits of the product choose thread, partition and slot.
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// What is counted.
pub(super) trait Key: Copy + Default + PartialEq {
    /// Spreads the key over 64 bits; the highest are the best mixed.
    fn hash(self) -> u64;
}

impl Key for u64 {
    #[inline]
    fn hash(self) -> u64 {
        self.wrapping_mul(FACTOR)
    }
}

/// A key and its count; a slot with count 0 is empty.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot<K> {
    /// The key.
    pub(super) key: K,
    /// Its count.
    pub(super) count: u64,
}

/// Counts per key. At most half of the slots are in use, so that probing is short.
#[derive(Debug)]
pub(super) struct Table<K> {
    slots: Vec<Slot<K>>,
    used: usize,
    /// Number of high bits of the hash that are the same for all keys, because they chose this table.
    prefix_bits: u32,
}

impl<K: Key> Table<K> {
    /// A table of `2^bits` slots for keys whose hashes share their `prefix_bits` highest bits.
    pub(super) fn new(bits: u32, prefix_bits: u32) -> Self {
        Self { slots: vec![Slot::default(); 1 << bits], used: 0, prefix_bits }
    }

    /// Number of keys.
    pub(super) fn len(&self) -> usize {
        self.used
    }

    /// Counts each key once.
    #[inline]
    pub(super) fn count_all(&mut self, keys: &[K]) {
        for key in keys {
            self.add(*key, 1);
        }
    }

    /// Adds `count`, above 0, to the count of `key`.
    #[inline]
    pub(super) fn add(&mut self, key: K, count: u64) {
        let mask = self.slots.len() - 1;
        let shift = 64 - self.slots.len().trailing_zeros() - self.prefix_bits;
        let mut at = (key.hash() >> shift) as usize & mask;
        loop {
            let slot = &mut self.slots[at];
            // One branch for "new" and "known": which of them it is cannot be guessed, that it is one of them can.
            let empty = slot.count == 0;
            if empty | (slot.key == key) {
                slot.key = key;
                slot.count += count;
                self.used += usize::from(empty);
                break;
            }
            at = (at + 1) & mask;
        }
        if self.used * 2 > self.slots.len() {
            self.grow();
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let mut larger = Self::new(self.slots.len().trailing_zeros() + 1, self.prefix_bits);
        for slot in self.slots.iter().filter(|slot| slot.count > 0) {
            larger.add(slot.key, slot.count);
        }
        *self = larger;
    }

    /// Moves all keys and counts to the front of `dense`, empties the table and returns how many there were.
    pub(super) fn drain_into(&mut self, dense: &mut Vec<Slot<K>>) -> usize {
        // One more, because the slot behind the last full one is written before it is known to be empty.
        let room = self.used + 1;
        if dense.len() < room {
            dense.resize(room, Slot::default());
        }
        let dense = &mut dense[..room];
        let mut full = 0;
        for slot in &mut self.slots {
            dense[full] = *slot;
            full += usize::from(slot.count > 0);
            slot.count = 0;
        }
        self.used = 0;
        full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_survive_growth_and_leave_an_empty_table() {
        let mut table = Table::new(1, 0);
        for round in 0..3 {
            (0..100).for_each(|key| table.add(key, key + round + 1));
        }
        let mut dense = Vec::new();
        let full = table.drain_into(&mut dense);
        let mut counts: Vec<(u64, u64)> = dense[..full].iter().map(|slot| (slot.key, slot.count)).collect();
        counts.sort_unstable();
        assert_eq!(counts, (0..100).map(|key| (key, 3 * key + 6)).collect::<Vec<_>>());
        assert_eq!((table.len(), table.drain_into(&mut dense)), (0, 0));
    }
}

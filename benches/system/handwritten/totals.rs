//! Counts per key that also go down: as [`super::table::Table`], with the keys that fell to 0 kept in their slots until
//! the table grows, so that probing never has to look past a hole.

use super::table::{Key, Slot};

/// Slots that are looked through together for those with a count.
const RUN: usize = 256;

/// Counts per key. Slices come in the order of their hashes, and so does each walk through the slots.
#[derive(Debug)]
pub(super) struct Totals {
    /// A slot holds one more than its count; 0 means that it was never used.
    slots: Vec<Slot<u64>>,
    used: usize,
}

impl Default for Totals {
    fn default() -> Self {
        Self { slots: vec![Slot::default(); 1 << 10], used: 0 }
    }
}

impl Totals {
    /// Adds the counts of a slice.
    pub(super) fn add(&mut self, slice: &[Slot<u64>]) {
        for added in slice {
            let slot = self.slot(added.key);
            let new = slot.count == 0;
            *slot = Slot { key: added.key, count: slot.count + u64::from(new) + added.count };
            self.used += usize::from(new);
            if self.used * 2 > self.slots.len() {
                self.rebuild();
            }
        }
    }

    /// Takes off the counts of a slice that was added before.
    pub(super) fn subtract(&mut self, slice: &[Slot<u64>]) {
        for taken in slice {
            self.slot(taken.key).count -= taken.count;
        }
    }

    /// Hands over each key with its count, where that is above 0.
    pub(super) fn for_each(&self, mut each: impl FnMut(u64, u64)) {
        let mut dense = [Slot::default(); RUN];
        for run in self.slots.chunks(RUN) {
            let mut full = 0;
            for slot in run {
                dense[full % RUN] = *slot;
                full += usize::from(slot.count > 1);
            }
            dense[..full].iter().for_each(|slot| each(slot.key, slot.count - 1));
        }
    }

    #[inline]
    fn slot(&mut self, key: u64) -> &mut Slot<u64> {
        let mask = self.slots.len() - 1;
        // The highest bit is the same for all keys of a thread.
        let mut at = (key.hash() >> (63 - self.slots.len().trailing_zeros())) as usize & mask;
        while !((self.slots[at].count == 0) | (self.slots[at].key == key)) {
            at = (at + 1) & mask;
        }
        &mut self.slots[at]
    }

    #[cold]
    #[inline(never)]
    fn rebuild(&mut self) {
        let mut live = Vec::new();
        self.for_each(|key, count| live.push(Slot { key, count }));
        let slots = (live.len() * 4).next_power_of_two().max(self.slots.len());
        *self = Self { slots: vec![Slot::default(); slots], used: 0 };
        self.add(&live);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice_of(keys: std::ops::Range<u64>, count: u64) -> Vec<Slot<u64>> {
        keys.map(|key| Slot { key, count }).collect()
    }

    fn counts_of(totals: &Totals) -> Vec<(u64, u64)> {
        let mut counts = Vec::new();
        totals.for_each(|key, count| counts.push((key, count)));
        counts.sort_unstable();
        counts
    }

    #[test]
    fn a_key_that_fell_to_nothing_is_gone_and_may_come_back() {
        let mut totals = Totals::default();
        totals.add(&slice_of(0..3, 5));
        totals.add(&slice_of(1..2, 1));
        totals.subtract(&slice_of(0..3, 5));
        assert_eq!(counts_of(&totals), [(1, 1)]);
        totals.add(&slice_of(0..1, 2));
        assert_eq!(counts_of(&totals), [(0, 2), (1, 1)]);
    }

    #[test]
    fn keys_that_come_and_go_do_not_fill_the_table() {
        let mut totals = Totals::default();
        for round in 0..1_000 {
            let slice = slice_of(round * 100..(round + 1) * 100, 1);
            totals.add(&slice);
            assert_eq!(counts_of(&totals).len(), 100);
            totals.subtract(&slice);
        }
        assert_eq!(totals.slots.len(), 1 << 10);
    }
}

//! Counts of one second of event time, on one thread.
//!
//! Few keys: one table. It stays in the second-level cache and an event costs 3.5 ns.
//! Many keys: a table misses the cache with each event (20 ns at 500,000 keys a thread), so keys are first
//! written to the buffers of 128 partitions, by the next bits of their hash (4 ns), and a partition is counted as
//! a whole when the window fires or its buffer is full, in a table that all partitions use one after
//! another and that is small enough for the cache (7 ns).

use super::table::{Key, Slot, Table};

/// Keys on one thread above which the next pane is partitioned.
const KEYS_MAX_IN_ONE_TABLE: usize = 1 << 15;
const PARTITION_BITS: u32 = 7;
const PARTITIONS: usize = 1 << PARTITION_BITS;
/// Keys that one partition holds back before it counts them.
const BUFFER: usize = 4_096;
/// The bit of the hash that chose the thread.
const THREAD_BITS: u32 = 1;

/// Counts per key; made once, used for one pane after another.
#[derive(Debug)]
pub(super) enum Pane {
    /// One table.
    Whole(Table<u64>),
    /// A table and a buffer for each partition of the keys.
    Partitioned(Box<Partitions>),
}

/// Partitions of the keys, by bits of their hash.
#[derive(Debug)]
pub(super) struct Partitions {
    /// Buffer after buffer.
    buffers: Vec<u64>,
    held_back: [usize; PARTITIONS],
    /// What overflowed from the buffers.
    tables: Vec<Table<u64>>,
    /// Counts one partition at a time, if nothing overflowed.
    scratch: Table<u64>,
}

impl Pane {
    /// An empty pane, suited to a number of keys.
    pub(super) fn for_keys(keys: usize) -> Self {
        if keys <= KEYS_MAX_IN_ONE_TABLE {
            return Self::Whole(Table::new(10, THREAD_BITS));
        }
        let table = |bits| Table::new(bits, THREAD_BITS + PARTITION_BITS);
        Self::Partitioned(Box::new(Partitions {
            buffers: vec![0; PARTITIONS * BUFFER],
            held_back: [0; PARTITIONS],
            tables: (0..PARTITIONS).map(|_| table(4)).collect(),
            scratch: table(12),
        }))
    }

    /// Whether a pane made for this number of keys would be of the same kind.
    pub(super) fn suits(&self, keys: usize) -> bool {
        match self {
            Self::Whole(_) => keys <= KEYS_MAX_IN_ONE_TABLE,
            Self::Partitioned(_) => keys > KEYS_MAX_IN_ONE_TABLE,
        }
    }

    /// Counts each key once.
    #[inline]
    pub(super) fn count_all(&mut self, keys: &[u64]) {
        match self {
            Self::Whole(table) => table.count_all(keys),
            Self::Partitioned(partitions) => partitions.count_all(keys),
        }
    }

    /// Hands over all counts, in slices, and empties the pane; `dense` is scratch. Returns the number of keys.
    pub(super) fn drain(&mut self, dense: &mut Vec<Slot<u64>>, mut each: impl FnMut(&[Slot<u64>])) -> usize {
        match self {
            Self::Whole(table) => {
                let keys = table.drain_into(dense);
                each(&dense[..keys]);
                keys
            }
            Self::Partitioned(partitions) => {
                let drain = |partition| {
                    let keys = partitions.drain(partition, dense);
                    each(&dense[..keys]);
                    keys
                };
                (0..PARTITIONS).map(drain).sum()
            }
        }
    }
}

impl Partitions {
    fn count_all(&mut self, keys: &[u64]) {
        for key in keys {
            let partition = (key.hash() >> (64 - THREAD_BITS - PARTITION_BITS)) as usize % PARTITIONS;
            let held_back = &mut self.held_back[partition];
            self.buffers[partition * BUFFER + *held_back] = *key;
            *held_back += 1;
            if *held_back == BUFFER {
                self.overflow(partition);
            }
        }
    }

    #[inline(never)]
    fn overflow(&mut self, partition: usize) {
        let held_back = std::mem::take(&mut self.held_back[partition]);
        self.tables[partition].count_all(&self.buffers[partition * BUFFER..][..held_back]);
    }

    fn drain(&mut self, partition: usize, dense: &mut Vec<Slot<u64>>) -> usize {
        if self.tables[partition].len() > 0 {
            self.overflow(partition);
            return self.tables[partition].drain_into(dense);
        }
        let held_back = std::mem::take(&mut self.held_back[partition]);
        self.scratch.count_all(&self.buffers[partition * BUFFER..][..held_back]);
        self.scratch.drain_into(dense)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts_of(pane: &mut Pane) -> Vec<(u64, u64)> {
        let mut counts = Vec::new();
        let keys = pane
            .drain(&mut Vec::new(), |slots| counts.extend(slots.iter().map(|slot| (slot.key, slot.count))));
        assert_eq!(keys, counts.len());
        counts.sort_unstable();
        counts
    }

    #[test]
    fn both_kinds_count_alike_and_are_empty_afterwards() {
        for mut pane in [Pane::for_keys(1), Pane::for_keys(1_000_000)] {
            let keys: Vec<u64> = (0..1_000).collect();
            pane.count_all(&keys);
            pane.count_all(&keys[..500]);
            let expected: Vec<(u64, u64)> =
                keys.iter().map(|key| (*key, 1 + u64::from(*key < 500))).collect();
            assert_eq!(counts_of(&mut pane), expected);
            assert_eq!(counts_of(&mut pane), []);
        }
    }

    #[test]
    fn a_full_buffer_overflows_into_the_table_of_its_partition() {
        let mut pane = Pane::for_keys(1_000_000);
        pane.count_all(&vec![7; 3 * BUFFER + 1]);
        assert_eq!(counts_of(&mut pane), [(7, 3 * BUFFER as u64 + 1)]);
    }
}

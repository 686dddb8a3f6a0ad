//! Which entries of a map may have changed since it was last saved.

/// How many bits there are for each entry: with 1 % of the entries changed, some 1.5 % are written.
const BITS_PER_ENTRY: usize = 2;

/// A set of hashes of keys in one bit for each of many, and the keys that were taken out.
///
/// A look-up of a key costs one bit to be set, and no memory that grows with the number of look-ups. A key that
/// shares its bit with a changed one is taken for changed; never the other way round.
#[derive(Clone, Debug)]
pub(super) struct Changes<K> {
    bits: Vec<u64>,
    /// The number of bits less one.
    mask: usize,
    /// May hold keys that came back since.
    removed: Vec<K>,
}

impl<K> Changes<K> {
    /// No change yet of a map with so many entries.
    pub(super) fn of(entries: usize) -> Self {
        let bits = (entries * BITS_PER_ENTRY).next_power_of_two().max(64);
        Changes { bits: vec![0; bits / 64], mask: bits - 1, removed: Vec::new() }
    }

    /// Notes that the entry of a key with this hash may be another now.
    ///
    /// The lowest bits tell: hash tables place by them too, so that a walk over a table reads the bits in a row.
    #[inline(always)]
    pub(super) fn mark(&mut self, hash: u64) {
        let bit = hash as usize & self.mask;
        self.bits[bit / 64] |= 1 << (bit % 64);
    }

    /// Whether the entry of a key with this hash may be another now.
    pub(super) fn has(&self, hash: u64) -> bool {
        let bit = hash as usize & self.mask;
        self.bits[bit / 64] & (1 << (bit % 64)) != 0
    }

    /// Notes that a key was taken out.
    pub(super) fn remove(&mut self, key: K) {
        self.removed.push(key);
    }

    /// The keys that were taken out.
    pub(super) fn into_removed(self) -> Vec<K> {
        self.removed
    }

    /// Whether so much has changed, of a map that has so many entries now, that to write all is as well.
    pub(super) fn are_most(&self, entries: usize) -> bool {
        let marked: usize = self.bits.iter().map(|word| word.count_ones() as usize).sum();
        // Half of the entries, some of which share a bit.
        marked * 9 > entries * 4 || self.removed.len() > entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::hash_key;

    #[test]
    fn a_change_is_never_missed_and_seldom_imagined() {
        let mut changes = Changes::<u64>::of(10_000);
        (0..100_u64).for_each(|key| changes.mark(hash_key(&key)));
        let found = (0..10_000_u64).filter(|key| changes.has(hash_key(key)));
        let found: Vec<_> = found.collect();
        assert!(found.starts_with(&(0..100).collect::<Vec<_>>()), "{found:?}");
        assert!(found.len() < 200, "{} of 100", found.len());
        assert!(!changes.are_most(10_000));
        (0..6_000_u64).for_each(|key| changes.mark(hash_key(&key)));
        assert!(changes.are_most(10_000));
    }

    #[test]
    fn more_removals_than_entries_are_most() {
        let mut changes = Changes::of(1);
        changes.remove(1);
        assert!(!changes.are_most(1));
        changes.remove(2);
        assert!(changes.are_most(1));
        assert_eq!(changes.into_removed(), [1, 2]);
    }
}

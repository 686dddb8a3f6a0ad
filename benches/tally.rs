//! The check that a run was right.
//!
//! Every result of a run - a key, the start of a window, a count - is added to a [`Tally`]. Tallies of
//! subtasks merge in any order, so the tally of a run does not depend on parallelism or timing, and two
//! systems that found the same results have the same one.

use serde::{Deserialize, Serialize};

use crate::workload::splitmix64;

/// Adds up the results of a run, in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Sum of the counts of all results.
    pub(crate) sum: u64,
    /// Number of results.
    pub(crate) results: u64,
    /// Wrapping sum of a hash of each result.
    pub(crate) checksum: u64,
}

impl Tally {
    /// Adds one result. The three numbers are mixed by odd factors before they are hashed, so that swapping
    /// counts between keys or windows shows.
    #[inline]
    pub(crate) fn add(&mut self, key: u64, window_start_ms: i64, count: u64) {
        self.sum += count;
        self.results += 1;
        let mixed = key
            .wrapping_add(window_start_ms.cast_unsigned().wrapping_mul(0xD6E8_FEB8_6659_FD93))
            .wrapping_add(count.wrapping_mul(0xA076_1D64_78BD_642F));
        self.checksum = self.checksum.wrapping_add(splitmix64(mixed));
    }

    /// Adds the results of another subtask.
    #[must_use]
    pub(crate) fn merge(self, other: Self) -> Self {
        Self {
            sum: self.sum + other.sum,
            results: self.results + other.results,
            checksum: self.checksum.wrapping_add(other.checksum),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally_of(results: &[(u64, i64, u64)]) -> Tally {
        let mut tally = Tally::default();
        for (key, start, count) in results {
            tally.add(*key, *start, *count);
        }
        tally
    }

    #[test]
    fn order_does_not_matter() {
        assert_eq!(tally_of(&[(1, 0, 5), (2, 1000, 6)]), tally_of(&[(2, 1000, 6), (1, 0, 5)]));
    }

    #[test]
    fn a_count_moved_to_another_key_changes_the_checksum_alone() {
        let (right, wrong) = (tally_of(&[(1, 0, 5), (2, 0, 6)]), tally_of(&[(1, 0, 6), (2, 0, 5)]));
        assert_eq!((right.sum, right.results), (wrong.sum, wrong.results));
        assert_ne!(right.checksum, wrong.checksum);
    }

    #[test]
    fn subtasks_merge_to_the_whole() {
        let whole = tally_of(&[(1, -1000, 5), (2, 0, 6), (3, 0, 7)]);
        assert_eq!(tally_of(&[(3, 0, 7)]).merge(tally_of(&[(1, -1000, 5), (2, 0, 6)])), whole);
    }
}

//! How much is taken on at once, so that it is done in time.
//!
//! Credit bounds what is under way by count, and a poll what is read at once; how long that takes depends on what
//! the author's operators do with a record. With a millisecond a record, the 32,768 records of a channel's credit are
//! half a minute, and a source that feeds such a chain in place hears nothing for seconds: a job that is asked to stop
//! then goes on, since what has been read is finished. So both are measured, and made smaller where records are
//! slow; where they are fast nothing changes. Flink has learned the same of its network buffers, and calls it buffer
//! debloating (FLIP-183).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The fewest records that are taken on at once.
const RECORDS_MIN: usize = 16;
/// See [`first`].
const RECORDS_FIRST: usize = 64;
/// After how many times the limit without being too slow batches may grow again.
const PATIENCE: u32 = 4;

/// How many records are taken on at once before it is known how long they take.
pub(crate) fn first(records_max: usize) -> usize {
    RECORDS_FIRST.min(records_max)
}

/// The size of pieces of work that are each to be done within a time.
#[derive(Clone, Debug)]
pub(crate) struct Portion {
    records: usize,
    records_max: usize,
    within: Duration,
}

impl Portion {
    /// Pieces of so many records at most, fewer where one takes longer than `within`.
    pub(crate) fn new(records_max: usize, within: Duration) -> Self {
        Portion { records: first(records_max), records_max, within }
    }

    /// How many records are a piece now.
    pub(crate) fn records(&self) -> usize {
        self.records
    }

    /// Learns that a piece of so many records took so long. One that was not full says nothing of larger ones.
    pub(crate) fn took(&mut self, records: usize, elapsed: Duration) {
        if elapsed > self.within {
            let share = self.within.as_secs_f64() / elapsed.as_secs_f64();
            self.records = self.records.min((records as f64 * share) as usize).max(self.least());
        } else if elapsed < self.within / 4 && records >= self.records {
            self.records = (self.records * 2).min(self.records_max);
        }
    }

    fn least(&self) -> usize {
        RECORDS_MIN.min(self.records_max)
    }
}

/// The batches of one output, measured by how long they are away.
#[derive(Clone, Debug)]
pub(crate) struct RoundTrips {
    portion: Portion,
    /// When they were last too slow: one slow receiver rules over fast ones.
    slow: Option<Instant>,
}

impl RoundTrips {
    /// Batches of so many records, fewer where what is under way takes longer than `within`.
    pub(crate) fn new(records_max: usize, within: Duration) -> Self {
        RoundTrips { portion: Portion::new(records_max, within), slow: None }
    }

    /// Learns how long a batch was away. How many records make a batch from now on.
    pub(crate) fn returned(&mut self, records: usize, away: Duration, now: Instant) -> usize {
        let patience = self.portion.within * PATIENCE;
        let is_slow = away > self.portion.within;
        if is_slow || self.slow.is_none_or(|slow| now.duration_since(slow) > patience) {
            self.portion.took(records, away);
        }
        if is_slow {
            self.slow = Some(now);
        }
        self.portion.records()
    }
}

/// When the batches of a channel were sent that are still away, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Departures(VecDeque<Instant>);

impl Departures {
    /// A batch leaves.
    pub(crate) fn leave(&mut self, now: Instant) {
        self.0.push_back(now);
    }

    /// The oldest comes back: how long it was away.
    pub(crate) fn come_back(&mut self, now: Instant) -> Duration {
        self.0.pop_front().map_or(Duration::ZERO, |left| now.duration_since(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn slow_records_come_in_small_portions_and_fast_ones_in_large() {
        let mut portion = Portion::new(4096, 20 * MS);
        assert_eq!(portion.records(), RECORDS_FIRST);
        for _ in 0..6 {
            portion.took(portion.records(), MS);
        }
        assert_eq!(portion.records(), 4096);
        portion.took(4096, 4096 * MS);
        assert_eq!(portion.records(), 20, "a millisecond a record");
        portion.took(20, 20 * MS);
        assert_eq!(portion.records(), 20);
        portion.took(20, 1000 * MS);
        assert_eq!(portion.records(), RECORDS_MIN);
        portion.took(10, MS);
        assert_eq!(portion.records(), RECORDS_MIN, "it was not full");
    }

    #[test]
    fn a_portion_that_is_small_by_wish_stays_so() {
        let mut portion = Portion::new(1, 20 * MS);
        portion.took(1, 1000 * MS);
        assert_eq!(portion.records(), 1);
    }

    #[test]
    fn a_slow_receiver_rules_over_fast_ones_and_old_batches_count_once() {
        let begun = Instant::now();
        let mut trips = RoundTrips::new(4096, 250 * MS);
        for _ in 0..6 {
            trips.returned(trips.portion.records(), MS, begun);
        }
        for batch in 0..8 {
            assert_eq!(trips.returned(4096, 1000 * MS, begun + batch * 100 * MS), 1024);
        }
        assert_eq!(trips.returned(1024, 10 * MS, begun + 800 * MS), 1024, "another receiver is fast");
        assert_eq!(trips.returned(1024, 10 * MS, begun + 2000 * MS), 2048);
    }
}

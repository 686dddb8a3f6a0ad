//! How many records may be read by now: the rate option of the sources.
//!
//! The rate is kept by counting from a beginning, not by measuring between polls, so that rounding never
//! adds up. A reader that was held up for long does not make up for all of it in one burst.

use std::time::Duration;

use watershed_core::{Polled, ProcessingTime};

/// The least time between two steps of a paced reader, in milliseconds: fast enough to look smooth.
const STEP_MS: i64 = 5;
/// How much held-up time a paced reader makes up for, in milliseconds.
const CATCH_UP_MS: i64 = 100;
/// The longest sleep of a paced reader, in milliseconds.
const SLEEP_MAX: f64 = 86_400_000.0;

/// Lets records through at a rate.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    per_second: f64,
    began: Option<ProcessingTime>,
    released: u64,
}

impl Pace {
    /// A pace of so many records a second, which begins with the first call of [`Pace::due`].
    pub(super) fn new(per_second: f64) -> Self {
        Pace { per_second, began: None, released: 0 }
    }

    /// How many records may be emitted now.
    pub(super) fn due(&mut self, now: ProcessingTime) -> usize {
        let began = *self.began.get_or_insert(now);
        let elapsed = now.as_millis().saturating_sub(began.as_millis());
        let behind = elapsed - self.time_of(self.released);
        if behind > CATCH_UP_MS {
            self.began = Some(began.after(Duration::from_millis((behind - CATCH_UP_MS).unsigned_abs())));
            return self.due(now);
        }
        // The first record is due at once.
        let due = (elapsed as f64 * self.per_second / 1000.0) as u64 + 1;
        due.saturating_sub(self.released) as usize
    }

    /// Counts emitted records, and says when the next are due.
    pub(super) fn released(&mut self, records: u64, now: ProcessingTime) -> Polled {
        self.released += records;
        let began = self.began.unwrap_or(now);
        let next = began.as_millis().saturating_add(self.time_of(self.released));
        Polled::Later(ProcessingTime::from_millis(next.max(now.as_millis() + STEP_MS)))
    }

    /// When a record is due, in milliseconds after the beginning.
    fn time_of(&self, record: u64) -> i64 {
        (record as f64 * 1000.0 / self.per_second).min(SLEEP_MAX * 1e6).ceil() as i64
    }
}

/// A rate that can be kept: above nothing, and finite.
///
/// # Panics
///
/// Where it is neither: a pipeline that asks for it is wrong.
pub(super) fn checked(per_second: f64) -> f64 {
    assert!(per_second.is_finite() && per_second > 0.0, "a rate is a number above 0, not {per_second}");
    per_second
}

#[cfg(test)]
mod tests {
    use super::*;

    fn released_over(per_second: f64, polls: impl IntoIterator<Item = i64>) -> Vec<usize> {
        let mut pace = Pace::new(per_second);
        polls
            .into_iter()
            .map(|millis| {
                let now = ProcessingTime::from_millis(millis);
                let due = pace.due(now);
                pace.released(due as u64, now);
                due
            })
            .collect()
    }

    #[test]
    fn a_second_of_small_steps_releases_a_second_of_records() {
        let steps = released_over(1000.0, (0..1000).step_by(5));
        assert_eq!(steps[..3], [1, 5, 5]);
        assert_eq!(steps.iter().sum::<usize>(), 996);
    }

    #[test]
    fn a_slow_pace_sleeps_until_the_next_record() {
        let (mut pace, now) = (Pace::new(0.5), ProcessingTime::from_millis(10));
        assert_eq!(pace.due(now), 1);
        assert_eq!(pace.released(1, now), Polled::Later(ProcessingTime::from_millis(2010)));
        assert_eq!(pace.due(ProcessingTime::from_millis(2009)), 0);
        assert_eq!(pace.due(ProcessingTime::from_millis(2010)), 1);
    }

    #[test]
    fn a_long_stall_is_made_up_for_only_in_part() {
        let steps = released_over(1000.0, [0, 60_000, 60_005]);
        assert_eq!(steps[0], 1);
        assert!((100..=102).contains(&steps[1]), "{steps:?}");
        assert_eq!(steps[2], 5);
    }
}

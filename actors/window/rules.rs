//! What a windowed stream was told beside its windows.

use std::time::Duration;

use watershed_core::{Data, EventTime, Output, ProcessingTime, SideOutput, Watermark, millis};

/// How long windows are kept, where late records go, and when early results are said.
#[derive(Debug)]
pub struct Rules<T> {
    pub(super) allowed_lateness: Duration,
    pub(super) late: Option<SideOutput<T>>,
    pub(super) early: Option<Every>,
}

impl<T> Clone for Rules<T> {
    fn clone(&self) -> Self {
        Rules { allowed_lateness: self.allowed_lateness, late: self.late, early: self.early }
    }
}

impl<T> Default for Rules<T> {
    fn default() -> Self {
        Rules { allowed_lateness: Duration::ZERO, late: None, early: None }
    }
}

impl<T: Data> Rules<T> {
    /// Whether a window whose last millisecond is `last` takes no record any more.
    #[inline]
    pub(super) fn is_over(&self, last: EventTime, watermark: Watermark) -> bool {
        watermark.has_passed(last.after(self.allowed_lateness))
    }

    /// Whether windows are kept beyond their end, for late records.
    #[inline]
    pub(super) fn keeps(&self) -> bool {
        !self.allowed_lateness.is_zero()
    }

    /// Counts a late record, and sends it where late records go.
    #[cold]
    pub(super) fn late<R>(&self, value: T, out: &mut impl Output<R>) {
        out.count_late();
        if let Some(late) = &self.late {
            out.side(late, value);
        }
    }
}

/// A rhythm in which results are said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Every(pub(super) Rhythm);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rhythm {
    Records(u64),
    ProcessingTime(i64),
    EventTime(i64),
}

impl Every {
    /// At every so many records of a key's window.
    ///
    /// # Panics
    ///
    /// Where the number is 0.
    pub fn records(count: u64) -> Self {
        assert!(count > 0, "results are said every record at most");
        Every(Rhythm::Records(count))
    }

    /// At the multiples of this duration of the wall clock, counted from the Unix epoch.
    ///
    /// # Panics
    ///
    /// Where it is less than a millisecond.
    pub fn processing_time(interval: Duration) -> Self {
        Every(Rhythm::ProcessingTime(interval_millis(interval)))
    }

    /// When the watermark passes the multiples of this duration, counted from the Unix epoch.
    ///
    /// # Panics
    ///
    /// Where it is less than a millisecond.
    pub fn event_time(interval: Duration) -> Self {
        Every(Rhythm::EventTime(interval_millis(interval)))
    }

    /// The next beat of the wall clock after `now`, where this rhythm is one of the wall clock.
    pub(super) fn beat(self, now: ProcessingTime) -> Option<ProcessingTime> {
        let Rhythm::ProcessingTime(interval) = self.0 else { return None };
        let last = now.as_millis().div_euclid(interval);
        Some(ProcessingTime::from_millis(last.saturating_add(1).saturating_mul(interval)))
    }

    /// The last beat of event time up to the watermark, where this rhythm is one of event time.
    pub(super) fn last_beat(self, watermark: Watermark) -> Option<EventTime> {
        let Rhythm::EventTime(interval) = self.0 else { return None };
        Some(watermark.0.floor_to(interval, 0))
    }

    /// After how many records of a key's window, where this rhythm counts them.
    pub(super) fn count(self) -> Option<u64> {
        match self.0 {
            Rhythm::Records(count) => Some(count),
            Rhythm::ProcessingTime(_) | Rhythm::EventTime(_) => None,
        }
    }
}

fn interval_millis(interval: Duration) -> i64 {
    let interval = millis(interval);
    assert!(interval > 0, "results are said every millisecond at most");
    interval
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_are_multiples_whenever_one_asks() {
        let every = Every::processing_time(Duration::from_millis(10));
        let beat = |now| every.beat(ProcessingTime::from_millis(now)).map(ProcessingTime::as_millis);
        assert_eq!([-1, 0, 9, 10].map(beat), [Some(0), Some(10), Some(10), Some(20)]);
        let every = Every::event_time(Duration::from_millis(10));
        let last = |at| every.last_beat(Watermark(EventTime::from_millis(at))).map(EventTime::as_millis);
        assert_eq!([-1, 0, 19].map(last), [Some(-10), Some(0), Some(10)]);
    }
}

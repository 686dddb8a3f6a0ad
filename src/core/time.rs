//! Event time and watermarks: when something happened, and how far the stream has come.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// When a record happened: milliseconds since 1970-01-01T00:00:00Z, negative before it.
///
/// All arithmetic saturates at [`EventTime::MIN`] and [`EventTime::MAX`], so that a hostile or broken time
/// in the input can make a result useless but never wrap a window around.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventTime(i64);

impl EventTime {
    /// Before every record.
    pub const MIN: EventTime = EventTime(i64::MIN);
    /// After every record.
    pub const MAX: EventTime = EventTime(i64::MAX);

    /// The time that lies `millis` milliseconds after the Unix epoch.
    #[inline]
    pub const fn from_millis(millis: i64) -> Self {
        EventTime(millis)
    }

    /// Milliseconds after the Unix epoch.
    #[inline]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This time, `by` later (saturating; fractions of a millisecond are dropped).
    #[inline]
    pub const fn after(self, by: Duration) -> Self {
        EventTime(self.0.saturating_add(millis(by)))
    }

    /// This time, `by` earlier (saturating; fractions of a millisecond are dropped).
    #[inline]
    pub const fn before(self, by: Duration) -> Self {
        EventTime(self.0.saturating_sub(millis(by)))
    }

    /// The millisecond just before this one.
    #[inline]
    pub const fn previous(self) -> Self {
        EventTime(self.0.saturating_sub(1))
    }

    /// The last multiple of `step` (shifted by `offset`, both in milliseconds) at or before this time.
    ///
    /// `step` must be positive. Saturates to [`EventTime::MIN`] where no such multiple fits.
    #[inline]
    pub const fn floor_to(self, step: i64, offset: i64) -> Self {
        let into = (self.0 as i128 - offset as i128).rem_euclid(step as i128);
        EventTime(self.0.saturating_sub(into as i64))
    }
}

/// A duration in whole milliseconds, saturating at [`i64::MAX`].
#[inline]
pub const fn millis(duration: Duration) -> i64 {
    let millis = duration.as_millis();
    if millis > i64::MAX as u128 { i64::MAX } else { millis as i64 }
}

impl fmt::Display for EventTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            EventTime::MIN => f.write_str("-inf"),
            EventTime::MAX => f.write_str("+inf"),
            EventTime(millis) => write!(f, "{millis}ms"),
        }
    }
}

/// A promise: no record at or before this time will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Watermark(pub EventTime);

impl Watermark {
    /// Nothing has been promised.
    pub const MIN: Watermark = Watermark(EventTime::MIN);
    /// No record will follow at all.
    pub const MAX: Watermark = Watermark(EventTime::MAX);

    /// Whether a record of this time is late: at or behind the promise.
    #[inline]
    pub fn has_passed(self, time: EventTime) -> bool {
        time <= self.0
    }
}

impl Default for Watermark {
    fn default() -> Self {
        Watermark::MIN
    }
}

impl fmt::Display for ProcessingTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms by the wall clock", self.0)
    }
}

impl fmt::Display for Watermark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The wall clock, as handed to operators once per batch: milliseconds since the Unix epoch.
///
/// Nothing in this crate reads a clock; the runtime does, and tests choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProcessingTime(i64);

impl ProcessingTime {
    /// The time that lies `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        ProcessingTime(millis)
    }

    /// Milliseconds after the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This time, `by` later (saturating).
    pub const fn after(self, by: Duration) -> Self {
        ProcessingTime(self.0.saturating_add(millis(by)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_towards_the_past_on_both_sides_of_the_epoch() {
        let floor = |t: i64| EventTime::from_millis(t).floor_to(1000, 0).as_millis();
        assert_eq!([floor(0), floor(999), floor(1000), floor(-1), floor(-1000)], [0, 0, 1000, -1000, -1000]);
        assert_eq!(EventTime::from_millis(250).floor_to(1000, 300).as_millis(), -700);
    }

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(EventTime::MAX.after(Duration::MAX), EventTime::MAX);
        assert_eq!(EventTime::MIN.before(Duration::MAX), EventTime::MIN);
        assert_eq!(EventTime::MIN.floor_to(1000, 0), EventTime::MIN);
        // An offset must not wrap around the end of the scale.
        let near = EventTime::from_millis(i64::MIN + 1500);
        assert_eq!(near.floor_to(1000, 193), EventTime::from_millis(i64::MIN + 1001));
        assert_eq!(EventTime::MIN.previous(), EventTime::MIN);
        assert!(EventTime::MAX.floor_to(1000, 7) <= EventTime::MAX);
    }
}

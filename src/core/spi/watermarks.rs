//! How a source's event time is taken from its records, and how far its splits have come.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::{EventTime, Watermark};

/// A rule for how far one split has come. Each split has an instance of its own.
pub trait WatermarkGenerator: Clone + Send + 'static {
    /// Called for each record of the split.
    fn on_record(&mut self, time: EventTime);

    /// Called after each poll of the split: the promise that can be made now. It may stay as it was;
    /// one that goes back is ignored.
    fn watermark(&self) -> Watermark;
}

/// Event times that never go back within a split.
#[derive(Clone, Debug)]
pub struct Monotone {
    newest: EventTime,
}

impl Monotone {
    /// The rule, before its first record.
    pub const fn new() -> Self {
        Monotone { newest: EventTime::MIN }
    }
}

impl Default for Monotone {
    fn default() -> Self {
        Monotone::new()
    }
}

impl WatermarkGenerator for Monotone {
    #[inline]
    fn on_record(&mut self, time: EventTime) {
        self.newest = self.newest.max(time);
    }

    /// One millisecond behind the newest record: another of the same time may follow.
    fn watermark(&self) -> Watermark {
        Watermark(self.newest.previous())
    }
}

/// Event times that lie at most a fixed span behind the newest one seen in their split.
#[derive(Clone, Debug)]
pub struct BoundedOutOfOrderness {
    bound: Duration,
    newest: EventTime,
}

impl BoundedOutOfOrderness {
    /// Records up to `bound` behind the newest one are on time.
    pub const fn new(bound: Duration) -> Self {
        BoundedOutOfOrderness { bound, newest: EventTime::MIN }
    }
}

impl WatermarkGenerator for BoundedOutOfOrderness {
    #[inline]
    fn on_record(&mut self, time: EventTime) {
        self.newest = self.newest.max(time);
    }

    fn watermark(&self) -> Watermark {
        Watermark(self.newest.before(self.bound).previous())
    }
}

/// How a source's records get their event time: where it is found, how the watermark follows, which times
/// are believed, and when a silent split is left out.
///
/// ```
/// # use std::time::Duration;
/// use watershed_core::{BoundedOutOfOrderness, EventTime, EventTimes};
///
/// let times = EventTimes::by(|reading: &(i64, f64)| EventTime::from_millis(reading.0))
///     .out_of_order_by(Duration::from_secs(5))
///     .idle_after(Duration::from_secs(30));
/// ```
#[derive(Clone, Debug)]
pub struct EventTimes<F, G = Monotone> {
    pub(crate) of: F,
    pub(crate) generator: G,
    pub(crate) plausible: RangeInclusive<EventTime>,
    pub(crate) idle_after: Option<Duration>,
}

impl<F> EventTimes<F> {
    /// Times found by `of`, which never go back within a split.
    pub fn by<T>(of: F) -> Self
    where
        F: Fn(&T) -> EventTime + Clone + Send + 'static,
    {
        let plausible = EventTime::MIN..=EventTime::MAX;
        EventTimes { of, generator: Monotone::new(), plausible, idle_after: None }
    }
}

impl<F, G> EventTimes<F, G> {
    /// Times that lie at most `bound` behind the newest one of their split.
    pub fn out_of_order_by(self, bound: Duration) -> EventTimes<F, BoundedOutOfOrderness> {
        self.with(BoundedOutOfOrderness::new(bound))
    }

    /// Times whose watermark follows a rule of your own.
    pub fn with<H: WatermarkGenerator>(self, generator: H) -> EventTimes<F, H> {
        EventTimes { of: self.of, generator, plausible: self.plausible, idle_after: self.idle_after }
    }

    /// Believes times within `range` only; a record outside it becomes a dead letter, with the place and the bytes
    /// that it was read from where its source knows them.
    ///
    /// One record far in the future would otherwise make all that follow late.
    #[must_use]
    pub fn plausible(mut self, range: RangeInclusive<EventTime>) -> Self {
        self.plausible = range;
        self
    }

    /// Leaves a split out of the watermark once it has had nothing to read for so long.
    ///
    /// Without this a silent split holds every window back.
    #[must_use]
    pub fn idle_after(mut self, silence: Duration) -> Self {
        self.idle_after = Some(silence);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_follow_the_newest_record_and_never_run_ahead_of_it() {
        let at = EventTime::from_millis;
        let mut bounded = BoundedOutOfOrderness::new(Duration::from_millis(10));
        assert_eq!(bounded.watermark(), Watermark::MIN);
        [100, 95, 120, 111].into_iter().for_each(|time| bounded.on_record(at(time)));
        assert_eq!(bounded.watermark(), Watermark(at(109)));
        let mut monotone = Monotone::new();
        monotone.on_record(at(7));
        assert_eq!(monotone.watermark(), Watermark(at(6)));
    }

    #[test]
    fn times_at_the_ends_of_the_scale_do_not_wrap() {
        let mut bounded = BoundedOutOfOrderness::new(Duration::MAX);
        bounded.on_record(EventTime::from_millis(-5));
        assert_eq!(bounded.watermark(), Watermark::MIN);
        bounded.on_record(EventTime::MAX);
        assert!(bounded.watermark() < Watermark::MAX);
    }
}

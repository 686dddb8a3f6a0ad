//! Time to live: state that is gone when nobody has come for it.
//!
//! Exactly when that is says [`state`](crate::state#time-to-live). Every look-up compares, so that what has expired is
//! never seen again. It is removed by an alarm, one for each key that has anything to expire: set for when the
//! element expires that was written first, and set again, where it was written or touched since, when it rings. So a
//! record costs no change of an alarm. Elements of a map or list are removed in sweeps over their key, at most [`SWEEPS`]
//! of them within the time that they live, each of which reads what the key has.

use std::time::Duration;

use super::{Clock, Current};
use crate::state::{Saving, Sections, State, StateError, Timers};
use crate::{EventTime, Key, ProcessingTime, Watermark};

/// For how long state is kept that nobody comes for. Exactly when it expires is said
/// [here](crate::state#time-to-live).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeToLive {
    /// For how long.
    pub after: Duration,
    /// Since when.
    pub since: Since,
    /// By which clock.
    pub by: By,
}

/// What makes state young again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// That it was written.
    Written,
    /// That it was written, or looked up. A walk over elements looks none of them up.
    Touched,
}

/// The clock by which state grows old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The watermark.
    EventTime,
    /// The wall clock.
    ProcessingTime,
}

impl TimeToLive {
    /// So long after it was written, by event time.
    pub const fn after(after: Duration) -> Self {
        TimeToLive { after, since: Since::Written, by: By::EventTime }
    }

    /// Looking it up makes it young again too.
    #[must_use]
    pub const fn since_touched(self) -> Self {
        TimeToLive { since: Since::Touched, ..self }
    }

    /// By the wall clock.
    #[must_use]
    pub const fn by_processing_time(self) -> Self {
        TimeToLive { by: By::ProcessingTime, ..self }
    }

    /// The time with which something is written now. By processing time the wall clock's; both count milliseconds.
    const fn time(self, clock: Clock) -> EventTime {
        match self.by {
            By::EventTime => clock.time,
            By::ProcessingTime => EventTime::from_millis(clock.now.as_millis()),
        }
    }

    /// How far the clock has come.
    const fn reached(self, clock: Clock) -> EventTime {
        match self.by {
            By::EventTime => clock.reached,
            By::ProcessingTime => EventTime::from_millis(clock.now.as_millis()),
        }
    }
}

/// With which time something was written; none before there was a time to live.
pub(crate) type Written = Option<EventTime>;

/// How often at most the elements of a key are swept within the time that they live.
pub(super) const SWEEPS: u32 = 8;

/// A time to live, if there is one, and the alarms of the keys that have something to expire.
#[derive(Clone, Debug)]
pub(crate) struct Lifetimes<K> {
    limit: Option<TimeToLive>,
    alarms: Timers<K>,
}

impl<K> Default for Lifetimes<K> {
    fn default() -> Self {
        Lifetimes { limit: None, alarms: Timers::default() }
    }
}

impl<K: Key> Lifetimes<K> {
    pub(crate) fn limit_to(&mut self, limit: TimeToLive) {
        self.limit = Some(limit);
    }

    /// The time with which something is written now that was written with `before`. Sets the alarm of its key.
    #[inline]
    pub(crate) fn written(&mut self, before: Written, current: Current<'_, K>) -> Written {
        let limit = self.limit?;
        let time = limit.time(current.clock()).max(before.unwrap_or(EventTime::MIN));
        if !self.alarms.has(current.key()) {
            self.set_alarm(limit, time.after(limit.after), current.key());
        }
        Some(time)
    }

    /// Whether to look something up makes it young again.
    #[inline]
    pub(crate) fn touch(&self) -> bool {
        self.limit.is_some_and(|limit| limit.since == Since::Touched)
    }

    /// Whether something that was written so has expired.
    #[inline]
    pub(crate) fn is_over(&self, written: Written, clock: Clock) -> bool {
        let over = |limit: TimeToLive| Some(written?.after(limit.after) <= limit.reached(clock));
        self.limit.and_then(over).unwrap_or(false)
    }

    /// Whether anything can expire.
    pub(crate) fn is_limited(&self) -> bool {
        self.limit.is_some()
    }

    /// Takes out a key whose alarm rings.
    pub(crate) fn ringing(&mut self, clock: Clock) -> Option<K> {
        let by_event = self.alarms.pop_due(Watermark(clock.reached)).map(|(_, key)| key);
        by_event.or_else(|| Some(self.alarms.pop_due_processing(clock.now)?.1))
    }

    /// Sets the alarm of a key again, whose oldest element was written so.
    pub(crate) fn again(&mut self, key: &K, oldest: Written) {
        if let (Some(limit), Some(written)) = (self.limit, oldest) {
            self.set_alarm(limit, written.after(limit.after), key);
        }
    }

    /// As [`Lifetimes::again`], of a key whose elements are swept: not too soon after now.
    pub(crate) fn again_sweeping(&mut self, key: &K, oldest: Written, clock: Clock) {
        if let (Some(limit), Some(written)) = (self.limit, oldest) {
            let soonest = limit.reached(clock).after(limit.after / SWEEPS);
            self.set_alarm(limit, written.after(limit.after).max(soonest), key);
        }
    }

    /// Drops the alarm of a key that has nothing any more.
    pub(crate) fn forget(&mut self, key: &K) {
        self.alarms.forget(key);
    }

    /// When the wall clock rings next.
    pub(crate) fn deadline(&self) -> Option<ProcessingTime> {
        self.alarms.next_processing()
    }

    fn set_alarm(&mut self, limit: TimeToLive, at: EventTime, key: &K) {
        match limit.by {
            By::EventTime => self.alarms.set(at, key),
            By::ProcessingTime => {
                let at = ProcessingTime::from_millis(at.as_millis());
                self.alarms.set_processing(at, key);
            }
        }
    }
}

impl<K: Key> State for Lifetimes<K> {
    fn save(&mut self, saving: &mut Saving) {
        self.alarms.save(saving);
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        self.alarms.load(sections)
    }
}

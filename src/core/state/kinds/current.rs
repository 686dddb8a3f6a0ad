//! The key that is being handled, and when.

use std::ops::Deref;

use crate::spi::Output;
use crate::{EventTime, ProcessingTime};

/// What time it is for what is kept with a [time to live](crate::state::TimeToLive).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// The time of the record or timer being handled.
    pub time: EventTime,
    /// How far event time has come: the watermark; and while timers fire, the time of the timer.
    pub reached: EventTime,
    /// The wall clock.
    pub now: ProcessingTime,
}

impl Clock {
    /// The clock of the record that a step is handling.
    pub fn of<T>(out: &impl Output<T>) -> Self {
        Clock { time: out.time(), reached: out.watermark().0, now: out.now() }
    }
}

/// The key of the record or timer being handled, and when: what a kind of state is opened with.
///
/// It reads as the key itself.
#[derive(Debug)]
pub struct Current<'a, K> {
    key: &'a K,
    clock: Clock,
}

impl<'a, K> Current<'a, K> {
    /// The key, for a [`Transform`](crate::Transform) that keeps kinds of state. It must be the key of the record being
    /// handled: that of another may belong to another subtask.
    pub fn new(key: &'a K, clock: Clock) -> Self {
        Current { key, clock }
    }

    /// The key.
    pub fn key(&self) -> &'a K {
        self.key
    }

    /// When.
    pub fn clock(&self) -> Clock {
        self.clock
    }
}

impl<K> Clone for Current<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Current<'_, K> {}

impl<K> Deref for Current<'_, K> {
    type Target = K;

    fn deref(&self) -> &K {
        self.key
    }
}

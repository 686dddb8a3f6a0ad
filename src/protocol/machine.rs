//! The shape of a protocol: an event and the time go in, effects and an outcome come out.
//!
//! Deciding is kept apart from doing, as in openraft's engine and sans-I/O network stacks: a driver (an
//! actor, a test, a simulator) feeds the events and performs the effects, and the machine never waits for
//! anything.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Protocol time: milliseconds since an instant of the driver's choice. Never goes back between two events.
///
/// Has nothing to do with [`EventTime`](watershed_core::EventTime), which is a property of the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tick(pub u64);

impl Tick {
    /// This time, `by` later: saturating, and fractions of a millisecond count as a whole one, so that a wait
    /// is never cut short.
    #[inline]
    pub const fn after(self, by: Duration) -> Self {
        let millis = by.as_nanos().div_ceil(1_000_000);
        let millis = if millis > u64::MAX as u128 { u64::MAX } else { millis as u64 };
        Tick(self.0.saturating_add(millis))
    }

    /// The time that has passed since `earlier`, zero if that lies ahead.
    #[inline]
    pub const fn since(self, earlier: Tick) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tick {}ms", self.0)
    }
}

/// Decides one protocol, purely: equal histories of events and times give equal effects.
pub trait Machine {
    /// What the machine hears.
    type Event;
    /// What the machine wants done. Effects are performed in their order, before the next event is fed.
    type Effect;

    /// Takes in one event at the time `now` and appends the effects it calls for to `effects`.
    ///
    /// Called by the driver for each event in the order of arrival. `now` never goes back. `effects` is the
    /// driver's buffer, handed in so that nothing is allocated; what it holds already is left alone.
    fn on(&mut self, now: Tick, event: Self::Event, effects: &mut Vec<Self::Effect>) -> Outcome;

    /// When the machine next wants to be told that time has passed, `None` if nothing waits for time.
    ///
    /// Asked after each event. The driver feeds the machine's deadline event at this time or later; feeding
    /// it early is harmless.
    fn deadline(&self) -> Option<Tick>;
}

/// What became of an event. Peers may be late, repeat themselves or be confused; none of it is an error of
/// ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[must_use = "a peer that sends the unexpected has to be reported"]
pub enum Outcome {
    /// The event was new and has been taken in (which need not call for an effect).
    Applied,
    /// The event had been taken in before; nothing changed.
    Duplicate,
    /// The event has been overtaken by others; nothing changed.
    Stale,
    /// No correct peer sends this here. Nothing changed; the driver reports it and gives the peer up.
    Unexpected,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_rounded_up_and_saturates() {
        assert_eq!(Tick(5).after(Duration::from_micros(1)), Tick(6));
        assert_eq!(Tick(5).after(Duration::from_millis(2)), Tick(7));
        assert_eq!(Tick(5).after(Duration::ZERO), Tick(5));
        assert_eq!(Tick(5).after(Duration::MAX), Tick(u64::MAX));
    }

    #[test]
    fn time_since_a_later_tick_is_zero() {
        assert_eq!(Tick(7).since(Tick(5)), Duration::from_millis(2));
        assert_eq!(Tick(5).since(Tick(7)), Duration::ZERO);
    }
}

//! The only place where the runtime reads a clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use watershed_core::ProcessingTime;
use watershed_protocol::Tick;

/// The wall clock, for operators.
pub(crate) fn now() -> ProcessingTime {
    // A clock before 1970 is a broken one; operators see the epoch.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    ProcessingTime::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Protocol time: milliseconds since the subtask began, pauses left out, on a clock that never goes back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch {
    began: Instant,
    paused: Duration,
    pause: Option<Instant>,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Stopwatch { began: Instant::now(), paused: Duration::ZERO, pause: None }
    }

    /// Lets time stand still until [`Stopwatch::resume`].
    pub(crate) fn pause(&mut self) {
        self.pause.get_or_insert_with(Instant::now);
    }

    pub(crate) fn resume(&mut self) {
        if let Some(pause) = self.pause.take() {
            self.paused += pause.elapsed();
        }
    }

    pub(crate) fn tick(self) -> Tick {
        let until = self.pause.unwrap_or_else(Instant::now);
        let elapsed = until.duration_since(self.began).saturating_sub(self.paused);
        Tick(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
    }
}

//! The only place where the runtime reads a clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use watershed_core::ProcessingTime;
use watershed_protocol::Tick;

/// The wall clock, for operators.
pub(crate) fn now() -> ProcessingTime {
    // A clock before 1970 is a broken one; operators see the epoch.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    ProcessingTime::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Protocol time: milliseconds since the subtask began, on a clock that never goes back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Stopwatch(Instant::now())
    }

    pub(crate) fn tick(self) -> Tick {
        Tick(u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

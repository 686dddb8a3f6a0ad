//! What a window says: of which key, of which time, and on what occasion.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watershed_core::{Data, EventTime};

/// A stretch of event time: from `start` until just before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Data)]
pub struct Span {
    /// The first millisecond.
    pub start: EventTime,
    /// The millisecond after the last.
    pub end: EventTime,
}

impl Span {
    /// All of time.
    pub const ALWAYS: Span = Span { start: EventTime::MIN, end: EventTime::MAX };

    /// Whether a time lies within.
    pub fn contains(&self, time: EventTime) -> bool {
        self.start <= time && time < self.end
    }

    /// The last millisecond: results of the span have this time.
    pub fn last(&self) -> EventTime {
        self.end.previous()
    }

    /// How long it is.
    pub fn length(&self) -> Duration {
        Duration::from_millis(self.end.as_millis().abs_diff(self.start.as_millis()))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

/// On what occasion a window says a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Data)]
pub enum Firing {
    /// Before the watermark reached the window's end: of the records so far.
    Early,
    /// When the watermark reached the window's end.
    OnTime,
    /// After a late record that was still allowed: in place of what was said of this window before.
    Update,
}

/// The result of one key's one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Data)]
pub struct Windowed<K, R> {
    /// The key.
    pub key: K,
    /// The window.
    pub window: Span,
    /// On what occasion this is said.
    pub firing: Firing,
    /// What is said.
    pub value: R,
}

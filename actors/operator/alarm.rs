//! One timer for a key that waits for many things.
//!
//! A timer for each record would cost a tree insertion and a copy of the key each; a key that is called for
//! the earliest of what it waits for, and then looks at everything that is due, pays once per watermark.

use serde::{Deserialize, Serialize};
use watershed_core::{Data, EventTime, KeyContext};

/// The one event-time timer of a key.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, Data)]
pub(crate) struct Alarm {
    at: Option<EventTime>,
}

impl Alarm {
    /// Makes sure that the key is called at `wanted` or before.
    pub(crate) fn ring_by<K, T>(&mut self, wanted: EventTime, cx: &mut impl KeyContext<K, T>) {
        match self.at {
            Some(at) if at <= wanted => return,
            Some(at) => cx.cancel_timer(at),
            None => {}
        }
        cx.set_timer(wanted);
        self.at = Some(wanted);
    }

    /// Called first in `on_timer`: the timer is spent.
    pub(crate) fn rang(&mut self) {
        self.at = None;
    }
}

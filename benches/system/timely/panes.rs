//! Counts per key for each second of event time: panes first, keys inside a pane.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use timely::dataflow::operators::Capability;
use timely::progress::frontier::MutableAntichain;

use super::events::Event;
use crate::workload::{WINDOW_MS, window_start_ms};

/// Counts per key.
pub(super) type Counts = HashMap<u64, u64, FxBuildHasher>;

/// The panes of a worker that have not ended, a few at most.
#[derive(Default)]
pub(super) struct Panes {
    open: Vec<Pane>,
    spare: Vec<Counts>,
}

/// A second that has not ended.
pub(super) struct Pane {
    /// Start of the second.
    pub(super) start_ms: i64,
    /// The right to send results at its end.
    pub(super) capability: Capability<i64>,
    /// What was counted.
    pub(super) counts: Counts,
}

impl Panes {
    /// Counts events in the panes of their times; `capability` makes the right to send at a time.
    pub(super) fn add(&mut self, events: &[Event], capability: impl Fn(i64) -> Capability<i64>) {
        let mut events = events.iter().peekable();
        while let Some((_, time_ms)) = events.peek() {
            let start_ms = window_start_ms(*time_ms);
            let at = self.open.iter().position(|pane| pane.start_ms == start_ms).unwrap_or_else(|| {
                let counts = self.spare.pop().unwrap_or_default();
                self.open.push(Pane { start_ms, capability: capability(start_ms + WINDOW_MS), counts });
                self.open.len() - 1
            });
            let counts = &mut self.open[at].counts;
            let in_pane = |(_, time_ms): &&Event| (start_ms..start_ms + WINDOW_MS).contains(time_ms);
            while let Some((key, _)) = events.next_if(in_pane) {
                *counts.entry(*key).or_insert(0) += 1;
            }
        }
    }

    /// Takes out the earliest pane, if no event for it can follow.
    pub(super) fn pop(&mut self, frontier: &MutableAntichain<i64>) -> Option<Pane> {
        let (at, pane) = self.open.iter().enumerate().min_by_key(|(_, pane)| pane.start_ms)?;
        (!frontier.less_than(&(pane.start_ms + WINDOW_MS))).then(|| self.open.swap_remove(at))
    }

    /// Takes back an emptied map.
    pub(super) fn put_back(&mut self, counts: Counts) {
        self.spare.push(counts);
    }
}

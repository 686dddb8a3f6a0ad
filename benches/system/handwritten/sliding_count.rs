//! Sliding windows by slices: an event is counted once, in the pane of its second; a running total per key
//! gains the pane that ends and loses the one that leaves the window, so that a window costs two additions a key,
//! however many slides it spans.

use std::collections::VecDeque;

use super::exchange::{self, Batch, Window};
use super::keyed_count::Panes;
use super::table::Slot;
use super::totals::Totals;
use crate::system::Finished;
use crate::tally::Tally;
use crate::workload::{Parameters, SLIDES, WINDOW_MS};

/// Runs the workload.
pub(super) fn run(parameters: &Parameters) -> Finished {
    let windows = exchange::run(parameters, [Sliding::default(), Sliding::default()]);
    let tally = windows.into_iter().fold(Tally::default(), |tally, window| tally.merge(window.tally));
    Finished { events: parameters.events, tally, latency: None, checkpoints: None, ..Finished::default() }
}

/// One subtask's windows.
#[derive(Debug, Default)]
struct Sliding {
    panes: Panes,
    dense: Vec<Slot<u64>>,
    /// The ended panes that are in the window, oldest first, with their starts.
    slices: VecDeque<(i64, Vec<Slot<u64>>)>,
    spare: Vec<Vec<Slot<u64>>>,
    totals: Totals,
    /// End of the window that fires next, once there is one.
    next_end_ms: i64,
    tally: Tally,
}

impl Window for Sliding {
    fn add(&mut self, batch: &Batch) {
        self.panes.add(batch);
    }

    fn advance(&mut self, watermark_ms: i64) {
        while let Some((start_ms, mut pane)) = self.panes.pop(watermark_ms) {
            // Seconds without events have no pane, but their windows do.
            self.fire_until(start_ms);
            let mut slice = self.spare.pop().unwrap_or_default();
            let keys = pane.drain(&mut self.dense, |slots| slice.extend_from_slice(slots));
            self.panes.put_back(pane, keys);
            self.totals.add(&slice);
            self.slices.push_back((start_ms, slice));
            self.next_end_ms = start_ms + WINDOW_MS;
            self.fire_next();
        }
        self.fire_until(watermark_ms.saturating_add(1));
    }
}

impl Sliding {
    /// Fires the windows that end at or before `end_ms`, as long as there is something in them.
    fn fire_until(&mut self, end_ms: i64) {
        while !self.slices.is_empty() && self.next_end_ms <= end_ms {
            self.fire_next();
        }
    }

    fn fire_next(&mut self) {
        let start_ms = self.next_end_ms - SLIDES * WINDOW_MS;
        self.totals.for_each(|key, count| self.tally.add(key, start_ms, count));
        if self.slices.front().is_some_and(|(slice_ms, _)| *slice_ms == start_ms)
            && let Some((_, mut slice)) = self.slices.pop_front()
        {
            self.totals.subtract(&slice);
            slice.clear();
            self.spare.push(slice);
        }
        self.next_end_ms += WINDOW_MS;
    }
}

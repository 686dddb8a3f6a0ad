//! Tumbling windows: panes first, keys inside a pane, so that firing a window empties one pane and no timer
//! exists for a key.

use super::exchange::{self, Batch, Window};
use super::pane::Pane;
use super::table::Slot;
use crate::system::Finished;
use crate::tally::Tally;
use crate::workload::{Parameters, WINDOW_MS, window_start_ms};

/// Takes results.
pub(super) trait Sink {
    /// Is called before the results of a window.
    fn begin(&mut self) {}
    /// Takes the count of a key in a window.
    fn add(&mut self, key: u64, window_start_ms: i64, count: u64);
}

impl Sink for Tally {
    #[inline]
    fn add(&mut self, key: u64, window_start_ms: i64, count: u64) {
        Self::add(self, key, window_start_ms, count);
    }
}

/// Runs the workload.
pub(super) fn run(parameters: &Parameters) -> Finished {
    let windows =
        exchange::run(parameters, [Tumbling::new(Tally::default()), Tumbling::new(Tally::default())]);
    let tally = windows.into_iter().fold(Tally::default(), |tally, window| tally.merge(window.sink));
    Finished { events: parameters.events, tally, latency: None, checkpoints: None, ..Finished::default() }
}

/// The panes of a subtask that have not ended, a few at most.
#[derive(Debug, Default)]
pub(super) struct Panes {
    open: Vec<(i64, Pane)>,
    spare: Vec<Pane>,
    /// Number of keys in the pane that ended last.
    keys: usize,
}

impl Panes {
    /// Counts events in the panes of their times.
    pub(super) fn add(&mut self, batch: &Batch) {
        let (mut keys, mut times_ms) = (batch.keys(), batch.times_ms());
        while let Some(first_ms) = times_ms.first() {
            // Times need not be in order: the longest run in one pane is counted together.
            let start_ms = window_start_ms(*first_ms);
            let outside = |time_ms: &i64| !(0..WINDOW_MS).contains(&time_ms.wrapping_sub(start_ms));
            let run = if times_ms.iter().fold(false, |any, time_ms| any | outside(time_ms)) {
                times_ms.iter().position(outside).expect("one is outside")
            } else {
                times_ms.len()
            };
            self.pane(start_ms).count_all(&keys[..run]);
            (keys, times_ms) = (&keys[run..], &times_ms[run..]);
        }
    }

    fn pane(&mut self, start_ms: i64) -> &mut Pane {
        let at = self.open.iter().position(|(open_ms, _)| *open_ms == start_ms).unwrap_or_else(|| {
            let pane = self.spare.pop().unwrap_or_else(|| Pane::for_keys(self.keys));
            self.open.push((start_ms, pane));
            self.open.len() - 1
        });
        &mut self.open[at].1
    }

    /// Takes out the earliest pane, if it ends at or before the watermark.
    pub(super) fn pop(&mut self, watermark_ms: i64) -> Option<(i64, Pane)> {
        let (at, (start_ms, _)) = self.open.iter().enumerate().min_by_key(|(_, (start_ms, _))| start_ms)?;
        (start_ms + WINDOW_MS - 1 <= watermark_ms).then(|| self.open.swap_remove(at))
    }

    /// Takes back an emptied pane that had a number of keys.
    pub(super) fn put_back(&mut self, pane: Pane, keys: usize) {
        self.keys = keys;
        if pane.suits(keys) {
            self.spare.push(pane);
        } else {
            self.spare.clear();
        }
    }
}

/// One subtask's windows.
#[derive(Debug)]
pub(super) struct Tumbling<S> {
    panes: Panes,
    dense: Vec<Slot<u64>>,
    /// Gets the results.
    pub(super) sink: S,
}

impl<S: Sink> Tumbling<S> {
    /// No windows yet.
    pub(super) fn new(sink: S) -> Self {
        Self { panes: Panes::default(), dense: Vec::new(), sink }
    }
}

impl<S: Sink> Window for Tumbling<S> {
    fn add(&mut self, batch: &Batch) {
        self.panes.add(batch);
    }

    fn advance(&mut self, watermark_ms: i64) {
        while let Some((start_ms, mut pane)) = self.panes.pop(watermark_ms) {
            self.sink.begin();
            let keys = pane.drain(&mut self.dense, |slots| {
                slots.iter().for_each(|slot| self.sink.add(slot.key, start_ms, slot.count));
            });
            self.panes.put_back(pane, keys);
        }
    }
}

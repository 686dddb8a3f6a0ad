//! The clock and the stopwatch of the `latency` workload.
//!
//! Event `i` is due `i / rate` seconds after the start and carries that moment, in whole ms, as its event
//! time. So event time is the wall clock, and yet the results of a run are the same each time.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::tally::Tally;
use crate::workload::{Parameters, WINDOW_MS};

/// Results that share one reading of the clock: often enough to see the tail, seldom enough to cost nothing.
const RESULTS_PER_READING: u64 = 256;

/// Tells which events are due; shared by the subtasks of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    start: Instant,
    rate: u64,
    events: u64,
}

impl Pace {
    /// Starts the clock.
    pub(crate) fn start(parameters: &Parameters) -> Self {
        Self { start: Instant::now(), rate: parameters.rate, events: parameters.events }
    }

    /// Number of events that are due by now, over all subtasks.
    pub(crate) fn due(&self) -> u64 {
        let elapsed = self.start.elapsed().as_micros() * u128::from(self.rate) / 1_000_000;
        u64::try_from(elapsed).map_or(self.events, |due| due.min(self.events))
    }

    /// Event time of event `i`, in ms since the start.
    #[inline]
    pub(crate) fn event_time_ms(&self, i: u64) -> i64 {
        (i * 1_000 / self.rate).cast_signed()
    }

    /// The next whole ms: watermarks move by whole ms, so nothing is gained by waking before.
    pub(crate) fn next_ms(&self) -> Instant {
        let passed =
            u64::try_from(self.start.elapsed().as_millis()).expect("a run is shorter than a million years");
        self.start + Duration::from_millis(passed + 1)
    }

    /// A sink for one subtask's results.
    pub(crate) fn sink(&self) -> TimedSink {
        // A window that the end of the input closes has no wall-clock end to be late after.
        let last_ms = self.event_time_ms(self.events.saturating_sub(1));
        TimedSink { pace: *self, last_ms, now_us: 0, tally: Tally::default(), delays_us: Vec::new() }
    }
}

/// Takes results and notes how long after the end of their window they came.
#[derive(Debug)]
pub(crate) struct TimedSink {
    pace: Pace,
    last_ms: i64,
    now_us: i64,
    /// The results.
    pub(crate) tally: Tally,
    /// Delay of each result in µs, unsorted.
    pub(crate) delays_us: Vec<u64>,
}

impl TimedSink {
    /// Reads the clock; to be called when results begin to come after a pause.
    pub(crate) fn read_clock(&mut self) {
        self.now_us = i64::try_from(self.pace.start.elapsed().as_micros())
            .expect("a run is shorter than 292,000 years");
    }

    /// Takes one result.
    #[inline]
    pub(crate) fn add(&mut self, key: u64, window_start_ms: i64, count: u64) {
        if self.tally.results.is_multiple_of(RESULTS_PER_READING) {
            self.read_clock();
        }
        self.tally.add(key, window_start_ms, count);
        let end_ms = window_start_ms + WINDOW_MS;
        if end_ms <= self.last_ms {
            self.delays_us.push((self.now_us - end_ms * 1_000).max(0).cast_unsigned());
        }
    }
}

/// Time from the end of a window to its results at the sink, in ms.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Latency {
    /// Half of the results come within this time.
    pub(crate) p50_ms: f64,
    /// 99 of 100 results come within this time.
    pub(crate) p99_ms: f64,
    /// 999 of 1,000 results come within this time.
    pub(crate) p99_9_ms: f64,
    /// The slowest.
    pub(crate) max_ms: f64,
}

impl Latency {
    /// Sums up the sinks of all subtasks.
    pub(crate) fn of(sinks: impl IntoIterator<Item = TimedSink>) -> (Tally, Self) {
        let (mut tally, mut delays) = (Tally::default(), Vec::new());
        for sink in sinks {
            tally = tally.merge(sink.tally);
            delays.extend(sink.delays_us);
        }
        delays.sort_unstable();
        (tally, Self::of_sorted(&delays))
    }

    fn of_sorted(delays_us: &[u64]) -> Self {
        let at = |per_mille: usize| {
            let rank = (delays_us.len() * per_mille).div_ceil(1_000).max(1) - 1;
            delays_us.get(rank).map_or(0.0, |us| *us as f64 / 1_000.0)
        };
        Self { p50_ms: at(500), p99_ms: at(990), p99_9_ms: at(999), max_ms: at(1_000) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_ranks_of_the_sorted_delays() {
        let delays: Vec<u64> = (1..=1_000).collect();
        let latency = Latency::of_sorted(&delays);
        assert_eq!(
            (latency.p50_ms, latency.p99_ms, latency.p99_9_ms, latency.max_ms),
            (0.5, 0.99, 0.999, 1.0)
        );
    }

    #[test]
    fn a_run_without_closed_windows_has_no_latency() {
        assert_eq!(Latency::of_sorted(&[]).max_ms, 0.0);
    }
}

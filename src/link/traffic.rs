//! What went over the links to one peer, counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Counts that outlive connections. Written by the thread of the links, read by any.
#[derive(Debug)]
pub(crate) struct Traffic {
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    frames_in: AtomicU64,
    sends: AtomicU64,
    /// In nanoseconds; 0 where none has been measured.
    round_trip: AtomicU64,
}

impl Traffic {
    pub(crate) fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Traffic { bytes_in: zero(), bytes_out: zero(), frames_in: zero(), sends: zero(), round_trip: zero() }
    }

    pub(crate) fn read(&self, bytes: usize) {
        self.bytes_in.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn frame(&self) {
        self.frames_in.fetch_add(1, Relaxed);
    }

    pub(crate) fn sent(&self) {
        self.sends.fetch_add(1, Relaxed);
    }

    pub(crate) fn wrote(&self, bytes: usize) {
        self.bytes_out.fetch_add(bytes as u64, Relaxed);
    }

    pub(crate) fn measured(&self, round_trip: Duration) {
        self.round_trip.store(round_trip.as_nanos() as u64, Relaxed);
    }

    pub(crate) fn bytes_in(&self) -> u64 {
        self.bytes_in.load(Relaxed)
    }

    pub(crate) fn bytes_out(&self) -> u64 {
        self.bytes_out.load(Relaxed)
    }

    pub(crate) fn frames_in(&self) -> u64 {
        self.frames_in.load(Relaxed)
    }

    pub(crate) fn sends(&self) -> u64 {
        self.sends.load(Relaxed)
    }

    pub(crate) fn round_trip(&self) -> Option<Duration> {
        Some(self.round_trip.load(Relaxed)).filter(|nanos| *nanos > 0).map(Duration::from_nanos)
    }
}

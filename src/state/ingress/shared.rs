//! What the ends of an open log have in common.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::segment::Pending;
use super::{IngressError, IngressLimits};

/// An open log between its ends: who appends, who commits, who reads.
pub(super) struct Shared {
    /// The log's folder, for messages.
    pub(super) folder: String,
    pub(super) limits: IngressLimits,
    state: Mutex<State>,
    changed: Condvar,
}

/// Where an open log stands.
pub(super) struct State {
    pub(super) phase: Phase,
    /// What was handed over and is not being committed yet.
    pub(super) pending: Vec<Pending>,
    pub(super) pending_bytes: usize,
    /// Since when the first of it waits.
    pub(super) since: Instant,
    /// The position behind what was handed over.
    pub(super) next: u64,
    /// The position behind what is durable.
    pub(super) durable: u64,
    /// The segments by the positions that they begin at, with their lengths.
    pub(super) segments: BTreeMap<u64, u64>,
    /// Nothing before this position is needed.
    pub(super) unneeded: u64,
}

/// How a log lives.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    Open,
    /// Nobody wants it any more; what is pending is still made durable.
    Closed,
    Failed(IngressError),
}

impl Shared {
    pub(super) fn new(folder: String, limits: IngressLimits, segments: BTreeMap<u64, u64>, end: u64) -> Self {
        let state = State {
            phase: Phase::Open,
            pending: Vec::new(),
            pending_bytes: 0,
            since: Instant::now(),
            next: end,
            durable: end,
            segments,
            unneeded: 0,
        };
        Shared { folder, limits, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Looks. Whoever changes something in it [tells](Shared::tell) it.
    pub(super) fn look(&self) -> MutexGuard<'_, State> {
        // Each change is whole before its lock is given back, so a panic elsewhere leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something, and wakes whoever waits for it.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.look());
        self.tell();
        changed
    }

    /// Wakes whoever waits for a change that was made in a [look](Shared::look).
    pub(super) fn tell(&self) {
        self.changed.notify_all();
    }

    /// Waits for a change, or until a time where one is given.
    pub(super) fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        until: Option<Instant>,
    ) -> MutexGuard<'a, State> {
        match until {
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let left = until.saturating_duration_since(Instant::now());
                self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }
}

impl State {
    /// How long the log is, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.values().sum()
    }

    /// The segments of which nothing is needed, oldest first. The newest one stays, whatever is needed of it.
    pub(super) fn unneeded_segments(&self) -> Vec<u64> {
        let ends = self.segments.keys().skip(1);
        let ended = self.segments.keys().zip(ends).take_while(|(_, end)| **end <= self.unneeded);
        ended.map(|(first, _)| *first).collect()
    }
}

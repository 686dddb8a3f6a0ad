//! Two threads, each a source and a window subtask, and the exchange between them.
//!
//! A source cuts its events into two columns of keys and event times without a branch: each event is
//! written to both columns, and stays in the one whose length moves on. The column of the own half is counted at
//! once; the other goes to the other thread with the source's watermark, and its buffers come back as credit.
//!
//! Tried, in nanoseconds per event on one thread, at 10,000 keys. Making and cutting: event time worked out and
//! written for each event 3.1, filled in for each ms 2.3 (this), a multiplication instead of `% keys` 2.9, keys first
//! and cut in a second pass 2.9 to 3.1. Chunks of 1,024 to 8,192 events: the larger the better, by some percent in all.
//! Where the time goes: 2.3 making and cutting, 3.5 counting, the rest moving columns between the cores.

use std::thread;

use super::link::{Idle, Link};
use super::table::Key;
use crate::workload::{EVENTS_PER_MS, Parameters, SUBTASKS, event_time_ms, key_of};

/// Events that a source makes at a time; a power of two. Half of them, more or less, go to the other thread.
const CHUNK: usize = 8_192;

/// Event time by which one source may be ahead of the other. Credit alone does not align them: a thread that was
/// kept from running would stay behind for good, and the other's panes pile up (1,000,000 keys: up to 564 MB
/// instead of 84).
const AHEAD_MS_MAX: i64 = 64;

/// Events of one source for one subtask, as columns.
#[derive(Debug)]
pub(super) struct Batch {
    keys: Box<[u64; CHUNK]>,
    times_ms: Box<[i64; CHUNK]>,
    len: usize,
}

impl Batch {
    /// An empty batch.
    pub(super) fn new() -> Self {
        Self { keys: Box::new([0; CHUNK]), times_ms: Box::new([0; CHUNK]), len: 0 }
    }

    /// Empties the batch.
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Whether there is no room for another event.
    pub(super) fn is_full(&self) -> bool {
        self.len == CHUNK
    }

    /// Adds an event; there must be room.
    pub(super) fn push(&mut self, key: u64, time_ms: i64) {
        (self.keys[self.len], self.times_ms[self.len]) = (key, time_ms);
        self.len += 1;
    }

    /// The keys.
    pub(super) fn keys(&self) -> &[u64] {
        &self.keys[..self.len]
    }

    /// The event times, in ms, one for each key.
    pub(super) fn times_ms(&self) -> &[i64] {
        &self.times_ms[..self.len]
    }
}

/// Tells the subtask of a key.
#[inline]
pub(super) fn subtask_of(key: u64) -> usize {
    const { assert!(SUBTASKS == 2, "one bit chooses the subtask") };
    (key.hash() >> 63) as usize
}

/// What a window subtask does with events and watermarks.
pub(super) trait Window {
    /// Counts events.
    fn add(&mut self, batch: &Batch);
    /// Fires what ends at or before the watermark; none moves back.
    fn advance(&mut self, watermark_ms: i64);
}

/// A batch with the watermark of its source; `i64::MAX` when nothing more follows.
#[derive(Debug)]
pub(super) struct Message {
    /// The events.
    pub(super) batch: Batch,
    /// No event at or before this time follows.
    pub(super) watermark_ms: i64,
}

/// Runs both threads to the end of the events and returns their windows.
pub(super) fn run<W: Window + Send>(parameters: &Parameters, windows: [W; SUBTASKS]) -> [W; SUBTASKS] {
    let [link_0, link_1] = Link::pair(Batch::new);
    let [window_0, window_1] = windows;
    let (events, keys) = (parameters.events, parameters.keys);
    thread::scope(|scope| {
        let other = scope.spawn(move || run_subtask(1, events, keys, link_1, window_1));
        let own = run_subtask(0, events, keys, link_0, window_0);
        [own, other.join().expect("a thread that counts does not panic")]
    })
}

fn run_subtask<W: Window>(
    subtask: usize,
    events: u64,
    keys: u64,
    link: Link<Message, Batch>,
    mut window: W,
) -> W {
    let mut source = Source { subtask, next: subtask as u64, events, keys };
    let mut own = Batch::new();
    let (mut own_watermark_ms, mut other_watermark_ms) = (-1, -1);
    let mut idle = Idle::default();
    while own_watermark_ms.min(other_watermark_ms) < i64::MAX {
        while let Some(Message { batch, watermark_ms }) = link.receive() {
            idle.end();
            window.add(&batch);
            link.give_back(batch);
            other_watermark_ms = watermark_ms;
            window.advance(own_watermark_ms.min(other_watermark_ms));
        }
        if own_watermark_ms < other_watermark_ms.saturating_add(AHEAD_MS_MAX)
            && let Some(mut other) = link.buffer()
        {
            idle.end();
            own_watermark_ms = source.fill(&mut own, &mut other);
            // The other thread gets its half first: it can count while this one does.
            link.send(Message { batch: other, watermark_ms: own_watermark_ms });
            window.add(&own);
            window.advance(own_watermark_ms.min(other_watermark_ms));
        }
        idle.round();
    }
    window
}

/// Every second event, from the subtask's number on.
#[derive(Debug)]
struct Source {
    subtask: usize,
    next: u64,
    events: u64,
    keys: u64,
}

impl Source {
    /// Makes up to [`CHUNK`] events, and tells the watermark behind them.
    fn fill(&mut self, own: &mut Batch, other: &mut Batch) -> i64 {
        const STEP: u64 = SUBTASKS as u64;
        let end = self.events.min(self.next + CHUNK as u64 * STEP);
        let (mut own_len, mut other_len) = (0, 0);
        let mut i = self.next;
        while i < end {
            // Events of one ms share their event time: it is filled in behind their keys.
            let time_ms = event_time_ms(i);
            let end_of_ms = end.min((i / EVENTS_PER_MS + 1) * EVENTS_PER_MS);
            let (own_from, other_from) = (own_len, other_len);
            while i < end_of_ms {
                let key = key_of(i, self.keys);
                own.keys[own_len % CHUNK] = key;
                other.keys[other_len % CHUNK] = key;
                let to_other = subtask_of(key) ^ self.subtask;
                other_len += to_other;
                own_len += 1 - to_other;
                i += STEP;
            }
            own.times_ms[own_from..own_len].fill(time_ms);
            other.times_ms[other_from..other_len].fill(time_ms);
        }
        (own.len, other.len) = (own_len, other_len);
        self.next = i;
        if i < self.events { event_time_ms(i) - 1 } else { i64::MAX }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sources_make_each_event_once_in_order() {
        let (events, keys) = (20_000, 100);
        let mut found = [Vec::new(), Vec::new()];
        for subtask in 0..SUBTASKS {
            let mut source = Source { subtask, next: subtask as u64, events, keys };
            let mut watermark_ms = i64::MIN;
            while watermark_ms < i64::MAX {
                let (mut own, mut other) = (Batch::new(), Batch::new());
                let before = watermark_ms;
                watermark_ms = source.fill(&mut own, &mut other);
                assert!(watermark_ms > before && own.times_ms().iter().all(|time| *time > before));
                found[subtask].extend(own.keys().iter().zip(own.times_ms()).map(|(key, time)| (*time, *key)));
                found[1 - subtask]
                    .extend(other.keys().iter().zip(other.times_ms()).map(|(key, time)| (*time, *key)));
            }
        }
        for (subtask, found) in found.iter_mut().enumerate() {
            let all = (0..events).map(|i| (event_time_ms(i), key_of(i, keys)));
            let mut expected: Vec<_> = all.filter(|(_, key)| subtask_of(*key) == subtask).collect();
            expected.sort_unstable();
            found.sort_unstable();
            assert_eq!(*found, expected);
        }
    }
}

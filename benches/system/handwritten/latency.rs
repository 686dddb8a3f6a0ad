//! `keyed-count` paced by the wall clock: each whole ms a thread sends what is due with a watermark behind it, and
//! until the next it waits for what the other sends.

use std::thread;

use super::exchange::{Batch, Message, Window, subtask_of};
use super::keyed_count::{Sink, Tumbling};
use super::link::Link;
use crate::latency::{Latency, Pace, TimedSink};
use crate::system::Finished;
use crate::workload::{Parameters, SUBTASKS, key_of};

impl Sink for TimedSink {
    fn begin(&mut self) {
        self.read_clock();
    }

    fn add(&mut self, key: u64, window_start_ms: i64, count: u64) {
        Self::add(self, key, window_start_ms, count);
    }
}

/// Runs the workload.
pub(super) fn run(parameters: &Parameters) -> Finished {
    let pace = Pace::start(parameters);
    let (events, keys) = (parameters.events, parameters.keys);
    let sinks = thread::scope(|scope| {
        let start = |(subtask, link)| scope.spawn(move || run_subtask(subtask, events, keys, pace, &link));
        let threads: Vec<_> = Link::pair(Batch::new).into_iter().enumerate().map(start).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("a thread that counts does not panic"))
            .collect::<Vec<_>>()
    });
    let (tally, latency) = Latency::of(sinks);
    Finished { events, tally, latency: Some(latency), checkpoints: None, ..Finished::default() }
}

fn run_subtask(subtask: usize, events: u64, keys: u64, pace: Pace, link: &Link<Message, Batch>) -> TimedSink {
    let mut window = Tumbling::new(pace.sink());
    let mut watermarks_ms = [i64::MIN; SUBTASKS];
    let mut next = subtask as u64;
    let mut own = Batch::new();
    while watermarks_ms.iter().min() < Some(&i64::MAX) {
        let next_ms = pace.next_ms();
        let due = pace.due();
        while watermarks_ms[subtask] < i64::MAX
            && let Some(mut other) = link.buffer()
        {
            own.clear();
            other.clear();
            while next < due && !own.is_full() && !other.is_full() {
                let key = key_of(next, keys);
                let batch = if subtask_of(key) == subtask { &mut own } else { &mut other };
                batch.push(key, pace.event_time_ms(next));
                next += SUBTASKS as u64;
            }
            watermarks_ms[subtask] = if next < events { pace.event_time_ms(next) - 1 } else { i64::MAX };
            link.send(Message { batch: other, watermark_ms: watermarks_ms[subtask] });
            window.add(&own);
            window.advance(watermarks_ms[0].min(watermarks_ms[1]));
            if next >= due {
                break;
            }
        }
        while let Some(Message { batch, watermark_ms }) = link.receive_until(next_ms) {
            window.add(&batch);
            link.give_back(batch);
            watermarks_ms[1 - subtask] = watermark_ms;
            window.advance(watermarks_ms[0].min(watermarks_ms[1]));
        }
    }
    window.sink
}

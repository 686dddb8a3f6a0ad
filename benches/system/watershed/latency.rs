//! `keyed-count` paced by the wall clock, with a source and a sink of the benchmark's own.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use watershed_actors::aggregate::Count;
use watershed_actors::window::{Tumbling, Windowed, Windows};
use watershed_core::{
    Epoch, EventTime, Polled, Position, Reader, Sink, SinkError, SinkPlace, Source, SourceError,
    SourceOutput, Writer,
};

use super::{finish, pipeline};
use crate::latency::{Latency, Pace, TimedSink};
use crate::system::Finished;
use crate::workload::{Parameters, SUBTASKS, WINDOW_MS, key_of};

/// Runs the workload.
pub(super) fn run(parameters: &Parameters, interval: Option<Duration>) -> Finished {
    let pace = Pace::start(parameters);
    let sinks = Arc::new(Mutex::new(Vec::new()));
    let pipeline = pipeline();
    pipeline
        .source(Paced { pace, events: parameters.events, keys: parameters.keys })
        .key_by(|key| *key)
        .window(Tumbling::of(Duration::from_millis(WINDOW_MS.unsigned_abs())))
        .aggregate(Count)
        .sink(Timed { pace, sinks: sinks.clone() });
    let checkpoints = finish(&pipeline, interval);
    let sinks = std::mem::take(&mut *sinks.lock().expect("no sink panics"));
    let (tally, latency) = Latency::of(sinks);
    Finished { events: parameters.events, tally, latency: Some(latency), checkpoints, ..Finished::default() }
}

/// Events that are due by the wall clock, dealt out to the subtasks in turn.
#[derive(Clone)]
struct Paced {
    pace: Pace,
    events: u64,
    keys: u64,
}

struct PacedReader {
    source: Paced,
    next: u64,
}

impl Source for Paced {
    type Out = u64;
    type Split = u64;
    type Reader = PacedReader;

    fn splits(&self, _: u32) -> Result<Vec<u64>, SourceError> {
        Ok((0..SUBTASKS as u64).collect())
    }

    fn open(&self, first: &u64, from: Option<Position>) -> Result<PacedReader, SourceError> {
        Ok(PacedReader { source: self.clone(), next: from.map_or(*first, |position| position.0) })
    }

    fn gives_times(&self) -> bool {
        true
    }

    fn describe(&self, first: &u64) -> String {
        format!("paced events from {first}")
    }
}

impl Reader for PacedReader {
    type Out = u64;

    fn poll(&mut self, out: &mut impl SourceOutput<u64>) -> Result<Polled, SourceError> {
        let Paced { pace, events, keys } = self.source;
        let next_ms = pace.next_ms();
        let end = pace.due().min(self.next + (out.budget() * SUBTASKS) as u64);
        while self.next < end {
            let time = EventTime::from_millis(pace.event_time_ms(self.next));
            out.emit_at(key_of(self.next, keys), time);
            self.next += SUBTASKS as u64;
        }
        if self.next >= events {
            return Ok(Polled::End);
        }
        let wait = next_ms.saturating_duration_since(Instant::now());
        Ok(Polled::Later(out.now().after(wait.max(Duration::from_millis(1)))))
    }

    fn position(&self) -> Position {
        Position(self.next)
    }
}

/// Notes how late results come.
#[derive(Clone)]
struct Timed {
    pace: Pace,
    sinks: Arc<Mutex<Vec<TimedSink>>>,
}

struct TimedWriter {
    pace: Pace,
    sink: TimedSink,
    sinks: Arc<Mutex<Vec<TimedSink>>>,
    fresh: bool,
}

impl Sink for Timed {
    type In = Windowed<u64, u64>;
    type Staged = ();
    type Writer = TimedWriter;

    fn open(&self, _: &SinkPlace) -> Result<TimedWriter, SinkError> {
        Ok(TimedWriter { pace: self.pace, sink: self.pace.sink(), sinks: self.sinks.clone(), fresh: true })
    }
}

impl Writer for TimedWriter {
    type In = Windowed<u64, u64>;
    type Staged = ();

    fn write(&mut self, result: Windowed<u64, u64>, _: EventTime) -> Result<(), SinkError> {
        if std::mem::take(&mut self.fresh) {
            self.sink.read_clock();
        }
        self.sink.add(result.key, result.window.start.as_millis(), result.value);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.fresh = true;
        Ok(())
    }

    fn prepare(&mut self, _: Epoch) -> Result<Option<()>, SinkError> {
        let noted = std::mem::replace(&mut self.sink, self.pace.sink());
        self.sinks.lock().expect("no sink panics").push(noted);
        Ok(None)
    }

    fn commit(&mut self, (): ()) -> Result<(), SinkError> {
        Ok(())
    }

    fn abort(&mut self, (): ()) -> Result<(), SinkError> {
        Ok(())
    }
}

//! The source: a log of events in partitions, as a broker would keep them.

use watershed::prelude::*;

use super::Parameters;
use super::entry::Event;

/// A log that is as long as it is said to be, and is read no faster than that.
#[derive(Clone)]
pub(super) struct Log {
    partitions: u32,
    events: u64,
    keys: u64,
    seed: u64,
    /// Events a second, of all partitions together.
    rate: Option<f64>,
}

impl Log {
    pub(super) fn new(p: &Parameters) -> Self {
        Log { partitions: p.partitions, events: p.events, keys: p.keys, seed: p.seed, rate: p.rate }
    }

    /// The same log, read at once.
    pub(super) fn at_once(self) -> Self {
        Log { rate: None, ..self }
    }
}

impl Source for Log {
    type Out = Event;
    /// The number of a partition. What can be set may change between two runs; which partitions there are may not.
    type Split = u32;
    type Reader = PartitionReader;

    fn splits(&self, _parallelism: u32) -> Result<Vec<u32>, SourceError> {
        Ok((0..self.partitions).collect())
    }

    fn open(&self, partition: &u32, from: Option<Position>) -> Result<PartitionReader, SourceError> {
        let (partitions, partition) = (u64::from(self.partitions), *partition);
        let end = self.events.saturating_sub(u64::from(partition)).div_ceil(partitions);
        let pace = self.rate.map(|rate| Pace { per_ms: rate / 1000.0 / partitions as f64, since: None });
        let next = from.map_or(0, |position| position.0);
        Ok(PartitionReader { partition, keys: self.keys, seed: self.seed, next, end, pace })
    }

    fn describe(&self, partition: &u32) -> String {
        format!("partition {partition}")
    }
}

/// Reads one partition.
pub(super) struct PartitionReader {
    partition: u32,
    keys: u64,
    seed: u64,
    next: u64,
    end: u64,
    pace: Option<Pace>,
}

/// How fast a partition is read.
struct Pace {
    per_ms: f64,
    /// When it was begun, and where.
    since: Option<(ProcessingTime, u64)>,
}

/// The time between two looks at a partition of which nothing more is due, in milliseconds.
const STEP: Duration = Duration::from_millis(5);

impl Pace {
    /// Up to where the partition may be read by now.
    fn due(&mut self, now: ProcessingTime, next: u64) -> u64 {
        let (since, from) = *self.since.get_or_insert((now, next));
        let elapsed = (now.as_millis() - since.as_millis()).max(0) as f64;
        from + (elapsed * self.per_ms) as u64
    }
}

impl Reader for PartitionReader {
    type Out = Event;

    fn poll(&mut self, out: &mut impl SourceOutput<Event>) -> Result<Polled, SourceError> {
        let now = out.now();
        let due = self.pace.as_mut().map_or(u64::MAX, |pace| pace.due(now, self.next));
        let until = self.end.min(due).min(self.next + out.budget() as u64);
        while self.next < until {
            out.emit(Event::at(self.partition, self.next, self.keys, self.seed));
            self.next += 1;
        }
        Ok(match self.next {
            next if next >= self.end => Polled::End,
            next if next >= due => Polled::Later(now.after(STEP)),
            _ => Polled::More,
        })
    }

    fn position(&self) -> Position {
        Position(self.next)
    }
}

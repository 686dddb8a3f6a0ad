//! Ingress logs for tests, in memory: durable at once, and there as long as anybody has them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::spi::{LogEntry, LogInput, LogOutput, OpenLog, Ring, SplitLog};
use crate::{Guarantee, Position, Source, SourceError};

/// A log of one split.
#[derive(Clone, Debug, Default)]
pub struct MemoryLog(Arc<Mutex<Vec<LogEntry>>>);

struct Input {
    log: MemoryLog,
    ring: Ring,
    closed: Mutex<bool>,
}

struct Output {
    log: MemoryLog,
    at: Position,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryLog {
    /// The position behind the newest entry.
    pub fn end(&self) -> Position {
        locked(&self.0).last().map_or(Position(0), behind)
    }

    /// What has been appended and not let go of.
    pub fn entries(&self) -> Vec<LogEntry> {
        locked(&self.0).clone()
    }

    /// Appends an entry, as an earlier process might have.
    pub fn push(&self, positions: u32, bytes: Vec<u8>) -> Position {
        let first = self.end();
        let entry = LogEntry { first, positions, bytes };
        let end = behind(&entry);
        locked(&self.0).push(entry);
        end
    }
}

impl SplitLog for MemoryLog {
    fn open(&self, from: Option<Position>, ring: Ring) -> Result<OpenLog, SourceError> {
        let at = from.unwrap_or(Position(0));
        if at > self.end() {
            return Err(SourceError::lost("ingress log", "it ends before the position that is asked for"));
        }
        let input = Arc::new(Input { log: self.clone(), ring, closed: Mutex::new(false) });
        Ok(OpenLog { input, output: Box::new(Output { log: self.clone(), at }) })
    }
}

impl LogInput for Input {
    fn append(&self, positions: u32, bytes: Vec<u8>) -> Option<Position> {
        let closed = locked(&self.closed);
        let end = (!*closed).then(|| self.log.push(positions, bytes));
        drop(closed);
        (self.ring)();
        end
    }

    fn durable_beyond(&self, position: Position) -> Option<Position> {
        Some(self.log.end()).filter(|end| *end > position)
    }

    fn close(&self) {
        *locked(&self.closed) = true;
    }
}

impl LogOutput for Output {
    fn next(&mut self) -> Result<Option<LogEntry>, SourceError> {
        let next = locked(&self.log.0).iter().find(|entry| behind(entry) > self.at).cloned();
        if let Some(entry) = &next {
            self.at = behind(entry);
        }
        Ok(next)
    }

    fn forget(&mut self, before: Position) {
        let mut entries = locked(&self.log.0);
        // The newest one stays, and tells where the log ends.
        while entries.len() > 1 && entries.first().is_some_and(|entry| behind(entry) <= before) {
            entries.remove(0);
        }
    }
}

fn behind(entry: &LogEntry) -> Position {
    Position(entry.first.0 + u64::from(entry.positions))
}

/// A source with a log for each of its splits: opened again, it goes on from its log as after a crash.
#[derive(Clone, Debug)]
pub struct Logged<S> {
    source: S,
    logs: Arc<Mutex<BTreeMap<String, MemoryLog>>>,
}

impl<S: Source> Logged<S> {
    /// A source that [can log](Source::can_log), with empty logs.
    pub fn new(source: S) -> Self {
        Logged { source, logs: Arc::default() }
    }

    /// The log of the split that the source describes so.
    pub fn log(&self, description: &str) -> MemoryLog {
        locked(&self.logs).entry(description.to_owned()).or_default().clone()
    }
}

impl<S: Source> Source for Logged<S> {
    type Out = S::Out;
    type Split = S::Split;
    type Reader = S::Reader;

    fn splits(&self, parallelism: u32) -> Result<Vec<S::Split>, SourceError> {
        self.source.splits(parallelism)
    }

    fn open(&self, split: &S::Split, from: Option<Position>) -> Result<S::Reader, SourceError> {
        self.source.open_logged(split, from, &self.log(&self.describe(split)))
    }

    fn guarantee(&self) -> Guarantee {
        if self.source.can_log() { Guarantee::ExactlyOnce } else { self.source.guarantee() }
    }

    fn gives_times(&self) -> bool {
        self.source.gives_times()
    }

    fn describe(&self, split: &S::Split) -> String {
        self.source.describe(split)
    }
}

//! Numbers whose source does as a test wants: it waits at a number until it is let go, or goes on until it is told to end.
//! So no test has to guess how long a job lives.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use watershed_core::{EventTime, Polled, Position, Reader, Source, SourceError, SourceOutput};

/// How far a source reads.
pub(super) struct Reins(Mutex<Bounds>);

struct Bounds {
    /// Nothing from this number on is read yet.
    held: u64,
    /// There is no number from this one on.
    end: u64,
    /// How far somebody has read.
    reached: u64,
}

/// How much is read at least behind the word that it is to end.
const LAST: u64 = 1000;

impl Reins {
    fn of(held: u64, end: u64) -> Arc<Reins> {
        Arc::new(Reins(Mutex::new(Bounds { held, end, reached: 0 })))
    }

    /// The numbers below a limit.
    pub(super) fn up_to(limit: u64) -> Arc<Reins> {
        Reins::of(u64::MAX, limit)
    }

    /// The same, of which those from one on are held back until they are let go.
    pub(super) fn held_at(held: u64, limit: u64) -> Arc<Reins> {
        Reins::of(held, limit)
    }

    /// Numbers that end when a test says so.
    pub(super) fn endless() -> Arc<Reins> {
        Reins::of(u64::MAX, u64::MAX)
    }

    /// Holds nothing back any more.
    pub(super) fn let_go(&self) {
        self.0.lock().unwrap().held = u64::MAX;
    }

    /// Has the source end a little behind what anybody has read. How many numbers there are then.
    pub(super) fn end(&self) -> u64 {
        let mut bounds = self.0.lock().unwrap();
        bounds.end = bounds.end.min(bounds.reached + LAST);
        bounds.end
    }

    /// Up to which number is read at once from one on, and where all end.
    fn reach(&self, from: u64, budget: u64) -> (u64, u64) {
        let mut bounds = self.0.lock().unwrap();
        let to = (from + budget).min(bounds.held.max(from)).min(bounds.end);
        bounds.reached = bounds.reached.max(to);
        (to, bounds.end)
    }
}

/// Emits the numbers, each at the millisecond of its own value, from one split.
#[derive(Clone)]
pub(super) struct Reined(pub(super) Arc<Reins>);

pub(super) struct ReinedReader {
    reins: Arc<Reins>,
    next: u64,
}

impl Source for Reined {
    type Out = u64;
    type Split = ();
    type Reader = ReinedReader;

    fn splits(&self, _: u32) -> Result<Vec<()>, SourceError> {
        Ok(vec![()])
    }

    fn open(&self, _: &(), from: Option<Position>) -> Result<ReinedReader, SourceError> {
        Ok(ReinedReader { reins: self.0.clone(), next: from.map_or(0, |from| from.0) })
    }

    fn gives_times(&self) -> bool {
        true
    }

    fn describe(&self, _: &()) -> String {
        "reined numbers".to_owned()
    }
}

impl Reader for ReinedReader {
    type Out = u64;

    fn poll(&mut self, out: &mut impl SourceOutput<u64>) -> Result<Polled, SourceError> {
        let (to, end) = self.reins.reach(self.next, out.budget() as u64);
        let is_held = to == self.next && to < end;
        for n in self.next..to {
            out.emit_at(n, EventTime::from_millis(n as i64));
        }
        self.next = to;
        Ok(match (to == end, is_held) {
            (true, _) => Polled::End,
            (false, true) => Polled::Later(out.now().after(Duration::from_millis(1))),
            (false, false) => Polled::More,
        })
    }

    fn position(&self) -> Position {
        Position(self.next)
    }
}

//! A source for tests and examples: 0, 1, 2, ..

use crate::{EventTime, Polled, Position, Reader, Source, SourceError, SourceOutput};

/// Emits the numbers below a limit, each at the millisecond of its own value, from one split.
#[derive(Clone, Debug)]
pub struct Numbers {
    limit: u64,
}

impl Numbers {
    /// The numbers 0, 1, .. `limit - 1`.
    pub fn up_to(limit: u64) -> Self {
        Numbers { limit }
    }
}

impl Source for Numbers {
    type Out = u64;
    type Split = ();
    type Reader = NumbersReader;

    fn splits(&self, _parallelism: u32) -> Result<Vec<()>, SourceError> {
        Ok(vec![()])
    }

    fn open(&self, _: &(), from: Option<Position>) -> Result<NumbersReader, SourceError> {
        Ok(NumbersReader { next: from.map_or(0, |position| position.0), limit: self.limit })
    }

    fn gives_times(&self) -> bool {
        true
    }

    fn describe(&self, _: &()) -> String {
        format!("numbers below {}", self.limit)
    }
}

/// Reads [`Numbers`].
#[derive(Debug)]
pub struct NumbersReader {
    next: u64,
    limit: u64,
}

impl Reader for NumbersReader {
    type Out = u64;

    fn poll(&mut self, out: &mut impl SourceOutput<u64>) -> Result<Polled, SourceError> {
        let end = self.limit.min(self.next + out.budget() as u64);
        while self.next < end {
            out.emit_at(self.next, EventTime::from_millis(self.next as i64));
            self.next += 1;
        }
        Ok(if self.next == self.limit { Polled::End } else { Polled::More })
    }

    fn position(&self) -> Position {
        Position(self.next)
    }
}

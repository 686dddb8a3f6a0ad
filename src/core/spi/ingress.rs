//! The ingress log: what arrives is on the disk before the stream sees it, for sources that cannot ask again.
//!
//! ```text
//! socket -> thread of the source: LogInput::append -> group commit (fsync) -> LogOutput::next -> Reader::poll
//!                                                                 '---- rings the reader's bell
//! ```
//!
//! The log of a split is a sequence of entries, opaque bytes that each stand for so many positions (rows, say). A
//! reader takes everything out of the log, what has just arrived like what an earlier process has left, so that there
//! is one way in. Where a log lies and how it is written is the runtime's business; a source is lent one in
//! [`Source::open_logged`](super::Source::open_logged).

use std::fmt;
use std::sync::Arc;

use crate::{Position, SourceError};

/// What is called when more of a log is durable, from a thread of the log's own.
pub type Ring = Box<dyn Fn() + Send + Sync>;

/// The log of one split, not open yet.
pub trait SplitLog: Send + Sync + fmt::Debug {
    /// Opens the log, to be read from a position or from its beginning, and to be appended to. One at a time: a log
    /// that is open is closed by [`LogInput::close`], or by dropping its output.
    ///
    /// # Errors
    ///
    /// Where it is damaged or in use, or does not reach back to the position or forward to it.
    fn open(&self, from: Option<Position>, ring: Ring) -> Result<OpenLog, SourceError>;
}

/// The two ends of an open log.
pub struct OpenLog {
    /// Where what arrives goes in.
    pub input: Arc<dyn LogInput>,
    /// Where it comes out once it is durable.
    pub output: Box<dyn LogOutput>,
}

/// The end of a log where what arrives goes in, from any thread.
pub trait LogInput: Send + Sync {
    /// Hands over an entry that stands for so many positions (at least one), and returns the position behind it. It
    /// is not durable yet. Waits for room, and so holds a sender back that is faster than the disk; `None` where
    /// the log is closed or has failed.
    fn append(&self, positions: u32, bytes: Vec<u8>) -> Option<Position>;

    /// Waits until more than this is durable, and says how much is; `None` where the log is closed or has failed.
    fn durable_beyond(&self, position: Position) -> Option<Position>;

    /// Lets go of the log: whoever waits for it comes back. What was appended and is not durable is dropped.
    fn close(&self);
}

/// An entry that was taken out of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The position of its first record. May lie before the one that was asked for, which is within it then.
    pub first: Position,
    /// How many positions it stands for.
    pub positions: u32,
    /// What was appended.
    pub bytes: Vec<u8>,
}

/// The end of a log where entries come out.
pub trait LogOutput: Send {
    /// The next durable entry; `None` where there is none yet. Reads from the local disk at most.
    ///
    /// # Errors
    ///
    /// Where the log is damaged, or could not be written.
    fn next(&mut self) -> Result<Option<LogEntry>, SourceError>;

    /// Lets go of what lies wholly before a position, beside the stream.
    fn forget(&mut self, before: Position);
}

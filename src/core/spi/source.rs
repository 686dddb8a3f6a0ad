//! Entrances: splits that are read from positions.

use std::fmt;
use std::task::Waker;

use super::{Guarantee, SplitLog};
use crate::{Data, DeadLetter, EventTime, MESSAGE_BYTES_MAX, Position, ProcessingTime, excerpt};

/// An entrance of a pipeline: a set of splits, each of which can be read from any of its positions.
///
/// A split is a part that one reader reads in order: a file, a range of one, a partition, a connection.
/// Splits are listed once, when the job starts, and dealt out to the source's subtasks; positions are saved
/// per split, so a source may come back at another parallelism.
pub trait Source: Clone + Send + 'static {
    /// What the source emits.
    type Out: Data;
    /// The description of a split: all that a reader needs to find it again.
    type Split: Data;
    /// What reads a split.
    type Reader: Reader<Out = Self::Out>;

    /// Called once, before anything runs: which splits there are. `parallelism` is how many subtasks
    /// will share them, for sources that can cut their input as they like.
    ///
    /// # Errors
    ///
    /// Where the input cannot be found or read: the job does not start.
    fn splits(&self, parallelism: u32) -> Result<Vec<Self::Split>, SourceError>;

    /// Called on the subtask that reads the split: begins at `from`, or at the split's beginning.
    ///
    /// # Errors
    ///
    /// Where the split cannot be opened.
    fn open(&self, split: &Self::Split, from: Option<Position>) -> Result<Self::Reader, SourceError>;

    /// What this source holds to by itself when a job is killed. The default, exactly once, is true of a source whose
    /// [positions](Reader::position) name records that can be read again. **A source that cannot ask for its input
    /// again has to say so**: a job that asks for more is refused then, instead of losing records in silence.
    fn guarantee(&self) -> Guarantee {
        Guarantee::ExactlyOnce
    }

    /// Whether it can put what arrives into an ingress log, which makes it a source that can be read again: exactly
    /// once. The default: no.
    fn can_log(&self) -> bool {
        false
    }

    /// Called instead of [`Source::open`] where [`Source::can_log`], the job keeps checkpoints, and it asks for
    /// [more](Guarantee) than at most once. The positions of such a reader are those of its log. The default does
    /// without the log.
    ///
    /// # Errors
    ///
    /// Where the split or its log cannot be opened.
    fn open_logged(
        &self,
        split: &Self::Split,
        from: Option<Position>,
        log: &dyn SplitLog,
    ) -> Result<Self::Reader, SourceError> {
        let _ = log;
        self.open(split, from)
    }

    /// Whether records come with a time of their own ([`SourceOutput::emit_at`]). Such a source promises
    /// nothing before its first record; any other one keeps up with the wall clock, records or not. The
    /// default: no.
    fn gives_times(&self) -> bool {
        false
    }

    /// The name of a split for a person: a file name, an address.
    fn describe(&self, split: &Self::Split) -> String;
}

/// Reads one split, a few records at a time.
pub trait Reader: Send + 'static {
    /// What it emits.
    type Out: Data;

    /// Called again and again: emits up to about [`SourceOutput::budget`] records, and says what next.
    ///
    /// It must not block for longer than reading from a local disk does; a reader that waits for others
    /// (a socket, a pipe) waits in a thread of its own, keeps [`SourceOutput::waker`], returns
    /// [`Polled::Pending`], and wakes.
    ///
    /// # Errors
    ///
    /// Where the input fails: the job stops with the error, naming split and position. Input that can be
    /// read but not understood is no error but a [dead letter](SourceOutput::dead_letter).
    fn poll(&mut self, out: &mut impl SourceOutput<Self::Out>) -> Result<Polled, SourceError>;

    /// The position just behind the last record emitted: where a reader of the same split would go on.
    fn position(&self) -> Position;

    /// Called after checkpoints: none that the job keeps by itself goes back behind this position. A reader that
    /// holds input for a replay may let go of what lies before. Savepoints are not counted, since they are kept for
    /// ever. The default does nothing.
    fn forget(&mut self, before: Position) {
        let _ = before;
    }
}

/// What a reader found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// There may be more at once.
    More,
    /// Nothing now; the waker will be woken.
    Pending,
    /// Nothing before this time.
    Later(ProcessingTime),
    /// Nothing ever again.
    End,
}

/// Where a reader puts what it reads.
pub trait SourceOutput<T> {
    /// Emits a value. Its time is found by the stream's [`EventTimes`](crate::EventTimes); a stream
    /// without them uses the wall clock.
    fn emit(&mut self, value: T);

    /// Emits a value whose time the source knows itself (the timestamp of a message, of a generator).
    fn emit_at(&mut self, value: T, time: EventTime);

    /// Sets a piece of input aside that could not be understood. The letter's origin is a place within the
    /// split (`line 12`); the split's name is put before it.
    fn set_aside(&mut self, letter: DeadLetter);

    /// Sets a piece of input aside that could not be understood, as [`SourceOutput::set_aside`] does.
    fn dead_letter(&mut self, place: &str, reason: &str, bytes: &[u8]) {
        self.set_aside(DeadLetter::new(place, reason, bytes));
    }

    /// Whether the stream has refused a value since its place was last told: its event time was not
    /// [plausible](crate::EventTimes::plausible). The default, for outputs that refuse nothing: no.
    #[inline]
    fn has_refused(&self) -> bool {
        false
    }

    /// Tells where in the split the refused values were (`line 12`), and the bytes they were read from: both go
    /// into their dead letters. A reader that does not look after each piece of input leaves it at the position
    /// at which the poll began, and at the value itself.
    fn place_refused(&mut self, place: &str, bytes: &[u8]) {
        let _ = (place, bytes);
    }

    /// How many records this poll should emit at most; a few more do no harm.
    fn budget(&self) -> usize;

    /// The wall clock, read once per poll.
    fn now(&self) -> ProcessingTime;

    /// Wakes the source, from any thread.
    fn waker(&self) -> &Waker;
}

/// Input that cannot be found, opened or read.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {why}")]
pub struct SourceError {
    what: String,
    why: String,
    lost: bool,
}

impl SourceError {
    /// An error about `what` (a path, an address), because of `why`; of what is longer than
    /// [`MESSAGE_BYTES_MAX`] the beginning.
    pub fn new(what: impl Into<String>, why: impl fmt::Display) -> Self {
        let cut = |text: String| excerpt(&text, MESSAGE_BYTES_MAX).into_owned();
        SourceError { what: cut(what.into()), why: cut(why.to_string()), lost: false }
    }

    /// Input that is damaged or gone, or a disk that cannot be trusted any more: no repetition helps, and the job ends
    /// with the error instead of beginning again.
    pub fn lost(what: impl Into<String>, why: impl fmt::Display) -> Self {
        SourceError { lost: true, ..SourceError::new(what, why) }
    }

    /// Whether no repetition helps.
    pub fn is_lost(&self) -> bool {
        self.lost
    }
}

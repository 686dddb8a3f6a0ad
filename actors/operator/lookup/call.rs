//! One record on its way through a service.

use std::pin::Pin;
use std::task::Waker;

use watershed_core::{EventTime, ProcessingTime};

/// What a service gives back for a record: the answer, or the reason why there is none.
pub type Answer<O> = Pin<Box<dyn Future<Output = Result<O, String>> + Send>>;

/// A record that waits for its answer.
pub(super) struct Call<T, O> {
    pub(super) record: T,
    pub(super) time: EventTime,
    /// How many tries have failed.
    pub(super) tries: u32,
    /// When the try is given up, or the pause is over.
    pub(super) alarm: Option<ProcessingTime>,
    pub(super) phase: Phase<O>,
}

/// How far a call has come.
pub(super) enum Phase<O> {
    /// No try has begun.
    Queued,
    /// A try is under way.
    Asking(Asking<O>),
    /// The last try has failed; another follows.
    Pausing,
    /// The service has answered.
    Answered(O),
    /// All tries have failed, the last one for this reason.
    Failed(String),
}

/// A try that is under way.
pub(super) struct Asking<O> {
    pub(super) answer: Answer<O>,
    pub(super) waker: Waker,
}

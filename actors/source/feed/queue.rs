//! What the threads of a source hand over, and how.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use watershed_core::DeadLetter;

use super::Receipts;

/// How many chunks wait for the subtask, at most; one is about 64 KiB.
const CHUNKS_WAITING_MAX: usize = 16;

/// What a thread hands over.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fed {
    /// Rows that arrived together.
    Rows(Chunk),
    /// Bytes that are no row.
    Refused(DeadLetter),
    /// There will be no more, because reading failed.
    Failed { what: String, why: String },
    /// There will be no more.
    Ended,
}

impl Fed {
    /// For how many rows it stands.
    pub(super) fn rows(&self) -> u32 {
        match self {
            Fed::Rows(chunk) => {
                u32::try_from(chunk.rows.len()).expect("a chunk has far fewer than 4 billion rows")
            }
            Fed::Refused(_) => 1,
            Fed::Failed { .. } | Fed::Ended => 0,
        }
    }
}

/// What a thread hands over, and who waits for it to be durable.
#[derive(Debug)]
pub(super) struct Handed {
    pub(super) fed: Fed,
    pub(super) receipts: Option<Arc<Receipts>>,
}

/// Rows that arrived together from one peer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// The peer and what its rows are called: `127.0.0.1:4711 line`.
    pub(super) place: Arc<str>,
    /// The number of the first row, counted from 1.
    pub(super) first: u64,
    pub(super) bytes: Vec<u8>,
    /// Where each row begins and ends in `bytes`.
    pub(super) rows: Vec<(usize, usize)>,
}

/// What the threads of a source and its reader have in common.
#[derive(Debug, Default)]
pub(super) struct Bell {
    waker: Mutex<Option<Waker>>,
    stopped: AtomicBool,
    /// Why there will be no more, where a log carries the rows.
    failed: Mutex<Option<(String, String)>>,
}

impl Bell {
    pub(super) fn ring(&self) {
        if let Some(waker) = &*lock(&self.waker) {
            waker.wake_by_ref();
        }
    }

    pub(super) fn is_heard_by(&self, waker: &Waker) {
        let mut known = lock(&self.waker);
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    /// Notes that reading has failed.
    pub(super) fn failed(&self, what: String, why: String) {
        *lock(&self.failed) = Some((what, why));
        self.ring();
    }

    /// Why reading has failed, where it has.
    pub(super) fn failure(&self) -> Option<(String, String)> {
        lock(&self.failed).clone()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}

/// Locks what no panic can leave half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A thread's end of the queue.
#[derive(Clone, Debug)]
pub(super) struct Handover {
    queue: SyncSender<Handed>,
    /// What the peer wants to know of, where it does.
    pub(super) receipts: Option<Arc<Receipts>>,
    pub(super) bell: Arc<Bell>,
}

impl Handover {
    /// Waits for room and hands over; says whether anybody is there to take it.
    pub(super) fn give(&self, fed: Fed) -> bool {
        if let Some(receipts) = &self.receipts {
            receipts.give(fed.rows());
        }
        let taken = self.queue.send(Handed { fed, receipts: self.receipts.clone() }).is_ok();
        self.bell.ring();
        taken && !self.bell.is_stopped()
    }

    /// Hands over that reading has failed; says whether anybody is there to hear it.
    pub(super) fn fail(&self, what: impl Into<String>, why: impl ToString) -> bool {
        self.give(Fed::Failed { what: what.into(), why: why.to_string() })
    }
}

/// A queue with its two ends.
pub(super) fn queue() -> (Handover, Receiver<Handed>) {
    let (sender, receiver) = sync_channel(CHUNKS_WAITING_MAX);
    (Handover { queue: sender, receipts: None, bell: Arc::default() }, receiver)
}

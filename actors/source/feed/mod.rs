//! Sources that wait for others: standard input, TCP, UDP.
//!
//! A reader must not block its subtask, so the waiting is done by threads of the source's own. They cut
//! what arrives into rows and hand those over in chunks through a bounded queue; the subtask decodes them
//! in place.
//!
//! ```text
//! socket -> thread: Framer -> queue of chunks (bounded) -> subtask: FeedReader -> Decode -> records
//!                                       '---- wakes ----'
//! ```
//!
//! A full queue stops the thread, which stops reading, which stops a TCP sender: back-pressure reaches the
//! peer. What has been read from a pipe or socket cannot be read again, so these sources do not replay:
//! after a restart they go on with what arrives then. Their position is the number of rows read, for people.

mod framer;
mod stdin;
mod tcp_connect;
mod tcp_listen;
mod udp;

pub use stdin::Stdin;
pub use tcp_connect::TcpConnect;
pub use tcp_listen::TcpListen;
pub use udp::Udp;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use serde::{Deserialize, Serialize};
use watershed_core::{Data, DeadLetter, Polled, Position, Reader, SourceError, SourceOutput};

use super::decode::{Decode, Refusal, without_terminator};

/// How many chunks wait for the subtask, at most; one is about 64 KiB.
const CHUNKS_WAITING_MAX: usize = 16;

/// The only split of a source that waits for others: where it waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
pub struct Address(String);

/// What a thread hands over.
#[derive(Debug, PartialEq, Eq)]
enum Fed {
    /// Rows that arrived together.
    Rows(Chunk),
    /// Bytes that are no row.
    Refused(DeadLetter),
    /// There will be no more, because reading failed.
    Failed { what: String, why: String },
    /// There will be no more.
    Ended,
}

/// Rows that arrived together from one peer.
#[derive(Debug, PartialEq, Eq)]
struct Chunk {
    /// The peer and what its rows are called: `127.0.0.1:4711 line`.
    place: Arc<str>,
    /// The number of the first row, counted from 1.
    first: u64,
    bytes: Vec<u8>,
    /// Where each row begins and ends in `bytes`.
    rows: Vec<(usize, usize)>,
}

/// What the threads of a source and its reader have in common.
#[derive(Debug, Default)]
struct Bell {
    waker: Mutex<Option<Waker>>,
    stopped: AtomicBool,
}

impl Bell {
    fn ring(&self) {
        if let Some(waker) = &*lock(&self.waker) {
            waker.wake_by_ref();
        }
    }

    fn is_heard_by(&self, waker: &Waker) {
        let mut known = lock(&self.waker);
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}

/// Locks what no panic can leave half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A thread's end of the queue.
#[derive(Clone, Debug)]
struct Handover {
    queue: SyncSender<Fed>,
    bell: Arc<Bell>,
}

impl Handover {
    /// Waits for room and hands over; says whether anybody is there to take it.
    fn give(&self, fed: Fed) -> bool {
        let taken = self.queue.send(fed).is_ok();
        self.bell.ring();
        taken && !self.bell.is_stopped()
    }

    /// Hands over that reading has failed; says whether anybody is there to hear it.
    fn fail(&self, what: impl Into<String>, why: impl ToString) -> bool {
        self.give(Fed::Failed { what: what.into(), why: why.to_string() })
    }
}

/// A queue with its two ends.
fn queue() -> (Handover, Receiver<Fed>) {
    let (sender, receiver) = sync_channel(CHUNKS_WAITING_MAX);
    (Handover { queue: sender, bell: Arc::default() }, receiver)
}

/// What becomes of the threads when their reader is dropped.
trait Threads: Send {
    /// Ends them; `feed` is the reader's end of the queue, which must not be held while waiting for them.
    fn stop(&mut self, feed: Receiver<Fed>);
}

/// Decodes what the threads of a source hand over.
pub struct FeedReader<D> {
    name: String,
    decoder: D,
    header_due: bool,
    /// None only while it is being dropped.
    feed: Option<Receiver<Fed>>,
    bell: Arc<Bell>,
    threads: Box<dyn Threads>,
    current: Option<(Chunk, usize)>,
    rows_read: u64,
    ended: bool,
}

impl<D: Decode> FeedReader<D> {
    fn new(
        name: &str,
        decoder: D,
        from: Option<Position>,
        (feed, bell): (Receiver<Fed>, Arc<Bell>),
        threads: impl Threads + 'static,
    ) -> Self {
        FeedReader {
            name: name.to_owned(),
            header_due: decoder.wants_header(),
            decoder,
            feed: Some(feed),
            bell,
            threads: Box::new(threads),
            current: None,
            rows_read: from.map_or(0, |position| position.0),
            ended: false,
        }
    }

    /// Decodes rows of the current chunk until it is used up or so many have been read; returns how many.
    fn decode(&mut self, rows_max: usize, out: &mut impl SourceOutput<D::Out>) -> Result<usize, SourceError> {
        let Some((chunk, next)) = &mut self.current else { return Ok(0) };
        let until = chunk.rows.len().min(*next + rows_max);
        for (index, &(begin, end)) in chunk.rows[..until].iter().enumerate().skip(*next) {
            let row = without_terminator(&chunk.bytes[begin..end]);
            if self.header_due {
                let refused = |refusal: Refusal| SourceError::new(format!("{} line 1", self.name), refusal);
                self.decoder.header(row).map_err(refused)?;
                self.header_due = false;
                continue;
            }
            let place = || format!("{} {}", chunk.place, chunk.first + index as u64);
            match self.decoder.decode(row, &mut |value| out.emit(value)) {
                Ok(()) if out.has_refused() => out.place_refused(&place(), row),
                Ok(()) => {}
                Err(refusal) => out.dead_letter(&place(), &refusal.to_string(), row),
            }
        }
        let read = until - *next;
        *next = until;
        if until == chunk.rows.len() {
            self.current = None;
        }
        self.rows_read += read as u64;
        Ok(read)
    }
}

impl<D: Decode> Reader for FeedReader<D> {
    type Out = D::Out;

    fn poll(&mut self, out: &mut impl SourceOutput<D::Out>) -> Result<Polled, SourceError> {
        // Before the look into the queue: what comes after it rings.
        self.bell.is_heard_by(out.waker());
        let budget = out.budget();
        let mut read = 0;
        loop {
            read += self.decode(budget - read, out)?;
            if read >= budget {
                return Ok(Polled::More);
            }
            if self.ended {
                return Ok(Polled::End);
            }
            let feed = self.feed.as_ref().expect("the queue is there until the reader is dropped");
            match feed.try_recv() {
                Ok(Fed::Rows(chunk)) => self.current = Some((chunk, 0)),
                Ok(Fed::Refused(letter)) => {
                    out.set_aside(letter);
                    self.rows_read += 1;
                    read += 1;
                }
                Ok(Fed::Failed { what, why }) => return Err(SourceError::new(what, why)),
                Ok(Fed::Ended) => self.ended = true,
                Err(TryRecvError::Empty) => return Ok(Polled::Pending),
                Err(TryRecvError::Disconnected) => {
                    unreachable!("the threads of {} say why they end", self.name)
                }
            }
        }
    }

    /// The number of rows read, those included that were set aside.
    fn position(&self) -> Position {
        Position(self.rows_read)
    }
}

impl<D> Drop for FeedReader<D> {
    fn drop(&mut self) {
        if let Some(feed) = self.feed.take() {
            self.threads.stop(feed);
        }
    }
}

/// Refuses a decoder that needs a header, where every peer would have to send one.
fn without_header<D: Decode>(decoder: &D, address: &str) -> Result<(), SourceError> {
    if decoder.wants_header() {
        return Err(SourceError::new(address, "a socket has no header; name the columns with .columns(..)"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;

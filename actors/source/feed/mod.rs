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
//! peer.
//!
//! # What a kill costs
//!
//! What has been read from a pipe or socket cannot be read again, so by themselves these sources count a record at most
//! once. A job with a state directory asks for exactly once unless told otherwise, and rather than refuse every socket
//! there, they then put what arrives into an **ingress log** below the directory, before the stream sees it:
//!
//! ```text
//! socket -> thread: Framer -> queue -> thread: Ferry -> log, fsync -> subtask: FeedReader -> Decode -> records
//! ```
//!
//! Positions are those of the log: rows, those included that were refused. After a kill the reader goes on from the
//! position of the checkpoint, through what was logged and never read, to what arrives then; each row that is in the
//! log counts once. What a peer had sent and was not logged yet is gone with its connection, as for any server; the
//! listener can [tell its peers](TcpListen::acknowledge) what is durable. `--guarantee at-most-once` saves the log and
//! its fsync, and `.without_log()` does for one source.

mod entry;
mod ferry;
mod framer;
mod queue;
mod receipts;
mod stdin;
mod tcp_connect;
mod tcp_listen;
mod udp;

pub use stdin::Stdin;
pub use tcp_connect::TcpConnect;
pub use tcp_listen::TcpListen;
pub use udp::Udp;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};

use serde::{Deserialize, Serialize};
use watershed_core::spi::{Guarantee, OpenLog};
use watershed_core::{Data, Polled, Position, Reader, SourceError, SourceOutput};

use super::decode::{Decode, Refusal, without_terminator};
use ferry::{Ferry, rings};
use queue::{Bell, Chunk, Fed, Handed, Handover, lock, queue};
use receipts::Receipts;

/// The only split of a source that waits for others: where it waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
pub struct Address(String);

/// What becomes of the threads when their reader is dropped.
trait Threads: Send {
    /// Ends them; `queue` is the reader's end of the queue, which must not be held while waiting for them, and
    /// `unlogged` what was taken out of it and could not be logged.
    fn stop(&mut self, queue: Receiver<Handed>, unlogged: Option<Fed>);

    /// Whether a later reader goes on with what is left in the queue.
    fn keeps_queue(&self) -> bool {
        false
    }
}

/// Where a reader takes what arrives from.
enum Feed {
    /// From the threads themselves.
    Queue(Receiver<Handed>),
    /// From a log that they fill.
    Log(Ferry),
}

/// Decodes what the threads of a source hand over.
pub struct FeedReader<D> {
    name: String,
    decoder: D,
    header_due: bool,
    /// None only while it is being dropped.
    feed: Option<Feed>,
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
        (feed, bell): (Receiver<Handed>, Arc<Bell>),
        threads: impl Threads + 'static,
    ) -> Self {
        FeedReader {
            name: name.to_owned(),
            header_due: decoder.wants_header(),
            decoder,
            feed: Some(Feed::Queue(feed)),
            bell,
            threads: Box::new(threads),
            current: None,
            rows_read: from.map_or(0, |position| position.0),
            ended: false,
        }
    }

    /// Takes what arrives from a log, into which it is carried from now on.
    fn through(mut self, log: Option<OpenLog>, unlogged: Option<Fed>) -> Result<Self, SourceError> {
        match (self.feed.take(), log) {
            (Some(Feed::Queue(queue)), Some(log)) => {
                self.feed = Some(Feed::Log(Ferry::start(
                    log,
                    queue,
                    unlogged,
                    &self.bell,
                    self.threads.keeps_queue(),
                )?));
            }
            (feed, _) => self.feed = feed,
        }
        Ok(self)
    }

    /// What comes next, and how many of its rows have been read before.
    fn next(&mut self) -> Result<Option<(Fed, usize)>, SourceError> {
        match self.feed.as_mut().expect("the feed is there until the reader is dropped") {
            Feed::Queue(queue) => match queue.try_recv() {
                Ok(handed) => Ok(Some((handed.fed, 0))),
                Err(TryRecvError::Empty) => Ok(None),
                Err(TryRecvError::Disconnected) => {
                    unreachable!("the threads of {} say why they end", self.name)
                }
            },
            Feed::Log(ferry) => Ok(ferry.next()?.map(|(first, fed)| {
                let skip = self.rows_read.saturating_sub(first.0);
                (fed, usize::try_from(skip).unwrap_or(usize::MAX))
            })),
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
            match self.next()? {
                Some((Fed::Rows(chunk), skip)) => self.current = Some((chunk, skip)),
                Some((Fed::Refused(letter), _)) => {
                    out.set_aside(letter);
                    self.rows_read += 1;
                    read += 1;
                }
                Some((Fed::Failed { what, why }, _)) => return Err(SourceError::new(what, why)),
                // The position stays before the end, so that a reader that begins there finds it again.
                Some((Fed::Ended, _)) => self.ended = true,
                None => return Ok(Polled::Pending),
            }
        }
    }

    /// The number of rows read, those included that were set aside.
    fn position(&self) -> Position {
        Position(self.rows_read)
    }

    fn forget(&mut self, before: Position) {
        if let Some(Feed::Log(ferry)) = &mut self.feed {
            ferry.forget(before);
        }
    }
}

impl<D> Drop for FeedReader<D> {
    fn drop(&mut self) {
        match self.feed.take() {
            Some(Feed::Queue(queue)) => self.threads.stop(queue, None),
            Some(Feed::Log(ferry)) => ferry.stop(self.threads.as_mut()),
            None => {}
        }
    }
}

/// What a source of this kind holds to that has no log.
const WITHOUT_LOG: Guarantee = Guarantee::AtMostOnce;

/// Refuses a decoder that needs a header, where every peer would have to send one.
fn without_header<D: Decode>(decoder: &D, address: &str) -> Result<(), SourceError> {
    if decoder.wants_header() {
        return Err(SourceError::new(address, "a socket has no header; name the columns with .columns(..)"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;

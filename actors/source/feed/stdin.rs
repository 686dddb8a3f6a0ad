//! Standard input.
//!
//! A thread that waits for standard input cannot be stopped, so the process has one for all readers that
//! may follow each other: the next one goes on with what the last one left in the queue.

use std::io::{self, Read};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::thread;

use watershed_core::spi::{Guarantee, SplitLog};
use watershed_core::{Position, Source, SourceError};

use super::framer::{Framer, Framing, Pumped};
use super::{Address, Bell, Fed, FeedReader, Handed, Handover, Threads, WITHOUT_LOG, lock, queue, rings};
use crate::source::decode::{Decode, Text};
use crate::source::file::ROW_BYTES_MAX;

const NAME: &str = "standard input";

/// The lines of standard input, read by one subtask. Ends when the input does.
///
/// A row is a line; for CSV the first one is the header. What has been read cannot be read again: after a
/// restart in the same process it goes on behind that.
#[derive(Clone, Debug)]
pub struct Stdin<D = Text> {
    decoder: D,
    can_log: bool,
}

impl Stdin {
    /// Lines as text.
    pub fn lines() -> Self {
        Stdin { decoder: Text, can_log: true }
    }
}

impl<D> Stdin<D> {
    /// Makes something else of each line.
    pub fn decode<E: Decode>(self, decoder: E) -> Stdin<E> {
        Stdin { decoder, can_log: self.can_log }
    }

    /// Keeps no log of what arrives, whatever the job asks for: what is under way when it is killed is lost then.
    #[must_use]
    pub fn without_log(mut self) -> Self {
        self.can_log = false;
        self
    }
}

/// The reader's end of the process's standard input.
struct Feed {
    bell: Arc<Bell>,
    /// Not there while a reader has it.
    queue: Option<Receiver<Handed>>,
    /// What was taken out of it and could not be logged.
    unlogged: Option<Fed>,
}

static FEED: Mutex<Option<Feed>> = Mutex::new(None);

struct Lent;

impl Threads for Lent {
    fn stop(&mut self, queue: Receiver<Handed>, unlogged: Option<Fed>) {
        if let Some(shared) = &mut *lock(&FEED) {
            (shared.queue, shared.unlogged) = (Some(queue), unlogged);
        }
    }

    fn keeps_queue(&self) -> bool {
        true
    }
}

impl<D: Decode> Source for Stdin<D> {
    type Out = D::Out;
    type Split = Address;
    type Reader = FeedReader<D>;

    fn splits(&self, _: u32) -> Result<Vec<Address>, SourceError> {
        Ok(vec![Address(NAME.to_owned())])
    }

    fn open(&self, _: &Address, from: Option<Position>) -> Result<FeedReader<D>, SourceError> {
        self.read(from, None)
    }

    fn open_logged(
        &self,
        _: &Address,
        from: Option<Position>,
        log: &dyn SplitLog,
    ) -> Result<FeedReader<D>, SourceError> {
        self.read(from, Some(log))
    }

    fn guarantee(&self) -> Guarantee {
        WITHOUT_LOG
    }

    fn can_log(&self) -> bool {
        self.can_log
    }

    fn describe(&self, _: &Address) -> String {
        NAME.to_owned()
    }
}

impl<D: Decode> Stdin<D> {
    fn read(&self, from: Option<Position>, log: Option<&dyn SplitLog>) -> Result<FeedReader<D>, SourceError> {
        if log.is_some() && self.decoder.wants_header() {
            let why = "its log may begin behind the header: name the columns with .columns(..), or do .without_log() and \
                       ask for --guarantee at-most-once";
            return Err(SourceError::new(NAME, why));
        }
        let mut shared = lock(&FEED);
        if shared.is_none() {
            let (handover, feed) = queue();
            let bell = Arc::clone(&handover.bell);
            spawn("standard-input", move || pump(&mut io::stdin(), &handover))?;
            *shared = Some(Feed { bell, queue: Some(feed), unlogged: None });
        }
        let feed = shared.as_mut().expect("the feed has just been made");
        let log = log.map(|log| log.open(from, rings(&feed.bell))).transpose()?;
        let queue = feed.queue.take().ok_or_else(|| {
            SourceError::new(
                NAME,
                "another source of this process reads it; read it once, and share the stream",
            )
        })?;
        let (bell, unlogged) = (Arc::clone(&feed.bell), feed.unlogged.take());
        drop(shared);
        FeedReader::new(NAME, self.decoder.clone(), from, (queue, bell), Lent).through(log, unlogged)
    }
}

/// Hands over the lines of an input until it ends.
pub(super) fn pump(input: &mut impl Read, to: &Handover) {
    let mut framer = Framer::new(Framing::Lines, ROW_BYTES_MAX, "");
    match framer.pump(input, to) {
        // Each reader that may follow is told of the end.
        Pumped::Closed => {
            if framer.finish(true).is_none_or(|rest| to.give(rest)) {
                while to.give(Fed::Ended) {}
            }
        }
        Pumped::Failed(error) => while to.fail(NAME, &error) {},
        Pumped::Stopped => {}
    }
}

/// Starts a thread of a source.
pub(super) fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<thread::JoinHandle<T>, SourceError> {
    let builder = thread::Builder::new().name(name.to_owned());
    builder.spawn(work).map_err(|error| SourceError::new(format!("thread {name}"), error))
}

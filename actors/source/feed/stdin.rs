//! Standard input.
//!
//! A thread that waits for standard input cannot be stopped, so the process has one for all readers that
//! may follow each other: the next one goes on with what the last one left in the queue.

use std::io::{self, Read};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::thread;

use watershed_core::{Position, Source, SourceError};

use super::framer::{Framer, Framing, Pumped};
use super::{Address, Bell, Fed, FeedReader, Handover, Threads, lock, queue};
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
}

impl Stdin {
    /// Lines as text.
    pub fn lines() -> Self {
        Stdin { decoder: Text }
    }
}

impl<D> Stdin<D> {
    /// Makes something else of each line.
    pub fn decode<E: Decode>(self, decoder: E) -> Stdin<E> {
        Stdin { decoder }
    }
}

/// The reader's end of the process's standard input.
struct Feed {
    bell: Arc<Bell>,
    /// Not there while a reader has it.
    queue: Option<Receiver<Fed>>,
}

static FEED: Mutex<Option<Feed>> = Mutex::new(None);

struct Lent;

impl Threads for Lent {
    fn stop(&mut self, feed: Receiver<Fed>) {
        if let Some(shared) = &mut *lock(&FEED) {
            shared.queue = Some(feed);
        }
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
        let mut shared = lock(&FEED);
        if shared.is_none() {
            let (handover, feed) = queue();
            let bell = Arc::clone(&handover.bell);
            spawn("standard-input", move || pump(&mut io::stdin(), &handover))?;
            *shared = Some(Feed { bell, queue: Some(feed) });
        }
        let feed = shared.as_mut().expect("the feed has just been made");
        let queue = feed.queue.take().ok_or_else(|| {
            SourceError::new(
                NAME,
                "another source of this process reads it; read it once, and share the stream",
            )
        })?;
        Ok(FeedReader::new(NAME, self.decoder.clone(), from, (queue, Arc::clone(&feed.bell)), Lent))
    }

    fn describe(&self, _: &Address) -> String {
        NAME.to_owned()
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
pub(super) fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> Result<thread::JoinHandle<()>, SourceError> {
    let builder = thread::Builder::new().name(name.to_owned());
    builder.spawn(work).map_err(|error| SourceError::new(format!("thread {name}"), error))
}

//! A TCP client: rows from a peer that we connect to.

use std::io;
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::thread::{self, Thread};
use std::time::Duration;

use watershed_core::spi::{Guarantee, SplitLog};
use watershed_core::{Data, Position, Source, SourceError};

use super::framer::{Framer, Framing, Pumped};
use super::stdin::spawn;
use super::{
    Address, Bell, Fed, FeedReader, Handed, Handover, Threads, WITHOUT_LOG, lock, queue, rings,
    without_header,
};
use crate::source::decode::{Decode, MessagePack, Text};
use crate::source::file::ROW_BYTES_MAX;

/// How often in a row connecting may fail unless told otherwise: about a minute, by the pauses below.
const ATTEMPTS_MAX: u32 = 16;
/// The pause after the first failure; it doubles with each.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long one attempt to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The rows that a peer sends over TCP once we have connected, read by one subtask.
///
/// When the peer closes, the source connects again, with growing pauses, and fails the job when it has not
/// been sent a row in so many [attempts](Self::attempts_max); or it [ends](Self::end_on_close).
///
/// ```no_run
/// use watershed_actors::source::TcpConnect;
///
/// let once = TcpConnect::lines("127.0.0.1:7000").end_on_close();
/// let messages = TcpConnect::messages::<(u32, f64)>("127.0.0.1:7002").attempts_max(3);
/// ```
#[derive(Clone, Debug)]
pub struct TcpConnect<D = Text> {
    address: String,
    framing: Framing,
    decoder: D,
    row_bytes_max: usize,
    attempts_max: u32,
    end_on_close: bool,
    can_log: bool,
}

impl TcpConnect {
    /// Lines as text, from an address `host:port`.
    pub fn lines(address: impl Into<String>) -> Self {
        TcpConnect::new(address.into(), Framing::Lines, Text)
    }

    /// MessagePack messages, each behind its length: four bytes, the highest first.
    pub fn messages<T: Data>(address: impl Into<String>) -> TcpConnect<MessagePack<T>> {
        TcpConnect::new(address.into(), Framing::Messages, MessagePack::default())
    }
}

impl<D> TcpConnect<D> {
    fn new(address: String, framing: Framing, decoder: D) -> Self {
        let (row_bytes_max, attempts_max) = (ROW_BYTES_MAX, ATTEMPTS_MAX);
        let (end_on_close, can_log) = (false, true);
        TcpConnect { address, framing, decoder, row_bytes_max, attempts_max, end_on_close, can_log }
    }

    /// Makes something else of each row.
    pub fn decode<E: Decode>(self, decoder: E) -> TcpConnect<E> {
        let TcpConnect { address, framing, row_bytes_max, attempts_max, end_on_close, can_log, .. } = self;
        TcpConnect { address, framing, decoder, row_bytes_max, attempts_max, end_on_close, can_log }
    }

    /// Refuses rows of more bytes; a message that claims more ends the connection.
    #[must_use]
    pub fn row_bytes_max(mut self, bytes: usize) -> Self {
        self.row_bytes_max = bytes;
        self
    }

    /// Fails the job after so many attempts in a row that brought nothing.
    #[must_use]
    pub fn attempts_max(mut self, attempts: u32) -> Self {
        self.attempts_max = attempts;
        self
    }

    /// Takes the peer's closing for the end of the input, instead of connecting again.
    #[must_use]
    pub fn end_on_close(mut self) -> Self {
        self.end_on_close = true;
        self
    }

    /// Keeps no log of what arrives, whatever the job asks for: what is under way when it is killed is lost then.
    #[must_use]
    pub fn without_log(mut self) -> Self {
        self.can_log = false;
        self
    }
}

impl<D: Decode> Source for TcpConnect<D> {
    type Out = D::Out;
    type Split = Address;
    type Reader = FeedReader<D>;

    fn splits(&self, _: u32) -> Result<Vec<Address>, SourceError> {
        without_header(&self.decoder, &self.address)?;
        Ok(vec![Address(self.address.clone())])
    }

    fn open(&self, split: &Address, from: Option<Position>) -> Result<FeedReader<D>, SourceError> {
        self.read(split, from, None)
    }

    fn open_logged(
        &self,
        split: &Address,
        from: Option<Position>,
        log: &dyn SplitLog,
    ) -> Result<FeedReader<D>, SourceError> {
        self.read(split, from, Some(log))
    }

    fn guarantee(&self) -> Guarantee {
        WITHOUT_LOG
    }

    fn can_log(&self) -> bool {
        self.can_log
    }

    fn describe(&self, split: &Address) -> String {
        format!("tcp {}", split.0)
    }
}

impl<D: Decode> TcpConnect<D> {
    fn read(
        &self,
        split: &Address,
        from: Option<Position>,
        log: Option<&dyn SplitLog>,
    ) -> Result<FeedReader<D>, SourceError> {
        let (handover, feed) = queue();
        let bell = Arc::clone(&handover.bell);
        let log = log.map(|log| log.open(from, rings(&bell))).transpose()?;
        let stream = Arc::default();
        let client = Client {
            address: split.0.clone(),
            framing: self.framing,
            row_bytes_max: self.row_bytes_max,
            attempts_max: self.attempts_max,
            end_on_close: self.end_on_close,
            handover,
            stream: Arc::clone(&stream),
        };
        let thread = spawn("tcp-connect", move || client.run())?.thread().clone();
        let threads = Connecting { bell: Arc::clone(&bell), stream, thread };
        FeedReader::new(&split.0, self.decoder.clone(), from, (feed, bell), threads).through(log, None)
    }
}

/// The client's thread, to be stopped.
struct Connecting {
    bell: Arc<Bell>,
    stream: Arc<Mutex<Option<TcpStream>>>,
    thread: Thread,
}

impl Threads for Connecting {
    /// Does not wait for the thread: one attempt to connect may keep it for [`CONNECT_TIMEOUT`].
    fn stop(&mut self, queue: Receiver<Handed>, _: Option<Fed>) {
        self.bell.stop();
        drop(queue);
        if let Some(stream) = lock(&self.stream).take() {
            // A peer that has gone already needs no shutdown.
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.thread.unpark();
    }
}

/// What the client's thread works with.
struct Client {
    address: String,
    framing: Framing,
    row_bytes_max: usize,
    attempts_max: u32,
    end_on_close: bool,
    handover: Handover,
    /// The open connection, for whoever stops the thread.
    stream: Arc<Mutex<Option<TcpStream>>>,
}

impl Client {
    fn run(self) {
        let (mut attempts, mut pause) = (0, PAUSE_MIN);
        loop {
            let mut framer = Framer::new(self.framing, self.row_bytes_max, "");
            let pumped = self.connect().map_or_else(Pumped::Failed, |mut stream| {
                let pumped = framer.pump(&mut stream, &self.handover);
                lock(&self.stream).take();
                pumped
            });
            if matches!(pumped, Pumped::Stopped) || self.handover.bell.is_stopped() {
                return;
            }
            if framer.finish(false).is_some_and(|rest| !self.handover.give(rest)) {
                return;
            }
            if framer.rows_seen() > 0 {
                (attempts, pause) = (0, PAUSE_MIN);
            }
            let why = match pumped {
                Pumped::Closed if self.end_on_close => {
                    self.handover.give(Fed::Ended);
                    return;
                }
                Pumped::Failed(error) => error.to_string(),
                Pumped::Closed | Pumped::Stopped => "the peer closes the connection".to_owned(),
            };
            attempts += 1;
            if attempts >= self.attempts_max {
                let advice = "see that the peer runs and sends";
                self.handover
                    .fail(&self.address, format!("{attempts} attempts brought nothing ({why}); {advice}"));
                return;
            }
            thread::park_timeout(pause);
            if self.handover.bell.is_stopped() {
                return;
            }
            pause = PAUSE_MAX.min(pause * 2);
        }
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name stands for no address");
        for address in self.address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => {
                    *lock(&self.stream) = Some(stream.try_clone()?);
                    // Whoever stopped us in between has not seen the stream.
                    if self.handover.bell.is_stopped() {
                        stream.shutdown(Shutdown::Both)?;
                    }
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

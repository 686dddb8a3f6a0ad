//! Sends records to a TCP peer.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::marker::PhantomData;
use std::net::{TcpStream, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use watershed_core::{Data, Epoch, EventTime, Sink, SinkError, SinkPlace, Writer};

use crate::sink::{Encode, FramedMessagePack, JsonLines, TextLines};

/// How much is gathered at most before it is sent, in bytes.
const BUFFER_BYTES: usize = 64 * 1024;
/// The longest wait before another attempt to connect.
const BACK_OFF_MAX: Duration = Duration::from_secs(5);

/// Sends each record to a TCP peer, over one connection a subtask.
///
/// What is gathered is sent whenever the stream pauses. A slow peer slows the stream down. Where the connection
/// breaks, the sink connects again, [`tries`](TcpSink::tries) times with growing pauses, and sends the records of the
/// last send once more: some may come twice, and none is cut. TCP says nothing of what the peer has understood:
/// records that its machine had taken when it failed are lost. Where a record must not get lost, write it to a place
/// that commits. What the peer sends is not read.
///
/// ```no_run
/// use watershed_actors::sink::TcpSink;
/// use watershed_core::{KeyGroups, Pipeline, testing::Numbers};
///
/// let pipeline = Pipeline::new("numbers", KeyGroups::default());
/// pipeline.source(Numbers::up_to(10)).sink(TcpSink::json_lines("127.0.0.1:9000"));
/// ```
pub struct TcpSink<T, E> {
    address: String,
    encoder: E,
    tries: u32,
    back_off: Duration,
    connect_timeout: Duration,
    write_timeout: Duration,
    of: PhantomData<fn(T)>,
}

impl<T: Data> TcpSink<T, JsonLines> {
    /// Sends one line of JSON for each record to `HOST:PORT`.
    pub fn json_lines(address: &str) -> Self {
        TcpSink::encoded(address, JsonLines)
    }
}

impl<T: Display> TcpSink<T, TextLines> {
    /// Sends one line of text for each record, as it displays itself, to `HOST:PORT`.
    pub fn text_lines(address: &str) -> Self {
        TcpSink::encoded(address, TextLines)
    }
}

impl<T: Data> TcpSink<T, FramedMessagePack> {
    /// Sends one MessagePack value for each record, with its length in four bytes (the most significant first)
    /// before it, to `HOST:PORT`.
    pub fn message_pack(address: &str) -> Self {
        TcpSink::encoded(address, FramedMessagePack)
    }
}

impl<T, E: Encode<T>> TcpSink<T, E> {
    /// Sends records in a format of your own to `HOST:PORT`.
    pub fn encoded(address: &str, encoder: E) -> Self {
        TcpSink {
            address: address.to_owned(),
            encoder,
            tries: 5,
            back_off: Duration::from_millis(100),
            connect_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(60),
            of: PhantomData,
        }
    }

    /// How often the sink tries to connect again before it gives up: 5 times if nothing is said, 0 for never. The
    /// first pause is a tenth of a second, each following one twice as long, up to 5 s; the thread waits.
    #[must_use]
    pub fn tries(mut self, tries: u32) -> Self {
        self.tries = tries;
        self
    }

    /// How long one attempt to connect may take: 5 s if nothing is said.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// For how long the peer may take nothing before the connection counts as broken: 60 s if nothing is said.
    #[must_use]
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// Connects to the first of the address's meanings that answers.
    fn connect(&self) -> io::Result<TcpStream> {
        let mut refused = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in self.address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, self.connect_timeout) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_write_timeout(Some(self.write_timeout))?;
                    return Ok(stream);
                }
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    fn error(&self, why: impl Display) -> SinkError {
        SinkError::new(format!("tcp {}", self.address), why)
    }
}

impl<T, E: Clone> Clone for TcpSink<T, E> {
    fn clone(&self) -> Self {
        TcpSink { address: self.address.clone(), encoder: self.encoder.clone(), of: PhantomData, ..*self }
    }
}

impl<T: Data, E: Encode<T>> Sink for TcpSink<T, E> {
    type In = T;
    type Staged = ();
    type Writer = TcpWriter<T, E>;

    fn open(&self, _place: &SinkPlace) -> Result<TcpWriter<T, E>, SinkError> {
        let connect = |error| self.error(format!("cannot connect: {}; is it listening?", why(&error)));
        let stream = self.connect().map_err(connect)?;
        let mut sink = self.clone();
        sink.encoder.begin(false);
        Ok(TcpWriter { sink, stream, buffer: Vec::with_capacity(BUFFER_BYTES) })
    }
}

/// Sends for one subtask.
pub struct TcpWriter<T, E> {
    sink: TcpSink<T, E>,
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl<T: Data, E: Encode<T>> TcpWriter<T, E> {
    /// Sends what was gathered, over another connection if need be.
    fn send(&mut self) -> Result<(), SinkError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let mut pause = self.sink.back_off;
        let mut sent = self.check().and_then(|()| self.stream.write_all(&self.buffer));
        for _ in 0..self.sink.tries {
            if sent.is_ok() {
                break;
            }
            thread::sleep(pause);
            pause = (pause * 2).min(BACK_OFF_MAX);
            sent = self.sink.connect().and_then(|stream| {
                self.stream = stream;
                self.stream.write_all(&self.buffer)
            });
        }
        self.buffer.clear();
        sent.map_err(|error| {
            let tried = match self.sink.tries {
                0 => String::new(),
                tries => format!("; tried {tries} times to connect again"),
            };
            self.sink.error(format!("{}{tried}", why(&error)))
        })
    }

    /// Whether the peer has refused something that it had been sent.
    fn check(&self) -> io::Result<()> {
        self.stream.set_nonblocking(true)?;
        let looked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false)?;
        match looked {
            // A peer that has only finished speaking may still listen.
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The reason for a broken connection, for a person.
fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            "the peer has closed the connection".to_owned()
        }
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "the peer has not answered in time".to_owned(),
        io::ErrorKind::ConnectionRefused => "the peer has refused the connection".to_owned(),
        _ => error.to_string(),
    }
}

impl<T: Data, E: Encode<T>> Writer for TcpWriter<T, E> {
    type In = T;
    type Staged = ();

    #[inline]
    fn write(&mut self, record: T, _time: EventTime) -> Result<(), SinkError> {
        let start = self.buffer.len();
        if let Err(error) = self.sink.encoder.encode(&record, &mut self.buffer) {
            self.buffer.truncate(start);
            return Err(self.sink.error(error));
        }
        if self.buffer.len() >= BUFFER_BYTES { self.send() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.send()
    }

    fn prepare(&mut self, _epoch: Epoch) -> Result<Option<()>, SinkError> {
        self.send()?;
        self.check().map_err(|error| {
            self.sink.error(format!("{}, and has not taken all that it was sent", why(&error)))
        })?;
        Ok(None)
    }

    fn commit(&mut self, _staged: ()) -> Result<(), SinkError> {
        Ok(())
    }

    fn abort(&mut self, _staged: ()) -> Result<(), SinkError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{Ipv4Addr, TcpListener};
    use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
    use std::sync::mpsc;
    use std::time::Instant;

    use watershed_core::testing::SinkHarness;

    use super::*;

    /// How long anything may take that must happen.
    const PATIENCE: Duration = Duration::from_secs(120);

    /// On an address of the test's own, since some want nobody to listen any more where one has: the system gives the
    /// port of one that was closed to whoever asks next for one of `127.0.0.1`.
    fn listener() -> (TcpListener, String) {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let listener = TcpListener::bind((Ipv4Addr::new(127, 1, 1, NEXT.fetch_add(1, Relaxed)), 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (listener, address)
    }

    fn all(listener: &TcpListener) -> Vec<u8> {
        let mut bytes = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut bytes).unwrap();
        bytes
    }

    /// Writes until the sink notices that nobody takes it.
    fn written_until_refused<E: Encode<u64>>(harness: &mut SinkHarness<TcpSink<u64, E>>) -> String {
        let start = Instant::now();
        loop {
            harness.try_write(1, 0).unwrap();
            if let Err(error) = harness.try_flush() {
                return error.to_string();
            }
            assert!(start.elapsed() < PATIENCE, "a closed peer is never noticed");
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn the_peer_gets_lines_or_frames() {
        let (peer, address) = listener();
        let mut lines = SinkHarness::new(TcpSink::text_lines(&address));
        lines.write(7_u64, 0);
        lines.write(8, 0);
        assert!(lines.prepare().is_none());
        drop(lines);
        assert_eq!(all(&peer), b"7\n8\n");
        let mut frames = SinkHarness::new(TcpSink::message_pack(&address));
        frames.write("a".to_owned(), 0);
        frames.flush();
        drop(frames);
        assert_eq!(all(&peer), b"\0\0\0\x02\xa1a");
    }

    #[test]
    fn a_peer_that_is_not_there_is_an_error_before_the_first_record() {
        let (peer, address) = listener();
        drop(peer);
        let sink = TcpSink::<u64, _>::json_lines(&address);
        let error = SinkHarness::try_subtask(sink, 0, 1).err().unwrap().to_string();
        let why = "cannot connect: the peer has refused the connection; is it listening?";
        assert_eq!(error, format!("tcp {address}: {why}"));
    }

    #[test]
    fn a_peer_that_closes_is_an_error_that_names_it() {
        let (peer, address) = listener();
        let mut harness = SinkHarness::new(TcpSink::json_lines(&address).tries(0));
        drop(peer.accept().unwrap());
        drop(peer);
        let error = written_until_refused(&mut harness);
        assert_eq!(error, format!("tcp {address}: the peer has closed the connection"));
    }

    #[test]
    fn a_sink_that_cannot_connect_again_gives_up_after_its_tries() {
        let (peer, address) = listener();
        let mut harness = SinkHarness::new(TcpSink::json_lines(&address).tries(2));
        drop(peer.accept().unwrap());
        drop(peer);
        let error = written_until_refused(&mut harness);
        let why = "the peer has refused the connection; tried 2 times to connect again";
        assert_eq!(error, format!("tcp {address}: {why}"));
    }

    #[test]
    fn a_peer_that_comes_back_gets_whole_records() {
        let (peer, address) = listener();
        let mut harness = SinkHarness::new(TcpSink::text_lines(&address));
        drop(peer.accept().unwrap());
        let (came, comes) = mpsc::channel();
        let taker = thread::spawn(move || {
            let mut stream = peer.accept().unwrap().0;
            came.send(()).unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).unwrap();
            bytes
        });
        let (start, mut number) = (Instant::now(), 100_u64);
        while comes.recv_timeout(Duration::from_millis(1)).is_err() {
            assert!(start.elapsed() < PATIENCE, "a closed peer is never noticed");
            harness.write(number, 0);
            harness.flush();
            number = if number < 899 { number + 1 } else { 100 };
        }
        harness.write(999, 0);
        harness.flush();
        drop(harness);
        let taken = String::from_utf8(taker.join().unwrap()).unwrap();
        assert!(taken.ends_with("999\n"), "{taken:?}");
        assert!(taken.lines().all(|line| line.len() == 3), "{taken:?}");
    }

    #[test]
    fn a_peer_that_takes_nothing_is_an_error_in_time() {
        let (peer, address) = listener();
        let sink = TcpSink::text_lines(&address).tries(0).write_timeout(Duration::from_millis(50));
        let mut harness = SinkHarness::new(sink);
        let _silent = peer.accept().unwrap();
        let text = "x".repeat(BUFFER_BYTES);
        let error = (0..1000).find_map(|_| harness.try_write(text.clone(), 0).err()).unwrap();
        assert_eq!(error.to_string(), format!("tcp {address}: the peer has not answered in time"));
    }
}

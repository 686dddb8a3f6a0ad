//! A TCP listener: whoever connects may send rows.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use watershed_core::spi::{Guarantee, LogInput, SplitLog};
use watershed_core::{Data, Position, Source, SourceError};

use super::framer::{Framer, Framing, Pumped};
use super::receipts::{Receipts, Told, UNREAD_MAX};
use super::stdin::spawn;
use super::{
    Address, Bell, Fed, FeedReader, Handed, Handover, Threads, WITHOUT_LOG, lock, queue, rings,
    without_header,
};
use crate::source::decode::{Decode, MessagePack, Text};
use crate::source::file::ROW_BYTES_MAX;

/// How many peers are served at once unless told otherwise; others wait in the system's queue.
const CONNECTIONS_MAX: usize = 256;
/// How long the listener sleeps between two looks for new peers.
const ACCEPT_EVERY: Duration = Duration::from_millis(10);

/// The rows that peers send over TCP, read by one subtask. Never ends.
///
/// A row is a line, or a MessagePack message behind its length. A peer may come and go as it likes. What a
/// peer leaves unfinished, or what cannot be understood, is set aside.
///
/// ```no_run
/// use watershed_actors::source::{Json, TcpListen};
///
/// let lines = TcpListen::lines("127.0.0.1:7000");
/// let readings = TcpListen::lines("127.0.0.1:7001").decode(Json::<(u32, f64)>::default());
/// let messages = TcpListen::messages::<(u32, f64)>("127.0.0.1:7002");
/// ```
#[derive(Clone, Debug)]
pub struct TcpListen<D = Text> {
    address: String,
    framing: Framing,
    decoder: D,
    row_bytes_max: usize,
    connections_max: usize,
    can_log: bool,
    acknowledges: Option<Told>,
    bound: Arc<Mutex<Option<SocketAddr>>>,
}

impl TcpListen {
    /// Lines as text, on an address `host:port`.
    pub fn lines(address: impl Into<String>) -> Self {
        TcpListen::new(address.into(), Framing::Lines, Text)
    }

    /// MessagePack messages, each behind its length: four bytes, the highest first.
    pub fn messages<T: Data>(address: impl Into<String>) -> TcpListen<MessagePack<T>> {
        TcpListen::new(address.into(), Framing::Messages, MessagePack::default())
    }
}

impl<D> TcpListen<D> {
    fn new(address: String, framing: Framing, decoder: D) -> Self {
        TcpListen {
            address,
            framing,
            decoder,
            row_bytes_max: ROW_BYTES_MAX,
            connections_max: CONNECTIONS_MAX,
            can_log: true,
            acknowledges: None,
            bound: Arc::default(),
        }
    }

    /// Makes something else of each row.
    pub fn decode<E: Decode>(self, decoder: E) -> TcpListen<E> {
        TcpListen {
            decoder,
            address: self.address,
            framing: self.framing,
            row_bytes_max: self.row_bytes_max,
            connections_max: self.connections_max,
            can_log: self.can_log,
            acknowledges: self.acknowledges,
            bound: self.bound,
        }
    }

    /// Refuses rows of more bytes; a message that claims more costs its peer the connection.
    #[must_use]
    pub fn row_bytes_max(mut self, bytes: usize) -> Self {
        self.row_bytes_max = bytes;
        self
    }

    /// Serves so many peers at once; others wait until one leaves.
    #[must_use]
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.connections_max = connections;
        self
    }

    /// Keeps no log of what arrives, whatever the job asks for: what is under way when it is killed is lost then.
    #[must_use]
    pub fn without_log(mut self) -> Self {
        self.can_log = false;
        self
    }

    /// Writes back to each peer, as a line of text, how many of its rows are durable, whenever that has grown. The peer
    /// has to read them. After its last row it may close its own direction, and is told of all before the connection
    /// is closed. Only for a job whose sources keep logs.
    #[must_use]
    pub fn acknowledge(mut self) -> Self {
        self.acknowledges = Some(Told::Rows);
        self
    }

    /// As [`acknowledge`](TcpListen::acknowledge), and behind the number, after a space, the position in the source that lies
    /// behind these rows. A peer that asks the job for its state can then wait for what comes of them, whatever fails
    /// meanwhile; the source has one split, number 0.
    #[must_use]
    pub fn acknowledge_positions(mut self) -> Self {
        self.acknowledges = Some(Told::Positions);
        self
    }

    /// The address that this source, or a clone of it, listens on in this process: for port 0.
    pub fn local_address(&self) -> Option<SocketAddr> {
        *lock(&self.bound)
    }
}

impl<D: Decode> Source for TcpListen<D> {
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

impl<D: Decode> TcpListen<D> {
    fn read(
        &self,
        split: &Address,
        from: Option<Position>,
        log: Option<&dyn SplitLog>,
    ) -> Result<FeedReader<D>, SourceError> {
        let (handover, feed) = queue();
        let bell = Arc::clone(&handover.bell);
        let log = log.map(|log| log.open(from, rings(&bell))).transpose()?;
        let error = |error: io::Error| {
            SourceError::new(
                &split.0,
                format!("cannot listen: {error}; choose an address of this host that is free"),
            )
        };
        let acknowledges = match (&log, self.acknowledges) {
            (Some(log), Some(told)) => Some((told, Arc::clone(&log.input))),
            (_, None) => None,
            (None, Some(_)) => {
                let why = "without a log there is nothing to acknowledge: give the job a state directory, and do not ask \
                           for --guarantee at-most-once";
                return Err(SourceError::new(&split.0, why));
            }
        };
        let listener = TcpListener::bind(&split.0).map_err(error)?;
        listener.set_nonblocking(true).map_err(error)?;
        *lock(&self.bound) = Some(listener.local_addr().map_err(error)?);
        let server = Server {
            framing: self.framing,
            row_bytes_max: self.row_bytes_max,
            connections_max: self.connections_max,
            acknowledges,
            handover,
            connections: Vec::new(),
        };
        let thread = spawn("tcp-listen", move || server.run(&listener))?;
        let threads = Listening { bell: Arc::clone(&bell), thread: Some(thread) };
        FeedReader::new(&split.0, self.decoder.clone(), from, (feed, bell), threads).through(log, None)
    }
}

/// The listener's thread, to be stopped.
struct Listening {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

impl Threads for Listening {
    /// Returns when the listener and all connections are closed: the address is free again.
    fn stop(&mut self, queue: Receiver<Handed>, _: Option<Fed>) {
        self.bell.stop();
        drop(queue);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic over there has been reported, and this may be the end of it.
            let _ = thread.join();
        }
    }
}

/// What the listener's thread works with.
struct Server {
    framing: Framing,
    row_bytes_max: usize,
    connections_max: usize,
    /// The log of which peers are told, where they are.
    acknowledges: Option<(Told, Arc<dyn LogInput>)>,
    handover: Handover,
    connections: Vec<(TcpStream, JoinHandle<()>)>,
}

impl Server {
    fn run(mut self, listener: &TcpListener) {
        while !self.handover.bell.is_stopped() {
            self.connections.retain(|(_, thread)| !thread.is_finished());
            if self.connections.len() >= self.connections_max {
                thread::park_timeout(ACCEPT_EVERY);
                continue;
            }
            match listener.accept() {
                // A peer that cannot be served is closed and may come again.
                Ok((stream, peer)) => drop(self.serve(stream, peer)),
                // No peer, or one that has gone already, or no room for its socket: all of them pass.
                Err(_) => thread::park_timeout(ACCEPT_EVERY),
            }
        }
        for (stream, thread) in self.connections.drain(..) {
            // A peer that has gone already needs no shutdown.
            let _ = stream.shutdown(Shutdown::Both);
            // A panic over there has been reported, and this is the end of all connections.
            let _ = thread.join();
        }
    }

    fn serve(&mut self, stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
        stream.set_nonblocking(false)?;
        let mut input = stream.try_clone()?;
        let mut framer = Framer::new(self.framing, self.row_bytes_max, &peer.to_string());
        let mut handover = self.handover.clone();
        let receipts = match &self.acknowledges {
            Some((told, log)) => Some(acknowledge(&stream, (*told, Arc::clone(log)), &mut handover)?),
            None => None,
        };
        let work = move || {
            // However the stream ends, what is unfinished is set aside.
            if !matches!(framer.pump(&mut input, &handover), Pumped::Stopped)
                && let Some(rest) = framer.finish(false)
            {
                handover.give(rest);
            }
            if let (Some(told), Some(receipts)) = (&handover.receipts, receipts) {
                told.close();
                // A panic over there has been reported, and this is the end of the connection.
                let _ = receipts.join();
            }
            let _ = input.shutdown(Shutdown::Both);
        };
        let thread = thread::Builder::new().name("tcp-connection".to_owned()).spawn(work)?;
        self.connections.push((stream, thread));
        Ok(())
    }
}

/// Begins to tell a peer what of its rows is durable.
fn acknowledge(
    stream: &TcpStream,
    (told, log): (Told, Arc<dyn LogInput>),
    handover: &mut Handover,
) -> io::Result<JoinHandle<()>> {
    let (receipts, bell) = (Arc::new(Receipts::default()), Arc::clone(&handover.bell));
    handover.receipts = Some(Arc::clone(&receipts));
    let mut peer = stream.try_clone()?;
    peer.set_write_timeout(Some(UNREAD_MAX))?;
    let work = move || receipts.write_to(&mut peer, (told, log.as_ref()), &bell);
    thread::Builder::new().name("tcp-receipts".to_owned()).spawn(work)
}

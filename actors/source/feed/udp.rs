//! UDP datagrams: each is a row.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use watershed_core::spi::{Guarantee, SplitLog};
use watershed_core::{Data, Position, Source, SourceError};

use super::stdin::spawn;
use super::{
    Address, Bell, Chunk, Fed, FeedReader, Handed, Handover, Threads, WITHOUT_LOG, lock, queue, rings,
    without_header,
};
use crate::source::decode::{Decode, MessagePack, Text};

/// The most bytes that a datagram can have.
const DATAGRAM_BYTES_MAX: usize = 65_535;
/// How many datagrams are handed over together, at most.
const DATAGRAMS_MAX: usize = 512;
/// How many bytes of datagrams are handed over together, about.
const CHUNK_BYTES: usize = 256 * 1024;
/// How often the thread looks whether it is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The datagrams that arrive at a UDP port, read by one subtask. Never ends.
///
/// Each datagram is a row; text may end in a newline. What arrives faster than it is read, the system
/// drops: a sender that cannot lose data uses TCP.
///
/// ```no_run
/// use watershed_actors::source::{Json, Udp};
///
/// let texts = Udp::text("127.0.0.1:7000");
/// let readings = Udp::text("127.0.0.1:7001").decode(Json::<(u32, f64)>::default());
/// let messages = Udp::messages::<(u32, f64)>("127.0.0.1:7002");
/// ```
#[derive(Clone, Debug)]
pub struct Udp<D = Text> {
    address: String,
    decoder: D,
    can_log: bool,
    bound: Arc<Mutex<Option<SocketAddr>>>,
}

impl Udp {
    /// Datagrams of text, on an address `host:port`.
    pub fn text(address: impl Into<String>) -> Self {
        Udp { address: address.into(), decoder: Text, can_log: true, bound: Arc::default() }
    }

    /// Datagrams of one MessagePack message each.
    pub fn messages<T: Data>(address: impl Into<String>) -> Udp<MessagePack<T>> {
        Udp { address: address.into(), decoder: MessagePack::default(), can_log: true, bound: Arc::default() }
    }
}

impl<D> Udp<D> {
    /// Makes something else of each datagram.
    pub fn decode<E: Decode>(self, decoder: E) -> Udp<E> {
        Udp { address: self.address, decoder, can_log: self.can_log, bound: self.bound }
    }

    /// Keeps no log of what arrives, whatever the job asks for: what is under way when it is killed is lost then.
    #[must_use]
    pub fn without_log(mut self) -> Self {
        self.can_log = false;
        self
    }

    /// The address that this source, or a clone of it, listens on in this process: for port 0.
    pub fn local_address(&self) -> Option<SocketAddr> {
        *lock(&self.bound)
    }
}

impl<D: Decode> Source for Udp<D> {
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
        format!("udp {}", split.0)
    }
}

impl<D: Decode> Udp<D> {
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
        let socket = UdpSocket::bind(&split.0).map_err(error)?;
        socket.set_read_timeout(Some(LOOK_EVERY)).map_err(error)?;
        *lock(&self.bound) = Some(socket.local_addr().map_err(error)?);
        let name = split.0.clone();
        let thread = spawn("udp", move || {
            if let Err(error) = pump(&socket, &handover) {
                handover.fail(name, error);
            }
        })?;
        let threads = Receiving { bell: Arc::clone(&bell), thread: Some(thread) };
        FeedReader::new(&split.0, self.decoder.clone(), from, (feed, bell), threads).through(log, None)
    }
}

/// The socket's thread, to be stopped.
struct Receiving {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

impl Threads for Receiving {
    /// Returns when the socket is closed, after [`LOOK_EVERY`] at the latest: the address is free again.
    fn stop(&mut self, queue: Receiver<Handed>, _: Option<Fed>) {
        self.bell.stop();
        drop(queue);
        if let Some(thread) = self.thread.take() {
            // A panic over there has been reported, and this may be the end of it.
            let _ = thread.join();
        }
    }
}

/// Hands over what arrives until nobody takes it.
fn pump(socket: &UdpSocket, to: &Handover) -> io::Result<()> {
    let place: Arc<str> = "datagram".into();
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let mut first = 1;
    while !to.bell.is_stopped() {
        let Some(received) = receive(socket, &mut buffer)? else { continue };
        let (mut bytes, mut rows) = (buffer[..received].to_vec(), vec![(0, received)]);
        socket.set_nonblocking(true)?;
        while rows.len() < DATAGRAMS_MAX
            && bytes.len() < CHUNK_BYTES
            && let Some(received) = receive(socket, &mut buffer)?
        {
            rows.push((bytes.len(), bytes.len() + received));
            bytes.extend_from_slice(&buffer[..received]);
        }
        socket.set_nonblocking(false)?;
        let count = rows.len() as u64;
        if !to.give(Fed::Rows(Chunk { place: Arc::clone(&place), first, bytes, rows })) {
            break;
        }
        first += count;
    }
    Ok(())
}

/// The length of the next datagram, where there is one in time.
fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, Interrupted, TimedOut, WouldBlock};
    match socket.recv_from(buffer) {
        Ok((received, _)) => Ok(Some(received)),
        // The last two are about datagrams that others sent; they say nothing about this socket.
        Err(error) => match error.kind() {
            WouldBlock | TimedOut | Interrupted | ConnectionReset | ConnectionRefused => Ok(None),
            _ => Err(error),
        },
    }
}

//! Pipes and real sockets on the loopback device.

mod logged;

use std::io::{Cursor, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use serde::Serialize;
use watershed_core::spi::SplitLog;
use watershed_core::testing::SourceHarness;
use watershed_core::{Polled, Source};

use super::*;
use crate::source::{CsvRow, Json, Text};

const ANY: &str = "127.0.0.1:0";
const PATIENCE: Duration = Duration::from_secs(60);

/// Some bytes as if they came through a pipe.
#[derive(Clone)]
struct Piped<D>(D, Vec<u8>);

struct Unheld;

impl Threads for Unheld {
    fn stop(&mut self, _: Receiver<Handed>, _: Option<Fed>) {}
}

impl<D: Decode> Source for Piped<D> {
    type Out = D::Out;
    type Split = Address;
    type Reader = FeedReader<D>;

    fn splits(&self, _: u32) -> Result<Vec<Address>, SourceError> {
        Ok(vec![Address("pipe".to_owned())])
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
        true
    }

    fn describe(&self, split: &Address) -> String {
        split.0.clone()
    }
}

impl<D: Decode> Piped<D> {
    fn read(&self, from: Option<Position>, log: Option<&dyn SplitLog>) -> Result<FeedReader<D>, SourceError> {
        let (handover, feed) = queue();
        let (bell, bytes) = (Arc::clone(&handover.bell), self.1.clone());
        let log = log.map(|log| log.open(from, rings(&bell))).transpose()?;
        stdin::spawn("pipe", move || stdin::pump(&mut Cursor::new(bytes), &handover))?;
        FeedReader::new("pipe", self.0.clone(), from, (feed, bell), Unheld).through(log, None)
    }
}

/// An address for a test in which nobody listens there any more, or again: the system gives the port of one that was
/// closed to whoever asks next for one of `127.0.0.1`, and that may be another test.
fn own(number: u8) -> String {
    format!("127.1.0.{number}:0")
}

fn listening<D: Decode>(source: &TcpListen<D>) -> (SourceHarness<TcpListen<D>>, SocketAddr) {
    let harness = SourceHarness::new(source, 2).unwrap();
    (harness, source.local_address().unwrap())
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn send(address: SocketAddr, bytes: &[u8]) {
    connect(address).write_all(bytes).unwrap();
}

/// Whether the other side has closed the connection.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 16]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

fn message(value: &impl Serialize) -> Vec<u8> {
    let body = rmp_serde::to_vec(value).unwrap();
    [&(body.len() as u32).to_be_bytes(), body.as_slice()].concat()
}

#[test]
fn a_pipe_is_read_to_its_end_with_a_header_and_an_open_last_line() {
    let rows = CsvRow::<(String, u32)>::default();
    let mut harness = SourceHarness::new(&Piped(rows, b"name,n\na,1\nb,x\nc,3".to_vec()), 1).unwrap();
    harness.run().unwrap();
    assert_eq!(harness.values(), [("a".to_owned(), 1), ("c".to_owned(), 3)]);
    let letters = harness.dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].origin.as_str(), letters[0].bytes.as_slice()), ("pipe line 3", b"b,x".as_slice()));
    assert_eq!(harness.position(0), Position(4));
}

#[test]
fn a_poll_reads_no_more_rows_than_its_budget() {
    let mut harness = SourceHarness::new(&Piped(Text, b"a\nb\nc\n".to_vec()), 1).unwrap().budget(2);
    harness.run_until(1).unwrap();
    assert_eq!(harness.values(), ["a", "b"]);
    assert_eq!(harness.position(0), Position(2));
}

#[test]
fn a_listener_reads_peers_that_come_and_go() {
    let (mut harness, address) = listening(&TcpListen::lines(ANY));
    assert_eq!(harness.poll(0).unwrap(), Polled::Pending);
    let mut staying = connect(address);
    staying.write_all(b"one\n").unwrap();
    send(address, b"two\nthree\nunfinished");
    harness.run_until_dead_letters(1).unwrap();
    harness.run_until(3).unwrap();
    staying.write_all(b"four\n").unwrap();
    harness.run_until(4).unwrap();
    let mut values = harness.values();
    values.sort();
    assert_eq!(values, ["four", "one", "three", "two"]);
    let letters = harness.dead_letters();
    assert_eq!(letters[0].bytes, b"unfinished");
    assert!(letters[0].origin.ends_with(" line 3"), "{}", letters[0].origin);
}

#[test]
fn a_dropped_listener_closes_its_connections_and_frees_its_address() {
    let (mut harness, address) = listening(&TcpListen::lines(own(1)));
    let mut peer = connect(address);
    peer.write_all(b"hello\n").unwrap();
    harness.run_until(1).unwrap();
    drop(harness);
    assert!(is_closed(&mut peer));
    assert!(TcpStream::connect(address).is_err());
    drop(TcpListener::bind(address).unwrap());
}

#[test]
fn a_message_that_cannot_be_decoded_harms_no_other() {
    let (mut harness, address) = listening(&TcpListen::messages::<(u32, String)>(ANY));
    let good = |n: u32| message(&(n, "x".to_owned()));
    let behind = [&[0, 0, 0, 5][..], &rmp_serde::to_vec(&(9, "x")).unwrap(), &[1]].concat();
    send(address, &[good(1), message(&"text"), behind, good(2)].concat());
    harness.run_until(2).unwrap();
    assert_eq!(harness.values().iter().map(|(n, _)| *n).collect::<Vec<_>>(), [1, 2]);
    let letters = harness.dead_letters();
    assert_eq!(letters.len(), 2);
    assert!(letters[0].origin.ends_with(" message 2"), "{}", letters[0].origin);
    assert_eq!(letters[1].reason, "1 bytes behind the end of the message");
}

#[test]
fn a_peer_that_claims_too_long_a_message_loses_its_connection_and_nobody_else_does() {
    let (mut harness, address) = listening(&TcpListen::messages::<u32>(ANY).row_bytes_max(1000));
    let (mut hostile, mut honest) = (connect(address), connect(address));
    hostile.write_all(&[255, 255, 255, 255, 1, 2, 3]).unwrap();
    harness.run_until_dead_letters(1).unwrap();
    assert!(harness.dead_letters()[0].reason.contains("1000 is the limit"));
    assert!(is_closed(&mut hostile));
    honest.write_all(&message(&7_u32)).unwrap();
    harness.run_until(1).unwrap();
    assert_eq!(harness.values(), [7]);
}

#[test]
fn peers_above_the_limit_wait_until_one_leaves() {
    let (mut harness, address) = listening(&TcpListen::lines(ANY).connections_max(1));
    let mut first = connect(address);
    first.write_all(b"first\n").unwrap();
    harness.run_until(1).unwrap();
    send(address, b"second\n");
    // The bell for the first row may be heard only now, when the row has been read; another row must not come.
    harness.woken_within(Duration::from_millis(100));
    assert_eq!(harness.poll(0).unwrap(), Polled::Pending);
    assert_eq!(harness.values(), ["first"]);
    drop(first);
    harness.run_until(1).unwrap();
    assert_eq!(harness.values(), ["second"]);
}

#[test]
fn a_sender_is_held_back_when_nobody_reads() {
    let (mut harness, address) = listening(&TcpListen::lines(ANY));
    let mut peer = connect(address);
    peer.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let line = [b"x".repeat(1023).as_slice(), b"\n"].concat();
    let mut sent = 0;
    let left = loop {
        match peer.write(&line) {
            Ok(written) if written == line.len() => sent += 1,
            Ok(written) => break line.len() - written,
            Err(_) => break 0,
        }
        assert!(sent < 100_000, "100 MB have been taken and nobody has read them");
    };
    harness.run_until(sent).unwrap();
    peer.set_write_timeout(None).unwrap();
    peer.write_all(&line[line.len() - left..]).unwrap();
    let wanted = sent + usize::from(left > 0);
    harness.run_until(wanted).unwrap();
    assert_eq!(harness.values().len(), wanted);
}

#[test]
fn an_address_that_is_taken_is_an_error() {
    let taken = TcpListener::bind(ANY).unwrap();
    let source = TcpListen::lines(taken.local_addr().unwrap().to_string());
    let error = SourceHarness::new(&source, 1).err().unwrap().to_string();
    assert!(error.contains("choose an address"), "{error}");
}

#[test]
fn a_socket_without_a_header_wants_the_columns_named() {
    let rows = CsvRow::<(u32, u32)>::default();
    let error = TcpListen::lines(ANY).decode(rows.clone()).splits(1).unwrap_err().to_string();
    assert!(error.contains(".columns"), "{error}");
    assert!(TcpListen::lines(ANY).decode(rows.columns(["a", "b"])).splits(1).is_ok());
}

#[test]
fn a_client_connects_again_when_its_peer_closes() {
    let server = TcpListener::bind(ANY).unwrap();
    let source = TcpConnect::lines(server.local_addr().unwrap().to_string()).decode(Json::<u32>::default());
    let mut harness = SourceHarness::new(&source, 1).unwrap();
    for n in 0..3 {
        let (mut peer, _) = server.accept().unwrap();
        writeln!(peer, "{n}").unwrap();
        drop(peer);
        harness.run_until(n + 1).unwrap();
    }
    assert_eq!(harness.values(), [0, 1, 2]);
}

#[test]
fn a_client_may_take_the_closing_for_the_end() {
    let server = TcpListener::bind(ANY).unwrap();
    let source = TcpConnect::messages::<u32>(server.local_addr().unwrap().to_string()).end_on_close();
    let mut harness = SourceHarness::new(&source, 1).unwrap();
    let (mut peer, _) = server.accept().unwrap();
    peer.write_all(&[message(&1_u32), message(&2_u32)].concat()).unwrap();
    drop(peer);
    harness.run().unwrap();
    assert_eq!(harness.values(), [1, 2]);
    assert_eq!(harness.poll(0).unwrap(), Polled::End);
}

#[test]
fn a_client_without_a_peer_gives_up_after_its_attempts() {
    let address = TcpListener::bind(own(2)).unwrap().local_addr().unwrap().to_string();
    let mut harness = SourceHarness::new(&TcpConnect::lines(&address).attempts_max(2), 1).unwrap();
    let error = harness.run().unwrap_err().to_string();
    assert!(error.contains(&address) && error.contains("2 attempts"), "{error}");
}

#[test]
fn a_dropped_client_closes_its_connection() {
    let server = TcpListener::bind(ANY).unwrap();
    let source = TcpConnect::lines(server.local_addr().unwrap().to_string());
    let harness = SourceHarness::new(&source, 1).unwrap();
    let (mut peer, _) = server.accept().unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    drop(harness);
    assert!(is_closed(&mut peer));
}

#[test]
fn each_datagram_is_a_row() {
    let source = Udp::text(own(3)).decode(Json::<u32>::default());
    let mut harness = SourceHarness::new(&source, 1).unwrap();
    let address = source.local_address().unwrap();
    let sender = UdpSocket::bind(ANY).unwrap();
    for text in ["1", "two", "3\n"] {
        sender.send_to(text.as_bytes(), address).unwrap();
    }
    harness.run_until(2).unwrap();
    assert_eq!(harness.values(), [1, 3]);
    let letters = harness.dead_letters();
    assert_eq!(letters.len(), 1);
    assert!(letters[0].origin.ends_with(" datagram 2"), "{}", letters[0].origin);
    drop(harness);
    drop(UdpSocket::bind(address).unwrap());
}

#[test]
fn a_datagram_may_be_a_message_of_any_size() {
    let source = Udp::messages::<String>(ANY);
    let mut harness = SourceHarness::new(&source, 1).unwrap();
    let text = "x".repeat(60_000);
    let sender = UdpSocket::bind(ANY).unwrap();
    sender.send_to(&rmp_serde::to_vec(&text).unwrap(), source.local_address().unwrap()).unwrap();
    harness.run_until(1).unwrap();
    assert_eq!(harness.values(), [text]);
}

//! Sockets and pipes with a log: what was read once can be read again.

use watershed_core::testing::{Logged, verify_source};

use super::*;

/// The end of the input, as it is logged.
const ENDED: &[u8] = b"\xa5ended";

#[test]
fn a_client_with_a_log_can_be_read_from_any_position_when_its_peer_is_gone() {
    let server = TcpListener::bind(own(4)).unwrap();
    let address = server.local_addr().unwrap().to_string();
    let client = Logged::new(TcpConnect::lines(&address).decode(Json::<u32>::default()).end_on_close());
    let mut harness = SourceHarness::new(&client, 1).unwrap();
    let (mut peer, _) = server.accept().unwrap();
    peer.write_all(b"1\n2\nthree\n4\n5\nunfinished").unwrap();
    drop((peer, server));
    harness.run().unwrap();
    assert_eq!(harness.values(), [1, 2, 4, 5]);
    assert_eq!(harness.dead_letters().len(), 2);
    assert_eq!(harness.position(0), Position(6), "a reader that begins here finds the end again");
    drop(harness);
    verify_source(&client, 1);
}

#[test]
fn a_listener_with_a_log_can_be_read_from_any_position() {
    let tcp = TcpListen::messages::<u32>(ANY);
    let listener = Logged::new(tcp.clone());
    let mut harness = SourceHarness::new(&listener, 1).unwrap();
    let behind = [&[0, 0, 0, 5][..], &rmp_serde::to_vec(&"text").unwrap()].concat();
    send(tcp.local_address().unwrap(), &[message(&1_u32), behind, message(&2_u32), message(&3_u32)].concat());
    harness.run_until(3).unwrap();
    let (values, position) = (harness.values(), harness.position(0));
    assert_eq!((values, position), (vec![1, 2, 3], Position(4)));
    let name = harness.describe(0);
    drop(harness);
    listener.log(&name).push(1, ENDED.to_vec());
    verify_source(&listener, 1);
}

#[test]
fn datagrams_with_a_log_can_be_read_from_any_position() {
    let udp = Udp::text(ANY).decode(Json::<u32>::default());
    let datagrams = Logged::new(udp.clone());
    let mut harness = SourceHarness::new(&datagrams, 1).unwrap();
    let sender = UdpSocket::bind(ANY).unwrap();
    for text in ["1", "two", "3", "4"] {
        sender.send_to(text.as_bytes(), udp.local_address().unwrap()).unwrap();
    }
    harness.run_until(3).unwrap();
    let name = harness.describe(0);
    drop(harness);
    datagrams.log(&name).push(1, ENDED.to_vec());
    verify_source(&datagrams, 1);
}

#[test]
fn a_listener_goes_on_through_its_log_to_what_arrives() {
    let tcp = TcpListen::lines(ANY);
    let listener = Logged::new(tcp.clone());
    let mut harness = SourceHarness::new(&listener, 1).unwrap().budget(2);
    send(tcp.local_address().unwrap(), b"one\ntwo\nthree\nfour\n");
    harness.run_until(1).unwrap();
    assert_eq!(harness.values(), ["one", "two"]);
    let log = listener.log(&harness.describe(0));
    let position = harness.position(0);
    // What has been read by the socket's threads is logged when the reader is dropped.
    harness.reopen(0, position).unwrap();
    assert_eq!(log.end(), Position(4));
    send(tcp.local_address().unwrap(), b"five\n");
    harness.run_until(3).unwrap();
    assert_eq!(harness.values(), ["three", "four", "five"]);
    harness.forget(0, Position(4));
    assert_eq!(log.entries().len(), 1, "what no checkpoint needs has gone");
}

#[test]
fn a_pipe_is_read_from_its_log_when_it_is_gone() {
    let pipe = Logged::new(Piped(Text, b"a\nb\nc".to_vec()));
    let mut harness = SourceHarness::new(&pipe, 1).unwrap();
    harness.run().unwrap();
    assert_eq!(harness.values(), ["a", "b", "c"]);
    drop(harness);
    verify_source(&pipe, 1);
}

#[test]
fn what_cannot_be_logged_says_that_it_may_lose() {
    use watershed_core::Guarantee::AtMostOnce;
    let (listener, client, udp) = (TcpListen::lines(ANY), TcpConnect::lines(ANY), Udp::text(ANY));
    assert_eq!([listener.guarantee(), client.guarantee(), udp.guarantee()], [AtMostOnce; 3]);
    assert_eq!(Stdin::lines().guarantee(), AtMostOnce);
    assert!(listener.can_log() && client.can_log() && udp.can_log() && Stdin::lines().can_log());
    assert!(!listener.without_log().can_log() && !client.without_log().can_log());
    assert!(
        !udp.without_log().decode(Text).can_log() && !Stdin::lines().without_log().decode(Text).can_log()
    );
}

#[test]
fn a_failure_comes_behind_what_was_logged_before_it() {
    let server = TcpListener::bind(ANY).unwrap();
    let address = server.local_addr().unwrap().to_string();
    let client = Logged::new(TcpConnect::lines(&address).attempts_max(1));
    let mut harness = SourceHarness::new(&client, 1).unwrap();
    let (mut peer, _) = server.accept().unwrap();
    peer.write_all(b"last words\n").unwrap();
    drop((peer, server));
    let error = harness.run().unwrap_err().to_string();
    assert!(error.contains(&address) && error.contains("1 attempts"), "{error}");
    assert_eq!(harness.values(), ["last words"]);
}

/// What a peer is told until the connection is closed, after these bytes and the end of its own direction.
fn receipts(address: SocketAddr, bytes: &[u8]) -> String {
    let mut peer = connect(address);
    peer.write_all(bytes).unwrap();
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    let mut told = String::new();
    peer.read_to_string(&mut told).unwrap();
    told
}

#[test]
fn a_peer_is_told_how_many_of_its_rows_are_durable() {
    let tcp = TcpListen::lines(ANY).acknowledge();
    let listener = Logged::new(tcp.clone());
    let mut harness = SourceHarness::new(&listener, 1).unwrap();
    let address = tcp.local_address().unwrap();
    let told = receipts(address, b"one\ntwo\nthree\nunfinished");
    assert_eq!(told.lines().last(), Some("4"), "{told:?}");
    let numbers: Vec<u64> = told.lines().map(|line| line.parse().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{told:?}");
    assert_eq!(receipts(address, b"each peer's own\n"), "1\n");
    assert_eq!(receipts(address, b""), "");
    harness.run_until(4).unwrap();
    assert_eq!(harness.values().len(), 4);
}

#[test]
fn a_peer_is_told_the_position_behind_its_rows() {
    let tcp = TcpListen::lines(ANY).acknowledge_positions();
    let listener = Logged::new(tcp.clone());
    let mut harness = SourceHarness::new(&listener, 1).unwrap();
    let address = tcp.local_address().unwrap();
    let told = receipts(address, b"one\ntwo\nthree\n");
    assert_eq!(told.lines().last(), Some("3 3"), "{told:?}");
    assert_eq!(receipts(address, b"each peer's own\n"), "1 4\n");
    harness.run_until(4).unwrap();
}

#[test]
fn a_listener_without_a_log_cannot_acknowledge() {
    let error = SourceHarness::new(&TcpListen::lines(ANY).acknowledge(), 1).err().unwrap().to_string();
    assert!(error.contains("give the job a state directory"), "{error}");
}

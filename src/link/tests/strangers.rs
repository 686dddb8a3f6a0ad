//! Connections from those who do not know how to behave.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use watershed_core::{Epoch, Run, Sequence};
use watershed_wire::{Draft, Header, Kind};

use super::fixture::*;
use super::frames::take;
use crate::envelope;
use crate::hello::{Hello, PROTOCOL, Reply, hear as hear_reply, say};
use crate::*;

/// Connects to a node, says something, and waits until it closes the connection.
async fn closes(links: &Links, bytes: &[u8]) {
    let mut stream = TcpStream::connect(links.address()).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut rest = Vec::new();
    let within = Duration::from_secs(60);
    let closed = tokio::time::timeout(within, stream.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "the connection is still open after {:?}", &bytes[..bytes.len().min(20)]);
}

fn framed(kind: Kind, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Draft::write(&envelope::header(kind, 0, 0), body, &mut out);
    out
}

#[actix_rt::test]
async fn garbage_closes_its_connection_and_no_other() {
    // Some of it could still become an introduction, and is waited for.
    let (a, b) = pair_within(LinkConfig { handshake_within: hasty().handshake_within, ..config() }).await;
    let hello = msgpack::write(&Hello::new(&local("c"), "127.0.0.1:9", 1)).unwrap();
    let mut flipped = framed(Kind::Hello, &hello);
    flipped[40] ^= 1;
    let mut deep = vec![0x91; 1_000];
    deep.push(0x90);
    let mut trailing = hello.clone();
    trailing.push(0);
    let mut long = framed(Kind::Hello, &[]);
    // The length of the body, all but the checksum behind it.
    let at = long.len() - 9;
    long[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
    for bytes in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0; 100_000],
        flipped,
        long,
        framed(Kind::Hello, &deep),
        framed(Kind::Hello, &trailing),
        framed(Kind::Hello, &vec![0; 17 << 10]),
        framed(Kind::Records, b"records"),
        framed(Kind::Message, b"message"),
    ] {
        closes(&b, &bytes).await;
    }
    assert_eq!(b.peers().len(), 1);
    assert!(is_up(&a, "b") && is_up(&b, "a"));
}

#[actix_rt::test]
async fn another_protocol_is_refused_and_both_numbers_are_said() {
    let (a, b) = pair().await;
    for theirs in [0, PROTOCOL + 1, u32::MAX] {
        let mut stream = TcpStream::connect(b.address()).await.unwrap();
        let hello = Hello { protocol: theirs, ..Hello::new(&local("c"), "127.0.0.1:9", 1) };
        say(&hello, &mut stream).await.unwrap();
        let mut buffer = bytes::BytesMut::new();
        let reply: Reply = hear_reply(&mut stream, &mut buffer, 1 << 14).await.unwrap();
        assert_eq!(reply, Reply::Refused { why: Refusal::Protocol { ours: PROTOCOL, theirs } });
        assert!(matches!(stream.read(&mut [0; 1]).await, Ok(0)), "the connection is closed");
    }
    assert_eq!(b.peers().len(), 1);
    assert!(is_up(&a, "b") && is_up(&b, "a"));
}

#[actix_rt::test]
async fn who_does_not_say_hello_in_time_is_closed() {
    let b = open_within(local("b"), hasty()).await;
    let begun = Instant::now();
    closes(&b, b"").await;
    assert!(begun.elapsed() >= hasty().handshake_within);
    let hello = framed(Kind::Hello, &msgpack::write(&Hello::new(&local("c"), "127.0.0.1:9", 1)).unwrap());
    // It is no excuse that something goes on arriving. Where the machine stands still it may all be there in time, and is said
    // more slowly then.
    let mut heard = 0;
    for pause in [20, 100, 500].map(Duration::from_millis) {
        let mut stream = TcpStream::connect(b.address()).await.unwrap();
        for byte in &hello {
            if stream.write_all(&[*byte]).await.is_err() {
                break;
            }
            actix_rt::time::sleep(pause).await;
        }
        if b.peers().is_empty() {
            return;
        }
        heard += 1;
        b.forget(&name("c"));
    }
    panic!("it was heard {heard} times");
}

#[actix_rt::test]
async fn there_is_room_for_few_strangers_and_always_for_nodes() {
    let tight = LinkConfig { connections_without_hello_max: 4, ..config() };
    let crowd = async |links: &Links| {
        let mut strangers = Vec::new();
        for _ in 0..20 {
            strangers.push(TcpStream::connect(links.address()).await.unwrap());
        }
        strangers
    };
    let b = open_within(local("b"), tight.clone()).await;
    let mut strangers = crowd(&b).await;
    for stream in &mut strangers[4..] {
        let read = tokio::time::timeout(Duration::from_secs(60), stream.read(&mut [0; 1])).await;
        assert!(matches!(read, Ok(Ok(0) | Err(_))), "{read:?}");
    }
    // Those for whom there is room have more time than that.
    for stream in &mut strangers[..4] {
        let read = tokio::time::timeout(Duration::from_millis(10), stream.read(&mut [0; 1])).await;
        assert!(read.is_err(), "{read:?}");
    }
    let b = open_within(local("b"), LinkConfig { handshake_within: hasty().handshake_within, ..tight }).await;
    let _strangers = crowd(&b).await;
    let a = open(local("a")).await;
    a.learn(&name("b"), &b.address().to_string());
    up(&a, "b").await;
}

/// How many files this process has open, sockets among them.
fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

#[actix_rt::test]
async fn ten_thousand_strangers_leave_nothing_behind_and_keep_no_node_out() {
    let (a, b) = pair().await;
    let before = open_files();
    for _ in 0..100 {
        let mut strangers = Vec::new();
        for _ in 0..100 {
            strangers.push(TcpStream::connect(b.address()).await.unwrap());
        }
        drop(strangers);
    }
    assert!(is_up(&a, "b") && is_up(&b, "a"), "who was linked still is");
    let c = open(local("c")).await;
    c.learn(&name("b"), &b.address().to_string());
    up(&c, "b").await;
    up(&b, "c").await;
    // Other tests open connections at the same time, but not thousands.
    until("the strangers' connections are closed", || open_files() < before + 1_000).await;
}

/// A node of flesh and blood: introduces itself, and writes what it likes.
async fn node(links: &Links) -> (TcpStream, tokio::net::TcpListener) {
    let listener = tokio::net::TcpListener::bind(anywhere()).await.unwrap();
    let mut stream = TcpStream::connect(links.address()).await.unwrap();
    let advertise = listener.local_addr().unwrap().to_string();
    say(&Hello::new(&local("c"), &advertise, 1), &mut stream).await.unwrap();
    let mut buffer = bytes::BytesMut::new();
    let reply: Reply = hear_reply(&mut stream, &mut buffer, 1 << 14).await.unwrap();
    assert!(matches!(reply, Reply::Welcome { .. }));
    let (mut back, _) = listener.accept().await.unwrap();
    let _: Hello = hear_reply(&mut back, &mut buffer, 1 << 14).await.unwrap();
    say(&Reply::Welcome { node: name("c"), incarnation: Incarnation(1) }, &mut back).await.unwrap();
    up(links, "c").await;
    actix_rt::spawn(async move { while let Ok(1..) = back.read(&mut [0; 1024]).await {} });
    (stream, listener)
}

#[actix_rt::test]
async fn a_node_that_breaks_the_protocol_is_cut_off() {
    let b = open_within(local("b"), LinkConfig { frame_within: hasty().frame_within, ..config() }).await;
    let mut damaged = framed(Kind::Message, b"a message");
    damaged[20] ^= 1;
    let oversize = framed(Kind::Message, &vec![0; (1 << 20) + 1]);
    for (bytes, why) in [
        (damaged, "damaged"),
        (oversize, "may have 1048576"),
        (framed(Kind::Message, b"\xc1"), "protocol"),
        (framed(Kind::Hello, b""), "twice"),
        (framed(Kind::Records, &[0; 10_000])[..20].to_vec(), "did not end within"),
    ] {
        let (mut stream, listener) = node(&b).await;
        let _ = stream.write_all(&bytes).await;
        if why.starts_with("did not end") {
            // It is no excuse that something goes on arriving.
            let ended = async {
                while stream.write_all(&[0]).await.is_ok() {
                    actix_rt::time::sleep(Duration::from_millis(30)).await;
                }
            };
            let _ = tokio::time::timeout(Duration::from_secs(2), ended).await;
        }
        trouble(&b, "c", why).await;
        drop((stream, listener));
        b.forget(&name("c"));
    }
}

#[actix_rt::test]
async fn a_connection_that_breaks_within_a_frame_delivers_nothing_of_it() {
    let b = open(local("b")).await;
    let taken = take(&b, Run(1));
    let header = Header {
        job: 1,
        run: Run(1),
        channel: 3,
        sequence: Sequence(70_000),
        epoch: Epoch(300),
        kind: Kind::Records,
        records: 1,
    };
    let mut whole = Vec::new();
    Draft::write(&header, b"records", &mut whole);
    for cut in 1..whole.len() {
        let (mut stream, listener) = node(&b).await;
        stream.write_all(&whole[..cut]).await.unwrap();
        drop((stream, listener));
        until("the link is down", || !is_up(&b, "c")).await;
        b.forget(&name("c"));
    }
    assert!(taken.try_recv().is_err(), "a part of a frame is none");
    // What the connections before it have left does not go ahead of the first frame of the next.
    let (mut stream, listener) = node(&b).await;
    stream.write_all(&whole).await.unwrap();
    let frame = hear(&taken).await;
    assert_eq!((frame.header, &frame.body[..]), (header, &b"records"[..]));
    drop((stream, listener));
}

//! Frames between two sockets, with the proxy between them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;
use watershed_core::{Epoch, Run, Sequence};
use watershed_wire::{Draft, Header, Kind};

use super::*;

/// How long anything may take that has to come.
const PATIENCE: Duration = Duration::from_secs(120);

/// Longer than any test takes.
const HOUR: Duration = Duration::from_secs(3600);

/// A way from n1 to n2, with both ends of a connection that has been introduced.
struct Line {
    proxy: Proxy,
    near: TcpStream,
    far: TcpStream,
}

fn frame(kind: Kind, sequence: u64) -> Vec<u8> {
    let (run, sequence, epoch) = (Run(1), Sequence(sequence), Epoch(1));
    let header = Header { job: 1, run, channel: 5, sequence, epoch, kind, records: 0 };
    let mut bytes = Vec::new();
    Draft::write(&header, b"some records", &mut bytes);
    bytes
}

impl Line {
    fn new() -> Line {
        let node = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let listens = node.local_addr().expect("it is bound");
        let nobody = listens;
        let proxy =
            Proxy::open(&[("n1".to_owned(), nobody), ("n2".to_owned(), listens)]).expect("there are ports");
        let mut near = TcpStream::connect(proxy.address(1)).expect("the door is open");
        let hello = rmp_serde::to_vec_named(&json!({ "node": "n1" })).expect("it is plain data");
        let (run, sequence, epoch) = (Run(0), Sequence(0), Epoch(0));
        let header = Header { job: 0, run, channel: 0, sequence, epoch, kind: Kind::Hello, records: 0 };
        let mut bytes = Vec::new();
        Draft::write(&header, &hello, &mut bytes);
        near.write_all(&bytes).expect("the door takes it");
        let (mut far, _) = node.accept().expect("the door leads here");
        far.set_read_timeout(Some(PATIENCE)).expect("it is a time");
        let mut arrived = vec![0; bytes.len()];
        far.read_exact(&mut arrived).expect("the introduction comes through");
        assert_eq!(arrived, bytes);
        Line { proxy, near, far }
    }

    fn way(&self) -> Arc<Way> {
        self.proxy.way("n1", "n2").expect("there is a way")
    }

    fn send(&mut self, frames: &[Vec<u8>]) {
        self.near.write_all(&frames.concat()).expect("the door takes it");
    }

    #[track_caller]
    fn expect(&mut self, frames: &[Vec<u8>]) {
        let expected = frames.concat();
        let mut arrived = vec![0; expected.len()];
        self.far.read_exact(&mut arrived).expect("it comes through");
        assert_eq!(arrived, expected);
    }

    /// What comes until the connection ends.
    fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.far.read_to_end(&mut rest);
        rest
    }

    #[track_caller]
    fn expect_silence(&mut self, lasts: Duration) {
        self.far.set_read_timeout(Some(lasts)).expect("it is a time");
        assert!(self.far.read(&mut [0]).is_err(), "something came through");
        self.far.set_read_timeout(Some(PATIENCE)).expect("it is a time");
    }

    /// Waits until something is so of the way.
    #[track_caller]
    fn wait_until(&self, what: &str, is_so: impl Fn(&Way) -> bool) {
        let (begun, way) = (Instant::now(), self.way());
        while !is_so(&way) {
            assert!(begun.elapsed() < PATIENCE, "{what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn records(sequences: &[u64]) -> Vec<Vec<u8>> {
    sequences.iter().map(|sequence| frame(Kind::Records, *sequence)).collect()
}

fn once(once: Once) -> Order {
    Order { once, kind: Some(Kind::Records) }
}

#[test]
fn what_nobody_harms_comes_as_it_was_sent_in_both_directions() {
    let mut line = Line::new();
    line.send(&records(&[0, 1, 2]));
    line.expect(&records(&[0, 1, 2]));
    let answer = frame(Kind::Credit, 0);
    line.far.write_all(&answer).expect("the way back is open");
    let mut arrived = vec![0; answer.len()];
    line.near.read_exact(&mut arrived).expect("it comes back");
    assert_eq!(arrived, answer);
}

#[test]
fn a_frame_comes_twice() {
    let mut line = Line::new();
    line.way().order(once(Once::Duplicate));
    line.send(&records(&[0, 1]));
    line.expect(&records(&[0, 0, 1]));
    assert_eq!(line.way().harmed().map(|harmed| harmed.kind), Some(Kind::Records));
}

#[test]
fn a_frame_is_overtaken_by_the_next_of_its_kind() {
    let mut line = Line::new();
    line.way().order(once(Once::Reorder(HOUR)));
    let ping = frame(Kind::Ping, 9);
    line.send(&[&records(&[0])[..], std::slice::from_ref(&ping), &records(&[1, 2])].concat());
    line.expect(&[&[ping][..], &records(&[1, 0, 2])].concat());
}

#[test]
fn a_frame_that_nothing_overtakes_comes_all_the_same() {
    let mut line = Line::new();
    line.way().order(once(Once::Reorder(Duration::from_millis(50))));
    line.send(&records(&[0]));
    line.expect(&records(&[0]));
}

#[test]
fn a_frame_loses_its_second_half_and_the_connection_ends() {
    let mut line = Line::new();
    line.way().order(once(Once::Truncate));
    line.send(&records(&[0, 1]));
    let whole = frame(Kind::Records, 0);
    assert_eq!(line.rest(), whole[..whole.len() / 2]);
    assert!(matches!(line.near.read(&mut [0]), Ok(0) | Err(_)), "it is over for the sender too");
}

#[test]
fn one_bit_of_a_frame_is_turned_over() {
    let mut line = Line::new();
    line.way().order(once(Once::Flip(3 + 8 * 1_000_000_007)));
    line.send(&records(&[0, 1]));
    let mut flipped = records(&[0, 1]);
    let byte = (1_000_000_007 % flipped[0].len() as u64) as usize;
    flipped[0][byte] ^= 8;
    line.expect(&flipped);
}

#[test]
fn only_the_frame_that_is_meant_is_harmed_unless_none_comes() {
    let mut line = Line::new();
    let order = Order { once: Once::Duplicate, kind: Some(Kind::Credit) };
    line.way().order_since(order, Instant::now() + HOUR);
    line.send(&records(&[0]));
    line.expect(&records(&[0]));
    assert_eq!(line.way().harmed(), None);
    let long_ago =
        Instant::now().checked_sub(Order::PATIENCE).expect("the machine runs for longer than that");
    line.way().order_since(order, long_ago);
    line.send(&records(&[1]));
    line.expect(&records(&[1, 1]));
}

#[test]
fn a_connection_is_gone_for_its_receiver_alone() {
    let mut line = Line::new();
    line.way().order(once(Once::Cut));
    line.send(&records(&[0, 1]));
    assert_eq!(line.rest(), frame(Kind::Records, 0));
    line.near.set_read_timeout(Some(Duration::from_millis(300))).expect("it is a time");
    assert!(line.near.read(&mut [0]).is_err(), "the sender hears nothing of it");
    line.send(&records(&[2]));
}

#[test]
fn a_blocked_way_lets_nothing_pass_until_it_is_healed() {
    let mut line = Line::new();
    line.way().trouble(Trouble::Blocked);
    line.send(&records(&[0]));
    line.expect_silence(Duration::from_millis(200));
    line.proxy.heal();
    line.expect(&records(&[0]));
}

#[test]
fn a_way_is_blocked_in_one_direction_alone() {
    let mut line = Line::new();
    line.way().trouble(Trouble::Blocked);
    let answer = frame(Kind::Ping, 0);
    line.far.write_all(&answer).expect("the way back is open");
    let mut arrived = vec![0; answer.len()];
    line.near.read_exact(&mut arrived).expect("it comes back");
    assert_eq!(line.proxy.ways_of("n1").count(), 2);
}

#[test]
fn a_late_way_brings_everything_later_and_in_order() {
    let mut line = Line::new();
    line.way().trouble(Trouble::Late(Duration::from_millis(150)));
    let begun = Instant::now();
    line.send(&records(&[0, 1]));
    line.expect(&records(&[0, 1]));
    assert!(begun.elapsed() >= Duration::from_millis(150), "{:?}", begun.elapsed());
}

#[test]
fn a_narrow_way_takes_its_time() {
    let mut line = Line::new();
    line.way().trouble(Trouble::Narrow(500));
    let begun = Instant::now();
    let frames = records(&[0, 1, 2]);
    let takes = Duration::from_secs_f64(frames.concat().len() as f64 / 500.0);
    line.send(&frames);
    line.expect(&frames);
    assert!(begun.elapsed() >= takes, "{:?} and not {takes:?}", begun.elapsed());
}

#[test]
fn what_waits_on_a_narrow_or_late_way_flows_at_once_when_it_is_healed() {
    for trouble in [Trouble::Narrow(1), Trouble::Late(Duration::from_secs(600))] {
        let mut line = Line::new();
        line.way().trouble(trouble);
        let frames = records(&[0, 1, 2, 3]);
        line.send(&frames[..3]);
        line.expect_silence(Duration::from_millis(100));
        line.proxy.heal();
        let begun = Instant::now();
        line.send(&frames[3..]);
        line.expect(&frames);
        // A frame of some dozen bytes takes a minute and more on the narrow way.
        assert!(begun.elapsed() < Duration::from_secs(60), "{trouble:?}: {:?}", begun.elapsed());
    }
}

#[test]
fn a_trouble_is_felt_only_where_something_is_held_up() {
    let troubles = [Trouble::Blocked, Trouble::Narrow(1), Trouble::Late(HOUR)];
    for trouble in troubles {
        let mut line = Line::new();
        let (there, nobody) = (line.way(), Arc::<Way>::default());
        nobody.trouble(trouble);
        there.trouble(trouble);
        line.send(&records(&[0]));
        line.wait_until("it is felt", Way::is_felt);
        line.expect_silence(Duration::from_millis(50));
        assert!(!nobody.is_felt(), "{trouble:?}");
        there.trouble(Trouble::Narrow(1 << 20));
        line.expect(&records(&[0]));
        line.send(&records(&[1]));
        line.expect(&records(&[1]));
        assert!(!there.is_felt(), "what comes about as soon as it would is not harmed");
    }
}

#[test]
fn a_frame_counts_as_reordered_only_when_it_is_overtaken() {
    let mut line = Line::new();
    line.way().order(once(Once::Reorder(Duration::from_millis(50))));
    line.send(&records(&[0]));
    line.expect(&records(&[0]));
    assert_eq!(line.way().harmed(), None, "it was held back, and that is all");
    line.send(&records(&[1, 2, 3]));
    line.expect(&records(&[2, 1, 3]));
    assert_eq!(line.way().harmed().map(|harmed| harmed.kind), Some(Kind::Records));
}

#[test]
fn an_order_that_was_called_off_is_not_taken_for_the_next() {
    let mut line = Line::new();
    line.way().order(once(Once::Reorder(HOUR)));
    line.send(&records(&[0]));
    line.wait_until("it is held back", Way::is_taken);
    line.expect_silence(Duration::from_millis(50));
    line.way().heal();
    let order = Order { once: Once::Duplicate, kind: Some(Kind::Credit) };
    line.way().order_since(order, Instant::now() + HOUR);
    line.send(&records(&[1]));
    line.expect(&records(&[1, 0]));
    assert_eq!(line.way().harmed(), None, "it was done for the order before");
    let credit = frame(Kind::Credit, 0);
    line.send(std::slice::from_ref(&credit));
    line.expect(&[credit.clone(), credit]);
    assert_eq!(line.way().harmed().map(|harmed| harmed.kind), Some(Kind::Credit));
}

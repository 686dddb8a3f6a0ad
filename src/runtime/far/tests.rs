//! Frames that come out of their order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use actix::prelude::*;
use bytes::Bytes;
use watershed_core::columns::BatchCodec;
use watershed_core::{ChannelId, Epoch, Run, Sequence};
use watershed_link::{Intake, NodeName};
use watershed_wire::{Frame, Header, Kind};

use super::{Inflow, Outflow, RunIntake};
use crate::element::{Deliver, GiveBack};
use crate::vigil::{Post, Vigil};

/// Counts the credit that comes to it.
struct Sender(Arc<AtomicUsize>);

impl Actor for Sender {
    type Context = Context<Self>;
}

impl Handler<GiveBack> for Sender {
    type Result = ();

    fn handle(&mut self, _: GiveBack, _: &mut Self::Context) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// Counts the elements that come to it.
struct Receiver(Arc<AtomicUsize>);

impl Actor for Receiver {
    type Context = Context<Self>;
}

impl Handler<Deliver> for Receiver {
    type Result = ();

    fn handle(&mut self, _: Deliver, _: &mut Self::Context) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn credit(sequence: u64) -> Frame {
    let (run, sequence, epoch) = (Run(1), Sequence(sequence), Epoch(0));
    let header = Header { job: 1, run, channel: 3, sequence, epoch, kind: Kind::Credit, records: 5 };
    Frame { header, body: Bytes::new(), checksum: 0 }
}

/// What becomes of frames of credit with these places, up to the first that is refused, and how many got through.
fn take(places: &[u64]) -> (Result<(), String>, usize) {
    System::new().block_on(async {
        let taken = Arc::new(AtomicUsize::new(0));
        let to = Post::new(Sender(taken.clone()).start(), &Arc::new(Vigil::new(Duration::ZERO)));
        let mut intake = RunIntake::default();
        intake.flows_out(3, Outflow::new("b".to_owned(), to, 0, 0));
        let node = NodeName::new("b").expect("it is a name");
        let ended = places.iter().try_for_each(|&place| intake.frame(&node, credit(place)));
        tokio::task::yield_now().await;
        (ended, taken.load(SeqCst))
    })
}

#[test]
fn credit_in_its_order_reaches_the_sender() {
    assert_eq!(take(&[0, 1, 2]), (Ok(()), 3));
}

#[test]
fn credit_that_comes_twice_gets_through_once() {
    assert_eq!(take(&[0, 1, 1]), (Err("credit 1 of channel 3 came instead of 2".to_owned()), 2));
}

#[test]
fn credit_behind_a_gap_is_refused() {
    assert_eq!(take(&[0, 2]), (Err("credit 2 of channel 3 came instead of 1".to_owned()), 1));
}

#[test]
fn credit_that_was_overtaken_is_refused() {
    assert_eq!(take(&[1, 0]), (Err("credit 1 of channel 3 came instead of 0".to_owned()), 0));
}

/// As [`take`], of frames of records.
fn take_records(places: &[u64]) -> (Result<(), String>, usize) {
    System::new().block_on(async {
        let taken = Arc::new(AtomicUsize::new(0));
        let to = Post::new(Receiver(taken.clone()).start(), &Arc::new(Vigil::new(Duration::ZERO)));
        let mut intake = RunIntake::default();
        intake.flows_in(3, Inflow::new("b".to_owned(), to, ChannelId(0), BatchCodec::of::<u64>()));
        let node = NodeName::new("b").expect("it is a name");
        let records = |&place: &u64| {
            let Frame { header, .. } = credit(place);
            let header = Header { kind: Kind::Records, ..header };
            intake.frame(&node, Frame { header, body: Bytes::from_static(b"records"), checksum: 0 })
        };
        let ended = places.iter().try_for_each(records);
        tokio::task::yield_now().await;
        (ended, taken.load(SeqCst))
    })
}

#[test]
fn records_that_come_twice_behind_a_gap_or_overtaken_are_refused() {
    let refused =
        |found: u64, expected: u64| Err(format!("frame {found} of channel 3 came instead of {expected}"));
    assert_eq!(take_records(&[0, 1, 2]), (Ok(()), 3));
    assert_eq!(take_records(&[0, 1, 1]), (refused(1, 2), 2));
    assert_eq!(take_records(&[0, 2]), (refused(2, 1), 1));
    assert_eq!(take_records(&[1, 0]), (refused(1, 0), 0));
}

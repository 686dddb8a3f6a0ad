//! Frames of runs, from one node to another.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use watershed_core::{Epoch, Run, Sequence};
use watershed_wire::{Draft, Frame, Header, Kind};

use super::fixture::*;
use crate::*;

struct Taker(Mutex<Sender<Frame>>);

impl Intake for Taker {
    fn frame(&self, _: &NodeName, frame: Frame) -> Result<(), String> {
        if frame.header.channel == 13 {
            return Err("nobody likes this channel".to_owned());
        }
        let _ = self.0.lock().unwrap().send(frame);
        Ok(())
    }
}

pub(super) fn take(links: &Links, run: Run) -> Receiver<Frame> {
    let (tx, rx) = channel();
    links.take_frames(1, run, Arc::new(Taker(Mutex::new(tx))));
    rx
}

fn header(run: Run, channel: u32, sequence: u64) -> Header {
    let sequence = Sequence(sequence);
    Header { job: 1, run, channel, sequence, epoch: Epoch(1), kind: Kind::Records, records: 1 }
}

#[actix_rt::test]
async fn frames_arrive_in_their_order() {
    let (a, b) = pair().await;
    let taken = take(&b, Run(1));
    let frames = a.frames(&name("b")).unwrap();
    assert_eq!(frames.peer(), &name("b"));
    let sent = std::thread::spawn(move || {
        for sequence in 0..100_000 {
            let mut out = frames.buffer();
            let body = vec![sequence as u8; sequence as usize % 1_000];
            Draft::write(&header(Run(1), 0, sequence), &body, &mut out);
            frames.send(out).unwrap();
        }
    });
    for sequence in 0..100_000 {
        let frame = taken.recv().unwrap();
        assert_eq!(frame.header.sequence, Sequence(sequence));
        assert_eq!(frame.body, vec![sequence as u8; sequence as usize % 1_000]);
    }
    sent.join().unwrap();
}

#[actix_rt::test]
async fn large_frames_arrive_whole() {
    let (a, b) = pair().await;
    let taken = take(&b, Run(1));
    let frames = a.frames(&name("b")).unwrap();
    for bytes in [1, 100_000, 16 << 20] {
        let body: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8).collect();
        let mut out = Vec::new();
        Draft::write(&header(Run(1), 0, 0), &body, &mut out);
        frames.send(out).unwrap();
        assert!(hear(&taken).await.body == body, "a body of {bytes} bytes");
    }
}

#[actix_rt::test]
async fn frames_of_a_run_that_nobody_takes_are_fenced() {
    let (a, b) = pair().await;
    let taken = take(&b, Run(2));
    let frames = a.frames(&name("b")).unwrap();
    for run in [Run(1), Run(2)] {
        let mut out = Vec::new();
        Draft::write(&header(run, 0, 0), b"body", &mut out);
        frames.send(out).unwrap();
    }
    assert_eq!(hear(&taken).await.header.run, Run(2));
    assert_eq!(b.fenced(), 1);
    b.end_frames(1, Run(2));
    let mut out = Vec::new();
    Draft::write(&header(Run(2), 0, 1), b"body", &mut out);
    frames.send(out).unwrap();
    until("it is fenced", || b.fenced() == 2).await;
}

#[actix_rt::test]
async fn a_frame_that_is_refused_breaks_the_link_and_says_why() {
    let (a, b) = pair().await;
    let _taken = take(&b, Run(1));
    let (ear, heard) = Ear::open();
    b.watch(ear);
    hear(&heard).await;
    let frames = a.frames(&name("b")).unwrap();
    let mut out = Vec::new();
    Draft::write(&header(Run(1), 13, 0), b"body", &mut out);
    frames.send(out).unwrap();
    let why = DownReason::Refused("nobody likes this channel".to_owned());
    assert_eq!(
        hear(&heard).await,
        PeerChange::Down { node: name("a"), incarnation: Incarnation(1), reason: why }
    );
    until("the old connection takes nothing", || frames.send(vec![0]).is_err()).await;
    up(&a, "b").await;
}

#[actix_rt::test]
async fn what_a_peer_does_not_take_breaks_the_link_at_a_limit() {
    let tight = LinkConfig { write_queue_bytes_max: 1 << 20, ..config() };
    let a = open_within(local("a"), tight).await;
    let b = open(local("b")).await;
    a.learn(&name("b"), &b.address().to_string());
    up(&a, "b").await;
    let (ear, heard) = Ear::open();
    a.watch(ear);
    hear(&heard).await;
    let ((tx, rx), (hangs, hung)) = (channel::<()>(), channel());
    // Its thread reads nothing any more.
    b.arbiter().spawn_fn(move || {
        let _ = hangs.send(());
        let _ = rx.recv();
    });
    hung.recv().unwrap();
    let frames = a.frames(&name("b")).unwrap();
    let sent = (0..1_000).take_while(|_| frames.send(vec![0; 100_000]).is_ok()).count();
    assert!(sent < 1_000);
    let PeerChange::Down { reason, .. } = hear(&heard).await else { panic!("it is down") };
    assert!(matches!(reason, DownReason::TooSlow { .. }), "{reason}");
    drop(tx);
}

//! Frames, written and read, whole and in pieces.

use bytes::BytesMut;
use watershed_core::{Epoch, Run, Sequence};

use super::*;

fn header(kind: Kind) -> Header {
    let (run, sequence, epoch) = (Run(300), Sequence(70_000), Epoch(u64::MAX));
    Header { job: 7, run, channel: 0x80, sequence, epoch, kind, records: 2 }
}

fn written(kind: Kind, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Draft::write(&header(kind), body, &mut out);
    out
}

#[test]
fn what_is_written_is_read_again() {
    for kind in Kind::ALL {
        let mut buffer = BytesMut::from(&written(kind, b"body")[..]);
        buffer.extend_from_slice(&written(kind, b""));
        let limits = Limits::default();
        let frame = decode(&mut buffer, &limits).unwrap().unwrap();
        assert_eq!((frame.header, &frame.body[..]), (header(kind), &b"body"[..]));
        let frame = decode(&mut buffer, &limits).unwrap().unwrap();
        assert!(frame.body.is_empty() && buffer.is_empty());
    }
}

#[test]
fn a_frame_that_is_not_there_to_its_end_is_waited_for() {
    let whole = written(Kind::Records, b"some records");
    for length in 0..whole.len() {
        let mut part = BytesMut::from(&whole[..length]);
        assert_eq!(decode(&mut part, &Limits::default()), Ok(None));
        assert_eq!(part.len(), length, "nothing is taken");
    }
}

#[test]
fn no_flipped_bit_goes_unnoticed() {
    let whole = written(Kind::Message, b"a message");
    for bit in 0..whole.len() * 8 {
        let mut flipped = BytesMut::from(&whole[..]);
        flipped[bit / 8] ^= 1 << (bit % 8);
        let read = decode(&mut flipped, &Limits::default());
        assert!(!matches!(read, Ok(Some(_))), "bit {bit}: {read:?}");
    }
}

#[test]
fn a_body_beyond_the_limit_is_refused_before_it_has_arrived() {
    let whole = written(Kind::Message, &[0; 65]);
    let limits = Limits { control_bytes_max: 64, ..Limits::default() };
    let mut begun = BytesMut::from(&whole[..whole.len() - 70]);
    assert_eq!(decode(&mut begun, &limits), Err(FrameError::TooLarge { bytes: 65, bytes_max: 64 }));
}

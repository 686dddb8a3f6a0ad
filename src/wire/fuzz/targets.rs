//! What holds for any bytes that may arrive: nothing panics, and whatever is read can be written and read again.
//!
//! These are plain functions: a test of the crate calls them with a corpus and what becomes of it by chance, and
//! `cargo fuzz` (which needs a nightly compiler) with what it finds worth trying.

use std::fmt::Debug;

use bytes::BytesMut;
use serde::{Deserialize, Serialize};
use watershed_core::Data;
use watershed_core::columns::BatchCodec;
use watershed_wire::{Draft, Frame, FrameError, Kind, Limits, compress, decode};

use crate::memory::Memory;

/// Small, so that bytes come to be at them.
const LIMITS: Limits = Limits { control_bytes_max: 1 << 10, records_bytes_max: 1 << 14 };

/// A body may expand to its limit, and is looked at as the records of several types, each read twice.
pub const MEMORY: Memory = Memory { base: 1 << 20, per_byte: 1 << 10 };

/// A record with columns.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
struct Reading {
    sensor: String,
    place: Option<(f64, char)>,
    is_last: bool,
    history: Vec<Option<u16>>,
}

/// A record without.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
enum Event {
    Read(Reading),
    Lost { sensor: u32 },
    Silent,
}

/// A record that holds itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Tree {
    Leaf(i64),
    Node(Vec<Tree>),
    Link(Box<Tree>),
}

impl Data for Tree {}

/// Reads bytes as a stream of frames.
pub fn frames(bytes: &[u8]) {
    let mut buffer = BytesMut::from(bytes);
    loop {
        match decode(&mut buffer, &LIMITS) {
            Ok(Some(frame)) => {
                assert!(frame.body.len() <= LIMITS.body_bytes_max(frame.header.kind), "limits are kept to");
                // Numbers need not come in their shortest form, so the checksum may be another.
                let again = read_again(&frame);
                assert_eq!((again.header, &again.body), (frame.header, &frame.body));
                if frame.header.kind == Kind::Records {
                    batches(&frame.body);
                }
            }
            // Else chance would never find what is behind the checksum.
            Err(FrameError::Damaged { computed, stated }) if repair(&mut buffer, computed, stated) => {}
            Ok(None) | Err(_) => return,
        }
    }
}

/// Reads bytes as the body of a frame of records of several types.
pub fn batches(bytes: &[u8]) {
    let Ok(body) = compress::expand(bytes, LIMITS.records_bytes_max) else { return };
    assert!(body.len() <= LIMITS.records_bytes_max.max(bytes.len()), "limits are kept to");
    let mut small = Vec::new();
    compress::compress(&body, &mut small);
    assert_eq!(compress::expand(&small, body.len()).as_deref(), Ok(&*body));
    batch::<()>(&body);
    batch::<(u64, u64)>(&body);
    batch::<Reading>(&body);
    batch::<Event>(&body);
    batch::<Tree>(&body);
}

fn read_again(frame: &Frame) -> Frame {
    let mut written = Vec::new();
    Draft::write(&frame.header, &frame.body, &mut written);
    let mut buffer = BytesMut::from(&written[..]);
    decode(&mut buffer, &LIMITS).expect("it was just written").expect("and to its end")
}

/// Puts the right checksum in the place of the first that is wrong.
fn repair(buffer: &mut BytesMut, computed: u32, stated: u32) -> bool {
    let wrong = [&[0xce][..], &stated.to_be_bytes()].concat();
    let Some(at) = buffer.windows(wrong.len()).position(|bytes| bytes == wrong) else { return false };
    buffer[at + 1..at + 5].copy_from_slice(&computed.to_be_bytes());
    // What looked like the checksum may have been something else.
    !matches!(decode(&mut buffer.clone(), &LIMITS), Err(FrameError::Damaged { .. }))
}

fn batch<T: Data + Debug>(bytes: &[u8]) {
    let codec = BatchCodec::of::<T>();
    let Ok(read) = codec.decode(bytes, codec.empty()) else { return };
    let mut written = Vec::new();
    codec.encode(&read, &mut written);
    let again = codec.decode(&written, codec.empty()).expect("it was just written");
    // By their text, since there is a number that does not equal itself.
    assert_eq!(format!("{:?}", again.downcast_ref::<T>()), format!("{:?}", read.downcast_ref::<T>()));
}

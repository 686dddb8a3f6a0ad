//! What holds for any bytes that a file, a socket or a pipe may bring: nothing panics, and whatever is read can be
//! written and read again.
//!
//! These are plain functions: a test of the crate calls them with a corpus and what becomes of it by chance, and
//! `cargo fuzz` (which needs a nightly compiler) with what it finds worth trying.

use std::fmt::Debug;

use serde::{Deserialize, Serialize};
use watershed_actors::source::{CsvRow, Decode, Json, MessagePack, Text, Words};
use watershed_core::Data;

use crate::memory::Memory;

/// What serde sets aside for a list before it has seen what is in it, at a few levels.
pub const MEMORY: Memory = Memory { base: 4 << 20, per_byte: 1 << 9 };

/// How long what is said of a bad row may be: it goes into a letter, and its line into a log.
const REASON_BYTES_MAX: usize = 1 << 16;

/// A row of a table. Without floats, one of which equals nothing, not even itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
struct Flight {
    carrier: String,
    number: u32,
    delay: Option<i64>,
    cancelled: bool,
}

/// A value with parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
enum Event {
    Landed { flights: Vec<Flight> },
    Note(String, Option<Box<Event>>),
    Silent,
}

/// Reads bytes as a table, its header first.
pub fn csv(bytes: &[u8]) {
    let mut decoder = CsvRow::<Flight>::default().missing("NA");
    let mut header = decoder.clone();
    let Some(end) = decoder.row_end(bytes) else { return };
    if header.header(&bytes[..end]).is_err() {
        return;
    }
    rows(&mut header, &bytes[end..]);
    // And by names of our own, over the whole.
    decoder = decoder.columns(["carrier", "number", "delay", "cancelled"]);
    rows(&mut decoder, bytes);
}

/// Reads bytes as lines of JSON, and as one value.
pub fn json(bytes: &[u8]) {
    let write = |value: &dyn erased::Plain| value.to_json();
    round(&mut Json::<Flight>::default(), bytes, write);
    round(&mut Json::<Event>::default(), bytes, write);
    rows(&mut Json::<Event>::default(), bytes);
}

/// Reads bytes as one message.
pub fn message_pack(bytes: &[u8]) {
    let write = |value: &dyn erased::Plain| value.to_message_pack();
    round(&mut MessagePack::<Flight>::default(), bytes, write);
    round(&mut MessagePack::<Event>::default(), bytes, write);
    round(&mut MessagePack::<Vec<()>>::default(), bytes, write);
}

/// Reads bytes as text, and as words.
pub fn text(bytes: &[u8]) {
    rows(&mut Text, bytes);
    rows(&mut Words, bytes);
}

mod erased {
    //! A value that can be written, whatever it is.

    use serde::Serialize;

    pub(super) trait Plain {
        fn to_json(&self) -> Vec<u8>;
        fn to_message_pack(&self) -> Vec<u8>;
    }

    impl<T: Serialize> Plain for T {
        fn to_json(&self) -> Vec<u8> {
            serde_json::to_vec(self).expect("it is plain data")
        }

        fn to_message_pack(&self) -> Vec<u8> {
            rmp_serde::to_vec(self).expect("it is plain data")
        }
    }
}

/// Reads one value; what was read is written, and read again.
fn round<D: Decode>(decoder: &mut D, bytes: &[u8], write: impl Fn(&dyn erased::Plain) -> Vec<u8>)
where
    D::Out: Debug + PartialEq + Serialize,
{
    let Some(values) = decoded(decoder, bytes) else { return };
    for value in values {
        let again = decoded(decoder, &write(&value)).expect("it was just written");
        assert_eq!(again, [value]);
    }
}

/// Reads row after row to the end, as a file is read.
fn rows<D: Decode>(decoder: &mut D, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let end = decoder.row_end(bytes).unwrap_or(bytes.len());
        assert!(end > 0 && end <= bytes.len(), "a row takes some of the bytes that there are");
        decoded(decoder, &bytes[..end]);
        bytes = &bytes[end..];
    }
}

/// What comes out; `None` where the bytes are refused.
fn decoded<D: Decode>(decoder: &mut D, bytes: &[u8]) -> Option<Vec<D::Out>> {
    let mut values = Vec::new();
    match decoder.decode(bytes, &mut |value| values.push(value)) {
        Ok(()) => Some(values),
        Err(refusal) => {
            assert!(values.is_empty(), "what is refused has emitted nothing");
            assert!(refusal.to_string().len() < REASON_BYTES_MAX, "{refusal}");
            None
        }
    }
}

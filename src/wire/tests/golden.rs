//! Frames and batches as they are on the wire, byte by byte, and as a reader in another language finds them.

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

#[path = "../../../tests/conditions/need.rs"]
mod need;
mod samples;

use std::fs;
use std::path::Path;
use std::process::Command;

use bytes::BytesMut;
use samples::{Reading, encoded, events, header, numbers, readings};
use serde_json::{Value, json};
use watershed_core::columns::BatchCodec;
use watershed_core::{Data, Record};
use watershed_wire::{Draft, Kind, Limits, compress, decode};

/// Where the golden files are.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden");

#[track_caller]
fn assert_golden(name: &str, bytes: &[u8]) {
    let found = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&found, bytes).unwrap();
    let golden = fs::read(Path::new(GOLDEN).join(name)).unwrap_or_default();
    assert_eq!(golden, bytes, "{name} has changed; what is written now is in {}", found.display());
}

fn frame(kind: Kind) -> Vec<u8> {
    let mut out = Vec::new();
    let body = format!("the body of {kind:?}");
    Draft::write(&header(kind, 0x1234), body.as_bytes(), &mut out);
    out
}

#[test]
fn frames_of_every_kind_are_golden() {
    for kind in Kind::ALL {
        let name = format!("frame-1-{}.bin", format!("{kind:?}").to_lowercase());
        assert_golden(&name, &frame(kind));
        let mut golden = BytesMut::from(&fs::read(Path::new(GOLDEN).join(name)).unwrap()[..]);
        let read = decode(&mut golden, &Limits::default()).unwrap().unwrap();
        assert_eq!(read.header, header(kind, 0x1234));
        assert_eq!(read.body, format!("the body of {kind:?}"));
    }
}

#[track_caller]
fn assert_golden_batch<T: Data + PartialEq + std::fmt::Debug>(name: &str, records: &[Record<T>]) {
    assert_golden(name, &encoded(records));
    let codec = BatchCodec::of::<T>();
    let mut read = codec.decode(&fs::read(Path::new(GOLDEN).join(name)).unwrap(), codec.empty()).unwrap();
    assert_eq!(read.downcast_mut::<T>().drain().collect::<Vec<_>>(), records);
}

#[test]
fn batches_are_golden() {
    assert_golden_batch("batch-1-numbers.bin", &numbers());
    assert_golden_batch("batch-1-readings.bin", &readings());
    assert_golden_batch("batch-1-events.bin", &events());
    assert_golden_batch::<Reading>("batch-1-empty.bin", &[]);
}

#[test]
fn a_compressed_batch_is_golden_to_those_who_read_it() {
    // What compresses may come to compress better; what was compressed must expand to the same for ever.
    let golden = fs::read(Path::new(GOLDEN).join("batch-1-lz4.bin")).unwrap();
    assert!(compress::is_compressed(&golden));
    assert_eq!(*compress::expand(&golden, 1 << 20).unwrap(), *encoded(&many()));
}

/// Numbers that compress well.
fn many() -> Vec<Record<(u64, i128)>> {
    numbers().into_iter().cycle().take(300).collect()
}

fn python() -> String {
    std::env::var("TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// A stream of frames of every kind, and what a reader should print of it.
fn captured() -> (Vec<u8>, Vec<Value>) {
    let mut stream = Vec::new();
    let mut expected = Vec::new();
    let mut frame = |kind: Kind, channel: u32, records: Vec<Value>, body: &[u8]| {
        let mut header = header(kind, channel);
        header.records = records.len() as u32;
        Draft::write(&header, body, &mut stream);
        let mut printed = json!({
            "protocol": 1, "job": header.job, "run": header.run.0, "channel": channel, "sequence": header.sequence.0,
            "epoch": header.epoch.0, "kind": format!("{kind:?}").to_lowercase(), "clock": null,
        });
        if kind == Kind::Records {
            printed["records"] = records.into();
            printed["watermark"] = (-7).into();
            printed["origin"] = json!([0, 3, 70_000]);
        } else {
            printed["records"] = 0.into();
            printed["body"] = body.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into();
        }
        expected.push(printed);
    };
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Records) {
        frame(kind, 0, Vec::new(), b"some body");
    }
    frame(Kind::Records, 1, printed(&numbers(), samples::number_fields), &body_of(&numbers()));
    frame(Kind::Records, 2, printed(&readings(), samples::reading_fields), &body_of(&readings()));
    frame(Kind::Records, 3, printed(&events(), samples::event_row), &body_of(&events()));
    let mut small = Vec::new();
    compress::compress(&body_of(&many()), &mut small);
    assert!(compress::is_compressed(&small));
    frame(Kind::Records, 1, printed(&many(), samples::number_fields), &small);
    frame(Kind::Ping, 0, Vec::new(), b"");
    (stream, expected)
}

/// The body of a frame of records: a watermark of -7 ms, where the source had been read to, the batch.
fn body_of<T: Data>(records: &[Record<T>]) -> Vec<u8> {
    [&[0x93, 0xf9, 0x93, 0, 3, 0xce, 0, 1, 0x11, 0x70], &encoded(records)[..]].concat()
}

fn printed<T>(records: &[Record<T>], value: impl Fn(&T) -> Value) -> Vec<Value> {
    records.iter().map(|one| json!({ "time": one.time.as_millis(), "value": value(&one.value) })).collect()
}

#[test]
fn a_reader_that_shares_no_code_finds_the_same_in_a_stream() {
    let found = Command::new(python()).args(["-c", "import msgpack"]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        let test = "a_reader_that_shares_no_code_finds_the_same_in_a_stream";
        return need::pass_over(test, "msgpack", &format!("{} has no msgpack", python()));
    }
    let (stream, expected) = captured();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("stream.bin");
    fs::write(&file, stream).unwrap();
    let types = json!({ "1": samples::number_types(), "2": samples::reading_types(), "3": "rows" });
    let output = Command::new(python())
        .args(["-B", &format!("{GOLDEN}/read_frames.py")])
        .arg(&file)
        .arg(types.to_string())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let read: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, expected);
}

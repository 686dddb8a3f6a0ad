//! The memory that bytes can make a reader take is bounded by how many bytes there are, whatever they say.

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

#[expect(dead_code, reason = "not every kind is measured")]
mod zoo;

use std::fmt::Debug;

use peak_alloc::PeakAlloc;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use watershed_core::{Data, Record};
use zoo::{decoded, encoded, records};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// What serde sets aside for a collection, at each level of nesting, before it has seen what is in it.
const CAUTIOUS_BYTES: usize = 1 << 20;
/// Levels of collections in the kinds that are measured.
const LEVELS: usize = 4;

/// How much memory is taken while bytes are read.
fn taken<T: Data>(bytes: &[u8]) -> usize {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let read = decoded::<T>(bytes);
    let peak = ALLOCATOR.peak_usage();
    drop(read);
    peak.saturating_sub(before)
}

/// Overwrites each place in turn with a length beyond all bounds, and with what can begin a large collection.
fn lies(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len()).flat_map(move |at| {
        [
            &[0xff; 4][..],
            &[0x7f, 0xff, 0xff, 0xff],
            &[0xdd, 0xff, 0xff, 0xff, 0xff],
            &[0xdf, 0x7f, 0xff, 0xff, 0xff],
        ]
        .map(|lie| {
            let mut bytes = bytes.to_vec();
            bytes.splice(at..bytes.len().min(at + lie.len()), lie.iter().copied());
            bytes
        })
    })
}

fn measure<T: Data + Debug>(values: impl Strategy<Value = T>) {
    let batches = records(values);
    let mut runner = TestRunner::deterministic();
    for _ in 0..20 {
        let bytes = encoded(&batches.new_tree(&mut runner).unwrap().current());
        for lie in lies(&bytes) {
            // A record in memory, and once more while rows are collected, for each byte that could have been one.
            let bound = lie.len() * 4 * size_of::<Record<T>>() + LEVELS * CAUTIOUS_BYTES;
            let taken = taken::<T>(&lie);
            assert!(taken <= bound, "{} bytes made the reader take {taken}, more than {bound}", lie.len());
        }
    }
}

#[test]
fn no_length_is_believed_before_its_bytes_are_there() {
    measure(zoo::numbers());
    measure(zoo::texts());
    measure(zoo::collections());
    measure(zoo::mixed());
    measure(zoo::tree());
    // Of what is four billion times nothing, not even the count is believed.
    let nothing: Vec<Record<()>> = Vec::new();
    assert!(lies(&encoded(&nothing)).all(|lie| taken::<()>(&lie) < 10_000));
}

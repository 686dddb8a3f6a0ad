//! Both ends of a channel, what goes between them byte by byte, and what a reader does not take.

use watershed_core::causal::VectorClock;
use watershed_core::{Counter, Epoch, Site};

use super::{ClockEntry, ClockError, ClockReader, ClockWriter, FrameClock};
use crate::causal::names::{RUN, clock};

fn entry(site: u16, offset: u64, counter: u64) -> ClockEntry {
    ClockEntry { site: Site(site), offset, counter: Counter(counter) }
}

fn full(base: u64, entries: &[ClockEntry]) -> FrameClock {
    FrameClock::Full { base: Epoch(base), entries: entries.to_vec() }
}

fn delta(base: u64, entries: &[ClockEntry]) -> FrameClock {
    FrameClock::Delta { base: Epoch(base), entries: entries.to_vec() }
}

fn reader() -> ClockReader {
    ClockReader::new(RUN, 3, 4)
}

/// Reads what must not be taken, and sees that nothing has changed by it.
fn refused(reader: &mut ClockReader, frame: &FrameClock) -> ClockError {
    let before = reader.clone();
    let error = reader.read(frame).unwrap_err();
    assert_eq!(*reader, before, "{frame:?}");
    error
}

#[test]
fn only_what_has_changed_is_told() {
    let mut writer = ClockWriter::new();
    let mut told = |dots: &[(u64, u16, u64)], base| writer.stamp(&clock(dots), Epoch(base));
    assert_eq!(told(&[(5, 0, 2)], 4), full(4, &[entry(0, 1, 2)]));
    assert_eq!(told(&[(5, 0, 2)], 4), FrameClock::None);
    assert_eq!(told(&[(5, 0, 2), (5, 2, 1), (6, 1, 1)], 4), delta(4, &[entry(2, 1, 1), entry(1, 2, 1)]));
    assert_eq!(told(&[(5, 0, 2), (5, 2, 1), (6, 1, 4)], 5), delta(5, &[entry(1, 1, 4)]));
    assert_eq!(told(&[(6, 1, 4)], 6), FrameClock::None);
}

#[test]
fn a_new_connection_begins_anew() {
    let session = clock(&[(1, 0, 2), (2, 1, 3)]);
    assert_eq!(ClockWriter::new().stamp(&session, Epoch(0)), full(0, &[entry(0, 1, 2), entry(1, 2, 3)]));
    assert_eq!(reader().read(&full(0, &[])), Ok(&VectorClock::new()));
    assert_eq!(reader().read(&FrameClock::None), Ok(&VectorClock::new()));
}

#[test]
fn the_reader_has_after_each_frame_what_the_writer_was_given() {
    let (mut writer, mut reader) = (ClockWriter::new(), reader());
    let mut session = VectorClock::new();
    let steps = [(1, 0, 1), (1, 1, 1), (1, 1, 1), (2, 0, 1), (2, 2, 7), (3, 0, 1), (3, 1, 2), (4, 1, 9)];
    for (epoch, site, counter) in steps {
        let base = Epoch(epoch - 1);
        session.merge(&clock(&[(epoch, site, counter)]));
        session.forget(base);
        assert_eq!(reader.read(&writer.stamp(&session, base)), Ok(&session));
    }
}

#[test]
fn what_does_not_continue_the_clock_is_refused() {
    let mut reader = reader();
    assert_eq!(refused(&mut reader, &delta(0, &[entry(0, 1, 1)])), ClockError::NoBegin);
    reader.read(&full(2, &[entry(0, 1, 5)])).unwrap();
    let site = Site(0);
    assert_eq!(refused(&mut reader, &delta(2, &[entry(0, 1, 5)])), ClockError::Back { site });
    assert_eq!(refused(&mut reader, &delta(2, &[entry(0, 2, 0)])), ClockError::Back { site });
    assert_eq!(refused(&mut reader, &delta(2, &[entry(0, 2, 9), entry(0, 2, 9)])), ClockError::Back { site });
    let back = ClockError::BaseBack { last: Epoch(2), found: Epoch(1) };
    assert_eq!(refused(&mut reader, &delta(1, &[entry(0, 3, 1)])), back);
}

#[test]
fn a_clock_that_no_task_has_is_refused() {
    let mut reader = reader();
    let no_lane = |site, offset| ClockError::NoLane { site: Site(site), offset };
    assert_eq!(refused(&mut reader, &full(0, &[entry(3, 1, 1)])), no_lane(3, 1));
    assert_eq!(refused(&mut reader, &full(0, &[entry(1, 0, 1)])), no_lane(1, 0));
    assert_eq!(refused(&mut reader, &full(9, &[entry(1, u64::MAX, 1)])), no_lane(1, u64::MAX));
    let many: Vec<_> = (1..=100_000).map(|offset| entry(0, offset, 1)).collect();
    assert_eq!(refused(&mut reader, &full(0, &many)), ClockError::TooMany { found: 100_000, max: 4 });
    reader.read(&full(0, &many[..3])).unwrap();
    assert_eq!(refused(&mut reader, &delta(0, &many[3..5])), ClockError::TooMany { found: 5, max: 4 });
    assert!(reader.read(&delta(1, &many[3..5])).is_ok());
}

#[test]
fn the_bytes_on_the_wire_stay_what_they_are() {
    let golden: [(FrameClock, &[u8]); 3] = [
        (FrameClock::None, &[0xc0]),
        (delta(300, &[entry(2, 1, 7)]), &[0x93, 0xc2, 0xcd, 0x01, 0x2c, 0x91, 0x93, 2, 1, 7]),
        (full(4, &[]), &[0x93, 0xc3, 4, 0x90]),
    ];
    for (clock, bytes) in golden {
        assert_eq!(rmp_serde::to_vec(&clock).unwrap(), bytes);
        assert_eq!(rmp_serde::from_slice::<FrameClock>(bytes).unwrap(), clock);
    }
}

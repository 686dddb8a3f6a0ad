//! Torn tails, flipped bits, failing and full disks.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::ingress::segment::{self, START_BYTES};
use crate::tiny_disk::TinyDisk;

/// A segment with the entries of [`golden_entries`] in two frames. Made by another program, from the format alone.
const GOLDEN: &[u8] = include_bytes!("../../golden/ingress-1.log");

/// Where the frames of the golden segment end, and the positions behind them.
const FRAMES: [(usize, u64); 2] = [(82, 3), (114, 13)];

fn golden_entries() -> Vec<(u64, String)> {
    said(&[(0, "first"), (2, "second and third"), (3, "ten")])
}

/// A log whose newest segment has these bytes. What is found in it does not hang on the sync of what follows, and a slow disk
/// takes its time for each.
fn lay(bytes: &[u8]) -> (tempfile::TempDir, IngressLog) {
    let directory = tempfile::tempdir().unwrap();
    let log = log(directory.path()).synced_by(|_| Ok(()));
    fs::create_dir_all(log.path()).unwrap();
    fs::write(log.path().join(segment::name(0)), bytes).unwrap();
    (directory, log)
}

#[test]
fn the_segment_is_golden_and_is_read_again() {
    let first: [segment::Pending; 2] = [(2, b"first".to_vec()), (1, b"second and third".to_vec())];
    let second: [segment::Pending; 1] = [(10, b"ten".to_vec())];
    let written = [segment::start(0), segment::frame(0, &first), segment::frame(3, &second)].concat();
    assert_eq!(written, GOLDEN);
    let (_directory, log) = lay(GOLDEN);
    assert_eq!(take(&mut open(&log, 0)).unwrap(), golden_entries());
}

#[test]
fn a_log_cut_at_any_byte_has_what_was_durable_and_goes_on() {
    for length in START_BYTES..=GOLDEN.len() {
        let (_directory, log) = lay(&GOLDEN[..length]);
        let whole = FRAMES.iter().filter(|(end, _)| *end <= length).count();
        let mut expected = golden_entries();
        expected.truncate([0, 2, 3][whole]);
        let end = whole.checked_sub(1).map_or(0, |frame| FRAMES[frame].1);
        let mut opened = open(&log, 0);
        put(&opened, 1, "and on");
        expected.push((end, "and on".to_owned()));
        assert_eq!(take(&mut opened).unwrap(), expected, "cut at {length}");
        drop(opened);
        assert_eq!(take(&mut open(&log, 0)).unwrap(), expected, "cut at {length}, opened again");
    }
    for length in 0..START_BYTES {
        let (_directory, log) = lay(&GOLDEN[..length]);
        let error = refusal(&log, 0).err().expect("a segment has its start from the first moment on");
        assert!(error.to_string().contains(&segment::name(0)), "{error}");
    }
}

#[test]
fn every_flipped_bit_of_the_newest_segment_is_found() {
    for bit in 0..GOLDEN.len() * 8 {
        let mut flipped = GOLDEN.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(segment::scan(&flipped, 0).is_err(), "bit {bit} was taken for sound or for a torn tail");
    }
    let mut flipped = GOLDEN.to_vec();
    flipped[FRAMES[0].0 + 20] ^= 1;
    let (_directory, log) = lay(&flipped);
    let error = refusal(&log, 0).err().expect("it is damaged");
    let at = format!("at byte {}", FRAMES[0].0);
    assert!(error.is_permanent() && error.to_string().contains(&segment::name(0)), "{error}");
    assert!(error.to_string().contains(&at), "{error}");
    assert_eq!(fs::read(log.path().join(segment::name(0))).unwrap(), flipped, "nothing was changed");
}

#[test]
fn every_flipped_byte_of_an_older_segment_is_found_when_it_is_read() {
    for byte in 0..=GOLDEN.len() {
        let mut older = GOLDEN.to_vec();
        match older.get_mut(byte) {
            Some(byte) => *byte ^= 0x10,
            // One that has lost its end.
            None => older.truncate(FRAMES[0].0),
        }
        let (_directory, log) = lay(&older);
        fs::write(log.path().join(segment::name(13)), segment::start(13)).unwrap();
        let error = take(&mut open(&log, 0)).unwrap_err();
        assert!(error.is_lost() && error.to_string().contains(&segment::name(0)), "byte {byte}: {error}");
    }
}

#[test]
fn a_file_that_grew_before_it_was_written_is_a_torn_tail() {
    let grown = [GOLDEN, &[0; 2000]].concat();
    let (_directory, log) = lay(&grown);
    assert_eq!(take(&mut open(&log, 0)).unwrap(), golden_entries());
    // Zeros behind a damaged frame that was written whole do not make that one torn.
    let mut damaged = [GOLDEN, &[0; 2000]].concat();
    damaged[FRAMES[0].0 + 20] ^= 1;
    assert!(segment::scan(&damaged, 0).is_err());
}

#[test]
fn a_reader_goes_on_in_the_midst_of_an_entry() {
    let (_directory, log) = lay(GOLDEN);
    for (from, expected) in [(1, 0), (2, 1), (3, 2), (7, 2), (13, 3)] {
        assert_eq!(take(&mut open(&log, from)).unwrap(), golden_entries()[expected..], "from {from}");
    }
}

#[test]
fn after_a_failed_sync_nothing_more_is_shown_and_the_job_has_to_end() {
    static FAILS: AtomicBool = AtomicBool::new(false);
    let sync = |_: &fs::File| match FAILS.load(Ordering::SeqCst) {
        true => Err(io::Error::other("the disk is dying")),
        false => Ok(()),
    };
    let directory = tempfile::tempdir().unwrap();
    let log = log(directory.path()).synced_by(sync);
    let mut opened = open(&log, 0);
    put(&opened, 1, "sound");
    FAILS.store(true, Ordering::SeqCst);
    opened.input.append(1, b"lost".to_vec()).unwrap();
    assert_eq!(opened.input.durable_beyond(Position(1)), None);
    FAILS.store(false, Ordering::SeqCst);
    assert_eq!(opened.output.next().unwrap().map(|entry| entry.bytes), Some(b"sound".to_vec()));
    let error = opened.output.next().unwrap_err();
    assert!(error.is_lost() && error.to_string().contains("the disk is dying"), "{error}");
    assert_eq!(opened.input.append(1, b"more".to_vec()), None, "it is not tried again");
}

#[test]
fn a_full_disk_fails_the_append_and_the_log_is_whole_when_there_is_room() {
    let Some(disk) = TinyDisk::mount("a_full_disk_fails_the_append_and_the_log_is_whole_when_there_is_room")
    else {
        return;
    };
    let log = log(disk.path());
    let mut opened = open(&log, 0);
    put(&opened, 1, "sound");
    disk.fill();
    opened.input.append(1, vec![b'x'; 20_000]).unwrap();
    assert_eq!(opened.input.durable_beyond(Position(1)), None);
    assert_eq!(opened.output.next().unwrap().map(|entry| entry.bytes), Some(b"sound".to_vec()));
    let error = opened.output.next().unwrap_err();
    assert!(!error.is_lost() && error.to_string().contains("no room"), "{error}");
    drop(opened);
    disk.make_room();
    let mut opened = open(&log, 0);
    put(&opened, 1, "again");
    assert_eq!(take(&mut opened).unwrap(), said(&[(0, "sound"), (1, "again")]));
}

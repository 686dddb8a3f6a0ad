//! What comes out of a log is what went in, whatever happened in between, or an error.

mod bounds;
mod crash;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use watershed_core::spi::OpenLog;
use watershed_core::{Position, SourceError, SplitId};

use super::segment::ENTRY_HEAD_BYTES;
use super::{IngressError, IngressLimits, IngressLog, IngressLogs};

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

fn log(directory: &Path) -> IngressLog {
    log_within(directory, IngressLimits { commit_within: Duration::ZERO, ..IngressLimits::default() })
}

fn log_within(directory: &Path, limits: IngressLimits) -> IngressLog {
    IngressLogs::new(directory, limits).log("wire", SplitId(3))
}

fn open(log: &IngressLog, from: u64) -> OpenLog {
    refusal(log, from).expect("the log opens")
}

fn refusal(log: &IngressLog, from: u64) -> Result<OpenLog, IngressError> {
    log.open_log(Some(Position(from)), Box::new(|| {}))
}

/// Appends and waits until it is durable.
fn put(log: &OpenLog, positions: u32, text: &str) {
    let behind = log.input.append(positions, text.into()).expect("the log takes it");
    let durable = log.input.durable_beyond(Position(behind.0 - 1)).expect("it becomes durable");
    assert!(durable >= behind);
}

/// What is durable and was not taken yet: where it begins, and what it says.
fn take(log: &mut OpenLog) -> Result<Vec<(u64, String)>, SourceError> {
    let mut taken = Vec::new();
    while let Some(entry) = log.output.next()? {
        taken.push((entry.first.0, String::from_utf8(entry.bytes).expect("the tests write text")));
    }
    Ok(taken)
}

fn said(text: &[(u64, &str)]) -> Vec<(u64, String)> {
    text.iter().map(|(first, text)| (*first, (*text).to_owned())).collect()
}

/// The segments there are.
fn segments(log: &IngressLog) -> Vec<String> {
    let names = std::fs::read_dir(log.path())
        .expect("the log is there")
        .map(|entry| entry.expect("it is there").file_name().into_string().expect("names are text"));
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".log")).collect();
    names.sort();
    names
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what} has not come about");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_is_appended_comes_out_once_it_is_durable_and_rings() {
    let directory = tempfile::tempdir().unwrap();
    let rung = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&rung);
    let ring = Box::new(move || {
        counter.fetch_add(1, Ordering::SeqCst);
    });
    let mut log = log(directory.path()).open_log(None, ring).unwrap();
    assert_eq!(take(&mut log).unwrap(), []);
    put(&log, 2, "two rows");
    wait_until("a ring", || rung.load(Ordering::SeqCst) > 0);
    assert_eq!(take(&mut log).unwrap(), said(&[(0, "two rows")]));
    put(&log, 1, "one");
    put(&log, 3, "");
    assert_eq!(take(&mut log).unwrap(), said(&[(2, "one"), (3, "")]));
}

#[test]
fn what_arrives_together_is_made_durable_together() {
    let directory = tempfile::tempdir().unwrap();
    // The third of them is as much as is waited for.
    let limits = IngressLimits {
        commit_within: Duration::from_secs(3600),
        commit_bytes: 3 * (ENTRY_HEAD_BYTES + 1),
        ..IngressLimits::default()
    };
    let log = log_within(directory.path(), limits);
    let mut opened = open(&log, 0);
    for text in ["a", "b"] {
        opened.input.append(1, text.into()).unwrap();
    }
    assert_eq!(take(&mut opened).unwrap(), [], "nothing is durable yet");
    opened.input.append(1, "c".into()).unwrap();
    assert_eq!(opened.input.durable_beyond(Position(0)), Some(Position(3)));
    assert_eq!(take(&mut opened).unwrap(), said(&[(0, "a"), (1, "b"), (2, "c")]));
}

#[test]
fn a_log_that_is_closed_has_made_durable_what_was_pending() {
    let directory = tempfile::tempdir().unwrap();
    let limits = IngressLimits { commit_within: PATIENCE, ..IngressLimits::default() };
    let log = log_within(directory.path(), limits);
    let opened = open(&log, 0);
    opened.input.append(1, b"pending".to_vec()).unwrap();
    opened.input.close();
    assert_eq!(opened.input.append(1, b"late".to_vec()), None);
    drop(opened);
    assert_eq!(take(&mut open(&log, 0)).unwrap(), said(&[(0, "pending")]));
}

#[test]
fn a_log_is_open_once() {
    let directory = tempfile::tempdir().unwrap();
    let log = log(directory.path());
    let first = open(&log, 0);
    let error = refusal(&log, 0).err().expect("it is in use");
    assert!(error.to_string().contains("in use") && !error.is_permanent(), "{error}");
    drop(first);
    open(&log, 0);
}

//! What is left of a decision log after a crash, a power loss and a bad disk.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use watershed_core::checkpoint::{Agreement, Meta, Register, Voice};
use watershed_core::{Epoch, Round};

use super::first_checkpoint;
use crate::error::Damage;
use crate::meta::file::LOG;
use crate::meta::log::{self, scan};
use crate::meta::{Change, FileMetaStore, Guard, MetaError, MetaStore, TornTail};
use crate::{StoreError, SyncFailure};

/// Written by an independent program from the description at the top of the log's module: the log of a job
/// that has decided its first checkpoint.
const GOLDEN: &[u8] = include_bytes!("../../golden/meta-1.log");

/// The same of a job that has decided nothing but a value.
const GOLDEN_AGREED: &[u8] = include_bytes!("../../golden/meta-1-agreed.log");

/// What has been decided after each record of the golden log.
fn decided() -> Vec<Meta> {
    let mut decided = vec![Meta::default()];
    for change in first_checkpoint() {
        let last = decided.last().unwrap();
        decided.push(change.apply(Guard::of(last), last).unwrap());
    }
    decided
}

/// Where each record of the golden log ends.
fn ends() -> Vec<usize> {
    let mut log = log::start(&Meta::default());
    let mut ends = vec![log.len()];
    for meta in &decided()[1..] {
        log.extend(log::record(meta));
        ends.push(log.len());
    }
    ends
}

/// What is found does not hang on the sync of what follows, and a slow disk takes its time for each.
fn unsynced(_: &File) -> io::Result<()> {
    Ok(())
}

fn directory_with(log: &[u8]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(LOG), log).unwrap();
    directory
}

async fn decide(store: &FileMetaStore, changes: impl IntoIterator<Item = Change>) -> Result<Meta, MetaError> {
    let mut meta = store.read().await?;
    for change in changes {
        meta = store.cas(Guard::of(&meta), change).await?;
    }
    Ok(meta)
}

#[tokio::test]
async fn the_log_is_golden_and_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let (store, torn) = FileMetaStore::open(directory.path()).unwrap();
    assert_eq!(torn, None);
    decide(&store, first_checkpoint()).await.unwrap();
    assert_eq!(fs::read(directory.path().join(LOG)).unwrap(), GOLDEN);
    drop(store);
    let (store, torn) = FileMetaStore::open(directory.path()).unwrap();
    assert_eq!(torn, None);
    assert_eq!(store.read().await.unwrap(), decided()[3]);
    assert_eq!(FileMetaStore::peek(directory.path()).unwrap(), decided()[3]);
}

#[tokio::test]
async fn what_was_agreed_on_is_golden_and_logs_without_it_are_read() {
    let voice = |voter: &str, value| Voice { voter: voter.to_owned(), value: vec![value] };
    let agreement = Agreement {
        register: Register { state: "limit".to_owned(), key: b"\xa4heat".to_vec() },
        round: Round(3),
        votes: vec![voice("node-1", 20), voice("node-2", 23)],
        value: vec![21],
    };
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = FileMetaStore::open(directory.path()).unwrap();
    let decided = decide(&store, [Change::Agree(agreement.clone())]).await.unwrap();
    assert_eq!(fs::read(directory.path().join(LOG)).unwrap(), GOLDEN_AGREED);
    assert_eq!(scan(GOLDEN_AGREED).unwrap().meta, decided);
    assert_eq!(decided.agreed.on(&agreement.register), Some(&agreement));
    // The other golden log is older than the field.
    assert!(scan(GOLDEN).unwrap().meta.agreed.is_empty());
}

#[tokio::test]
async fn a_record_cut_at_any_byte_was_not_decided_and_the_log_goes_on() {
    let (ends, decided) = (ends(), decided());
    for length in ends[0]..=GOLDEN.len() {
        let whole = ends.iter().filter(|end| **end <= length).count() - 1;
        let directory = directory_with(&GOLDEN[..length]);
        let (store, torn) = FileMetaStore::open_with(directory.path(), unsynced, 1 << 20).unwrap();
        let bytes = (length - ends[whole]) as u64;
        let path = directory.path().join(LOG);
        let expected =
            (bytes > 0).then(|| TornTail { path: path.clone(), offset: ends[whole] as u64, bytes });
        assert_eq!(torn, expected, "cut at {length}");
        assert_eq!(store.read().await.unwrap(), decided[whole], "cut at {length}");
        let burnt = decide(&store, [Change::Burn(Epoch(128))]).await.unwrap();
        drop(store);
        assert_eq!(scan(&fs::read(path).unwrap()).unwrap().meta, burnt, "cut at {length}");
    }
}

#[test]
fn a_log_without_its_first_record_is_no_log() {
    for length in 0..ends()[0] {
        assert!(scan(&GOLDEN[..length]).is_err(), "cut at {length}");
    }
}

#[test]
fn every_flipped_bit_is_refused_and_never_taken_for_a_torn_tail() {
    for bit in 0..GOLDEN.len() * 8 {
        let mut log = GOLDEN.to_vec();
        log[bit / 8] ^= 1 << (bit % 8);
        assert!(scan(&log).is_err(), "bit {} of byte {}", bit % 8, bit / 8);
    }
}

#[test]
fn a_flipped_bit_in_the_last_decision_names_the_file_and_changes_nothing() {
    let mut log = GOLDEN.to_vec();
    let last = log.len() - 40;
    log[last] ^= 4;
    let directory = directory_with(&log);
    let refused = FileMetaStore::open(directory.path()).unwrap_err();
    let offset = ends()[2] as u64;
    assert!(
        matches!(&refused, StoreError::Damaged { path, damage: Damage::Checksum { part: "record", offset: at } }
            if path.ends_with(LOG) && *at == offset),
        "{refused}"
    );
    assert_eq!(fs::read(directory.path().join(LOG)).unwrap(), log);
}

#[test]
fn a_file_that_grew_before_it_was_written_is_a_torn_tail() {
    let valid = ends()[1];
    let zeros = |from: usize, to: usize| [&GOLDEN[..from], &vec![0; to - from]].concat();
    // Nothing of the record has reached the disk.
    assert_eq!(scan(&zeros(valid, valid + 300)).unwrap().valid, valid);
    // A record that reaches over sectors, of which the last ones are missing.
    let mut long = decided()[1].clone();
    long.roll_backs = vec![long.roll_backs[0]; 60];
    let log = [&GOLDEN[..valid], &log::record(&long)].concat();
    let sector = 1024;
    assert!(log.len() > sector);
    let torn = [&log[..sector], &vec![0; log.len() - sector]].concat();
    assert_eq!(scan(&torn).unwrap().valid, valid);
    // Zeros that begin inside a sector are no torn write: a sector is written whole.
    let wrong = [&log[..log.len() - 3], &[0; 3]].concat();
    assert!(scan(&wrong).is_err());
}

fn failing(_: &File) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(nix::libc::EIO))
}

#[tokio::test]
async fn after_a_failed_sync_the_decision_is_unknown_and_nothing_is_answered_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = FileMetaStore::open_with(directory.path(), failing, 1 << 20).unwrap();
    let guard = Guard::of(&store.read().await.unwrap());
    let unknown = store.cas(guard, Change::BeginRun).await.unwrap_err();
    assert!(unknown.is_fatal());
    assert!(
        matches!(&unknown, MetaError::Unknown { source: StoreError::Unsynced(SyncFailure { .. }) }),
        "{unknown}"
    );
    for refused in [store.read().await, store.cas(guard, Change::BeginRun).await] {
        let refused = refused.unwrap_err();
        assert!(refused.is_fatal() && matches!(refused, MetaError::Failed { .. }), "{refused}");
    }
    // The next process reads what is there; here the write had come through.
    drop(store);
    let (store, _) = FileMetaStore::open(directory.path()).unwrap();
    assert_eq!(store.read().await.unwrap(), decided()[1]);
}

#[tokio::test]
async fn a_long_log_is_begun_anew_and_says_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = FileMetaStore::open_with(directory.path(), File::sync_data, 2_000).unwrap();
    let mut last = Meta::default();
    let mut longest = 0;
    for epoch in 1..=100 {
        last = decide(&store, [Change::Burn(Epoch(epoch))]).await.unwrap();
        longest = longest.max(fs::metadata(directory.path().join(LOG)).unwrap().len());
    }
    assert!((2_000..2_500).contains(&longest), "{longest}");
    // The lock is not the log's, so it is still held.
    assert!(matches!(FileMetaStore::open(directory.path()), Err(StoreError::InUse { .. })));
    drop(store);
    assert_eq!(FileMetaStore::open(directory.path()).unwrap().0.read().await.unwrap(), last);
}

#[tokio::test]
async fn a_full_disk_refuses_the_decision_and_the_next_one_is_made() {
    let test = "a_full_disk_refuses_the_decision_and_the_next_one_is_made";
    let Some(disk) = crate::tiny_disk::TinyDisk::mount(test) else { return };
    let (store, _) = FileMetaStore::open(disk.path()).unwrap();
    let meta = decide(&store, first_checkpoint()).await.unwrap();
    disk.fill();
    let mut burnt = 64;
    // The log's last page has room for a few more records.
    let full = loop {
        burnt += 1;
        match store.cas(Guard::of(&meta), Change::Burn(Epoch(burnt))).await {
            Ok(_) => assert!(burnt < 100, "the disk never came to be full"),
            Err(full) => break full,
        }
    };
    assert!(matches!(&full, MetaError::Failed { source: StoreError::Full { .. } }), "{full}");
    assert_eq!(store.read().await.unwrap().burnt, Epoch(burnt - 1));
    let log = fs::read(disk.path().join(LOG)).unwrap();
    assert_eq!(scan(&log).unwrap().valid, log.len(), "the beginning of the record was taken back");
    disk.make_room();
    store.cas(Guard::of(&meta), Change::Burn(Epoch(burnt))).await.unwrap();
    drop(store);
    let (store, torn) = FileMetaStore::open(disk.path()).unwrap();
    assert_eq!((store.read().await.unwrap().burnt, torn), (Epoch(burnt), None));
}

#[test]
fn what_a_lost_process_left_of_a_new_log_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let left = directory.path().join(".partial-1-0");
    fs::write(&left, "WSHD").unwrap();
    FileMetaStore::open(directory.path()).unwrap();
    assert!(!left.exists());
}

#[test]
fn a_directory_without_a_log_has_decided_nothing_that_can_be_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let missing = FileMetaStore::peek(directory.path()).unwrap_err();
    assert!(matches!(missing, StoreError::Missing { path, .. } if Path::new(&path) == Path::new(LOG)));
}

//! The journal does for consensus what `openraft` asks of a store, and knows a torn tail from damage.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use openraft::testing::{StoreBuilder, Suite};
use openraft::{StorageError, Vote};
use tempfile::TempDir;

use crate::config::ClusterConfig;
use crate::error::ClusterError;
use crate::group::journal::{Journal, Record};
use crate::group::log::Log;
use crate::group::machine::Machine;
use crate::group::{Seat, Types};

fn config(data: &Path) -> ClusterConfig {
    ClusterConfig::new("test", "a", 1, ["a"], data)
}

struct Builder;

impl StoreBuilder<Types, Log, Machine, TempDir> for Builder {
    async fn build(&self) -> Result<(TempDir, Log, Machine), StorageError<Seat>> {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::open(&config(directory.path())).unwrap();
        let (machine, _shown) = Machine::open(journal.clone()).unwrap();
        Ok((directory, Log::new(journal), machine))
    }
}

#[test]
fn the_journal_passes_the_tests_that_openraft_has_for_stores() {
    Suite::<Types, Log, Machine, Builder, TempDir>::test_all(Builder).unwrap();
}

fn vote(term: u64) -> Record {
    Record::Vote(Vote::new(term, 7))
}

/// A journal with votes of these terms, closed.
async fn voted(directory: &Path, terms: impl IntoIterator<Item = u64>) -> Seat {
    let journal = Journal::open(&config(directory)).unwrap();
    for term in terms {
        journal.keep(vote(term)).await.unwrap();
    }
    journal.seat()
}

fn newest(directory: &Path) -> Result<(Seat, Option<u64>), ClusterError> {
    let journal = Journal::open(&config(directory))?;
    Ok((journal.seat(), journal.look(|memory| memory.vote.map(|vote| vote.leader_id().term))))
}

#[tokio::test]
async fn a_vote_is_there_after_the_process_has_died_and_the_seat_is_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let seat = voted(directory.path(), [1, 2]).await;
    assert_eq!(newest(directory.path()).unwrap(), (seat, Some(2)));
}

#[tokio::test]
async fn an_empty_disk_has_another_seat() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_ne!(voted(one.path(), [1]).await, voted(other.path(), [1]).await);
}

#[tokio::test]
async fn a_torn_tail_is_cut_off_at_every_byte_and_what_was_acknowledged_stays() {
    let directory = tempfile::tempdir().unwrap();
    voted(directory.path(), [1]).await;
    let path = directory.path().join("cluster.log");
    let acknowledged = fs::read(&path).unwrap().len();
    voted(directory.path(), [2]).await;
    let whole = fs::read(&path).unwrap();
    for cut in acknowledged..whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        assert_eq!(newest(directory.path()).unwrap().1, Some(1), "cut at {cut}");
    }
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_found_and_the_file_is_named() {
    let directory = tempfile::tempdir().unwrap();
    voted(directory.path(), [1, 2]).await;
    let path = directory.path().join("cluster.log");
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        let damaged = newest(directory.path()).expect_err("a flipped bit is damage").to_string();
        assert!(damaged.contains("cluster.log"), "{damaged}");
    }
}

#[tokio::test]
async fn a_journal_that_has_grown_is_written_anew_and_says_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(directory.path());
    config.bounds.journal_bytes = 1 << 10;
    let journal = Journal::open(&config).unwrap();
    for term in 1..=200 {
        journal.keep(vote(term)).await.unwrap();
    }
    drop(journal);
    assert!(fs::metadata(directory.path().join("cluster.log")).unwrap().len() < 2 << 10);
    assert_eq!(newest(directory.path()).unwrap().1, Some(200));
}

#[tokio::test]
async fn one_disk_serves_one_process_and_one_node() {
    let directory = tempfile::tempdir().unwrap();
    let open = Arc::new(Journal::open(&config(directory.path())).unwrap());
    assert!(newest(directory.path()).unwrap_err().to_string().contains("another process"));
    drop(open);
    let other = ClusterConfig::new("test", "b", 1, ["a", "b", "c"], directory.path());
    let refused = Journal::open(&other).expect_err("the disk is another node's");
    assert!(matches!(refused, ClusterError::Foreign { node, .. } if node == "a"));
}

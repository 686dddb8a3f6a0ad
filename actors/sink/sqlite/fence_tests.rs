//! Runs, rescaling, forks, and databases that go back in time.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;
use watershed_core::{Epoch, EventTime, Lineage, Sink, SinkError, SinkPlace, Writer};

use super::*;

type Row = (String,);

/// A database in a directory of its own.
struct Site {
    _directory: TempDir,
    path: PathBuf,
}

impl Site {
    fn new() -> Site {
        let directory = tempfile::tempdir().unwrap();
        Site { path: directory.path().join("a.db"), _directory: directory }
    }

    /// A sink that shares nothing with another but the database: as in another process.
    fn open(&self, place: &SinkPlace) -> Result<SqliteWriter<Row>, SinkError> {
        SqliteTable::<Row>::new(&self.path, "words").columns(["word"]).open(place)
    }

    fn words(&self) -> Vec<String> {
        let connection = Connection::open(&self.path).unwrap();
        let mut statement = connection.prepare("SELECT word FROM words ORDER BY word").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    fn execute(&self, sql: &str) {
        Connection::open(&self.path).unwrap().execute_batch(sql).unwrap();
    }
}

fn run(number: u32) -> SinkPlace {
    SinkPlace::alone("sink").in_run(number)
}

fn stage(writer: &mut SqliteWriter<Row>, word: &str, epoch: u64) -> StagedRows {
    writer.write((word.to_owned(),), EventTime::MIN).unwrap();
    writer.prepare(Epoch(epoch)).unwrap().unwrap()
}

fn refused<R>(result: Result<R, SinkError>) -> String {
    result.err().unwrap().to_string()
}

fn copy(from: &Path, to: &Path) {
    let connection = Connection::open(from).unwrap();
    connection.execute_batch(&format!("VACUUM INTO '{}'", to.display())).unwrap();
}

#[test]
fn an_epoch_is_committed_by_a_subtask_that_did_not_stage_it_and_only_once() {
    let site = Site::new();
    let mut old: Vec<_> = (0..3).map(|index| site.open(&run(1).of(index, 3)).unwrap()).collect();
    let staged: Vec<_> =
        ["a", "b", "c"].into_iter().zip(&mut old).map(|(word, old)| stage(old, word, 1)).collect();
    old[2].commit(staged[2].clone()).unwrap();
    drop(old);
    let mut only = site.open(&run(2)).unwrap();
    for staged in &staged {
        only.commit(staged.clone()).unwrap();
    }
    only.resume().unwrap();
    assert_eq!(site.words(), ["a", "b", "c"]);
    let next = stage(&mut only, "d", 2);
    only.commit(next).unwrap();
    assert_eq!(site.words(), ["a", "b", "c", "d"]);
}

#[test]
fn more_subtasks_than_before_go_on_each_with_a_fence_of_its_own() {
    let site = Site::new();
    let mut one = site.open(&run(1)).unwrap();
    let staged = stage(&mut one, "a", 1);
    drop(one);
    let mut two: Vec<_> = (0..2).map(|index| site.open(&run(2).of(index, 2)).unwrap()).collect();
    two[0].commit(staged).unwrap();
    for writer in &mut two {
        writer.resume().unwrap();
        let staged = stage(writer, "b", 2);
        writer.commit(staged.clone()).unwrap();
        writer.commit(staged).unwrap();
    }
    assert_eq!(site.words(), ["a", "b", "b"]);
}

#[test]
fn a_run_that_is_paused_and_comes_back_changes_nothing() {
    let site = Site::new();
    let mut paused = site.open(&run(1)).unwrap();
    let decided = stage(&mut paused, "a", 1);
    let undecided = stage(&mut paused, "lost", 2);
    let mut next = site.open(&run(2)).unwrap();
    next.commit(decided.clone()).unwrap();
    next.resume().unwrap();
    let staged = stage(&mut next, "b", 3);
    next.commit(staged).unwrap();
    paused.commit(decided).unwrap();
    paused.commit(undecided).unwrap();
    assert_eq!(site.words(), ["a", "b"]);
    let error = refused(paused.resume());
    assert!(error.contains("run 2 of a job of this name has written here, and this is run 1"), "{error}");
}

#[test]
fn a_run_does_not_go_on_from_before_what_is_committed() {
    let site = Site::new();
    let mut old: Vec<_> = (0..2).map(|index| site.open(&run(1).of(index, 2)).unwrap()).collect();
    let first: Vec<_> = old.iter_mut().map(|writer| stage(writer, "a", 1)).collect();
    let second = stage(&mut old[1], "b", 2);
    old[1].commit(first[1].clone()).unwrap();
    old[1].commit(second.clone()).unwrap();
    drop(old);
    // The log says that the first is the newest. Who goes on is not who had committed the second.
    let mut next = site.open(&run(2).going_on_from(1)).unwrap();
    first.iter().for_each(|staged| next.commit(staged.clone()).unwrap());
    let error = refused(next.resume());
    assert!(error.contains("epoch 2 is committed here, and 1 is the newest checkpoint"), "{error}");
    assert_eq!(site.words(), ["a", "a", "b"]);
    let mut forked = site.open(&SinkPlace { lineage: Lineage(1), ..run(3).going_on_from(1) }).unwrap();
    forked.resume().expect("another history begins before it");
    drop(forked);
    let mut next = site.open(&run(4).going_on_from(2)).unwrap();
    next.commit(second).unwrap();
    next.resume().expect("the log is whole");
}

#[test]
fn a_second_job_is_refused_whatever_its_name() {
    let site = Site::new();
    let mut first = site.open(&run(1)).unwrap();
    stage(&mut first, "a", 1);
    let error = refused(site.open(&run(1)));
    assert!(error.contains("another job that is running, or another sink of this one"), "{error}");
    drop(first);
    let other = SinkPlace { job: "other".to_owned(), ..run(1) };
    let error = refused(site.open(&other));
    assert!(error.contains("belongs to the sink \"sink\" of the job \"test\""), "{error}");
    assert!(error.ends_with("DELETE FROM stream_fence WHERE target = 'words'"), "{error}");
    site.execute("DELETE FROM stream_fence WHERE target = 'words'");
    site.open(&other).unwrap();
}

#[test]
fn what_an_earlier_job_of_the_same_name_has_staged_is_kept_out() {
    let site = Site::new();
    let mut first = site.open(&run(4)).unwrap();
    let staged = stage(&mut first, "a", 9);
    drop(first);
    let mut second = site.open(&run(1)).unwrap();
    let fresh = stage(&mut second, "b", 1);
    let error = second.commit(staged).unwrap_err();
    assert!(error.to_string().contains("has begun anew in run 1 and has taken over"), "{error}");
    second.commit(fresh).unwrap();
    assert_eq!(site.words(), ["b"]);
}

#[test]
fn an_older_checkpoint_restored_by_hand_does_not_find_its_epochs_done() {
    let site = Site::new();
    let mut writer = site.open(&run(1)).unwrap();
    let mut staged = (1..=9).map(|epoch| stage(&mut writer, "a", epoch)).collect::<Vec<_>>();
    staged.iter().for_each(|staged| writer.commit(staged.clone()).unwrap());
    drop(writer);
    let mut forked = site.open(&SinkPlace { lineage: Lineage(1), ..run(2) }).unwrap();
    forked.commit(staged.swap_remove(3)).unwrap();
    assert_eq!(site.words().len(), 9, "epoch 4 was committed in the history that was left");
    forked.resume().unwrap();
    let staged = stage(&mut forked, "b", 5);
    forked.commit(staged).unwrap();
    assert_eq!(site.words().len(), 10);
}

#[test]
fn a_database_that_was_restored_from_a_backup_is_noticed() {
    let site = Site::new();
    let mut writer = site.open(&run(1)).unwrap();
    let first = stage(&mut writer, "a", 1);
    writer.commit(first).unwrap();
    let backup = site.path.with_extension("backup");
    copy(&site.path, &backup);
    let second = stage(&mut writer, "b", 2);
    writer.commit(second).unwrap();
    let third = stage(&mut writer, "c", 3);
    drop(writer);
    std::fs::remove_file(&site.path).unwrap();
    std::fs::rename(&backup, &site.path).unwrap();
    let error = site.open(&run(2)).unwrap().commit(third.clone()).unwrap_err();
    assert!(error.is_lost() && error.to_string().contains("epoch 2 was committed"), "{error}");
    assert!(error.to_string().contains("epoch 3 of subtask 0 with 1 rows"), "{error}");

    site.execute("DELETE FROM stream_fence");
    let error = site.open(&run(2)).unwrap().commit(third).unwrap_err();
    assert!(error.is_lost() && error.to_string().contains("its row in stream_fence is gone"), "{error}");
    let error = refused(site.open(&run(2)).unwrap().resume());
    assert!(error.contains("has no row of this job in stream_fence"), "{error}");
}

#[test]
fn epochs_without_rows_stage_nothing_and_hold_nobody_up() {
    let site = Site::new();
    let mut writer = site.open(&run(1)).unwrap();
    for epoch in 1..=3 {
        assert_eq!(writer.prepare(Epoch(epoch)).unwrap(), None);
    }
    let staged = stage(&mut writer, "a", 4);
    drop(writer);
    let mut next = site.open(&run(2)).unwrap();
    next.commit(staged).unwrap();
    next.resume().unwrap();
    assert_eq!(next.prepare(Epoch(5)).unwrap(), None);
    assert_eq!(site.words(), ["a"]);
}

#[test]
fn a_disk_that_is_full_at_the_commit_loses_no_row() {
    let site = Site::new();
    let mut writer = site.open(&run(1)).unwrap();
    let staged = stage(&mut writer, &"x".repeat(100_000), 1);
    writer.limit_pages(1);
    let error = writer.commit(staged.clone()).unwrap_err();
    assert!(error.to_string().ends_with("the disk is full: make room and start again"), "{error}");
    assert!(!error.is_lost());
    writer.limit_pages(1_000_000);
    writer.commit(staged).unwrap();
    assert_eq!(site.words().len(), 1);
}

//! Directories that are taken up, and those that are somebody else's.

mod killed;

use std::fs;

use watershed_core::checkpoint::Manifest;
use watershed_core::{Epoch, Run};

use super::*;
use crate::fixture::{self, checkpoint, counts};
use crate::{Change, Guard, MetaStore};

fn identity() -> Identity {
    let (key_groups, plan) = (KeyGroups::default(), fixture::plan(1));
    Identity { job: "flights".to_owned(), key_groups, plan, store: None }
}

fn open(path: &Path, identity: Identity) -> Result<StateDirectory, StoreError> {
    StateDirectory::open(path, identity, Adopt::SamePlan)
}

/// Why a directory is not opened, without its name.
fn refused(path: &Path, identity: Identity) -> String {
    match open(path, identity).unwrap_err() {
        StoreError::Foreign { directory, reason } => {
            assert_eq!(directory, path.display().to_string());
            reason
        }
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_job_begins_a_directory_and_goes_on_with_it() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("made/on the way");
    let directory = open(&path, identity()).unwrap();
    let meta = directory.meta.read().await.unwrap();
    directory.meta.cas(Guard::of(&meta), Change::BeginRun).await.unwrap();
    assert!(matches!(open(&path, identity()), Err(StoreError::InUse { .. })));
    drop(directory);
    let directory = open(&path, identity()).unwrap();
    assert_eq!(directory.meta.read().await.unwrap().run, Run(1));
    assert_eq!(StateDirectory::identity_of(&path).unwrap(), Some(identity()));
    let text = fs::read_to_string(path.join("watershed.json")).unwrap();
    assert!(
        text.starts_with("{\n  \"format\": 1,\n  \"job\": \"flights\",\n  \"key_groups\": 128,"),
        "{text}"
    );
}

#[test]
fn another_jobs_directory_is_refused_with_both_names() {
    let root = tempfile::tempdir().unwrap();
    drop(open(root.path(), identity()).unwrap());
    let advice = "choose another state directory, or run the job that this one belongs to";
    let other = Identity { job: "sensors".to_owned(), ..identity() };
    let expected = format!("it has job \"flights\", and this job has \"sensors\"; {advice}");
    assert_eq!(refused(root.path(), other), expected);
    let other = Identity { store: Some("s3://bucket/a".to_owned()), ..identity() };
    let expected =
        format!("it has its checkpoints in the directory itself, and this job has s3://bucket/a; {advice}");
    assert_eq!(refused(root.path(), other), expected);
    let other = Identity { key_groups: KeyGroups::new(64).unwrap(), ..identity() };
    let expected = format!("it has key-group count 128, and this job has 64; {advice}");
    assert_eq!(refused(root.path(), other.clone()), expected);
    // Not even one that may have another plan.
    assert!(StateDirectory::open(root.path(), other, Adopt::OtherPlan).is_err());
}

#[test]
fn another_plan_is_refused_with_the_lines_that_differ_unless_it_is_adopted() {
    let root = tempfile::tempdir().unwrap();
    drop(open(root.path(), identity()).unwrap());
    let other = Identity { plan: fixture::plan(2), ..identity() };
    let reason = refused(root.path(), other.clone());
    let (first, lines) = reason.split_once('\n').unwrap();
    let plans = format!("it has plan {}, and this job has {}; ", identity().plan, other.plan);
    assert!(first.starts_with(&plans), "{first}");
    let expected = "the plans differ (- the directory's, + this job's):\n+ vertex 0: map map-2 -> u64";
    assert_eq!(lines, expected);

    drop(StateDirectory::open(root.path(), other.clone(), Adopt::OtherPlan).unwrap());
    assert_eq!(StateDirectory::identity_of(root.path()).unwrap(), Some(other));
    assert!(open(root.path(), identity()).is_err(), "it is the other plan's now");
}

#[test]
fn another_layout_is_refused_whatever_else_it_says() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("watershed.json"), r#"{"format": 2, "tribe": "unknown"}"#).unwrap();
    let expected = "it has layout version 2, and this program reads version 1; use the program that wrote it";
    assert_eq!(refused(root.path(), identity()), expected);
    for damaged in ["", "{}", r#"{"format": 1}"#, "[[[[[["] {
        fs::write(root.path().join("watershed.json"), damaged).unwrap();
        assert!(refused(root.path(), identity()).starts_with("its file watershed.json cannot be read: "));
    }
}

#[tokio::test]
async fn a_directory_that_lost_a_part_does_not_begin_from_nothing() {
    let root = tempfile::tempdir().unwrap();
    let directory = open(root.path(), identity()).unwrap();
    checkpoint(&directory.store, fixture::manifest(1, 1, None), counts(&[])).await;
    drop(directory);
    let log = root.path().join("meta.log");
    let whole = fs::read(&log).unwrap();
    fs::remove_file(&log).unwrap();
    assert!(refused(root.path(), identity()).starts_with("its decision log meta.log is gone"));
    assert!(!log.exists(), "nothing was begun");
    fs::write(&log, whole).unwrap();
    fs::remove_file(root.path().join("watershed.json")).unwrap();
    assert!(
        refused(root.path(), identity())
            .starts_with("it holds checkpoints (ck), and the file watershed.json")
    );
}

#[test]
fn a_directory_whose_first_opening_was_cut_short_is_opened_again() {
    let root = tempfile::tempdir().unwrap();
    // The log is written before the identity.
    drop(FileMetaStore::open(root.path()).unwrap());
    open(root.path(), identity()).unwrap();
}

#[tokio::test]
async fn a_manifest_of_another_job_is_refused_though_it_is_whole() {
    let root = tempfile::tempdir().unwrap();
    let directory = open(root.path(), identity()).unwrap();
    let ours = directory.store.put_manifest(&fixture::manifest(1, 1, None)).await.unwrap();
    assert_eq!(directory.manifest(&ours).await.unwrap().epoch, Epoch(1));
    let other = Manifest { job: "sensors".to_owned(), ..fixture::manifest(2, 1, None) };
    let theirs = directory.store.put_manifest(&other).await.unwrap();
    let refused = directory.manifest(&theirs).await.unwrap_err().to_string();
    let expected = "is a checkpoint of job \"sensors\" with 128 key groups, and the directory is job \"flights\"'s \
                    with 128 key groups";
    assert!(refused.ends_with(expected), "{refused}");
}

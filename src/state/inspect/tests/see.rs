//! Listing, showing and comparing.

use watershed_core::checkpoint::Manifest;
use watershed_core::{Epoch, Position, SplitId, checkpoint::SplitCut};

use super::{meta, two};
use crate::fixture::{self, checkpoint, counts, subtask, vote};
use crate::inspect::{InspectError, Offline, Standing, Which};
use crate::{Adopt, CheckpointStore, Guard, Identity, MetaStore, StateDirectory};

#[tokio::test]
async fn checkpoints_are_listed_with_what_they_count() {
    let store = CheckpointStore::memory();
    let (_, [first, _]) = two(&store).await;
    // A savepoint that the history went past, and the newest, that came from the first.
    checkpoint(&store, Manifest { savepoint: true, ..fixture::manifest(3, 1, Some(2)) }, counts(&[])).await;
    let (newest, _) = checkpoint(&store, fixture::manifest(4, 1, Some(1)), counts(&[])).await;
    checkpoint(&store, fixture::manifest(5, 1, Some(4)), counts(&[])).await;
    let listing = Offline::of(store, Some(meta(&newest))).list().await.unwrap();
    let standings: Vec<_> =
        listing.checkpoints.iter().map(|summary| (summary.epoch.0, summary.standing)).collect();
    let expected = [
        (1, Standing::Decided),
        (2, Standing::NotDecided),
        (3, Standing::NotDecided),
        (4, Standing::Newest),
        (5, Standing::Unknown),
    ];
    assert_eq!(standings, expected);
    let text = listing.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "job flights: 5 checkpoints");
    assert_eq!(
        lines[2].split_whitespace().collect::<Vec<_>>()[..6],
        ["1", "2023-11-14T22:13:21Z", "decided", "2", "305", "B"]
    );
    assert!(lines[4].ends_with("1 of lineage 0, savepoint"), "{text}");
    let json = serde_json::to_value(&listing).unwrap();
    assert_eq!(json["checkpoints"][1]["standing"], "not-decided");
    assert_eq!(json["checkpoints"][0]["manifest"], first.0.manifest.path);
}

#[tokio::test]
async fn who_knows_what_was_decided_is_told_where_nobody_here_does() {
    let store = CheckpointStore::memory();
    let (meta, _) = two(&store).await;
    let hint = "its nodes know it: `checkpoints JOB`\n";
    let elsewhere = Offline::of(store.clone(), None).list().await.unwrap();
    assert!(elsewhere.to_string().ends_with(hint), "{elsewhere}");
    assert!(elsewhere.checkpoints.iter().all(|summary| summary.standing == Standing::Unknown));
    let here = Offline::of(store, Some(meta)).list().await.unwrap();
    assert!(!here.to_string().contains(hint), "{here}");
}

#[tokio::test]
async fn a_checkpoint_is_shown_with_its_subtasks_and_its_state() {
    let store = CheckpointStore::memory();
    let (meta, [_, (_, mut manifest)]) = two(&store).await;
    let mut reading = vote(subtask(0, 0));
    let split = SplitCut { split: SplitId(0), description: vec![1], position: Position(4711), ended: true };
    reading.splits = vec![split];
    manifest.votes.insert(0, reading);
    manifest.epoch = Epoch(3);
    manifest.base = Some(Epoch(2));
    store.put_manifest(&manifest).await.unwrap();
    let offline = Offline::of(store, Some(meta));
    let detail = offline.show(Which::Epoch(Epoch(3))).await.unwrap();
    let text = detail.to_string();
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    assert_eq!(lines[0], "checkpoint 3 of job flights: unknown");
    assert_eq!(lines[2], "came from checkpoint 2");
    assert_eq!(
        lines[5..],
        [
            "subtask 0.0: 0 layers (0 B), 0 received, 0 sent",
            "split 0 at 4711, at its end",
            "subtask 1.0: key groups 0 to 127, 1 layer (296 B), 0 received, 0 sent",
            "subtask 2.0: 0 layers (0 B), 0 received, 0 sent, staged 0/1/2.0/2 (9 B)",
            "state of counts state: 3 entries in 2 key groups, 15 B",
            "state of counts watermark: 1 entry, 3 B",
        ]
    );
}

#[tokio::test]
async fn two_checkpoints_are_compared_key_by_key() {
    let store = CheckpointStore::memory();
    let (meta, _) = two(&store).await;
    let offline = Offline::of(store, Some(meta));
    let diff = offline.diff(Which::Epoch(Epoch(1)), Which::Newest, 10).await.unwrap();
    assert_eq!(
        diff.to_string(),
        "from checkpoint 1 to 2: 1 changed part\n\
         counts state\n  \
           key group 3: 10 B -> 10 B\n    + \"HPN\"\n    - \"LGA\"\n  \
           key group 90: 5 B -> 5 B\n    ~ \"JFK\"\n"
    );
    let short = offline.diff(Which::Epoch(Epoch(1)), Which::Newest, 0).await.unwrap();
    assert!(short.to_string().contains("+ and 1 more"));
    assert_eq!(offline.diff(Which::Newest, Which::Newest, 10).await.unwrap().parts, []);
}

#[tokio::test]
async fn a_checkpoint_that_is_not_there_is_answered_with_those_that_are() {
    let store = CheckpointStore::memory();
    let (meta, _) = two(&store).await;
    let offline = Offline::of(store.clone(), Some(meta));
    let missing = offline.show(Which::Epoch(Epoch(9))).await.unwrap_err();
    assert_eq!(missing.to_string(), "there is no checkpoint 9; those that there are: 1, 2");
    let nothing = Offline::of(CheckpointStore::memory(), None);
    assert!(matches!(nothing.show(Which::Newest).await, Err(InspectError::NoneCompleted { .. })));
    assert_eq!(nothing.list().await.unwrap().to_string(), "job unknown: 0 checkpoints\n");
}

#[tokio::test]
async fn a_directory_that_a_job_has_open_can_be_looked_at() {
    let root = tempfile::tempdir().unwrap();
    let identity = Identity {
        job: fixture::JOB.to_owned(),
        key_groups: Default::default(),
        plan: fixture::plan(1),
        store: None,
    };
    let directory = StateDirectory::open(root.path(), identity, Adopt::SamePlan).unwrap();
    let (newest, _) = checkpoint(&directory.store, fixture::manifest(1, 1, None), counts(&[])).await;
    let mut meta = directory.meta.read().await.unwrap();
    for change in [crate::Change::BeginRun, crate::Change::Burn(Epoch(64)), crate::Change::Complete(newest)] {
        meta = directory.meta.cas(Guard::of(&meta), change).await.unwrap();
    }
    let listing = Offline::open(root.path()).unwrap().list().await.unwrap();
    assert_eq!(listing.checkpoints[0].standing, Standing::Newest);
    assert_eq!(listing.unread, [] as [&str; 0]);

    // And one that is damaged: what can be read is shown, what cannot is named.
    drop(directory);
    let log = root.path().join("meta.log");
    let mut bytes = std::fs::read(&log).unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    std::fs::write(&log, bytes).unwrap();
    let listing = Offline::open(root.path()).unwrap().list().await.unwrap();
    assert_eq!(listing.checkpoints[0].standing, Standing::Unknown);
    assert!(listing.unread[0].contains("meta.log is damaged"), "{listing}");
}

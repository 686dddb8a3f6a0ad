//! Objects that may go, and many that may not.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use watershed_core::checkpoint::{Manifest, Meta, Pointer, RollBack};
use watershed_core::{Epoch, Lineage, Run};

use super::*;
use crate::fixture::{self, checkpoint, counts, subtask};
use crate::{Limits, Object, ObjectKey};

/// A pass that knows nothing from before.
async fn run(
    store: &CheckpointStore,
    meta: &Meta,
    needs: &Needs,
    now: SystemTime,
) -> Result<Verdict, RetentionError> {
    super::run(store, meta, needs, now, &mut Inventory::default()).await
}

/// Long after everything was written.
fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(100_000)
}

fn meta(run: u32, completed: &Pointer) -> Meta {
    Meta { run: Run(run), completed: Some(completed.clone()), burnt: Epoch(64), ..Meta::default() }
}

async fn write(store: &CheckpointStore, manifest: Manifest) -> Pointer {
    let n = manifest.epoch.0;
    checkpoint(store, manifest, counts(&[(0, &[("n", n)])])).await.0
}

/// Checkpoints 1 to `last` of run 1, each from the one before.
async fn chain(store: &CheckpointStore, last: u64) -> Pointer {
    let mut newest = None;
    for epoch in 1..=last {
        let base = (epoch > 1).then_some(epoch - 1);
        newest = Some(write(store, fixture::manifest(epoch, 1, base)).await);
    }
    newest.expect("there is one")
}

/// What is left, as `epoch/run` and the object's name without its hash.
async fn left(store: &CheckpointStore) -> Vec<String> {
    let short = |path: String| {
        let path = path.strip_prefix("ck/0/").unwrap_or(&path).to_owned();
        path.rsplit_once('.').map_or(path.clone(), |(name, _)| name.to_owned())
    };
    store.list().await.unwrap().into_iter().map(|object| short(object.path)).collect()
}

fn of(epoch: u64, run: u32) -> [String; 3] {
    ["1-0", "2-0.staged", "manifest"].map(|name| format!("{epoch}/{run}/{name}"))
}

#[tokio::test]
async fn as_many_checkpoints_are_kept_as_are_to_be() {
    let store = CheckpointStore::memory();
    let newest = chain(&store, 5).await;
    let verdict =
        run(&store, &meta(1, &newest), &Needs { keep: Keep::Newest(2), ..Needs::default() }, later())
            .await
            .unwrap();
    assert_eq!(left(&store).await, [of(4, 1), of(5, 1)].concat());
    assert_eq!((verdict.take.len(), verdict.kept), (9, 6));
    // Manifests go first, and all of it goes at once: it was decided, and is replaced.
    let kinds: Vec<_> = verdict.take.iter().map(|taken| taken.path.contains("manifest")).collect();
    assert_eq!(kinds, [true, true, true, false, false, false, false, false, false]);
    assert!(verdict.take.iter().all(|taken| taken.reason == Reason::Superseded));
    // From a checkpoint on, as the coordinator says it.
    let store = CheckpointStore::memory();
    let newest = chain(&store, 5).await;
    run(&store, &meta(1, &newest), &Needs { keep: Keep::From(Epoch(4)), ..Needs::default() }, later())
        .await
        .unwrap();
    assert_eq!(left(&store).await, [of(4, 1), of(5, 1)].concat());
    // None is less than the one that the job would be restored from.
    run(&store, &meta(1, &newest), &Needs { keep: Keep::Newest(0), ..Needs::default() }, later())
        .await
        .unwrap();
    assert_eq!(left(&store).await, of(5, 1));
}

#[tokio::test]
async fn what_an_outstanding_commit_needs_stays_however_old_it_is() {
    let store = CheckpointStore::memory();
    let newest = chain(&store, 5).await;
    let needs = Needs { keep: Keep::Newest(1), outstanding: BTreeSet::from([Epoch(2)]), ..Needs::default() };
    run(&store, &meta(1, &newest), &needs, later()).await.unwrap();
    assert_eq!(left(&store).await, [of(2, 1), of(5, 1)].concat());
    let gone = Needs { in_use: BTreeSet::from([Epoch(3)]), ..needs };
    let refused = run(&store, &meta(1, &newest), &gone, later()).await.unwrap_err();
    assert!(matches!(refused, RetentionError::Needed { epoch: Epoch(3) }), "{refused}");
    assert_eq!(left(&store).await.len(), 6);
}

#[tokio::test]
async fn layers_that_a_kept_checkpoint_names_stay_though_an_old_one_wrote_them() {
    let store = CheckpointStore::memory();
    chain(&store, 2).await;
    let (_, second) = checkpoint(&store, fixture::manifest(2, 1, Some(1)), counts(&[(0, &[("n", 2)])])).await;
    let mut third = fixture::manifest(3, 1, Some(2));
    third.votes = second.votes.clone();
    let newest = store.put_manifest(&third).await.unwrap();
    run(&store, &meta(1, &newest), &Needs { keep: Keep::Newest(1), ..Needs::default() }, later())
        .await
        .unwrap();
    assert_eq!(left(&store).await, ["2/1/1-0", "2/1/2-0.staged", "3/1/manifest"]);
}

#[tokio::test]
async fn savepoints_stay_unless_their_history_has_gone_on_without_them() {
    let store = CheckpointStore::memory();
    let savepoint = |epoch, run, base| Manifest { savepoint: true, ..fixture::manifest(epoch, run, base) };
    write(&store, savepoint(1, 1, None)).await;
    write(&store, fixture::manifest(2, 1, Some(1))).await;
    // Written and never decided: 4 came from 2; and 6 belongs to a run that has been fenced.
    write(&store, savepoint(3, 1, Some(2))).await;
    let newest = write(&store, fixture::manifest(4, 1, Some(2))).await;
    write(&store, savepoint(6, 1, Some(4))).await;
    run(&store, &meta(2, &newest), &Needs { keep: Keep::Newest(1), ..Needs::default() }, later())
        .await
        .unwrap();
    assert_eq!(left(&store).await, [of(1, 1), of(4, 1)].concat());
}

#[tokio::test]
async fn a_savepoint_of_a_lineage_that_was_left_stays() {
    let store = CheckpointStore::memory();
    let first = chain(&store, 1).await;
    write(&store, Manifest { savepoint: true, ..fixture::manifest(2, 1, Some(1)) }).await;
    write(&store, fixture::manifest(3, 1, Some(2))).await;
    let forked = Meta { lineage: Lineage(1), ..meta(2, &first) };
    run(&store, &forked, &Needs::default(), later()).await.unwrap();
    assert_eq!(left(&store).await, [of(1, 1), of(2, 1)].concat());
}

#[tokio::test]
async fn orphans_of_dead_runs_go_after_a_grace() {
    let store = CheckpointStore::memory();
    let newest = chain(&store, 1).await;
    // Run 1 had written the manifest of 2 and lost, and begun 3; run 2 has prepared 3.
    write(&store, fixture::manifest(2, 1, Some(1))).await;
    let object = Object::Snapshot(subtask(1, 0));
    let dead = ObjectKey { lineage: Lineage(0), epoch: Epoch(3), run: Run(1), object };
    store.put(dead, "of a run that died").await.unwrap();
    let live = ObjectKey { lineage: Lineage(0), epoch: Epoch(3), run: Run(2), object };
    store.put(live, "in the making").await.unwrap();
    let meta = meta(2, &newest);
    let now = SystemTime::now();
    let verdict = run(&store, &meta, &Needs::default(), now).await.unwrap();
    // The run of 2 was fenced before it was decided, so it never will be. What nobody names waits.
    assert_eq!((verdict.take.len(), verdict.wait.len()), (3, 1));
    assert!(verdict.take.iter().all(|taken| taken.reason == Reason::Orphaned));
    assert_eq!(left(&store).await, [&of(1, 1)[..], &["3/1/1-0".to_owned(), "3/2/1-0".to_owned()]].concat());
    let verdict = run(&store, &meta, &Needs::default(), later()).await.unwrap();
    assert_eq!(verdict.take.len(), 1);
    assert!(verdict.take.iter().all(|taken| taken.reason == Reason::Orphaned));
    assert_eq!(left(&store).await, [&of(1, 1)[..], &["3/2/1-0".to_owned()]].concat());
}

#[tokio::test]
async fn what_was_given_up_by_the_newest_run_goes_once_a_later_checkpoint_is_complete() {
    let store = CheckpointStore::memory();
    let object = Object::Snapshot(subtask(1, 0));
    let given_up = ObjectKey { lineage: Lineage(0), epoch: Epoch(1), run: Run(1), object };
    store.put(given_up, "no other subtask voted").await.unwrap();
    let none = Meta { run: Run(1), burnt: Epoch(64), ..Meta::default() };
    assert_eq!(run(&store, &none, &Needs::default(), later()).await.unwrap().kept, 1);
    let newest = write(&store, fixture::manifest(2, 1, None)).await;
    run(&store, &meta(1, &newest), &Needs::default(), later()).await.unwrap();
    assert_eq!(left(&store).await, of(2, 1));
}

#[tokio::test]
async fn an_old_meta_record_takes_nothing_of_what_came_after_it() {
    let store = CheckpointStore::memory();
    let old = chain(&store, 2).await;
    let mut from = 2;
    for (epoch, by) in [(3, 1), (4, 2), (5, 2)] {
        write(&store, fixture::manifest(epoch, by, Some(from))).await;
        from = epoch;
    }
    let object = Object::Snapshot(subtask(1, 0));
    let of_later_run = ObjectKey { lineage: Lineage(0), epoch: Epoch(6), run: Run(3), object };
    store.put(of_later_run, "in the making").await.unwrap();
    let before = left(&store).await;
    let needs = Needs { keep: Keep::Newest(2), ..Needs::default() };
    let verdict = run(&store, &meta(1, &old), &needs, later()).await.unwrap();
    assert_eq!((verdict.take.len(), verdict.leave.len()), (0, 1));
    assert_eq!(left(&store).await, before);
}

#[tokio::test]
async fn what_a_checkpoint_names_that_is_just_being_decided_stays() {
    let store = CheckpointStore::memory();
    chain(&store, 1).await;
    let (_, first) = checkpoint(&store, fixture::manifest(1, 1, None), counts(&[(0, &[("n", 1)])])).await;
    let completed = write(&store, fixture::manifest(2, 1, Some(1))).await;
    let mut third = fixture::manifest(3, 1, Some(2));
    third.votes = first.votes;
    store.put_manifest(&third).await.unwrap();
    run(&store, &meta(1, &completed), &Needs { keep: Keep::Newest(1), ..Needs::default() }, later())
        .await
        .unwrap();
    assert_eq!(left(&store).await, [&of(1, 1)[..2], &of(2, 1)[..], &["3/1/manifest".to_owned()]].concat());
}

#[tokio::test]
async fn strange_files_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let store = CheckpointStore::local(directory.path()).unwrap();
    let newest = chain(&store, 1).await;
    std::fs::write(directory.path().join("ck/notes.txt"), "mine").unwrap();
    std::fs::write(directory.path().join("ck/0/1/1/manifest.bak"), "mine").unwrap();
    let verdict = run(&store, &meta(9, &newest), &Needs::default(), later()).await.unwrap();
    assert_eq!(verdict.leave, ["ck/0/1/1/manifest.bak", "ck/notes.txt"]);
    assert_eq!(store.list().await.unwrap().len(), 5);
}

#[tokio::test]
async fn nothing_goes_while_a_manifest_cannot_be_read_or_is_anothers() {
    let directory = tempfile::tempdir().unwrap();
    let store = CheckpointStore::local(directory.path()).unwrap();
    let newest = chain(&store, 5).await;
    let needs = Needs { keep: Keep::Newest(1), ..Needs::default() };
    let other = Manifest { job: "other".to_owned(), ..fixture::manifest(9, 1, None) };
    let foreign = store.put_manifest(&other).await.unwrap();
    let refused = run(&store, &meta(1, &newest), &needs, later()).await.unwrap_err();
    assert!(matches!(refused, RetentionError::Foreign { .. }), "{refused}");
    store.delete(&foreign.manifest.path).await.unwrap();

    let second = &Inventory::of(&store).await.unwrap().manifests.into_values().nth(1).unwrap().0;
    let file = directory.path().join(&second.manifest.path);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let refused = run(&store, &meta(1, &newest), &needs, later()).await.unwrap_err();
    assert!(matches!(refused, RetentionError::Store(StoreError::Damaged { .. })), "{refused}");
    assert_eq!(left(&store).await.len(), 15);

    std::fs::remove_file(directory.path().join(&newest.manifest.path)).unwrap();
    std::fs::remove_file(file).unwrap();
    let refused = run(&store, &meta(1, &newest), &needs, later()).await.unwrap_err();
    assert!(matches!(refused, RetentionError::Needed { epoch: Epoch(5) }), "{refused}");
}

#[tokio::test]
async fn a_pass_reads_no_manifest_that_one_before_has_read() {
    let store = CheckpointStore::memory();
    let newest = chain(&store, 3).await;
    let needs = Needs { keep: Keep::From(Epoch(2)), ..Needs::default() };
    let mut known = Inventory::default();
    super::run(&store, &meta(1, &newest), &needs, later(), &mut known).await.unwrap();
    assert_eq!(known.manifests.len(), 3, "the first one went after it had been read");
    // What is known is taken for granted, though it would not be read as that any more.
    let strict = Limits { manifest_bytes_max: 1, ..Limits::default() };
    let blind = store.clone().with_limits(strict);
    super::run(&blind, &meta(1, &newest), &needs, later(), &mut known).await.unwrap();
    assert_eq!(known.manifests.len(), 2);
    let unknown = run(&blind, &meta(1, &newest), &needs, later()).await;
    assert!(matches!(unknown, Err(RetentionError::Store(StoreError::TooLarge { .. }))), "{unknown:?}");
}

#[tokio::test]
async fn what_a_job_has_gone_on_from_was_decided_though_the_way_to_it_is_let_go() {
    let store = CheckpointStore::memory();
    write(&store, Manifest { savepoint: true, ..fixture::manifest(2, 1, None) }).await;
    write(&store, fixture::manifest(3, 1, Some(2))).await;
    // Of the run that went back to 2, all checkpoints but the newest are let go.
    let newest = Manifest { lineage: Lineage(1), ..fixture::manifest(9, 2, Some(8)) };
    let newest = write(&store, newest).await;
    let back = RollBack { run: Run(2), lineage: Lineage(1), base: Some(Epoch(2)) };
    let meta = Meta { lineage: Lineage(1), roll_backs: vec![back], ..meta(2, &newest) };
    let inventory = Inventory::of(&store).await.unwrap();
    let history = History::of(&meta, &inventory).unwrap();
    let standings = inventory.manifests.values().map(|(_, found)| (found.epoch.0, history.standing(found)));
    let standings: BTreeSet<String> =
        standings.map(|(epoch, standing)| format!("{epoch} {standing}")).collect();
    assert_eq!(standings, ["2 decided", "3 unknown", "9 newest"].map(str::to_owned).into());
}

//! Verifying: each kind of damage is found, named, and does not stop the rest.

use std::fs;
use std::path::Path;

use watershed_core::causal::VectorClock;
use watershed_core::checkpoint::{Manifest, SharedCut, SharedLog, SiteShare};
use watershed_core::state::LayerKind;
use watershed_core::{Epoch, KeyGroupRange, Site};

use super::{meta, two};
use crate::fixture::{self, counts, header, subtask, vote};
use crate::inspect::{Offline, Report, Which};
use crate::store::manifest::references;
use crate::{CheckpointStore, Object, ObjectKey};

/// A certificate that has nothing against any cut.
fn sound(_: &Manifest, _: Option<&Manifest>) -> Vec<String> {
    Vec::new()
}

async fn verify(store: &CheckpointStore, manifest: &Manifest) -> Report {
    let pointer = store.put_manifest(manifest).await.unwrap();
    Offline::of(store.clone(), Some(meta(&pointer))).verify(Which::Newest, &sound).await.unwrap()
}

fn problems(report: &Report) -> Vec<&str> {
    report.problems.iter().map(|problem| problem.what.as_str()).collect()
}

#[tokio::test]
async fn a_sound_checkpoint_is_sound_and_its_cut_is_asked_for_with_what_it_came_from() {
    let store = CheckpointStore::memory();
    let (meta, [_, (pointer, manifest)]) = two(&store).await;
    let offline = Offline::of(store, Some(meta));
    let certificate = |manifest: &Manifest, base: Option<&Manifest>| {
        vec![format!("asked for {} from {:?}", manifest.epoch, base.map(|base| base.epoch))]
    };
    let report = offline.verify(Which::Newest, &certificate).await.unwrap();
    assert_eq!(problems(&report), ["asked for 2 from Some(Epoch(1))"]);
    let (reports, unread) = offline.verify_all(&sound).await.unwrap();
    assert_eq!((reports.len(), unread.len()), (2, 0));
    assert!(reports.iter().all(Report::is_sound));
    let bytes: u64 = references(&manifest).map(|object| object.bytes).sum();
    assert_eq!((report.objects, report.bytes), (3, bytes + pointer.manifest.bytes));
    assert!(reports[1].to_string().starts_with("checkpoint 2: sound, 3 objects read ("), "{}", reports[1]);
}

#[tokio::test]
async fn every_damaged_byte_of_every_object_is_found_and_named() {
    let root = tempfile::tempdir().unwrap();
    let store = CheckpointStore::local(root.path()).unwrap();
    let (meta, [_, (_, manifest)]) = two(&store).await;
    let offline = Offline::of(store, Some(meta));
    for object in references(&manifest) {
        let file = root.path().join(&object.path);
        let whole = fs::read(&file).unwrap();
        for byte in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[byte] ^= 1 << (byte % 8);
            assert_named(&offline, &file, &bytes, &object.path).await;
        }
        assert_named(&offline, &file, &whole[..whole.len() - 1], &object.path).await;
        fs::write(&file, whole).unwrap();
    }
    let object = references(&manifest).next().unwrap();
    fs::remove_file(root.path().join(&object.path)).unwrap();
    let report = offline.verify(Which::Newest, &sound).await.unwrap();
    assert!(problems(&report)[0].contains("is missing from"), "{report}");
}

async fn assert_named(offline: &Offline, file: &Path, bytes: &[u8], path: &str) {
    fs::write(file, bytes).unwrap();
    let report = offline.verify(Which::Newest, &sound).await.unwrap();
    assert_eq!(report.problems.len(), 1, "{report}");
    assert_eq!(report.problems[0].object.as_deref(), Some(path));
}

#[tokio::test]
async fn a_damaged_manifest_is_named_and_the_others_are_verified() {
    let root = tempfile::tempdir().unwrap();
    let store = CheckpointStore::local(root.path()).unwrap();
    let (meta, [(first, _), _]) = two(&store).await;
    let file = root.path().join(&first.manifest.path);
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[1..]).unwrap();
    let (reports, unread) = Offline::of(store, Some(meta)).verify_all(&sound).await.unwrap();
    assert_eq!((reports.len(), unread.len()), (1, 1));
    assert!(unread[0].contains(&first.manifest.path));
    // That what it came from cannot be read is said, too.
    assert!(problems(&reports[0])[0].starts_with("the checkpoint that it came from cannot be read"));
}

#[tokio::test]
async fn state_that_is_another_subtasks_or_not_in_order_is_found_though_its_hash_fits() {
    let store = CheckpointStore::memory();
    let base = fixture::manifest(7, 2, None);
    let layer = counts(&[(3, &[("EWR", 1)]), (90, &[("JFK", 2)])]);
    let mut changes = layer.clone();
    changes.kind = LayerKind::Changes;
    let full = store.put_layer(header(&base, subtask(1, 0)), layer.clone()).await.unwrap();
    let changes = store.put_layer(header(&base, subtask(1, 0)), changes).await.unwrap();
    let others = store.put_layer(header(&base, subtask(1, 1)), layer.clone()).await.unwrap();
    let mut foreign = header(&base, subtask(1, 0));
    foreign.job = "other".to_owned();
    let foreign = store.put_layer(foreign, layer.clone()).await.unwrap();
    let later = Manifest { epoch: Epoch(8), ..base.clone() };
    let later = store.put_layer(header(&later, subtask(1, 0)), layer).await.unwrap();
    let with = |snapshot: Vec<_>, groups| {
        let mut manifest = base.clone();
        let mut counted = vote(subtask(1, 0));
        counted.snapshot = snapshot;
        counted.key_groups = Some(KeyGroupRange(groups));
        manifest.votes = vec![counted];
        manifest
    };
    assert!(verify(&store, &with(vec![full.clone(), changes.clone()], 0..128)).await.is_sound());
    let order = "the first layer of a subtask, and only the first, must be full";
    let wrong = [
        (with(vec![changes.clone()], 0..128), order),
        (with(vec![full.clone(), full.clone()], 0..128), order),
        (with(vec![others], 0..128), "it is of subtask 1.1, and subtask 1.0 names it"),
        (with(vec![foreign], 0..128), "it is of job \"other\" with 128 key groups"),
        (with(vec![full.clone()], 0..64), "1 piece of a key group outside the subtask's 0..64"),
    ];
    for (manifest, expected) in wrong {
        assert_eq!(problems(&verify(&store, &manifest).await), [expected]);
    }
    let newer = verify(&store, &with(vec![later], 0..128)).await;
    let expected =
        ["a checkpoint cannot name such an object", "it is newer than the checkpoint that names it"];
    assert_eq!(problems(&newer), expected);
    let mut twice = full.clone();
    twice.bytes += 1;
    let report = verify(&store, &with(vec![full, twice], 0..128)).await;
    assert_eq!(problems(&report)[0], "it is named twice, with another length or hash");
}

#[tokio::test]
async fn shared_state_that_is_lost_is_found() {
    let store = CheckpointStore::memory();
    let mut manifest = fixture::manifest(7, 2, None);
    let Manifest { lineage, epoch, run, .. } = manifest;
    let key = ObjectKey { lineage, epoch, run, object: Object::SharedLog(Site(0)) };
    let written = store.put(key, "updates".to_owned()).await.unwrap();
    let mut lost = written.clone();
    lost.path = lost.path.replace("site-0", "site-1");
    let mut told = vote(subtask(1, 0));
    let logs = [written, lost].map(|object| SharedLog { epoch, object, updates: 1 }).into();
    let share = Some(SiteShare { logs, ..SiteShare::default() });
    told.shared = Some(Box::new(SharedCut { site: Site(0), session: VectorClock::new(), share }));
    manifest.votes = vec![told];
    let report = verify(&store, &manifest).await;
    let lost = report.problems.iter().map(|problem| problem.object.as_deref().unwrap_or_default());
    assert!(lost.collect::<Vec<_>>()[..].iter().all(|path| path.contains("site-1.log.")), "{report}");
    assert_eq!((report.objects, report.problems.len()), (2, 1));
}

#[tokio::test]
async fn a_checkpoint_that_a_job_lets_go_meanwhile_is_left_out_and_a_damaged_one_is_not() {
    let root = tempfile::tempdir().unwrap();
    let store = CheckpointStore::local(root.path()).unwrap();
    let (meta, [(first, _), _]) = two(&store).await;
    let offline = Offline::of(store, Some(meta));
    let complaint = |manifest: &Manifest, _: Option<&Manifest>| {
        if manifest.epoch == Epoch(1) { vec!["half of it is missing".to_owned()] } else { Vec::new() }
    };
    let (reports, _) = offline.verify_all(&complaint).await.unwrap();
    assert_eq!(reports.iter().map(Report::is_sound).collect::<Vec<_>>(), [false, true]);
    let let_go = |manifest: &Manifest, base: Option<&Manifest>| {
        if manifest.epoch == Epoch(1) {
            fs::remove_file(root.path().join(&first.manifest.path)).unwrap();
        }
        complaint(manifest, base)
    };
    let (reports, unread) = offline.verify_all(&let_go).await.unwrap();
    assert_eq!(
        reports.iter().map(|report| (report.epoch, report.is_sound())).collect::<Vec<_>>(),
        [(Epoch(2), true)]
    );
    assert_eq!(unread, [] as [String; 0]);
}

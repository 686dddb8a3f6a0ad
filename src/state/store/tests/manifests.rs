//! Manifests: whole, and the right ones.

use watershed_core::causal::{Lane, VectorClock};
use watershed_core::checkpoint::{
    ContentHash, ObjectRef, Pointer, SharedBase, SharedCut, SharedLog, SiteShare,
};
use watershed_core::{Counter, Epoch, KeyGroups, Lineage, Run, Site};

use crate::fixture::{self, checkpoint, counts, subtask, vote};
use crate::store::manifest::{decode, encode, references};
use crate::{CheckpointStore, Limits, StoreError};

/// Written before there was shared state.
const GOLDEN: &[u8] = include_bytes!("../../golden/manifest-1.bin");

fn object(path: &str, bytes: u64) -> ObjectRef {
    ObjectRef { path: path.to_owned(), bytes, hash: ContentHash([9; 32]) }
}

#[tokio::test]
async fn a_manifest_comes_back_with_all_that_it_names() {
    let store = CheckpointStore::memory();
    let (pointer, manifest) =
        checkpoint(&store, fixture::manifest(7, 2, Some(6)), counts(&[(3, &[("EWR", 1)])])).await;
    assert_eq!(store.manifest(&pointer).await.unwrap(), manifest);
    let named: Vec<_> = references(&manifest).map(|object| object.path.rsplit_once('.').unwrap().0).collect();
    assert_eq!(named, ["ck/0/7/2/1-0", "ck/0/7/2/2-0.staged"]);
    for object in references(&manifest) {
        store.get(object).await.unwrap();
    }
}

#[test]
fn version_1_is_golden() {
    let mut manifest = fixture::manifest(7, 2, Some(6));
    let mut first = vote(subtask(0, 0));
    first.snapshot = vec![object("ck/0/7/2/0-0.0909090909090909", 5)];
    first.key_groups = Some(manifest.key_groups.range(0, 1));
    first.finished = true;
    manifest.votes = vec![first, vote(subtask(0, 1))];
    assert_eq!(decode(GOLDEN, &Limits::default()).as_ref(), Ok(&manifest));
    assert_eq!(encode(&manifest), GOLDEN, "a job without shared state writes what it always wrote");
}

#[test]
fn what_is_shared_comes_back_and_is_needed() {
    let log = object("ck/0/7/2/site-1.log.0909090909090909", 5);
    let base = object("ck/0/7/2/site-1.base.0909090909090909", 6);
    let lane = Lane { run: Run(2), epoch: Epoch(7), site: Site(1) };
    let share = SiteShare {
        finals: VectorClock::from(vec![(lane, Counter(3))]),
        deps: VectorClock::new(),
        base: Some(SharedBase { epoch: Epoch(6), object: base.clone() }),
        logs: vec![SharedLog { epoch: Epoch(7), object: log.clone(), updates: 3 }],
    };
    let mut manifest = fixture::manifest(7, 2, Some(6));
    let mut told = vote(subtask(0, 0));
    told.shared =
        Some(Box::new(SharedCut { site: Site(1), session: share.finals.clone(), share: Some(share) }));
    manifest.votes = vec![told];
    assert_eq!(decode(&encode(&manifest), &Limits::default()).as_ref(), Ok(&manifest));
    assert_eq!(references(&manifest).collect::<Vec<_>>(), [&base, &log]);
}

#[tokio::test]
async fn the_manifest_of_another_checkpoint_is_refused_though_it_is_whole() {
    let store = CheckpointStore::memory();
    let pointer = store.put_manifest(&fixture::manifest(7, 2, Some(6))).await.unwrap();
    let wrong = [
        (
            Pointer { lineage: Lineage(1), ..pointer.clone() },
            "epoch 7 of lineage 0, and is pointed to as that of epoch 7 of lineage 1",
        ),
        (
            Pointer { epoch: Epoch(8), ..pointer },
            "epoch 7 of lineage 0, and is pointed to as that of epoch 8 of lineage 0",
        ),
    ];
    for (pointer, expected) in wrong {
        let refused = store.manifest(&pointer).await.unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_manifest_is_found_without_the_pointer() {
    let mut manifest = fixture::manifest(7, 2, Some(6));
    manifest.votes = vec![vote(subtask(0, 0)), vote(subtask(0, 1))];
    let whole = encode(&manifest);
    assert_eq!(decode(&whole, &Limits::default()), Ok(manifest));
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&bytes, &Limits::default()).is_err(), "bit {bit}");
    }
    for length in 0..whole.len() {
        assert!(decode(&whole[..length], &Limits::default()).is_err(), "cut at {length}");
    }
}

#[test]
fn a_manifest_that_makes_no_sense_is_refused_though_its_check_fits() {
    let with = |objects: Vec<ObjectRef>| {
        let mut manifest = fixture::manifest(7, 2, None);
        let mut vote = vote(subtask(0, 0));
        vote.snapshot = objects;
        manifest.votes = vec![vote];
        decode(&encode(&manifest), &Limits { objects_max: 3, ..Limits::default() }).map(drop)
    };
    let refused = |objects| with(objects).unwrap_err().to_string();
    assert_eq!(with(vec![object("ck/0/7/2/0-0.0909090909090909", 5)]), Ok(()));
    assert!(refused(vec![object("../../etc/passwd", 5)]).contains("is no path of an object"));
    assert!(refused(vec![object("ck/a", u64::MAX), object("ck/b", 1)]).contains("exceed all numbers"));
    assert!(refused(vec![object("ck/a", 1); 4]).contains("it names 4 objects, more than the limit of 3"));

    let mut twice = fixture::manifest(7, 2, None);
    twice.votes = vec![vote(subtask(0, 0)), vote(subtask(0, 0))];
    assert!(
        decode(&encode(&twice), &Limits::default()).unwrap_err().to_string().contains("not in the order")
    );
    let mut groups = fixture::manifest(7, 2, None);
    groups.key_groups = serde_json::from_str::<KeyGroups>("0").unwrap();
    assert!(decode(&encode(&groups), &Limits::default()).unwrap_err().to_string().contains("into 0 groups"));
}

#[test]
fn no_manifest_that_someone_made_up_brings_the_process_down() {
    let mut manifest = fixture::manifest(7, 2, Some(6));
    manifest.votes = vec![vote(subtask(0, 0))];
    manifest.votes[0].snapshot = vec![object("ck/0/7/2/0-0.0909090909090909", 5)];
    let whole = encode(&manifest);
    for byte in 16..whole.len() {
        for other in [0x00, 0x7f, 0x80, 0x91, 0xa5, 0xc0, 0xc1, 0xc4, 0xc9, 0xcf, 0xd9, 0xdd, 0xdf, 0xff] {
            let mut bytes = whole.clone();
            bytes[byte] = other;
            let check = crc32c::crc32c(&[&bytes[8..12], &bytes[16..]].concat());
            bytes[12..16].copy_from_slice(&check.to_le_bytes());
            // Refused, or another manifest.
            let _ = decode(&bytes, &Limits::default());
        }
    }
}

#[tokio::test]
async fn a_manifest_larger_than_the_limit_is_neither_written_nor_read() {
    let store = CheckpointStore::memory();
    let pointer = store.put_manifest(&fixture::manifest(7, 2, None)).await.unwrap();
    let strict = store.with_limits(Limits { manifest_bytes_max: 100, ..Limits::default() });
    assert!(matches!(strict.manifest(&pointer).await, Err(StoreError::TooLarge { .. })));
    // Also where nothing but its name says what it is, as when a store is looked through.
    assert!(matches!(strict.identify(&pointer.manifest.path).await, Err(StoreError::TooLarge { .. })));
    assert!(matches!(
        strict.put_manifest(&fixture::manifest(8, 2, None)).await,
        Err(StoreError::TooLarge { .. })
    ));
}

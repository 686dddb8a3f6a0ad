//! What every place for objects does alike.

use bytes::Bytes;
use watershed_core::KeyGroupRange;
use watershed_core::checkpoint::{ContentHash, ObjectRef};
use watershed_core::state::LayerKind;

use super::key;
use crate::error::Damage;
use crate::fixture::{self, counts, subtask};
use crate::{CheckpointStore, Limits, StoreError};

/// What the stores need as long as they are used.
struct Places {
    directory: tempfile::TempDir,
    #[cfg(feature = "s3")]
    _bucket: Option<super::remote::Bucket>,
}

/// A store of each kind: in a directory, in memory and, with the feature and a server for it, in S3.
fn everywhere(test: &str) -> (Places, Vec<CheckpointStore>) {
    let directory = tempfile::tempdir().unwrap();
    let stores = vec![CheckpointStore::local(directory.path()).unwrap(), CheckpointStore::memory()];
    #[cfg(feature = "s3")]
    {
        let (remote, bucket) = super::remote::store(&format!("objects::{test}, in S3")).unzip();
        (Places { directory, _bucket: bucket }, stores.into_iter().chain(remote).collect())
    }
    #[cfg(not(feature = "s3"))]
    {
        let _ = test;
        (Places { directory }, stores)
    }
}

#[tokio::test]
async fn what_was_put_is_got_and_lies_under_its_name() {
    let (places, stores) = everywhere("what_was_put_is_got_and_lies_under_its_name");
    for store in stores {
        let object = store.put(key(7), "state").await.unwrap();
        assert_eq!(object.path, "ck/0/7/2/3-1.456cf7f1bcf2d3dc");
        assert_eq!(object.bytes, 5);
        assert_eq!(store.get(&object).await.unwrap(), Bytes::from("state"));
        assert_eq!(store.put(key(7), "state").await.unwrap(), object);
        assert_eq!(store.identify(&object.path).await.unwrap(), object);
        let listed: Vec<_> = store.list().await.unwrap().into_iter().map(|object| object.path).collect();
        assert_eq!(listed, [object.path.as_str()]);
        store.delete(&object.path).await.unwrap();
        store.delete(&object.path).await.unwrap();
        let missing = store.get(&object).await.unwrap_err();
        assert!(matches!(&missing, StoreError::Missing { path, .. } if *path == object.path), "{missing}");
    }
    assert_eq!(
        std::fs::read_dir(places.directory.path().join("ck")).unwrap().count(),
        0,
        "empty folders go too"
    );
}

#[tokio::test]
async fn an_object_is_believed_only_with_its_length_and_its_hash() {
    let (_places, stores) = everywhere("an_object_is_believed_only_with_its_length_and_its_hash");
    for store in stores {
        let object = store.put(key(7), "state").await.unwrap();
        let damage = async |wrong: ObjectRef| match store.get(&wrong).await {
            Err(StoreError::Damaged { path, damage }) if path == object.path => damage,
            other => panic!("{other:?}"),
        };
        for bytes in [0, 4, 6, 1 << 20] {
            assert_eq!(
                damage(ObjectRef { bytes, ..object.clone() }).await,
                Damage::Length { expected: bytes, found: 5 }
            );
        }
        let expected = ContentHash([1; 32]);
        let wrong = ObjectRef { hash: expected, ..object.clone() };
        assert_eq!(damage(wrong).await, Damage::Hash { expected, found: object.hash });
    }
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_it_is_written_or_read() {
    let (_places, stores) = everywhere("what_is_too_large_is_refused_before_it_is_written_or_read");
    for store in stores {
        let object = store.put(key(7), "state").await.unwrap();
        let strict =
            store.clone().with_limits(Limits { object_bytes_max: 4, objects_max: 0, ..Limits::default() });
        let too_large = |error: StoreError| matches!(error, StoreError::TooLarge { .. });
        assert!(too_large(strict.put(key(8), "state").await.unwrap_err()));
        assert!(too_large(strict.get(&object).await.unwrap_err()));
        assert!(too_large(strict.identify(&object.path).await.unwrap_err()));
        assert!(too_large(strict.list().await.unwrap_err()));
        // A length that overflows every sum is a length like others.
        assert!(too_large(store.get(&ObjectRef { bytes: u64::MAX, ..object }).await.unwrap_err()));
    }
}

#[tokio::test]
async fn layers_come_back_in_order_and_in_part() {
    let (_places, stores) = everywhere("layers_come_back_in_order_and_in_part");
    for store in stores {
        let manifest = fixture::manifest(1, 1, None);
        let header = fixture::header(&manifest, subtask(1, 0));
        let full = counts(&[(3, &[("EWR", 1)]), (90, &[("JFK", 2)])]);
        let mut changes = counts(&[(90, &[("JFK", 3)])]);
        changes.kind = LayerKind::Changes;
        let first = store.put_layer(header.clone(), full.clone()).await.unwrap();
        let second = store.put_layer(header, changes.clone()).await.unwrap();
        let list = [first.clone(), second.clone()];
        assert_eq!(store.layers(&list, None, true).await.unwrap(), [full.clone(), changes]);
        let range = KeyGroupRange(0..64);
        let part = store.layers(&list, Some(&range), false).await.unwrap();
        assert_eq!(part[0].stages["counts"], full.stages["counts"].restrict(&range, false));
        assert_eq!(part[1].stages["counts"].groups().len(), 0);
        // A list that does not begin with its one full layer would restore half of a state.
        for wrong in [vec![second.clone()], vec![first.clone(), first.clone()], vec![second, first]] {
            assert!(matches!(store.layers(&wrong, None, true).await, Err(StoreError::Damaged { .. })));
        }
    }
}

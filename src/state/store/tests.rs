//! Objects: written durably, believed only when proved.

use std::fs;

use bytes::Bytes;
use watershed_core::checkpoint::ObjectRef;
use watershed_core::{Epoch, Lineage, Run, SubtaskId, VertexId};

use super::*;

fn key(epoch: u64) -> ObjectKey {
    let subtask = SubtaskId { vertex: VertexId(3), index: 1 };
    ObjectKey { lineage: Lineage(0), epoch: Epoch(epoch), run: Run(2), object: Object::Snapshot(subtask) }
}

#[tokio::test]
async fn what_was_put_is_got_and_lies_under_its_name() {
    let directory = tempfile::tempdir().unwrap();
    for store in [CheckpointStore::local(directory.path()).unwrap(), CheckpointStore::memory()] {
        let object = store.put(key(7), "state").await.unwrap();
        assert_eq!(object.path, "ck/0/7/2/3-1.456cf7f1bcf2d3dc");
        assert_eq!(object.bytes, 5);
        assert_eq!(store.get(&object).await.unwrap(), Bytes::from("state"));
        assert_eq!(store.put(key(7), "state").await.unwrap(), object);
        let listed: Vec<_> = store.list().await.unwrap().into_iter().map(|object| object.path).collect();
        assert_eq!(listed, [object.path.as_str()]);
        store.delete(&object.path).await.unwrap();
        store.delete(&object.path).await.unwrap();
        assert!(matches!(store.get(&object).await, Err(StoreError::Missing { .. })));
    }
    assert_eq!(fs::read_dir(directory.path().join("ck")).unwrap().count(), 0, "empty folders go too");
}

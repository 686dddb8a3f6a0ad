//! How often a store is listed, which takes as long as there are objects in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use watershed_core::Epoch;
use watershed_core::checkpoint::Manifest;

use crate::fixture::{checkpoint, counts, manifest};
use crate::inspect::{Offline, Report};
use crate::store::local::LocalObjects;
use crate::store::objects::Objects;
use crate::store::path::ObjectPath;
use crate::{CheckpointStore, StoreError, Stored};

/// Counts how often it is listed.
#[derive(Debug)]
struct Counted {
    objects: LocalObjects,
    lists: Arc<AtomicUsize>,
}

#[async_trait]
impl Objects for Counted {
    fn name(&self) -> String {
        self.objects.name()
    }

    async fn create(&self, path: &ObjectPath, bytes: Bytes) -> Result<(), StoreError> {
        self.objects.create(path, bytes).await
    }

    async fn read(&self, path: &ObjectPath, bytes_max: u64) -> Result<Bytes, StoreError> {
        self.objects.read(path, bytes_max).await
    }

    async fn list(&self, objects_max: usize) -> Result<Vec<Stored>, StoreError> {
        self.lists.fetch_add(1, Relaxed);
        self.objects.list(objects_max).await
    }

    async fn delete(&self, path: &ObjectPath) -> Result<(), StoreError> {
        self.objects.delete(path).await
    }

    async fn sweep(&self, before: SystemTime) -> Result<usize, StoreError> {
        self.objects.sweep(before).await
    }
}

#[tokio::test]
async fn a_store_is_listed_once_however_many_checkpoints_are_proved_or_explained() {
    const CHECKPOINTS: u64 = 30;
    let root = tempfile::tempdir().unwrap();
    let lists = Arc::new(AtomicUsize::new(0));
    let objects = LocalObjects::open(root.path()).unwrap();
    let store = CheckpointStore::of(Arc::new(Counted { objects, lists: lists.clone() }));
    for epoch in 1..=CHECKPOINTS {
        let base = (epoch > 1).then(|| epoch - 1);
        checkpoint(&store, manifest(epoch, 1, base), counts(&[(3, &[("EWR", epoch as _)])])).await;
    }
    let offline = Offline::of(store, None);
    let from_the_one_before = |manifest: &Manifest, base: Option<&Manifest>| {
        let found = base.map(|base| base.epoch);
        if found == manifest.base { Vec::new() } else { vec![format!("it came from {found:?}")] }
    };
    let (reports, unread) = offline.verify_all(&from_the_one_before).await.unwrap();
    assert_eq!((reports.len() as u64, unread), (CHECKPOINTS, Vec::new()));
    assert!(reports.iter().all(Report::is_sound), "{reports:?}");
    assert_eq!(lists.swap(0, Relaxed), 1);
    let epochs: Vec<Epoch> = (1..=CHECKPOINTS).map(Epoch).collect();
    let cuts = offline.cuts(&epochs).await.unwrap();
    assert!(cuts.iter().skip(1).all(|cut| matches!(cut, Ok((_, Some(_))))));
    assert_eq!(lists.load(Relaxed), 1);
}

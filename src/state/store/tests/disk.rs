//! What is on the disk when a write has returned, and when it has not.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::key;
use crate::store::local::LocalObjects;
use crate::tiny_disk::TinyDisk;
use crate::{CheckpointStore, StoreError};

/// Everything that was synced by [`noting`], in order, under the name that it had then.
static SYNCED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn noting(file: &File) -> io::Result<()> {
    let name = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    SYNCED.lock().unwrap().push(name);
    file.sync_all()
}

fn store_that(root: &Path, sync: fn(&File) -> io::Result<()>) -> CheckpointStore {
    CheckpointStore::of(Arc::new(LocalObjects::open_with(root, sync).unwrap()))
}

/// What was synced below a root since the last time.
fn synced(root: &Path) -> Vec<String> {
    let mut synced = SYNCED.lock().unwrap();
    let taken = std::mem::take(&mut *synced);
    let below = |path: &PathBuf| Some(path.strip_prefix(root).ok()?.display().to_string());
    let name = |path: String| match path.split_once(".partial-") {
        Some((folder, _)) => format!("{folder}*"),
        None => path,
    };
    taken.iter().filter_map(below).map(name).collect()
}

#[tokio::test]
async fn a_write_syncs_the_file_before_it_has_a_name_and_every_folder_on_the_way() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let store = store_that(&root, noting);
    store.put(key(7), "state").await.unwrap();
    // Each new folder is synced in the one above it, then the file while it is not complete, then its folder.
    assert_eq!(synced(&root), ["", "ck", "ck/0", "ck/0/7", "ck/0/7/2/*", "ck/0/7/2"]);
    // The same folders again are known to be durable.
    store.put(key(7), "other").await.unwrap();
    assert_eq!(synced(&root), ["ck/0/7/2/*", "ck/0/7/2"]);
    // Where the very same object is there, its first writer may have died before the last sync.
    store.put(key(7), "state").await.unwrap();
    assert_eq!(synced(&root), ["ck/0/7/2/*", "ck/0/7/2"]);
    // Folders that another process has made may not be durable yet.
    let second = store_that(&root, noting);
    second.put(key(7), "state").await.unwrap();
    assert_eq!(synced(&root), ["", "ck", "ck/0", "ck/0/7", "ck/0/7/2/*", "ck/0/7/2"]);
}

fn failing_on_files(file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() {
        Err(io::Error::from_raw_os_error(nix::libc::EIO))
    } else {
        file.sync_all()
    }
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_named_and_nothing_is_written_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let written = CheckpointStore::local(directory.path()).unwrap().put(key(1), "before").await.unwrap();
    let store = store_that(directory.path(), failing_on_files);
    let failed = store.put(key(7), "state").await.unwrap_err();
    assert!(failed.is_fatal() && failed.to_string().contains("the process must end"), "{failed}");
    assert_eq!(store.list().await.unwrap().len(), 1);
    assert!(store.put(key(8), "more").await.unwrap_err().is_fatal());
    assert!(store.delete(&written.path).await.unwrap_err().is_fatal());
    store.get(&written).await.expect("reading goes on");
}

fn failing_on_folders(file: &File) -> io::Result<()> {
    if file.metadata()?.is_dir() {
        Err(io::Error::from_raw_os_error(nix::libc::EIO))
    } else {
        file.sync_all()
    }
}

#[tokio::test]
async fn a_folder_whose_sync_failed_is_not_synced_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_that(directory.path(), failing_on_folders);
    for _ in 0..2 {
        assert!(store.put(key(7), "state").await.unwrap_err().is_fatal());
    }
}

#[tokio::test]
async fn an_object_is_never_overwritten_with_another() {
    let directory = tempfile::tempdir().unwrap();
    let store = CheckpointStore::local(directory.path()).unwrap();
    let object = store.put(key(7), "state").await.unwrap();
    for other in ["stat", "State", "states", ""] {
        fs::write(directory.path().join(&object.path), other).unwrap();
        let refused = store.put(key(7), "state").await.unwrap_err();
        assert!(matches!(&refused, StoreError::Conflict { path } if *path == object.path), "{refused}");
        assert_eq!(fs::read_to_string(directory.path().join(&object.path)).unwrap(), other);
    }
}

#[tokio::test]
async fn many_writers_of_many_objects_do_not_meet() {
    let directory = tempfile::tempdir().unwrap();
    let store = CheckpointStore::local(directory.path()).unwrap();
    let writers: Vec<_> = (0..64_u64)
        .map(|n| {
            let store = store.clone();
            // Half of them write the same object, and some take folders away while others make them.
            tokio::spawn(async move {
                let object =
                    store.put(key(n % 2), if n % 2 == 0 { "same".to_owned() } else { n.to_string() }).await?;
                if n % 8 == 1 { store.delete(&object.path).await } else { store.get(&object).await.map(drop) }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(store.list().await.unwrap().len(), 1 + 24);
}

#[tokio::test]
async fn what_a_killed_writer_left_is_not_listed_and_is_swept_when_it_is_old() {
    let directory = tempfile::tempdir().unwrap();
    let store = CheckpointStore::local(directory.path()).unwrap();
    let object = store.put(key(7), "state").await.unwrap();
    let folder = directory.path().join(&object.path).parent().unwrap().to_owned();
    fs::write(folder.join(".partial-1-0"), "sta").unwrap();
    assert_eq!(store.list().await.unwrap().len(), 1);
    let now = SystemTime::now();
    assert_eq!(store.sweep(now - Duration::from_secs(60)).await.unwrap(), 0);
    assert_eq!(store.sweep(now + Duration::from_secs(60)).await.unwrap(), 1);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    store.get(&object).await.unwrap();
}

#[tokio::test]
async fn the_incomplete_file_of_another_writer_is_never_written_to() {
    let directory = tempfile::tempdir().unwrap();
    let store = CheckpointStore::local(directory.path()).unwrap();
    store.put(key(7), "state").await.unwrap();
    let folder = directory.path().join("ck/0/7/2");
    // A process of the same number in another container has all the names that would come next.
    let taken: Vec<_> =
        (0..3000).map(|n| folder.join(format!(".partial-{}-{n}", std::process::id()))).collect();
    for file in &taken {
        fs::write(file, "another's").unwrap();
    }
    store.put(key(7), "more").await.unwrap();
    for file in &taken {
        assert_eq!(fs::read_to_string(file).unwrap(), "another's");
    }
}

#[tokio::test]
async fn a_full_disk_refuses_the_object_leaves_nothing_and_takes_it_later() {
    let Some(disk) = TinyDisk::mount("a_full_disk_refuses_the_object_leaves_nothing_and_takes_it_later")
    else {
        return;
    };
    let store = CheckpointStore::local(disk.path()).unwrap();
    let small = store.put(key(1), vec![1; 1000]).await.unwrap();
    let full = store.put(key(2), vec![2; 100_000]).await.unwrap_err();
    assert!(matches!(full, StoreError::Full { .. }) && !full.is_fatal(), "{full}");
    assert_eq!(store.list().await.unwrap().len(), 1);
    let left = fs::read_dir(disk.path().join("ck/0/2/2")).unwrap().count();
    assert_eq!(left, 0, "the incomplete file is gone");
    disk.fill();
    assert!(matches!(store.put(key(3), vec![3; 10_000]).await, Err(StoreError::Full { .. })));
    disk.make_room();
    store.put(key(3), vec![3; 10_000]).await.unwrap();
    store.get(&small).await.unwrap();
}

#[tokio::test]
async fn a_disk_that_may_only_be_read_is_called_so() {
    let Some(disk) = TinyDisk::mount("a_disk_that_may_only_be_read_is_called_so") else { return };
    let store = CheckpointStore::local(disk.path()).unwrap();
    let object = store.put(key(1), "state").await.unwrap();
    drop(store);
    disk.make_read_only();
    let store = CheckpointStore::local(disk.path()).unwrap();
    let refused = store.put(key(1), "other").await.unwrap_err();
    assert!(matches!(refused, StoreError::ReadOnly { .. }) && !refused.is_fatal(), "{refused}");
    assert!(matches!(store.put(key(2), "state").await, Err(StoreError::ReadOnly { .. })));
    assert!(matches!(store.delete(&object.path).await, Err(StoreError::ReadOnly { .. })));
    store.get(&object).await.unwrap();
}

//! Copies of objects on the node that wrote them, so that what goes on there need not be fetched from afar.
//!
//! A copy promises nothing: it is not synced, may be gone, and is believed only where its length and hash are those
//! that the manifest names. So it is right to keep it across crashes, and to take the oldest away when room is short.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;

use crate::store::path::ObjectPath;

/// Copies of objects in a directory of their own.
#[derive(Clone, Debug)]
pub(super) struct Near(Arc<Place>);

#[derive(Debug)]
struct Place {
    directory: PathBuf,
    bytes_max: u64,
    kept: Mutex<Kept>,
}

/// What is kept, the oldest first.
#[derive(Debug, Default)]
struct Kept {
    copies: VecDeque<(PathBuf, u64)>,
    bytes: u64,
}

impl Near {
    /// Copies of at most so many bytes in a directory, with those that an earlier process has left.
    pub(super) fn open(directory: &Path, bytes_max: u64) -> std::io::Result<Near> {
        std::fs::create_dir_all(directory)?;
        let mut found: Vec<(SystemTime, PathBuf, u64)> = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let (entry, metadata) = (entry.as_ref().map(std::fs::DirEntry::path), entry.as_ref());
            if let (Ok(path), Ok(metadata)) = (entry, metadata.map(std::fs::DirEntry::metadata))
                && let Ok(metadata) = metadata
                && metadata.is_file()
            {
                found.push((metadata.modified()?, path, metadata.len()));
            }
        }
        found.sort();
        let bytes = found.iter().map(|(_, _, bytes)| bytes).sum();
        let copies = found.into_iter().map(|(_, path, bytes)| (path, bytes)).collect();
        let kept = Mutex::new(Kept { copies, bytes });
        Ok(Near(Arc::new(Place { directory: directory.to_owned(), bytes_max, kept })))
    }

    /// Keeps a copy. What hinders it hinders nobody else.
    pub(super) async fn keep(&self, path: &ObjectPath, bytes: Bytes) {
        let (place, file) = (self.0.clone(), self.0.file(path));
        let keep = move || place.keep(file, &bytes);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(keep).await {
            tracing::debug!(%path, %error, "no copy of an object is kept on this node");
        }
    }

    /// A copy, if there is one; what it holds is for the caller to check.
    pub(super) async fn read(&self, path: &ObjectPath, bytes_max: u64) -> Option<Bytes> {
        let file = self.0.file(path);
        let read = move || {
            let length = std::fs::metadata(&file).ok()?.len();
            (length <= bytes_max).then(|| std::fs::read(&file).ok()).flatten()
        };
        tokio::task::spawn_blocking(read).await.ok().flatten().map(Bytes::from)
    }
}

impl Place {
    /// All copies lie in one folder: a path of an object has no `+`.
    fn file(&self, path: &ObjectPath) -> PathBuf {
        self.directory.join(path.as_str().replace('/', "+"))
    }

    fn keep(&self, file: PathBuf, bytes: &[u8]) -> std::io::Result<()> {
        let length = bytes.len() as u64;
        if length > self.bytes_max {
            return Ok(());
        }
        let draft = file.with_extension("draft");
        std::fs::write(&draft, bytes)?;
        std::fs::rename(&draft, &file)?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.copies.push_back((file, length));
        kept.bytes += length;
        while kept.bytes > self.bytes_max
            && let Some((oldest, bytes)) = kept.copies.pop_front()
        {
            kept.bytes -= bytes;
            match std::fs::remove_file(&oldest) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::{Epoch, Lineage, Run, SubtaskId, VertexId};

    use crate::store::{Object, ObjectKey};
    use crate::{CheckpointStore, StoreError};

    fn key(epoch: u64) -> ObjectKey {
        let subtask = SubtaskId { vertex: VertexId(0), index: 0 };
        ObjectKey { lineage: Lineage(0), epoch: Epoch(epoch), run: Run(1), object: Object::Snapshot(subtask) }
    }

    #[tokio::test]
    async fn a_copy_is_read_where_it_is_what_was_written_and_nowhere_else() {
        let directory = tempfile::tempdir().unwrap();
        let far = CheckpointStore::memory();
        let store = far.clone().with_copies(directory.path(), 1 << 20).unwrap();
        let object = store.put(key(1), vec![7; 100]).await.unwrap();
        far.delete(&object.path).await.unwrap();
        assert_eq!(store.get(&object).await.unwrap(), vec![7; 100], "the store has it no more");
        let copy = std::fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap().path();
        std::fs::write(copy, vec![8; 100]).unwrap();
        let found = store.get(&object).await;
        assert!(matches!(found, Err(StoreError::Missing { .. })), "a copy that differs is none: {found:?}");
    }

    #[tokio::test]
    async fn the_oldest_copies_go_where_room_is_short() {
        let directory = tempfile::tempdir().unwrap();
        let count = || std::fs::read_dir(directory.path()).unwrap().count();
        let store = CheckpointStore::memory().with_copies(directory.path(), 250).unwrap();
        for epoch in 1..=5 {
            store.put(key(epoch), vec![epoch as u8; 100]).await.unwrap();
        }
        assert_eq!(count(), 2);
        let store = CheckpointStore::memory().with_copies(directory.path(), 150).unwrap();
        store.put(key(6), vec![6; 100]).await.unwrap();
        assert_eq!(count(), 1, "those of an earlier process are counted");
    }
}

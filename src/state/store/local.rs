//! Objects as files below a directory.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;

use crate::durable::{EntryKind, Folder, PARTIAL, Written};
use crate::store::objects::{Objects, Stored};
use crate::store::path::{ObjectPath, ROOT};
use crate::{StoreError, SyncFailure};

/// How many folders are remembered as durable before all are asked for again.
const DURABLE_MAX: usize = 4096;

/// How often a write begins again because its folder was taken away.
const TRIES_MAX: usize = 8;

/// How deep below the root a listing looks.
const LIST_DEPTH_MAX: usize = 8;

/// A directory of objects.
#[derive(Clone, Debug)]
pub(crate) struct LocalObjects(Arc<Place>);

#[derive(Debug)]
struct Place {
    root: Folder,
    /// Folders that this process has seen synced in the folder above them. That a folder is *there* says
    /// little: another writer may have made it a moment ago and not synced it yet.
    durable: Mutex<BTreeSet<String>>,
    /// The first failure to sync. After it nothing is written any more: see [`SyncFailure`].
    unsynced: OnceLock<(String, io::ErrorKind)>,
}

impl LocalObjects {
    /// The objects below a directory that exists.
    pub(crate) fn open(root: &Path) -> Result<LocalObjects, StoreError> {
        LocalObjects::open_with(root, File::sync_all)
    }

    /// As [`open`](LocalObjects::open), with another way to sync.
    pub(crate) fn open_with(
        root: &Path,
        sync: fn(&File) -> io::Result<()>,
    ) -> Result<LocalObjects, StoreError> {
        let root = Folder::open_with(root, sync)?;
        Ok(LocalObjects(Arc::new(Place { root, durable: Mutex::default(), unsynced: OnceLock::new() })))
    }

    /// Runs what blocks on a thread that may.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Place) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let place = self.0.clone();
        let done = tokio::task::spawn_blocking(move || work(&place)).await;
        done.unwrap_or_else(|failed| match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(cancelled) => Err(StoreError::io("reach", ROOT, io::Error::other(cancelled))),
        })
    }
}

impl Place {
    /// Runs what writes, unless a sync has failed before.
    fn write<T>(&self, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        if let Some((path, kind)) = self.unsynced.get() {
            let source = io::Error::new(*kind, "an earlier sync failed, and nothing is written after that");
            return Err(SyncFailure { path: path.clone(), source }.into());
        }
        let done = work();
        if let Err(StoreError::Unsynced(failure)) = &done {
            // Where two fail at once, either is the first.
            let _ = self.unsynced.set((failure.path.clone(), failure.source.kind()));
        }
        done
    }

    fn create(&self, path: &ObjectPath, bytes: &[u8]) -> Result<(), StoreError> {
        let (folders, name) = path.split();
        let write = || {
            let folder = self.make_durable(&folders)?;
            folder.write_new(name, bytes).map(|written| (folder, written))
        };
        // A folder can be taken away as empty between being made and being used: then it is made again.
        let mut tries = 0;
        let (folder, written) = loop {
            match write() {
                Err(StoreError::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound && tries < TRIES_MAX =>
                {
                    tries += 1;
                    self.durable().clear();
                }
                written => break written?,
            }
        };
        match written {
            Written::New => Ok(()),
            Written::Taken => match folder.read(name, bytes.len() as u64) {
                Ok(Some(old)) if old == bytes => Ok(()),
                Ok(_) | Err(StoreError::TooLarge { .. }) => {
                    Err(StoreError::Conflict { path: path.to_string() })
                }
                Err(failed) => Err(failed),
            },
        }
    }

    /// Opens the folder at the end of a way; makes what is missing of it, durably.
    fn make_durable(&self, folders: &[&str]) -> Result<Folder, StoreError> {
        let mut at = self.root.again()?;
        let mut way = String::new();
        for name in folders {
            way.push('/');
            way.push_str(name);
            if !self.durable().contains(&way) {
                at.make(name)?;
                at.sync()?;
                let mut durable = self.durable();
                if durable.len() >= DURABLE_MAX {
                    durable.clear();
                }
                durable.insert(way.clone());
            }
            at = match at.enter(name)? {
                Some(folder) => folder,
                None => return Err(StoreError::io("open the folder", way, io::ErrorKind::NotFound.into())),
            };
        }
        Ok(at)
    }

    fn durable(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the folder at the end of a way; `None` where it is not there.
    fn find(&self, folders: &[&str]) -> Result<Option<Folder>, StoreError> {
        let mut at = self.root.again()?;
        for name in folders {
            match at.enter(name)? {
                Some(folder) => at = folder,
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// Goes over all files below a folder.
    fn walk(
        &self,
        folder: &Folder,
        way: &str,
        depth: usize,
        visit: &mut impl FnMut(&Folder, &str, &str, u64, SystemTime) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for entry in folder.list()? {
            let name = &entry.name;
            match entry.kind {
                EntryKind::File { bytes, modified } => visit(folder, way, name, bytes, modified)?,
                EntryKind::Folder if depth < LIST_DEPTH_MAX => {
                    if let Some(inner) = folder.enter(name)? {
                        self.walk(&inner, &format!("{way}/{name}"), depth + 1, visit)?;
                    }
                }
                EntryKind::Folder | EntryKind::Other => {}
            }
        }
        Ok(())
    }

    fn list(&self, objects_max: usize) -> Result<Vec<Stored>, StoreError> {
        let mut objects = Vec::new();
        let Some(folder) = self.find(&[ROOT])? else { return Ok(objects) };
        self.walk(&folder, ROOT, 0, &mut |_, way, name, bytes, modified| {
            if name.starts_with(PARTIAL) {
                return Ok(());
            }
            if objects.len() == objects_max {
                let what = "the number of objects in the store".to_owned();
                return Err(StoreError::TooLarge {
                    what,
                    found: objects.len() as u64 + 1,
                    max: objects_max as u64,
                });
            }
            objects.push(Stored { path: format!("{way}/{name}"), bytes, modified });
            Ok(())
        })?;
        objects.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(objects)
    }

    fn delete(&self, path: &ObjectPath) -> Result<(), StoreError> {
        let (mut folders, name) = path.split();
        let Some(folder) = self.find(&folders)? else { return Ok(()) };
        folder.remove(name)?;
        folder.sync()?;
        // Folders that are empty now go too, up to the root of the objects.
        while folders.len() > 1 {
            let empty = folders.pop().expect("a way longer than one has an end");
            let Some(above) = self.find(&folders)? else { break };
            if !above.remove_folder(empty)? {
                break;
            }
            self.durable().clear();
        }
        Ok(())
    }

    fn sweep(&self, before: SystemTime) -> Result<usize, StoreError> {
        let mut swept = 0;
        let Some(folder) = self.find(&[ROOT])? else { return Ok(swept) };
        self.walk(&folder, ROOT, 0, &mut |folder, _, name, _, modified| {
            if name.starts_with(PARTIAL) && modified < before && folder.remove(name)? {
                swept += 1;
            }
            Ok(())
        })?;
        Ok(swept)
    }
}

#[async_trait]
impl Objects for LocalObjects {
    fn name(&self) -> String {
        self.0.root.path().display().to_string()
    }

    async fn create(&self, path: &ObjectPath, bytes: Bytes) -> Result<(), StoreError> {
        let path = path.clone();
        self.blocking(move |place| place.write(|| place.create(&path, &bytes))).await
    }

    async fn read(&self, path: &ObjectPath, bytes_max: u64) -> Result<Bytes, StoreError> {
        let path = path.clone();
        let missing = StoreError::Missing { store: self.name(), path: path.to_string() };
        let found = self.blocking(move |place| {
            let (folders, name) = path.split();
            match place.find(&folders)? {
                Some(folder) => folder.read(name, bytes_max),
                None => Ok(None),
            }
        });
        found.await?.map(Bytes::from).ok_or(missing)
    }

    async fn list(&self, objects_max: usize) -> Result<Vec<Stored>, StoreError> {
        self.blocking(move |place| place.list(objects_max)).await
    }

    async fn delete(&self, path: &ObjectPath) -> Result<(), StoreError> {
        let path = path.clone();
        self.blocking(move |place| place.write(|| place.delete(&path))).await
    }

    async fn sweep(&self, before: SystemTime) -> Result<usize, StoreError> {
        self.blocking(move |place| place.write(|| place.sweep(before))).await
    }
}

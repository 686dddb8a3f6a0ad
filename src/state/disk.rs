//! State that does not fit into memory: a log-structured merge tree (`fjall`) in the state directory.
//!
//! It is work in progress and nothing more. A run fills it from a checkpoint, so nothing in it is synced, what an
//! earlier process has left is thrown away, and a process that is killed loses nothing by it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::{fmt, fs, io};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, Readable, Slice, Snapshot};
use watershed_core::state::{Backend, BackendError, Table, View, Write};

/// The folder in the state directory.
const FOLDER: &str = "work";

/// How many bytes of blocks that were read are kept in memory, over all tables.
const CACHE_BYTES: u64 = 64 << 20;

/// How many bytes of a table's newest writes are kept in memory before they become a file.
const MEMTABLE_BYTES: u64 = 16 << 20;

/// How many bytes of journal there may be, over all tables, before memory is written to files to shorten it.
const JOURNAL_BYTES: u64 = 128 << 20;

/// How many writes are handed over together.
const BATCH: usize = 4096;

/// A place for state on disk, shared by the subtasks of a process.
pub struct DiskBackend {
    database: Database,
    place: Arc<str>,
    memory: usize,
    tables: AtomicU64,
}

impl DiskBackend {
    /// Opens the place below a state directory, empty. Of a table's entries, `memory` bytes may be in memory in front
    /// of it.
    ///
    /// The directory has to be [open](crate::StateDirectory) in this process, so that no other uses it.
    ///
    /// # Errors
    ///
    /// Where the file system fails.
    pub fn open(state_directory: &Path, memory: usize) -> Result<DiskBackend, BackendError> {
        let path = state_directory.join(FOLDER);
        let place: Arc<str> = path.display().to_string().into();
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&place, &error)),
            Ok(()) | Err(_) => {}
        }
        let database = Database::builder(&path)
            .temporary(true)
            .manual_journal_persist(true)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .open()
            .map_err(|error| failed(&place, &error))?;
        Ok(DiskBackend { database, place, memory, tables: AtomicU64::new(0) })
    }
}

impl Backend for DiskBackend {
    fn table(&self) -> Result<Box<dyn Table>, BackendError> {
        let name = self.tables.fetch_add(1, Relaxed).to_string();
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        let tree = self.database.keyspace(&name, options).map_err(|error| failed(&self.place, &error))?;
        Ok(Box::new(DiskTable { database: self.database.clone(), tree, place: self.place.clone() }))
    }

    fn memory(&self) -> usize {
        self.memory
    }
}

impl fmt::Debug for DiskBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "state on disk at {}", self.place)
    }
}

struct DiskTable {
    database: Database,
    tree: Keyspace,
    place: Arc<str>,
}

impl Table for DiskTable {
    fn get(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool, BackendError> {
        let found = self.tree.get(key).map_err(|error| failed(&self.place, &error))?;
        Ok(found.map(|value| read(&value)).is_some())
    }

    fn write(&mut self, entries: &mut dyn Iterator<Item = Write>) -> Result<(), BackendError> {
        let mut entries = entries.peekable();
        while entries.peek().is_some() {
            let mut batch = self.database.batch();
            for (key, value) in entries.by_ref().take(BATCH) {
                match value {
                    Some(value) => batch.insert(&self.tree, key, value),
                    None => batch.remove(&self.tree, key),
                }
            }
            batch.commit().map_err(|error| failed(&self.place, &error))?;
        }
        Ok(())
    }

    fn fill(&mut self, entries: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>) -> Result<(), BackendError> {
        let mut entries = entries.peekable();
        if entries.peek().is_none() {
            return Ok(());
        }
        let failed = |error| failed(&self.place, &error);
        let mut ingestion = self.tree.start_ingestion().map_err(failed)?;
        for (key, value) in entries {
            ingestion.write(Slice::from(key), Slice::from(value)).map_err(failed)?;
        }
        ingestion.finish().map_err(failed)
    }

    fn view(&self) -> Arc<dyn View> {
        let (tree, place) = (self.tree.clone(), self.place.clone());
        Arc::new(DiskView { snapshot: self.database.snapshot(), tree, place })
    }
}

impl Drop for DiskTable {
    /// Views of it can still be read; the files go with the last of them.
    fn drop(&mut self) {
        if let Err(error) = self.database.delete_keyspace(self.tree.clone()) {
            tracing::warn!(place = &*self.place, %error, "a table that is not used any more stays until the job ends");
        }
    }
}

struct DiskView {
    snapshot: Snapshot,
    tree: Keyspace,
    place: Arc<str>,
}

impl View for DiskView {
    fn get(&self, key: &[u8], read: &mut dyn FnMut(&[u8])) -> Result<bool, BackendError> {
        let found = self.snapshot.get(&self.tree, key).map_err(|error| failed(&self.place, &error))?;
        Ok(found.map(|value| read(&value)).is_some())
    }

    fn visit(&self, prefix: &[u8], visit: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), BackendError> {
        for entry in self.snapshot.prefix(&self.tree, prefix) {
            let (key, value) = entry.into_inner().map_err(|error| failed(&self.place, &error))?;
            visit(&key, &value);
        }
        Ok(())
    }
}

fn failed(place: &str, error: &impl ToString) -> BackendError {
    BackendError { place: place.to_owned(), what: error.to_string() }
}

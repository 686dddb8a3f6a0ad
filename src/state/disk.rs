//! State that does not fit into memory: a log-structured merge tree (`fjall`) in the state directory.
//!
//! It is work in progress and nothing more. A run fills it from a checkpoint, so nothing in it is synced, what an
//! earlier process has left is thrown away, and a process that is killed loses nothing by it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::{fmt, fs, io};

use fjall::config::PinningPolicy;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, Readable, Slice, Snapshot};
use watershed_core::state::{Backend, BackendError, Table, View, Visit, Write};

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
        // A filter of millions of keys takes megabytes: read and checked for each key that is asked for, it would be all
        // that happens. Some ten bits a key stay in memory.
        let options = || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(MEMTABLE_BYTES)
                .filter_block_pinning_policy(PinningPolicy::all(true))
                .index_block_pinning_policy(PinningPolicy::all(true))
        };
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

    fn visit(&self, prefix: &[u8], visit: &mut Visit<'_>) -> Result<(), BackendError> {
        for entry in self.snapshot.prefix(&self.tree, prefix) {
            let (key, value) = entry.into_inner().map_err(|error| failed(&self.place, &error))?;
            if visit(&key, &value).is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn failed(place: &str, error: &impl ToString) -> BackendError {
    BackendError { place: place.to_owned(), what: error.to_string() }
}

#[cfg(test)]
mod tests {
    use watershed_core::state::{
        Clock, LayerKind, ListState, MapState, Room, Saving, Sections, State, Values,
    };
    use watershed_core::{Current, EventTime, KeyGroups, ProcessingTime};

    use super::*;

    fn open(backend: &Arc<DiskBackend>) -> Values<u64, String> {
        let mut values = Values::default();
        let room = Room { key_groups: KeyGroups::default(), backend: Some(backend.clone()) };
        values.open(&room).unwrap();
        values
    }

    fn save(state: &mut impl State, kind: LayerKind) -> Sections {
        let mut saving = Saving::new(KeyGroups::default(), kind);
        state.save(&mut saving);
        saving.encode()
    }

    #[test]
    fn what_is_saved_is_what_was_there_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let backend = Arc::new(DiskBackend::open(folder.path(), 0).unwrap());
        let (mut disk, mut memory) = (open(&backend), Values::default());
        let mut layers = Sections::default();
        for round in 0..4_u64 {
            for key in (0..20_000).filter(|key| round == 0 || key % 100 == round) {
                for values in [&mut disk, &mut memory] {
                    *values.get_or_insert_ref(&key, String::new) += &format!("{round}.");
                    if key % 7 == round {
                        values.remove(&key);
                    }
                }
            }
            let saved = save(&mut disk, if round == 0 { LayerKind::Full } else { LayerKind::Changes });
            // What follows does not show in what was saved.
            *disk.get_or_insert_ref(&5, String::new) += "x";
            *memory.get_or_insert_ref(&5, String::new) += "x";
            layers.lay_over(saved);
        }
        layers.lay_over(save(&mut disk, LayerKind::Changes));
        let (mut back, mut from_memory) = (open(&backend), Values::<u64, String>::default());
        back.load(&layers).unwrap();
        from_memory.load(&save(&mut memory, LayerKind::Full)).unwrap();
        for key in 0..20_001 {
            assert_eq!(back.get_mut(&key), from_memory.get_mut(&key), "key {key}");
        }
    }

    #[test]
    fn maps_and_lists_are_walked_as_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let backend = Arc::new(DiskBackend::open(folder.path(), 0).unwrap());
        let room = Room { key_groups: KeyGroups::default(), backend: Some(backend) };
        let (mut map_here, mut list_here) = (MapState::<u64, i32, u64>::default(), ListState::default());
        let (mut map_there, mut list_there) = (MapState::<u64, i32, u64>::default(), ListState::default());
        map_there.open(&room).unwrap();
        list_there.open(&room).unwrap();
        let (time, now) = (EventTime::MIN, ProcessingTime::from_millis(0));
        let clock = Clock { time, reached: time, now };
        let walked = |map: &mut MapState<u64, i32, u64>, list: &mut ListState<u64, i32>, key: u64| {
            let (mut entries, mut elements) = (Vec::new(), Vec::new());
            map.of(Current::new(&key, clock)).for_each(|inner, value| entries.push((*inner, *value)));
            list.of(Current::new(&key, clock)).for_each(|value| elements.push(*value));
            (entries, elements)
        };
        for n in 0..30_000_u64 {
            let (key, inner) = (n % 3, (n * 7919 % 9973) as i32 - 3000);
            let key = Current::new(&key, clock);
            for (map, list) in [(&mut map_here, &mut list_here), (&mut map_there, &mut list_there)] {
                *map.of(key).get_or_insert_with(inner, || 0) += n;
                list.of(key).push(inner);
                if n % 5 == 0 {
                    map.of(key).remove(&(inner / 2));
                    list.of(key).pop_front();
                }
            }
        }
        for key in 0..3 {
            let here = walked(&mut map_here, &mut list_here, key);
            assert!(here.0.len() > 4000 && here.1.len() == 8000, "{} entries", here.0.len());
            assert_eq!(walked(&mut map_there, &mut list_there, key), here, "key {key}");
            map_there.of(Current::new(&key, clock)).clear();
            assert!(map_there.of(Current::new(&key, clock)).is_empty());
        }
    }

    #[test]
    fn what_an_earlier_process_has_left_is_thrown_away() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(FOLDER)).unwrap();
        fs::write(folder.path().join(FOLDER).join("rest"), "of a run that was killed").unwrap();
        let backend = Arc::new(DiskBackend::open(folder.path(), 0).unwrap());
        assert_eq!(open(&backend).get_mut(&1), None);
        drop(backend);
        assert!(!folder.path().join(FOLDER).exists(), "nothing is left behind");
        fs::write(folder.path().join(FOLDER), "no folder").unwrap();
        let error = DiskBackend::open(folder.path(), 0).unwrap_err().to_string();
        assert!(error.contains("work") && error.starts_with("state on disk at "), "{error}");
    }
}

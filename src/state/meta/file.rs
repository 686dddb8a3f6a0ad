//! Decisions in one file of one process.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use nix::fcntl::{Flock, OFlag};
use watershed_core::checkpoint::Meta;

use crate::durable::{Folder, lock};
use crate::meta::{Change, Guard, MetaError, MetaStore, log};
use crate::{StoreError, SyncFailure};

/// The log's name in the state directory.
pub(crate) const LOG: &str = "meta.log";

/// The name of the file whose lock says who may decide. Not the log itself: that is replaced now and then,
/// and a lock belongs to a file, not to a name.
pub(crate) const LOCK: &str = "meta.lock";

/// A log longer than this is begun anew with what is decided last.
const COMPACT_BYTES: u64 = 256 << 10;

/// The longest log that is read: one that is due to be begun anew, and could not be for a while.
const LOG_BYTES_MAX: u64 = 1 << 30;

/// The beginning of a record that a lost process left at the end of the log, and that was cut off.
///
/// Nobody has been told that it was decided, so nothing is lost; but it tells of a crash or a power loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The log.
    pub path: PathBuf,
    /// Where it was cut.
    pub offset: u64,
    /// How many bytes were cut off.
    pub bytes: u64,
}

/// Keeps what is decided in the file `meta.log` of a directory, for one process at a time.
///
/// A decision is one record, appended and synced; see the format in the module's source. The directory is
/// locked as long as the store lives.
#[derive(Clone, Debug)]
pub struct FileMetaStore(Arc<Mutex<Log>>);

/// Nobody decides anything in a directory as long as this lives.
#[derive(Debug)]
pub struct Hold {
    _lock: Flock<File>,
}

#[derive(Debug)]
struct Log {
    folder: Folder,
    file: File,
    meta: Meta,
    /// How long the log is.
    bytes: u64,
    compact_bytes: u64,
    sync: fn(&File) -> io::Result<()>,
    /// Set once nobody knows any more what the file holds: then neither reads nor changes are answered.
    lost: Option<String>,
    _lock: Flock<File>,
}

impl FileMetaStore {
    /// Opens the log of a directory, or begins one in which [`Meta::default`] is decided.
    ///
    /// # Errors
    ///
    /// Where another process has the directory open, the log is damaged, or the file system fails.
    pub fn open(directory: &Path) -> Result<(FileMetaStore, Option<TornTail>), StoreError> {
        FileMetaStore::open_with(directory, File::sync_data, COMPACT_BYTES)
    }

    /// As [`open`](FileMetaStore::open), with another way to sync and another length to compact at.
    pub(crate) fn open_with(
        directory: &Path,
        sync: fn(&File) -> io::Result<()>,
        compact_bytes: u64,
    ) -> Result<(FileMetaStore, Option<TornTail>), StoreError> {
        let folder = Folder::open(directory)?;
        let lock = lock(&folder, LOCK)?;
        folder.remove_partials()?;
        let bytes = match folder.read(LOG, LOG_BYTES_MAX)? {
            Some(bytes) => bytes,
            None => {
                let bytes = log::start(&Meta::default());
                folder.replace(LOG, &bytes)?;
                bytes
            }
        };
        let path = folder.path().join(LOG);
        let scan =
            log::scan(&bytes).map_err(|damage| StoreError::damaged(path.display().to_string(), damage))?;
        let torn = (bytes.len() > scan.valid).then(|| TornTail {
            path,
            offset: scan.valid as u64,
            bytes: (bytes.len() - scan.valid) as u64,
        });
        // What was read may be in the memory of the kernel only: the process that wrote it may have died
        // before its sync, or because of it, and then a sync of the same file would promise nothing. It is
        // answered from now on, so it is written anew.
        folder.replace(LOG, &bytes[..scan.valid])?;
        let file = reopen(&folder)?;
        let bytes = scan.valid as u64;
        let log = Log { folder, file, meta: scan.meta, bytes, compact_bytes, sync, lost: None, _lock: lock };
        Ok((FileMetaStore(Arc::new(Mutex::new(log))), torn))
    }

    /// Reads what is decided in a directory without locking or changing it, for tools. A process that has it
    /// open may decide something else at any moment.
    ///
    /// # Errors
    ///
    /// Where there is no log, or it is damaged.
    pub fn peek(directory: &Path) -> Result<Meta, StoreError> {
        let folder = Folder::open(directory)?;
        let shown = folder.path().join(LOG).display().to_string();
        let missing = StoreError::Missing { store: directory.display().to_string(), path: LOG.to_owned() };
        let bytes = folder.read(LOG, LOG_BYTES_MAX)?.ok_or(missing)?;
        Ok(log::scan(&bytes).map_err(|damage| StoreError::damaged(shown, damage))?.meta)
    }

    /// Keeps every process from opening the log of a directory, and changes nothing, for tools that act on what is
    /// decided there.
    ///
    /// # Errors
    ///
    /// Where another process has it open, or the file system fails.
    pub fn hold(directory: &Path) -> Result<Hold, StoreError> {
        Ok(Hold { _lock: lock(&Folder::open(directory)?, LOCK)? })
    }

    /// Runs what blocks on a thread that may. A caller that stops waiting does not stop it.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Log) -> Result<T, MetaError> + Send + 'static,
    ) -> Result<T, MetaError> {
        let log = self.0.clone();
        // What a panic leaves behind is marked as lost, so the lock's own mark adds nothing.
        let run = move || work(&mut log.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(run).await.unwrap_or_else(|failed| {
            let source = StoreError::io("decide in", LOG, io::Error::other(failed));
            Err(MetaError::Unknown { source })
        })
    }
}

#[async_trait]
impl MetaStore for FileMetaStore {
    async fn read(&self) -> Result<Meta, MetaError> {
        self.blocking(|log| {
            log.known()?;
            Ok(log.meta.clone())
        })
        .await
    }

    async fn cas(&self, guard: Guard, change: Change) -> Result<Meta, MetaError> {
        self.blocking(move |log| log.cas(guard, &change)).await
    }
}

fn reopen(folder: &Folder) -> Result<File, StoreError> {
    let missing = || {
        StoreError::io("open", folder.path().join(LOG).display().to_string(), io::ErrorKind::NotFound.into())
    };
    folder.open_file(LOG, OFlag::O_RDWR)?.ok_or_else(missing)
}

impl Log {
    fn path(&self) -> String {
        self.folder.path().join(LOG).display().to_string()
    }

    /// Refuses to answer once the file's content is not known.
    fn known(&self) -> Result<(), MetaError> {
        match &self.lost {
            None => Ok(()),
            Some(why) => {
                let source = io::Error::other(format!("an earlier decision was left unknown ({why})"));
                Err(MetaError::Failed { source: SyncFailure { path: self.path(), source }.into() })
            }
        }
    }

    fn cas(&mut self, guard: Guard, change: &Change) -> Result<Meta, MetaError> {
        self.known()?;
        let next = change
            .apply(guard, &self.meta)
            .map_err(|refusal| MetaError::Refused { current: Box::new(self.meta.clone()), refusal })?;
        if self.bytes > self.compact_bytes {
            self.compact()?;
        }
        self.append(&log::record(&next))?;
        self.meta = next.clone();
        Ok(next)
    }

    fn append(&mut self, record: &[u8]) -> Result<(), MetaError> {
        let path = self.path();
        if record.len() > log::RECORD_BYTES_MAX {
            let (found, max) = (record.len() as u64, log::RECORD_BYTES_MAX as u64);
            let what = format!("a record of {path}");
            return Err(MetaError::Failed { source: StoreError::TooLarge { what, found, max } });
        }
        // Lost until proved otherwise, so that a panic on the way leaves no doubt.
        self.lost = Some("the process was interrupted".to_owned());
        let written = self.file.seek(SeekFrom::Start(self.bytes)).and_then(|_| self.file.write_all(record));
        if let Err(source) = written {
            // The record is not all there, and the beginning of it is taken back.
            return match self.file.set_len(self.bytes) {
                Ok(()) => {
                    self.lost = None;
                    Err(MetaError::Failed { source: StoreError::io("write", path, source) })
                }
                Err(_) => {
                    self.lost = Some(source.to_string());
                    Err(MetaError::Unknown { source: StoreError::io("write", path, source) })
                }
            };
        }
        if let Err(source) = (self.sync)(&self.file) {
            self.lost = Some(source.to_string());
            return Err(MetaError::Unknown { source: SyncFailure { path, source }.into() });
        }
        self.bytes += record.len() as u64;
        self.lost = None;
        Ok(())
    }

    /// Begins the log anew with what is decided last. Changes nothing that is decided, so a failure is a
    /// failure of the change that it was made for, and leaves either log under the name, whole.
    fn compact(&mut self) -> Result<(), MetaError> {
        let start = log::start(&self.meta);
        let replaced = self.folder.replace(LOG, &start).and_then(|()| reopen(&self.folder));
        match replaced {
            Ok(file) => {
                self.file = file;
                self.bytes = start.len() as u64;
                Ok(())
            }
            // There is no room for a second log. The first one serves on.
            Err(StoreError::Full { .. }) => Ok(()),
            Err(source) => {
                self.lost = Some(source.to_string());
                Err(MetaError::Failed { source })
            }
        }
    }
}

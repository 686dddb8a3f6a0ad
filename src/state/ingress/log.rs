//! Where the logs of a job lie, and how one is opened.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use watershed_core::spi::{OpenLog, Ring, SplitLog};
use watershed_core::{Position, SourceError, SplitId};

use super::committer::{Committer, begin, replace};
use super::input::Input;
use super::output::Output;
use super::segment::{self, BODY_BYTES_MAX};
use super::shared::Shared;
use super::{IngressError, IngressLimits};
use crate::StoreError;
use crate::durable::{EntryKind, Folder, lock};

/// The folder of a state directory that has the logs.
const ROOT: &str = "ingress";

/// The name of the file whose lock says who has a log open.
const LOCK: &str = "lock";

/// The longest name that a uid gets as it is.
const NAME_BYTES_MAX: usize = 150;

/// The ingress logs of a state directory. Whoever uses them has the directory open, alone.
#[derive(Clone, Debug)]
pub struct IngressLogs {
    directory: PathBuf,
    limits: IngressLimits,
}

impl IngressLogs {
    /// The logs of a state directory; nothing is opened or made yet.
    pub fn new(directory: &Path, limits: IngressLimits) -> Self {
        IngressLogs { directory: directory.to_owned(), limits }
    }

    /// The log of a split of the source with this uid.
    pub fn log(&self, uid: &str, split: SplitId) -> IngressLog {
        let name = format!("{}-{}", file_name(uid), split.0);
        IngressLog { directory: self.directory.clone(), name, limits: self.limits, sync: File::sync_data }
    }
}

/// The log of one split.
#[derive(Clone, Debug)]
pub struct IngressLog {
    directory: PathBuf,
    name: String,
    limits: IngressLimits,
    sync: fn(&File) -> io::Result<()>,
}

/// A log as it is found or made.
struct Opened {
    segments: BTreeMap<u64, u64>,
    newest: (File, u64),
    end: u64,
}

impl SplitLog for IngressLog {
    fn open(&self, from: Option<Position>, ring: Ring) -> Result<OpenLog, SourceError> {
        Ok(self.open_log(from, ring)?)
    }
}

impl IngressLog {
    /// The same log, with another way to sync.
    #[cfg(test)]
    pub(super) fn synced_by(self, sync: fn(&File) -> io::Result<()>) -> Self {
        IngressLog { sync, ..self }
    }

    /// Where it lies.
    pub fn path(&self) -> PathBuf {
        self.directory.join(ROOT).join(&self.name)
    }

    /// Opens the log; see [`SplitLog::open`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open_log(&self, from: Option<Position>, ring: Ring) -> Result<OpenLog, IngressError> {
        let from = from.map_or(0, |position| position.0);
        let shown = self.path().display().to_string();
        let folder = self.folder(from)?;
        let lock = lock(&folder, LOCK)?;
        folder.remove_partials()?;
        let Opened { segments, newest, end } = self.recover(&folder, from)?;
        let oldest = segments.first_key_value().map_or(end, |(first, _)| *first);
        if from < oldest {
            return Err(IngressError::Gone { folder: shown, asked: from, oldest });
        }
        if from > end {
            return Err(IngressError::Short { folder: shown, asked: from, end });
        }
        let shared = Arc::new(Shared::new(shown, self.limits, segments, end));
        let reading = folder.again()?;
        let committer = Committer {
            shared: Arc::clone(&shared),
            folder,
            newest,
            sync: self.sync,
            ring,
            warned: false,
            _lock: lock,
        };
        let thread = thread::Builder::new().name("ingress-log".to_owned()).spawn(move || committer.run());
        let thread =
            thread.map_err(|source| StoreError::io("start the thread of", &shared.folder, source))?;
        let output = Output {
            shared: Arc::clone(&shared),
            folder: reading,
            at: from,
            open: None,
            entries: VecDeque::new(),
            thread: Some(thread),
        };
        Ok(OpenLog { input: Arc::new(Input(shared)), output: Box::new(output) })
    }

    /// The log's folder, which is made for a job that begins.
    fn folder(&self, from: u64) -> Result<Folder, IngressError> {
        let gone = |folder: &Folder, name: &str| {
            let path = folder.path().join(name).display().to_string();
            IngressError::from(StoreError::io("open", path, io::ErrorKind::NotFound.into()))
        };
        let mut folder = Folder::open(&self.directory)?;
        for name in [ROOT, &self.name] {
            if folder.enter(name)?.is_none() {
                if from > 0 {
                    return Err(IngressError::Missing {
                        folder: self.path().display().to_string(),
                        asked: from,
                    });
                }
                folder.make(name)?;
                folder.sync()?;
            }
            folder = folder.enter(name)?.ok_or_else(|| gone(&folder, name))?;
        }
        Ok(folder)
    }

    /// Reads where the log ends, cuts a torn tail off, and makes what is left durable. An empty log begins at `from`.
    fn recover(&self, folder: &Folder, from: u64) -> Result<Opened, IngressError> {
        let mut segments = BTreeMap::new();
        for entry in folder.list()? {
            if let (Some(first), EntryKind::File { bytes, .. }) = (segment::first_of(&entry.name), entry.kind)
            {
                segments.insert(first, bytes);
            }
        }
        let Some((&first, _)) = segments.last_key_value() else {
            let newest = begin(folder, from)?;
            return Ok(Opened { segments: BTreeMap::from([(from, newest.1)]), newest, end: from });
        };
        let name = segment::name(first);
        let path = folder.path().join(&name).display().to_string();
        let bytes_max = self.limits.segment_bytes.max(BODY_BYTES_MAX as u64) * 2;
        let bytes = folder.read(&name, bytes_max)?.unwrap_or_default();
        let damaged = |damage| IngressError::Damaged { path: path.clone(), damage };
        let segment::Scan { end, valid } = segment::scan(&bytes, first).map_err(damaged)?;
        if valid < bytes.len() {
            let cut = bytes.len() - valid;
            tracing::warn!(
                path,
                cut,
                "the ingress log ended within a record that nobody was told of; it was cut off"
            );
        }
        let newest = replace(folder, first, &bytes[..valid])?;
        segments.insert(first, newest.1);
        Ok(Opened { segments, newest, end })
    }
}

/// A uid as the name of a file: what is no letter, digit, `-` or `_` is written as `%` and its number.
fn file_name(uid: &str) -> String {
    let mut name = String::with_capacity(uid.len());
    for byte in uid.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            name.push(byte.into());
        } else {
            write!(name, "%{byte:02X}").expect("writing to a string succeeds");
        }
    }
    if name.len() > NAME_BYTES_MAX {
        name.truncate(NAME_BYTES_MAX);
        let hash = blake3::hash(uid.as_bytes()).to_hex();
        write!(name, "%{}", &hash[..16]).expect("writing to a string succeeds");
    }
    name
}

#[cfg(test)]
mod naming {
    use super::*;

    #[test]
    fn a_uid_becomes_a_name_that_no_other_uid_becomes() {
        assert_eq!(file_name("source-1"), "source-1");
        assert_eq!(file_name("../a b"), "%2E%2E%2Fa%20b");
        let (long, longer) = ("x".repeat(500), "x".repeat(501));
        assert_ne!(file_name(&long), file_name(&longer));
        assert!(file_name(&long).len() < 200);
    }
}

//! What a coordinator must not forget, in one file: its seat, its vote, the log of decisions, and what older decisions
//! have led to.
//!
//! ```text
//!   journal := frame+           each a Record in MessagePack; the first is Of
//! ```
//!
//! All of it is a few KiB, so it is held in memory as well, and the file is only read when it is opened: the records,
//! applied in order, are the memory. A record counts once it is synced, and one that could not be is never tried again:
//! then the journal is lost, and with it the node's part in the group. When the file has grown, it is written anew with
//! what is left, all at once. See [`frame`] for how a torn tail is told from damage.
//!
//! One file and one order for vote, log and snapshot: there is no moment in which one of them is newer on the disk than
//! another one that it depends on.

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::fcntl::{Flock, OFlag};
use openraft::{BasicNode, Entry, LogId, SnapshotMeta, Vote};
use serde::{Deserialize, Serialize};
use watershed_state::durable::frame::{self, Found};
use watershed_state::durable::{Folder, lock};
use watershed_state::{Damage, StoreError, SyncFailure};

use crate::config::ClusterConfig;
use crate::error::ClusterError;
use crate::group::{Seat, Types};
use crate::message;

/// The journal's name in the directory.
const JOURNAL: &str = "cluster.log";

/// The name of the file whose lock says who writes.
const LOCK: &str = "cluster.lock";

/// The largest record: all that is decided, far more than the limits of what may be decided allow.
const RECORD_BYTES_MAX: usize = 64 << 20;

/// The longest journal that is read.
const JOURNAL_BYTES_MAX: u64 = 1 << 30;

/// One thing not to be forgotten.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Record {
    /// Whose journal it is.
    Of {
        cluster: String,
        node: String,
        seat: Seat,
    },
    Vote(Vote<Seat>),
    Append(Vec<Entry<Types>>),
    /// Decisions from this one on were never agreed on.
    Truncate(u64),
    /// Decisions up to this one are in the snapshot.
    Purge(LogId<Seat>),
    Snapshot(Kept),
}

/// What decisions have led to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) meta: SnapshotMeta<Seat, BasicNode>,
    pub(super) bytes: Vec<u8>,
}

/// What the records say.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) vote: Option<Vote<Seat>>,
    pub(super) purged: Option<LogId<Seat>>,
    pub(super) entries: BTreeMap<u64, Entry<Types>>,
    pub(super) snapshot: Option<Kept>,
}

/// The journal of one coordinator. A clone is the same journal.
#[derive(Clone, Debug)]
pub(super) struct Journal {
    seat: Seat,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    memory: Memory,
    folder: Folder,
    file: File,
    of: Record,
    bytes: u64,
    compact_bytes: u64,
    /// Set once nobody knows any more what the file holds.
    lost: Option<String>,
    _lock: Flock<File>,
}

impl Journal {
    /// Opens the journal of a coordinator, or begins one with a new seat. Blocks.
    pub(super) fn open(config: &ClusterConfig) -> Result<Journal, ClusterError> {
        let folder = Folder::open_or_make(&config.data)?;
        let lock = lock(&folder, LOCK)?;
        folder.remove_partials()?;
        let path = folder.path().join(JOURNAL).display().to_string();
        let (of, memory, bytes) = match folder.read(JOURNAL, JOURNAL_BYTES_MAX)? {
            Some(bytes) => {
                let (of, memory, valid) =
                    scan(&bytes).map_err(|damage| StoreError::Damaged { path: path.clone(), damage })?;
                if valid < bytes.len() {
                    let torn = bytes.len() - valid;
                    tracing::warn!(path, torn, "a decision was never written to its end, and is cut off");
                }
                (of, memory, bytes[..valid].to_vec())
            }
            None => {
                let (cluster, node) = (config.cluster.clone(), config.node.clone());
                let of = Record::Of { cluster, node, seat: new_seat(config) };
                let bytes = framed(&of);
                (of, Memory::default(), bytes)
            }
        };
        let seat = match &of {
            Record::Of { cluster, node, seat } if *cluster == config.cluster && *node == config.node => *seat,
            Record::Of { cluster, node, .. } => {
                return Err(ClusterError::Foreign { path, node: node.clone(), cluster: cluster.clone() });
            }
            _ => unreachable!("a journal begins with whose it is"),
        };
        let memory = Memory { vote: memory.vote.map(|vote| candidate(vote, seat)), ..memory };
        // What was read may never have been synced; it is relied on from now on, so it is written anew.
        folder.replace(JOURNAL, &bytes)?;
        let file = reopen(&folder)?;
        let (bytes, compact_bytes) = (bytes.len() as u64, config.bounds.journal_bytes);
        let inner = Inner { memory, folder, file, of, bytes, compact_bytes, lost: None, _lock: lock };
        Ok(Journal { seat, inner: Arc::new(Mutex::new(inner)) })
    }

    /// The seat that this disk has.
    pub(super) fn seat(&self) -> Seat {
        self.seat
    }

    /// Looks at what is kept.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Memory) -> T) -> T {
        look(&self.lock().memory)
    }

    /// Keeps something: it is on the disk when this returns.
    pub(super) async fn keep(&self, record: Record) -> io::Result<()> {
        let journal = self.clone();
        let kept = tokio::task::spawn_blocking(move || journal.lock().keep(record)).await;
        kept.unwrap_or_else(|failed| Err(io::Error::other(failed)))
    }

    /// What lets nothing be kept any more, as a disk does that fails.
    #[cfg(test)]
    pub(super) fn breaker(&self) -> Box<dyn Fn() + Send + Sync> {
        let inner = Arc::downgrade(&self.inner);
        Box::new(move || {
            let inner = inner.upgrade().expect("the journal is open");
            let mut inner = inner.lock().expect("nobody has panicked");
            let path = inner.folder.path().join(JOURNAL);
            inner.file = File::open(path).expect("the journal is there");
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // What a panic leaves behind is marked as lost, so the lock's own mark adds nothing.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn keep(&mut self, record: Record) -> io::Result<()> {
        if let Some(lost) = &self.lost {
            return Err(io::Error::other(format!("an earlier record was left unknown ({lost})")));
        }
        let bytes = framed(&record);
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(io::Error::other(format!("a record of {} bytes is too large", bytes.len())));
        }
        if self.bytes > self.compact_bytes {
            self.compact()?;
        }
        // Lost until proved otherwise, so that a panic on the way leaves no doubt.
        self.lost = Some("the process was interrupted".to_owned());
        let written = self.file.seek(SeekFrom::Start(self.bytes)).and_then(|_| self.file.write_all(&bytes));
        if let Err(failed) = written.and_then(|()| self.file.sync_data()) {
            self.lost = Some(failed.to_string());
            return Err(failed);
        }
        self.bytes += bytes.len() as u64;
        self.lost = None;
        self.memory.take(record);
        Ok(())
    }

    /// Writes the file anew with what is left.
    fn compact(&mut self) -> io::Result<()> {
        let mut bytes = framed(&self.of);
        for record in self.memory.records() {
            bytes.extend(framed(&record));
        }
        let replaced = self.folder.replace(JOURNAL, &bytes).and_then(|()| reopen(&self.folder));
        match replaced {
            Ok(file) => {
                self.file = file;
                self.bytes = bytes.len() as u64;
                Ok(())
            }
            // There is no room for a second file. The first one serves on.
            Err(StoreError::Full { .. }) => Ok(()),
            Err(failed) => {
                self.lost = Some(failed.to_string());
                Err(io::Error::other(failed))
            }
        }
    }
}

impl Memory {
    fn take(&mut self, record: Record) {
        match record {
            Record::Of { .. } => {}
            Record::Vote(vote) => self.vote = Some(vote),
            Record::Append(entries) => {
                self.entries.extend(entries.into_iter().map(|entry| (entry.log_id.index, entry)));
            }
            Record::Truncate(from) => drop(self.entries.split_off(&from)),
            Record::Purge(upto) => {
                self.entries = self.entries.split_off(&(upto.index + 1));
                self.purged = Some(upto);
            }
            Record::Snapshot(kept) => self.snapshot = Some(kept),
        }
    }

    /// The fewest records that say the same.
    fn records(&self) -> Vec<Record> {
        let mut records = Vec::new();
        records.extend(self.vote.map(Record::Vote));
        records.extend(self.snapshot.clone().map(Record::Snapshot));
        records.extend(self.purged.map(Record::Purge));
        records.push(Record::Append(self.entries.values().cloned().collect()));
        records
    }
}

fn scan(bytes: &[u8]) -> Result<(Record, Memory, usize), Damage> {
    let (mut of, mut memory, mut at) = (None, Memory::default(), 0);
    while at < bytes.len() {
        match frame::read(bytes, at, RECORD_BYTES_MAX) {
            Found::Whole { body, end } => {
                let record = message::decode(&bytes[body]).map_err(Damage::Content)?;
                if of.is_some() {
                    memory.take(record);
                } else {
                    of = Some(record);
                }
                at = end;
            }
            Found::Torn => break,
            Found::Damaged(part) => return Err(Damage::Checksum { part, offset: at as u64 }),
        }
    }
    // The file appears under its name with its first record in it, so a lack of it is no torn tail.
    match of {
        Some(of @ Record::Of { .. }) => Ok((of, memory, at)),
        Some(_) | None => Err(Damage::Kind { expected: "journal of a coordinator of Watershed" }),
    }
}

/// Takes a reign of this seat's for the candidacy that it began as.
///
/// `openraft` would go on with the reign when a leader comes back before anybody else is elected. That is safe, but the
/// others would not see that the leader is not the one it was: a process that begins leads in a term of its own.
fn candidate(vote: Vote<Seat>, seat: Seat) -> Vote<Seat> {
    match vote.leader_id().voted_for() {
        Some(of) if of == seat => Vote::new(vote.leader_id().term, seat),
        Some(_) | None => vote,
    }
}

fn framed(record: &Record) -> Vec<u8> {
    frame::frame(&message::encode(record))
}

fn reopen(folder: &Folder) -> Result<File, StoreError> {
    let path = || folder.path().join(JOURNAL).display().to_string();
    folder
        .open_file(JOURNAL, OFlag::O_RDWR)?
        .ok_or_else(|| SyncFailure { path: path(), source: io::ErrorKind::NotFound.into() }.into())
}

/// A number that no other disk has: from the randomness that the process was given, and the node's name and life.
fn new_seat(config: &ClusterConfig) -> Seat {
    let number = RandomState::new().hash_one((&config.node, config.incarnation, std::process::id()));
    // 0 is what stands for no seat.
    number.max(1)
}

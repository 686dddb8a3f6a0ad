//! A table in an SQLite database.

mod database;
mod fence;
mod writer;

pub use writer::SqliteWriter;

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use watershed_core::{Data, Sink, SinkError, SinkPlace};

use crate::sink::StagedRows;
use crate::sink::claim::Claims;
use crate::sink::row::columns::columns;
use crate::sink::sqlite::database::Target;

/// Writes each record as a row of a table in an SQLite database.
///
/// Database and table are created where they are not there, at the first checkpoint or at the end of the job, with a
/// column for each field of the record's struct. Whole numbers, reals, texts and bytes are stored as what they are,
/// truth as 0 and 1, unit variants as their names, a missing value as `NULL` (so is a real that is no number), and
/// anything that has parts as JSON text.
///
/// * **When rows are seen.** At commits, in one transaction for each subtask and epoch. Until the barrier they lie in
///   memory, up to a [limit](SqliteTable::epoch_bytes_max), and then in the checkpoint. The table `stream_fence` beside
///   them remembers how far each subtask has come, so that a commit may be repeated: each row is there once, whatever
///   fails. It is yours to read: it tells up to which epoch the table is complete.
/// * **Rows that are there.** They stay, and new ones are added: a job that begins anew adds its rows again. With a
///   [`primary_key`](SqliteTable::primary_key), a row replaces the one that has the same key instead.
/// * **One job for a table.** A second job that would write the same table is refused, one of the same name as long as
///   the first one runs, and one of another name until the rows of the first are deleted from `stream_fence`.
/// * **Several subtasks, and readers.** The database is kept in write-ahead mode: readers never wait. SQLite has one
///   writer at a time, so subtasks take turns, for at most the [`busy_timeout`](SqliteTable::busy_timeout); more of
///   them make nothing faster.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use watershed_actors::sink::SqliteTable;
/// use watershed_core::{Data, KeyGroups, Pipeline, testing::Numbers};
///
/// #[derive(Clone, Serialize, Deserialize, Data)]
/// struct Square {
///     number: u64,
///     square: u64,
/// }
///
/// let pipeline = Pipeline::new("squares", KeyGroups::default());
/// let squares = pipeline.source(Numbers::up_to(10)).map(|number| Square { number, square: number * number });
/// squares.sink(SqliteTable::new("out/numbers.db", "squares").primary_key(["number"]));
/// ```
pub struct SqliteTable<T> {
    path: PathBuf,
    table: String,
    columns: Option<Vec<String>>,
    primary_key: Vec<String>,
    epoch_bytes_max: u64,
    busy_timeout: Duration,
    claims: Claims,
    of: PhantomData<fn(T)>,
}

impl<T> SqliteTable<T> {
    /// A table of a database, which is created where it is not there.
    pub fn new(path: impl AsRef<Path>, table: &str) -> Self {
        SqliteTable {
            path: path.as_ref().to_owned(),
            table: table.to_owned(),
            columns: None,
            primary_key: Vec::new(),
            epoch_bytes_max: EPOCH_BYTES_MAX,
            busy_timeout: Duration::from_secs(60),
            claims: Claims::default(),
            of: PhantomData,
        }
    }

    /// Names the columns. Needed where the record is no struct: a tuple's values go to them in their order. A struct's
    /// fields go to the columns of their names.
    #[must_use]
    pub fn columns(mut self, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.columns = Some(columns.into_iter().map(Into::into).collect());
        self
    }

    /// Makes these columns the table's key where it is created, and lets a row replace that with the same key: a job
    /// that is repeated then leaves the same rows. Give the job one subtask there, or partition it by the key.
    #[must_use]
    pub fn primary_key(mut self, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.primary_key = columns.into_iter().map(Into::into).collect();
        self
    }

    /// How many bytes of rows may wait for the next checkpoint, or for the end of a job without checkpoints: 1 GiB if
    /// nothing is said. They lie in memory.
    #[must_use]
    pub fn epoch_bytes_max(mut self, bytes: u64) -> Self {
        self.epoch_bytes_max = bytes;
        self
    }

    /// How long a transaction waits for its turn: 60 s if nothing is said. A commit that has waited for so long is
    /// repeated by the job.
    #[must_use]
    pub fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// What errors are about.
    fn place(&self) -> String {
        format!("table {:?} of {}", self.table, self.path.display())
    }
}

impl<T> Clone for SqliteTable<T> {
    fn clone(&self) -> Self {
        SqliteTable {
            path: self.path.clone(),
            table: self.table.clone(),
            columns: self.columns.clone(),
            primary_key: self.primary_key.clone(),
            claims: self.claims.clone(),
            ..*self
        }
    }
}

impl<T: Data> Sink for SqliteTable<T> {
    type In = T;
    type Staged = StagedRows;
    type Writer = SqliteWriter<T>;

    fn open(&self, place: &SinkPlace) -> Result<SqliteWriter<T>, SinkError> {
        let about = self.place();
        let refuse = |why: String| SinkError::new(about.clone(), why);
        let columns = columns::<T>(self.columns.as_deref(), &self.primary_key).map_err(refuse)?;
        let name = self.path.file_name().ok_or_else(|| refuse("the path names no file".to_owned()))?;
        let name = format!("{}-{}", name.to_string_lossy(), file_name_of(&self.table));
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let claim = self.claims.take(directory.unwrap_or(Path::new(".")), &name, place)?;
        let target = Target {
            table: self.table.clone(),
            columns,
            primary_key: self.primary_key.clone(),
            busy_timeout: self.busy_timeout,
            about,
        };
        SqliteWriter::open(self, target, claim, place)
    }
}

/// A table's name as a part of a file's, whatever is in it.
fn file_name_of(table: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let part = |byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") };
    table.bytes().take(NAME_BYTES_MAX).map(part).collect()
}

/// How many bytes of rows may wait for a checkpoint.
pub(super) const EPOCH_BYTES_MAX: u64 = 1 << 30;

/// How much of a table's name goes into the name of its lock, in bytes.
const NAME_BYTES_MAX: usize = 64;

#[cfg(test)]
mod fence_tests;
#[cfg(test)]
mod tests;

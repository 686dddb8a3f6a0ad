//! A table in a PostgreSQL database.

mod desk;
mod fence;
mod gid;
mod in_doubt;
mod loss;
mod prepared;
mod session;
mod table;
mod trouble;
mod work;
mod writer;

pub use in_doubt::{InDoubt, PreparedTransactions};
pub use loss::Lost;
pub use prepared::StagedTransaction;
pub use writer::{PostgresWriter, StagedOutput};

use std::marker::PhantomData;
use std::time::Duration;

use postgres::Config;
use postgres::config::Host;
use watershed_core::{Data, Sink, SinkError, SinkPlace};

use crate::sink::postgres::session::{Limits, Session};
use crate::sink::postgres::table::Target;
use crate::sink::postgres::work::Work;
use crate::sink::postgres::writer::Manner;
use crate::sink::row::columns::columns;
use crate::sink::sqlite::EPOCH_BYTES_MAX;

/// How rows of a checkpoint become visible in a database, and what keeps them until then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The checkpoint keeps the rows, and one transaction applies them once it is decided. **Exactly once.**
    ///
    /// Needs nothing of the server, holds no locks between the phases, and a database that is down delays output but no
    /// checkpoint. Rows are written twice, once to the checkpoint store. A row that the table refuses (a `CHECK`, a
    /// unique index, a column that is too narrow) is found only at the commit, behind the decision: the commit is repeated
    /// until somebody changes the table.
    #[default]
    Staged,
    /// The database keeps the rows, as a prepared transaction. **Exactly once.**
    ///
    /// Rows are written once, and those that the table refuses are found before anything is decided. Needs
    /// `max_prepared_transactions` on the server, about four for each subtask. A prepared transaction holds its locks
    /// until it is decided, and holds vacuum up; one that somebody rolls back by hand is lost, which stops the job with
    /// its name. No key can be given, since rows of the same key in two epochs would wait for each other.
    Prepared,
    /// Rows go to the table at once, and replace those with the same key. **At least once**, and the same in the end.
    ///
    /// Shows rows soonest and costs least. Readers see rows of checkpoints that are not decided yet and, after a failure,
    /// rows that are written again; what a row replaces must not depend on the order between different keys. Needs a key.
    Upsert,
}

/// Writes each record as a row of a table in a PostgreSQL database.
///
/// The table is created where it is not there, with a column for each field of the record's struct: whole numbers as
/// `bigint`, reals as `double precision`, truth as `boolean`, bytes as `bytea`, and all else as `text`, where unit variants
/// are their names, a missing value is `NULL`, and anything that has parts is JSON. In a table that is there, columns may
/// have other types that read the same texts (`jsonb`, `numeric`, `timestamptz`); a table without a column for each field
/// is refused at the start.
///
/// * **When rows are seen.** That depends on the [`Mode`]; unless another is chosen, at commits, in one transaction for
///   each subtask and epoch. The table `stream_fence` in the same schema remembers how far each subtask has come, so that a
///   commit may be repeated, and tells readers up to which epoch the table is complete.
/// * **Rows that are there.** They stay, and new ones are added: a job that begins anew adds its rows again. With a
///   [`primary_key`](PostgresTable::primary_key), a row replaces the one that has the same key instead.
/// * **One job for a table.** A second job that would write the same table is refused, one of the same name as long as
///   the first one is connected, and one of another name until the rows of the first are deleted from `stream_fence`.
/// * **A database that is slow, down or restarted.** Each writer talks to it on a thread of its own, and waits for it no
///   longer than its [`patience`](PostgresTable::patience): what takes longer goes on, and the job asks again. Broken
///   connections, deadlocks and the like are tried again for as long as [`retry_for`](PostgresTable::retry_for), with
///   growing pauses, before they are told.
/// * **Connections.** One for each subtask, to the server itself and not through a pool that hands out a server's session
///   for a statement; without TLS.
///
/// ```no_run
/// use serde::{Deserialize, Serialize};
/// use watershed_actors::sink::PostgresTable;
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
/// squares.sink(PostgresTable::new("postgresql://writer@localhost/numbers", "squares").primary_key(["number"]));
/// ```
pub struct PostgresTable<T> {
    url: String,
    schema: Option<String>,
    table: String,
    columns: Option<Vec<String>>,
    primary_key: Vec<String>,
    mode: Mode,
    epoch_bytes_max: u64,
    patience: Duration,
    limits: Limits,
    of: PhantomData<fn(T)>,
}

impl<T> PostgresTable<T> {
    /// A table of the database at an address: `postgresql://user:password@host:5432/database`, or `host=.. user=..`.
    pub fn new(url: &str, table: &str) -> Self {
        PostgresTable {
            url: url.to_owned(),
            schema: None,
            table: table.to_owned(),
            columns: None,
            primary_key: Vec::new(),
            mode: Mode::default(),
            epoch_bytes_max: EPOCH_BYTES_MAX,
            patience: Duration::from_secs(2),
            limits: Limits {
                connect_timeout: Duration::from_secs(5),
                statement_timeout: Duration::from_secs(30),
                retry_for: Duration::from_secs(10),
            },
            of: PhantomData,
        }
    }

    /// The schema of the table: the first of the search path if nothing is said.
    #[must_use]
    pub fn schema(mut self, schema: &str) -> Self {
        self.schema = Some(schema.to_owned());
        self
    }

    /// Names the columns. Needed where the record is no struct: a tuple's values go to them in their order. A struct's
    /// fields go to the columns of their names.
    #[must_use]
    pub fn columns(mut self, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.columns = Some(columns.into_iter().map(Into::into).collect());
        self
    }

    /// Makes these columns the table's key where it is created, and lets a row replace that with the same key. A table
    /// that is there needs a unique index on them. Give the job one subtask there, or partition it by the key.
    #[must_use]
    pub fn primary_key(mut self, columns: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.primary_key = columns.into_iter().map(Into::into).collect();
        self
    }

    /// How rows become visible: [`Mode::Staged`] if nothing is said.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// How many bytes of rows may wait for the next checkpoint, or for the end of a job without checkpoints: 1 GiB if
    /// nothing is said. They lie in memory.
    #[must_use]
    pub fn epoch_bytes_max(mut self, bytes: u64) -> Self {
        self.epoch_bytes_max = bytes;
        self
    }

    /// How long the job's own thread waits for an answer: 2 s if nothing is said. Nothing is lost where it takes longer;
    /// a commit is asked for again, and a checkpoint that could not be prepared in time is taken again. Up to the first
    /// commit, and while a job recovers, it waits as long as the server goes on: a job without checkpoints has no other
    /// try.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How long it is tried to connect: 5 s if nothing is said.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.limits.connect_timeout = timeout;
        self
    }

    /// How long the server may take for one statement, waiting for locks included: 30 s if nothing is said.
    #[must_use]
    pub fn statement_timeout(mut self, timeout: Duration) -> Self {
        self.limits.statement_timeout = timeout;
        self
    }

    /// How long what fails for a passing reason is tried again before it is told: 10 s if nothing is said.
    #[must_use]
    pub fn retry_for(mut self, time: Duration) -> Self {
        self.limits.retry_for = time;
        self
    }
}

impl<T> Clone for PostgresTable<T> {
    fn clone(&self) -> Self {
        PostgresTable {
            url: self.url.clone(),
            schema: self.schema.clone(),
            table: self.table.clone(),
            columns: self.columns.clone(),
            primary_key: self.primary_key.clone(),
            ..*self
        }
    }
}

impl<T: Data> Sink for PostgresTable<T> {
    type In = T;
    type Staged = StagedOutput;
    type Writer = PostgresWriter<T>;

    fn open(&self, place: &SinkPlace) -> Result<PostgresWriter<T>, SinkError> {
        let config = configuration(&self.url)?;
        let about = format!("table {:?} of {}", self.table, whereabouts(&config));
        let refuse = |why: &str| Err(SinkError::new(about.clone(), why));
        match self.mode {
            Mode::Prepared if !self.primary_key.is_empty() => {
                return refuse(
                    "prepared rows of the same key would wait for each other: choose Mode::Staged",
                );
            }
            Mode::Upsert if self.primary_key.is_empty() => {
                return refuse("rows that are written again must replace themselves: say .primary_key(..)");
            }
            Mode::Staged | Mode::Prepared | Mode::Upsert => {}
        }
        let columns = columns::<T>(self.columns.as_deref(), &self.primary_key);
        let columns = columns.map_err(|why| SinkError::new(about.clone(), why))?;
        let target = Target {
            schema: self.schema.clone(),
            table: self.table.clone(),
            columns,
            primary_key: self.primary_key.clone(),
            about: about.clone(),
        };
        let lock = lock(&self.table, place.subtask.index);
        let session = Session::new(config, self.limits, lock, about);
        let work = Work::new(session, target.clone(), place, self.mode);
        let Limits { connect_timeout, statement_timeout, retry_for } = self.limits;
        let manner = Manner {
            mode: self.mode,
            patience: self.patience,
            open_timeout: connect_timeout + statement_timeout + retry_for,
            epoch_bytes_max: self.epoch_bytes_max,
        };
        PostgresWriter::open(work, target, place, manner)
    }
}

/// What an address says.
fn configuration(url: &str) -> Result<Config, SinkError> {
    // The address may hold a password: it is not repeated.
    let refused =
        |error: postgres::Error| SinkError::new("the address of a PostgreSQL database", trouble::why(&error));
    url.parse().map_err(refused)
}

/// Where a database is, without the password.
fn whereabouts(config: &Config) -> String {
    let host = config.get_hosts().first().map_or("localhost".to_owned(), |host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    });
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let database = config.get_dbname().or(config.get_user()).unwrap_or("postgres");
    format!("{host}:{port}/{database}")
}

/// The advisory lock of a subtask that writes a table.
fn lock(table: &str, subtask: u32) -> i64 {
    let hash = blake3::hash(format!("watershed/{table}/{subtask}").as_bytes());
    let (first, _) = hash.as_bytes().split_first_chunk().expect("a hash has 32 bytes");
    i64::from_le_bytes(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(sink: PostgresTable<(u8,)>) -> String {
        sink.columns(["a"]).open(&SinkPlace::alone("sink")).err().unwrap().to_string()
    }

    #[test]
    fn what_cannot_be_meant_is_refused_without_a_database() {
        let sink = || PostgresTable::new("postgresql://me:secret@example.test:6000/db", "t");
        let place = "table \"t\" of example.test:6000/db: ";
        let error = refused(sink().mode(Mode::Upsert));
        assert_eq!(
            error,
            format!("{place}rows that are written again must replace themselves: say .primary_key(..)")
        );
        let error = refused(sink().mode(Mode::Prepared).primary_key(["a"]));
        assert_eq!(
            error,
            format!("{place}prepared rows of the same key would wait for each other: choose Mode::Staged")
        );
        let error = refused(PostgresTable::new("postgresql://me:secret@example.test:port/db", "t"));
        assert!(error.starts_with("the address of a PostgreSQL database: invalid"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn a_database_that_is_not_there_is_an_error_in_time() {
        // Of its own, since the system gives the port of `127.0.0.1` to whoever asks next for one.
        let address = std::net::TcpListener::bind("127.1.2.1:0").unwrap().local_addr().unwrap();
        let sink = PostgresTable::new(&format!("postgresql://me@{address}/db"), "t");
        let error = refused(sink.retry_for(Duration::from_millis(50)));
        let place = format!("table \"t\" of {address}/db: error connecting to server: ");
        assert!(error.starts_with(&place) && error.contains("onnection refused"), "{error}");
    }
}

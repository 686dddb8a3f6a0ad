//! Stages and commits the rows of one subtask.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use watershed_core::{Data, Epoch, EventTime, SinkError, Writer};

use crate::sink::SqliteTable;
use crate::sink::claim::Claim;
use crate::sink::fields::Kind;
use crate::sink::sqlite::cell::Row;

/// The pause between attempts to do what SQLite does not wait for by itself.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// The rows of one subtask and epoch: durable, hidden, and enough to be committed by anybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
pub struct StagedRows {
    subtask: u32,
    /// Numbers in the staging table; they are never used twice.
    first: i64,
    last: i64,
    rows: i64,
}

/// Writes an [`SqliteTable`] for one subtask.
pub struct SqliteWriter<T> {
    table: SqliteTable<T>,
    claim: Arc<Claim>,
    /// None until there is something to write in a database that was not there.
    connection: Option<Connection>,
    was_there: bool,
    kinds: Vec<(String, Kind)>,
    columns: Vec<String>,
    statements: Statements,
    subtask: u32,
    parallelism: u32,
    resumed: bool,
    /// Whether what an earlier job has left has been removed.
    begun: bool,
    prepared: bool,
    gathered: Vec<T>,
    /// What has been staged since the last `prepare`.
    staged: Option<StagedRows>,
}

/// The texts of the statements, with all names quoted.
struct Statements {
    stage: String,
    count: String,
    publish: String,
    remove: String,
    sweep: String,
    sweep_own: String,
}

impl Statements {
    fn new<T>(sink: &SqliteTable<T>, columns: &[String]) -> Statements {
        let (table, staging) = (quoted(&sink.table), staging(&sink.table));
        let names = columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        let values = (1..=columns.len()).map(|number| format!("?{number}")).collect::<Vec<_>>().join(", ");
        let subtask = columns.len() + 1;
        let range = "__subtask = ?1 AND __row BETWEEN ?2 AND ?3";
        let insert = if sink.primary_key.is_empty() { "INSERT" } else { "INSERT OR REPLACE" };
        Statements {
            stage: format!("INSERT INTO {staging} ({names}, __subtask) VALUES ({values}, ?{subtask})"),
            count: format!("SELECT count(*) FROM {staging} WHERE {range}"),
            publish: format!(
                "{insert} INTO {table} ({names}) SELECT {names} FROM {staging} WHERE {range} ORDER BY __row"
            ),
            remove: format!("DELETE FROM {staging} WHERE {range}"),
            sweep: format!("DELETE FROM {staging} WHERE __subtask % ?1 = ?2"),
            sweep_own: format!("DELETE FROM {staging} WHERE __subtask = ?1"),
        }
    }
}

/// A name as SQL writes it, whatever is in it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn staging(table: &str) -> String {
    quoted(&format!("__staged_{table}"))
}

/// What a reader may expect in a column.
fn affinity(kind: Kind) -> &'static str {
    match kind {
        Kind::Integer => " INTEGER",
        Kind::Real => " REAL",
        Kind::Text => " TEXT",
        Kind::Bytes => " BLOB",
        Kind::Other => "",
    }
}

impl<T: Data> SqliteWriter<T> {
    pub(super) fn open(
        sink: SqliteTable<T>,
        claim: Arc<Claim>,
        kinds: Vec<(String, Kind)>,
        subtask: u32,
        parallelism: u32,
    ) -> Result<Self, SinkError> {
        let names: Vec<String> = kinds.iter().map(|(name, _)| name.clone()).collect();
        let statements = Statements::new(&sink, &names);
        // What cannot be written is found now, and not at the first row.
        let was_there = sink.path.exists();
        let connection = if was_there {
            Some(connect(&sink, &kinds, &statements).map_err(|error| about(&sink, &error))?)
        } else {
            let trial = Connection::open_in_memory();
            let created = trial.and_then(|mut trial| create(&mut trial, &sink, &kinds, &statements));
            created.map_err(|error| about(&sink, &error))?;
            None
        };
        Ok(SqliteWriter {
            table: sink,
            claim,
            connection,
            was_there,
            kinds,
            columns: names,
            statements,
            subtask,
            parallelism,
            resumed: false,
            begun: false,
            prepared: false,
            gathered: Vec::new(),
            staged: None,
        })
    }

    /// The database, which is made where it was not there.
    fn connection(&mut self) -> Result<&mut Connection, SinkError> {
        if self.connection.is_none() {
            let connection = connect(&self.table, &self.kinds, &self.statements);
            self.connection = Some(connection.map_err(|error| about(&self.table, &error))?);
        }
        Ok(self.connection.as_mut().expect("it has just been made"))
    }

    /// Removes what nobody will commit, once, behind the commits of a checkpoint and before the first row. A job that
    /// goes on may have been of another parallelism, and others may still have to commit what is not of this subtask.
    fn begin(&mut self) -> Result<(), SinkError> {
        self.connection()?;
        let connection = self.connection.as_ref().expect("it is open");
        let swept = if self.resumed {
            connection.execute(&self.statements.sweep_own, [self.subtask])
        } else {
            connection.execute(&self.statements.sweep, [self.parallelism, self.subtask])
        };
        swept.map_err(|error| about(&self.table, &error))?;
        self.begun = true;
        Ok(())
    }

    /// Stages what was gathered, durably, in one transaction.
    fn stage(&mut self) -> Result<(), SinkError> {
        if !self.begun {
            self.begin()?;
        }
        if self.gathered.is_empty() {
            return Ok(());
        }
        let added = self.insert()?;
        self.gathered.clear();
        self.staged = Some(match self.staged.take() {
            None => added,
            Some(before) => StagedRows { first: before.first, rows: before.rows + added.rows, ..added },
        });
        Ok(())
    }

    fn insert(&mut self) -> Result<StagedRows, SinkError> {
        self.connection()?;
        let table = &self.table;
        let about = |error: rusqlite::Error| about(table, &error);
        let connection = self.connection.as_mut().expect("it is open");
        let transaction = write(connection).map_err(about)?;
        let (mut first, mut last) = (None, 0);
        let mut statement = transaction.prepare_cached(&self.statements.stage).map_err(about)?;
        for record in &self.gathered {
            statement.clear_bindings();
            record
                .serialize(Row::new(&mut statement, &self.columns))
                .map_err(|error| SinkError::new(table.place(), error))?;
            statement.raw_bind_parameter(self.columns.len() + 1, self.subtask).map_err(about)?;
            statement.raw_execute().map_err(about)?;
            last = transaction.last_insert_rowid();
            first.get_or_insert(last);
        }
        drop(statement);
        transaction.commit().map_err(about)?;
        let rows = i64::try_from(self.gathered.len()).expect("a batch of rows is in memory");
        Ok(StagedRows { subtask: self.subtask, first: first.unwrap_or(last), last, rows })
    }

    /// Moves staged rows into the table, unless that has been done: `false` where they are gone without.
    fn publish(&mut self, staged: &StagedRows) -> Result<bool, SinkError> {
        self.connection()?;
        let connection = self.connection.as_mut().expect("it is open");
        self.statements
            .move_rows(connection, &self.table.table, staged)
            .map_err(|error| about(&self.table, &error))
    }
}

impl Statements {
    /// Moves staged rows of a table into it, unless that has been done: `false` where they are gone without.
    fn move_rows(
        &self,
        connection: &mut Connection,
        table: &str,
        staged: &StagedRows,
    ) -> rusqlite::Result<bool> {
        let transaction = write(connection)?;
        let range = params![staged.subtask, staged.first, staged.last];
        let found: i64 = transaction.query_row(&self.count, range, |row| row.get(0))?;
        if found != staged.rows {
            let done =
                "SELECT count(*) FROM __watershed_committed WHERE sink = ?1 AND subtask = ?2 AND row >= ?3";
            let done = transaction
                .query_row(done, params![table, staged.subtask, staged.last], |row| row.get::<_, i64>(0))?;
            return Ok(found == 0 && done > 0);
        }
        transaction.execute(&self.publish, range)?;
        transaction.execute(&self.remove, range)?;
        transaction.execute(
            "INSERT INTO __watershed_committed VALUES (?1, ?2, ?3) \
             ON CONFLICT (sink, subtask) DO UPDATE SET row = max(row, excluded.row)",
            params![table, staged.subtask, staged.last],
        )?;
        transaction.commit()?;
        Ok(true)
    }
}

/// Begins a transaction that writes, after waiting for its turn.
fn write(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// Opens the database and creates what is not there in it.
fn connect<T>(
    sink: &SqliteTable<T>,
    columns: &[(String, Kind)],
    statements: &Statements,
) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open(&sink.path)?;
    connection.busy_timeout(sink.busy_timeout)?;
    write_ahead(&connection, sink.busy_timeout)?;
    // Each transaction survives a power failure: `prepare` promises it.
    connection.pragma_update(None, "synchronous", "FULL")?;
    create(&mut connection, sink, columns, statements)?;
    Ok(connection)
}

/// Creates the tables that are not there, and sees whether the statements fit those that are.
fn create<T>(
    connection: &mut Connection,
    sink: &SqliteTable<T>,
    columns: &[(String, Kind)],
    statements: &Statements,
) -> rusqlite::Result<()> {
    let described = |(name, kind): &(String, Kind)| format!("{}{}", quoted(name), affinity(*kind));
    let columns = columns.iter().map(described).collect::<Vec<_>>().join(", ");
    let key = sink.primary_key.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    let key = if key.is_empty() { key } else { format!(", PRIMARY KEY ({key})") };
    let transaction = write(connection)?;
    transaction.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS {table} ({columns}{key});
         CREATE TABLE IF NOT EXISTS {staging} (
             __row INTEGER PRIMARY KEY AUTOINCREMENT, __subtask INTEGER NOT NULL, {columns});
         CREATE TABLE IF NOT EXISTS __watershed_committed (
             sink TEXT NOT NULL, subtask INTEGER NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (sink, subtask));",
        table = quoted(&sink.table),
        staging = staging(&sink.table),
    ))?;
    // Finds a table with other columns now, and not at the first row.
    transaction.prepare(&statements.stage)?;
    transaction.prepare(&statements.publish)?;
    transaction.commit()
}

/// Turns the write-ahead log on. SQLite does not wait where another connection does the same.
fn write_ahead(connection: &Connection, timeout: Duration) -> rusqlite::Result<()> {
    let start = Instant::now();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && start.elapsed() < timeout =>
            {
                thread::sleep(RETRY_PAUSE);
            }
            done => return done,
        }
    }
}

fn about<T>(sink: &SqliteTable<T>, error: &rusqlite::Error) -> SinkError {
    let why = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full: make room and start again".to_owned(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            format!("another program has kept the database locked for {:?}", sink.busy_timeout)
        }
        Some(ErrorCode::NotADatabase) => "the file is no SQLite database".to_owned(),
        Some(ErrorCode::ReadOnly) => "may not be written: check its owner and permissions".to_owned(),
        _ => error.to_string(),
    };
    SinkError::new(sink.place(), why)
}

impl<T: Data> Writer for SqliteWriter<T> {
    type In = T;
    type Staged = StagedRows;

    fn resume(&mut self) -> Result<(), SinkError> {
        self.resumed = true;
        Ok(())
    }

    #[inline]
    fn write(&mut self, record: T, _time: EventTime) -> Result<(), SinkError> {
        self.gathered.push(record);
        if self.gathered.len() >= self.table.batch_rows { self.stage() } else { Ok(()) }
    }

    fn prepare(&mut self, _epoch: Epoch) -> Result<Option<StagedRows>, SinkError> {
        self.stage()?;
        self.prepared = true;
        Ok(self.staged.take())
    }

    fn commit(&mut self, staged: StagedRows) -> Result<(), SinkError> {
        if self.publish(&staged)? {
            return Ok(());
        }
        let why = format!("{} rows were staged and are gone: somebody has removed them", staged.rows);
        Err(SinkError::new(self.table.place(), why))
    }

    fn abort(&mut self, staged: StagedRows) -> Result<(), SinkError> {
        let range = params![staged.subtask, staged.first, staged.last];
        self.connection()?;
        let connection = self.connection.as_ref().expect("it is open");
        let removed = connection.execute(&self.statements.remove, range);
        removed.map(drop).map_err(|error| about(&self.table, &error))
    }
}

impl<T> Drop for SqliteWriter<T> {
    /// The last one to leave a database that was not there before the job, and that has none of its rows when it
    /// ends early, removes it.
    fn drop(&mut self) {
        self.connection = None;
        let path = &self.table.path;
        if self.was_there || self.prepared || !path.exists() || self.claim.has_company(path) {
            return;
        }
        if nothing_is_committed(path) {
            for ending in ["", "-wal", "-shm"] {
                // What cannot be removed is a database without rows.
                let _ = fs::remove_file(format!("{}{ending}", path.display()));
            }
        }
    }
}

/// Whether a database is ours, and has never had a row that could be seen.
fn nothing_is_committed(path: &Path) -> bool {
    let count = |connection: Connection| {
        connection.query_row("SELECT count(*) FROM __watershed_committed", [], |row| row.get::<_, i64>(0))
    };
    Connection::open(path).and_then(count) == Ok(0)
}

#[cfg(test)]
mod tests {
    use watershed_core::{Sink, SinkPlace};

    use super::*;

    #[test]
    fn a_full_disk_is_an_error_that_names_table_and_cure_and_loses_no_row() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.db");
        let sink = SqliteTable::new(&path, "texts").columns(["text"]);
        let mut writer = sink.open(&SinkPlace::alone("sink")).unwrap();
        let connection = writer.connection().unwrap();
        let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        connection.pragma_update(None, "max_page_count", pages + 1).unwrap();
        writer.write(("x".repeat(100_000),), EventTime::MIN).unwrap();
        let error = writer.prepare(Epoch(1)).unwrap_err().to_string();
        let expected =
            format!("table \"texts\" of {}: the disk is full: make room and start again", path.display());
        assert_eq!(error, expected);
        writer.connection().unwrap().pragma_update(None, "max_page_count", 1_000_000).unwrap();
        assert_eq!(writer.prepare(Epoch(2)).unwrap().map(|staged| staged.rows), Some(1));
    }
}

//! The database file: opened, its tables created or compared, and what its errors mean.

use std::fmt::Display;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::types::Null;
use rusqlite::{Connection, ErrorCode, Statement, Transaction, TransactionBehavior};
use watershed_core::SinkError;

use crate::sink::fields::Kind;
use crate::sink::row::cell::Cell;
use crate::sink::row::columns::{Column, Found, fit, quoted};
use crate::sink::row::staged::StagedRows;
use crate::sink::sqlite::fence::Fences;

/// The pause between attempts to do what SQLite does not wait for by itself.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// The table of a sink, and how its file is opened.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) table: String,
    pub(super) columns: Vec<Column>,
    pub(super) primary_key: Vec<String>,
    pub(super) busy_timeout: Duration,
    /// What errors are about.
    pub(super) about: String,
}

impl Target {
    /// Opens a database and creates what is not there in it.
    pub(super) fn connect(&self, path: &Path) -> Result<Connection, SinkError> {
        let open = || {
            let connection = Connection::open(path)?;
            connection.busy_timeout(self.busy_timeout)?;
            write_ahead(&connection, self.busy_timeout)?;
            // Each transaction survives a power failure: `commit` promises it.
            connection.pragma_update(None, "synchronous", "FULL")?;
            Ok(connection)
        };
        let mut connection = open().map_err(|error| self.error(&error))?;
        self.create(&mut connection)?;
        Ok(connection)
    }

    /// Creates the tables that are not there, and sees whether the rows fit those that are.
    pub(super) fn create(&self, connection: &mut Connection) -> Result<(), SinkError> {
        let described = |column: &Column| format!("{}{}", quoted(&column.name), affinity(column.kind));
        let columns = self.columns.iter().map(described).collect::<Vec<_>>().join(", ");
        let key = self.primary_key.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        let key = if key.is_empty() { key } else { format!(", PRIMARY KEY ({key})") };
        let create = format!("CREATE TABLE IF NOT EXISTS {} ({columns}{key})", quoted(&self.table));
        let mut found = || {
            let transaction = write(connection)?;
            transaction.execute_batch(&create)?;
            Fences::create(&transaction)?;
            let found = found(&transaction, &self.table)?;
            transaction.commit().map(|()| found)
        };
        let found = found().map_err(|error| self.error(&error))?;
        fit(&self.columns, &found, str::eq_ignore_ascii_case).map_err(|why| self.refused(why))
    }

    /// Adds the rows of a staged epoch.
    pub(super) fn insert(&self, transaction: &Transaction<'_>, staged: &StagedRows) -> Result<(), SinkError> {
        let names = staged.columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        let values = vec!["?"; staged.columns.len()].join(", ");
        let insert = if self.primary_key.is_empty() { "INSERT" } else { "INSERT OR REPLACE" };
        let insert = format!("{insert} INTO {} ({names}) VALUES ({values})", quoted(&self.table));
        let mut statement = transaction.prepare_cached(&insert).map_err(|error| self.error(&error))?;
        for row in staged.rows.rows() {
            let row = row.map_err(|error| self.refused(error))?;
            for (index, cell) in row.iter().enumerate() {
                bind(&mut statement, index + 1, cell).map_err(|error| self.error(&error))?;
            }
            statement.raw_execute().map_err(|error| self.error(&error))?;
        }
        Ok(())
    }

    /// An error of this table.
    pub(super) fn refused(&self, why: impl Display) -> SinkError {
        SinkError::new(self.about.clone(), why)
    }

    /// An error of SQLite, and what to do about it.
    pub(super) fn error(&self, error: &rusqlite::Error) -> SinkError {
        let why = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => "the disk is full: make room and start again".to_owned(),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                format!("another program has kept the database locked for {:?}", self.busy_timeout)
            }
            Some(ErrorCode::NotADatabase) => "the file is no SQLite database".to_owned(),
            Some(ErrorCode::ReadOnly) => "may not be written: check its owner and permissions".to_owned(),
            _ => error.to_string(),
        };
        self.refused(why)
    }
}

/// Begins a transaction that writes, after waiting for its turn.
pub(super) fn write(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// Why SQLite has no place for a value.
pub(super) fn storable(columns: &[Column], row: &[Cell<'_>]) -> Result<(), String> {
    for (column, cell) in columns.iter().zip(row) {
        if let Cell::Large(value) = cell {
            return Err(format!("column {:?}: {value} is too large for SQLite", column.name));
        }
    }
    Ok(())
}

fn bind(statement: &mut Statement<'_>, parameter: usize, cell: &Cell<'_>) -> rusqlite::Result<()> {
    match cell {
        Cell::Null => statement.raw_bind_parameter(parameter, Null),
        Cell::Truth(value) => statement.raw_bind_parameter(parameter, i64::from(*value)),
        Cell::Integer(value) => statement.raw_bind_parameter(parameter, *value),
        // Never staged here; and rather an approximation than an epoch that can never be committed.
        Cell::Large(value) => statement.raw_bind_parameter(parameter, *value as f64),
        Cell::Real(value) => statement.raw_bind_parameter(parameter, *value),
        Cell::Text(value) => statement.raw_bind_parameter(parameter, &**value),
        Cell::Bytes(value) => statement.raw_bind_parameter(parameter, &**value),
    }
}

/// What a reader may expect in a column.
fn affinity(kind: Kind) -> &'static str {
    match kind {
        Kind::Truth | Kind::Integer => " INTEGER",
        Kind::Real => " REAL",
        Kind::Text => " TEXT",
        Kind::Bytes => " BLOB",
        Kind::Other => "",
    }
}

/// The columns of a table that is there.
fn found(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Found>> {
    // Hidden and generated columns are not listed; a whole number that is the only key fills itself.
    let list = "SELECT name, \"notnull\" AND dflt_value IS NULL AND NOT (pk > 0 AND upper(type) = 'INTEGER') \
                FROM pragma_table_info(?1)";
    let mut statement = connection.prepare(list)?;
    let found = statement.query_map([table], |row| Ok(Found { name: row.get(0)?, needed: row.get(1)? }))?;
    found.collect()
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

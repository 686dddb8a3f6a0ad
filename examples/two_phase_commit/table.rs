//! A source that reads the table back: rows in the order in which they were committed.

use std::path::PathBuf;

use rusqlite::{Connection, OpenFlags, Row};
use watershed::prelude::*;

use super::TABLE;
use super::entry::Entry;

/// The rows of the ledger's table.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) database: PathBuf,
}

impl Table {
    fn error(&self, why: impl std::fmt::Display) -> SourceError {
        SourceError::new(format!("table {TABLE} of {}", self.database.display()), why)
    }
}

impl Source for Table {
    type Out = Entry;
    /// There is one, the whole table.
    type Split = ();
    type Reader = TableReader;

    fn splits(&self, _parallelism: u32) -> Result<Vec<()>, SourceError> {
        Ok(vec![()])
    }

    fn open(&self, _: &(), from: Option<Position>) -> Result<TableReader, SourceError> {
        let connection = Connection::open_with_flags(&self.database, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .map_err(|why| self.error(why))?;
        Ok(TableReader { table: self.clone(), connection, last: from.map_or(0, |position| position.0) })
    }

    fn describe(&self, _: &()) -> String {
        self.database.display().to_string()
    }
}

/// Reads the table from a row on.
pub(super) struct TableReader {
    table: Table,
    connection: Connection,
    /// The number of the last row that was read.
    last: u64,
}

impl TableReader {
    fn page(&self, limit: usize) -> rusqlite::Result<Vec<(u64, Entry)>> {
        let mut query = self.connection.prepare_cached(&format!(
            "SELECT rowid, \"partition\", \"offset\", \"key\", \"count\", payload, hash FROM {TABLE} \
             WHERE rowid > ?1 ORDER BY rowid LIMIT ?2"
        ))?;
        let rows = query.query_map((self.last as i64, limit as i64), entry)?;
        rows.collect()
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<(u64, Entry)> {
    let number = |column| row.get::<_, i64>(column).map(|number| number as u64);
    let entry = Entry {
        partition: row.get(1)?,
        offset: number(2)?,
        key: number(3)?,
        count: number(4)?,
        payload: row.get(5)?,
        hash: row.get(6)?,
    };
    Ok((number(0)?, entry))
}

impl Reader for TableReader {
    type Out = Entry;

    fn poll(&mut self, out: &mut impl SourceOutput<Entry>) -> Result<Polled, SourceError> {
        let page = self.page(out.budget()).map_err(|why| self.table.error(why))?;
        if page.is_empty() {
            return Ok(Polled::End);
        }
        for (row, entry) in page {
            out.emit(entry);
            self.last = row;
        }
        Ok(Polled::More)
    }

    fn position(&self) -> Position {
        Position(self.last)
    }
}

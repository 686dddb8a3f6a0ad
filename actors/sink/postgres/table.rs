//! The table and those beside it: created where they are not there, and otherwise compared.

use postgres::types::ToSql;
use postgres::{Client, GenericClient};
use watershed_core::SinkError;

use crate::sink::fields::Kind;
use crate::sink::postgres::trouble::Trouble;
use crate::sink::row::cell::Cell;
use crate::sink::row::columns::{Column, Found, fit, quoted};
use crate::sink::row::fence::FENCE;
use crate::sink::row::packed::Packed;

/// The table of the markers of prepared transactions.
pub(super) const MARKERS: &str = "stream_commit";

const FENCE_COLUMNS: &str = "
    target text NOT NULL, job text NOT NULL, operator text NOT NULL, lineage bigint NOT NULL,
    subtask bigint NOT NULL, epoch bigint NOT NULL, run bigint NOT NULL, owner text NOT NULL,
    PRIMARY KEY (target, job, operator, lineage, subtask)";

const MARKER_COLUMNS: &str = "
    target text NOT NULL, job text NOT NULL, operator text NOT NULL, lineage bigint NOT NULL,
    subtask bigint NOT NULL, epoch bigint NOT NULL, run bigint NOT NULL, rows bigint NOT NULL,
    PRIMARY KEY (target, job, operator, lineage, subtask, epoch, run)";

/// How many rows go into one statement.
const STATEMENT_ROWS: usize = 5000;

/// Which table, and what its rows are.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) schema: Option<String>,
    pub(super) table: String,
    pub(super) columns: Vec<Column>,
    pub(super) primary_key: Vec<String>,
    /// What errors are about.
    pub(super) about: String,
}

/// The table as it is in the database.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// Its name with its schema, quoted.
    pub(super) name: String,
    /// As the fence knows it.
    pub(super) target: String,
    pub(super) database: String,
    /// The names of the tables beside it, quoted.
    pub(super) fence: String,
    pub(super) markers: String,
    /// The columns of the records and their types, as SQL writes both.
    columns: Vec<(String, String)>,
    key: Vec<String>,
}

impl Target {
    /// Creates what is not there and compares what is.
    pub(super) fn establish(&self, client: &mut Client) -> Result<Table, Trouble> {
        let mut transaction = client.transaction()?;
        // Two that create the same table at once would stumble over each other.
        transaction.execute("SELECT pg_advisory_xact_lock(hashtext('watershed: create'))", &[])?;
        let schema = match &self.schema {
            Some(schema) => schema.clone(),
            None => {
                let schema: Option<String> =
                    transaction.query_one("SELECT current_schema()::text", &[])?.get(0);
                schema
                    .ok_or_else(|| self.refused("no schema of the search path is there: say .schema(..)"))?
            }
        };
        let within = |table: &str| format!("{}.{}", quoted(&schema), quoted(table));
        let (name, fence, markers) = (within(&self.table), within(FENCE), within(MARKERS));
        let tables = [
            (&name, self.create(&name)),
            (&fence, format!("CREATE TABLE {fence} ({FENCE_COLUMNS})")),
            (&markers, format!("CREATE TABLE {markers} ({MARKER_COLUMNS})")),
        ];
        for (name, create) in &tables {
            // IF NOT EXISTS asks for the right to create, also where there is nothing to create.
            let missing = "SELECT to_regclass($1) IS NULL";
            if transaction.query_one(missing, &[name])?.get(0) {
                transaction.batch_execute(create)?;
            }
        }
        // An explicit cast to a type with a length would cut a text silently; the type without one leaves that to the
        // column, which refuses.
        let list = "SELECT attname::text, format_type(atttypid, -1), \
                        attnotnull AND NOT atthasdef AND attidentity = '' AND attgenerated = '' \
                    FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped \
                    ORDER BY attnum";
        let listed = transaction.query(list, &[&name])?;
        let database = transaction.query_one("SELECT current_database()::text", &[])?.get(0);
        transaction.commit()?;
        let found: Vec<_> = listed.iter().map(|row| Found { name: row.get(0), needed: row.get(2) }).collect();
        fit(&self.columns, &found, |a, b| a == b).map_err(|why| self.refused(why))?;
        let typed = |column: &Column| {
            let row = listed.iter().find(|row| row.get::<_, &str>(0) == column.name);
            (quoted(&column.name), row.expect("the columns fit").get(1))
        };
        Ok(Table {
            columns: self.columns.iter().map(typed).collect(),
            key: self.primary_key.iter().map(|name| quoted(name)).collect(),
            target: format!("{schema}.{}", self.table),
            database,
            name,
            fence,
            markers,
        })
    }

    fn create(&self, name: &str) -> String {
        let described = |column: &Column| format!("{} {}", quoted(&column.name), sql_type(column.kind));
        let columns = self.columns.iter().map(described).collect::<Vec<_>>().join(", ");
        let key = self.primary_key.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        let key = if key.is_empty() { key } else { format!(", PRIMARY KEY ({key})") };
        format!("CREATE TABLE {name} ({columns}{key})")
    }

    /// An error of this table.
    pub(super) fn refused(&self, why: impl std::fmt::Display) -> SinkError {
        SinkError::new(self.about.clone(), why)
    }

    /// Why PostgreSQL has no place for a row. What is found here is found before anything is decided.
    pub(super) fn storable(&self, row: &[Cell<'_>]) -> Result<(), String> {
        for (column, cell) in self.columns.iter().zip(row) {
            let why = match cell {
                Cell::Large(value) if column.kind == Kind::Integer => {
                    format!("{value} is too large for a bigint")
                }
                Cell::Text(text) if text.contains('\0') => {
                    "a text with a NUL character cannot be stored in PostgreSQL".to_owned()
                }
                Cell::Null if self.primary_key.contains(&column.name) => "a key cannot be missing".to_owned(),
                Cell::Large(_) | Cell::Text(_) | Cell::Null => continue,
                Cell::Truth(_) | Cell::Integer(_) | Cell::Real(_) | Cell::Bytes(_) => continue,
            };
            return Err(format!("column {:?}: {why}", column.name));
        }
        Ok(())
    }
}

impl Table {
    /// Adds rows; with a key, each one replaces the row of the same key.
    pub(super) fn insert(&self, client: &mut impl GenericClient, rows: &Packed) -> Result<(), Trouble> {
        let statement = client.prepare(&self.statement())?;
        let mut columns = vec![Vec::new(); self.columns.len()];
        let mut left = rows.count();
        for row in rows.rows() {
            let row = row.map_err(|why| SinkError::new(self.name.clone(), why))?;
            for (column, cell) in columns.iter_mut().zip(row) {
                column.push(text(cell));
            }
            left -= 1;
            if columns[0].len() >= STATEMENT_ROWS || left == 0 {
                let values: Vec<_> = columns.iter().map(|column| column as &(dyn ToSql + Sync)).collect();
                client.execute(&statement, &values)?;
                columns.iter_mut().for_each(Vec::clear);
            }
        }
        Ok(())
    }

    /// One statement for many rows: a parameter for each column, an array of texts that the column's type reads.
    fn statement(&self) -> String {
        let listed = |part: &dyn Fn(usize, &(String, String)) -> String| {
            let parts = self.columns.iter().enumerate().map(|(index, column)| part(index, column));
            parts.collect::<Vec<_>>().join(", ")
        };
        let names = listed(&|_, (name, _)| name.clone());
        let values = listed(&|index, (_, kind)| format!("c{index}::{kind}"));
        let arrays = listed(&|index, _| format!("${}::text[]", index + 1));
        let aliases = listed(&|index, _| format!("c{index}"));
        let from = format!("FROM unnest({arrays}) WITH ORDINALITY AS r({aliases}, number)");
        if self.key.is_empty() {
            return format!("INSERT INTO {} ({names}) SELECT {values} {from} ORDER BY number", self.name);
        }
        let is_key = |name: &String| self.key.contains(name);
        let keys: Vec<_> = self.columns.iter().enumerate().filter(|(_, (name, _))| is_key(name)).collect();
        let keys =
            keys.iter().map(|(index, (_, kind))| format!("c{index}::{kind}")).collect::<Vec<_>>().join(", ");
        let others = self.columns.iter().filter(|(name, _)| !is_key(name));
        let others: Vec<_> = others.map(|(name, _)| format!("{name} = excluded.{name}")).collect();
        let update = if others.is_empty() {
            "NOTHING".to_owned()
        } else {
            format!("UPDATE SET {}", others.join(", "))
        };
        // One statement cannot change a row twice: of those with the same key, the last one counts.
        format!(
            "INSERT INTO {} ({names}) SELECT DISTINCT ON ({keys}) {values} {from} ORDER BY {keys}, number DESC \
             ON CONFLICT ({}) DO {update}",
            self.name,
            self.key.join(", ")
        )
    }
}

/// A value as PostgreSQL reads it.
fn text(cell: Cell<'_>) -> Option<String> {
    match cell {
        Cell::Null => None,
        Cell::Truth(value) => Some(value.to_string()),
        Cell::Integer(value) => Some(value.to_string()),
        Cell::Large(value) => Some(value.to_string()),
        // Shortest form that reads back as the same, with an exponent; inf and NaN are words that it knows.
        Cell::Real(value) => Some(format!("{value:e}")),
        Cell::Text(value) => Some(value.into_owned()),
        Cell::Bytes(value) => {
            Some(value.iter().fold("\\x".to_owned(), |hex, byte| format!("{hex}{byte:02x}")))
        }
    }
}

/// What a column is where the table is created.
fn sql_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Truth => "boolean",
        Kind::Integer => "bigint",
        Kind::Real => "double precision",
        Kind::Bytes => "bytea",
        Kind::Text | Kind::Other => "text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(key: &[&str]) -> Table {
        let columns =
            vec![("\"a\"".to_owned(), "bigint".to_owned()), ("\"b\"".to_owned(), "text".to_owned())];
        Table {
            name: "\"public\".\"t\"".to_owned(),
            target: "public.t".to_owned(),
            database: "main".to_owned(),
            fence: String::new(),
            markers: String::new(),
            columns,
            key: key.iter().map(|name| quoted(name)).collect(),
        }
    }

    #[test]
    fn rows_go_in_as_one_array_for_each_column() {
        let expected = "INSERT INTO \"public\".\"t\" (\"a\", \"b\") SELECT c0::bigint, c1::text FROM \
                        unnest($1::text[], $2::text[]) WITH ORDINALITY AS r(c0, c1, number) ORDER BY number";
        assert_eq!(table(&[]).statement(), expected);
    }

    #[test]
    fn with_a_key_the_last_row_of_each_replaces_what_is_there() {
        let expected = "INSERT INTO \"public\".\"t\" (\"a\", \"b\") SELECT DISTINCT ON (c0::bigint) c0::bigint, \
                        c1::text FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS r(c0, c1, number) ORDER BY \
                        c0::bigint, number DESC ON CONFLICT (\"a\") DO UPDATE SET \"b\" = excluded.\"b\"";
        assert_eq!(table(&["a"]).statement(), expected);
        assert!(table(&["a", "b"]).statement().ends_with("ON CONFLICT (\"a\", \"b\") DO NOTHING"));
    }

    #[test]
    fn values_are_texts_that_postgresql_reads_as_the_same() {
        let cells = [
            (Cell::Null, None),
            (Cell::Truth(true), Some("true")),
            (Cell::Large(u64::MAX), Some("18446744073709551615")),
            (Cell::Real(0.1), Some("1e-1")),
            (Cell::Real(f64::NEG_INFINITY), Some("-inf")),
            (Cell::Real(f64::NAN), Some("NaN")),
            (Cell::Bytes(vec![0, 255].into()), Some("\\x00ff")),
        ];
        for (cell, expected) in cells {
            assert_eq!(text(cell).as_deref(), expected);
        }
    }
}

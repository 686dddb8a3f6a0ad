//! The whole of it, over real databases.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde::{Deserialize, Serialize};
use watershed_core::testing::{SinkHarness, verify_sink};
use watershed_core::{Data, EventTime, Record};

use super::*;

#[derive(Clone, Serialize, Deserialize, Data)]
struct Reading {
    sensor: String,
    value: Option<f64>,
}

fn reading(number: u32) -> Reading {
    Reading { sensor: format!("s{number}"), value: Some(f64::from(number)) }
}

/// All rows of a query, each as one text.
fn query(path: &Path, sql: &str) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare(sql).unwrap();
    let columns = statement.column_count();
    let text = |row: &rusqlite::Row<'_>| {
        let cells = (0..columns).map(|index| match row.get_ref(index).unwrap() {
            ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            other => format!("{other:?}"),
        });
        Ok(cells.collect::<Vec<_>>().join(" "))
    };
    statement.query_map([], text).unwrap().map(Result::unwrap).collect()
}

fn sensors(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare("SELECT sensor FROM readings").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn run<T: Data>(sink: SqliteTable<T>, records: impl IntoIterator<Item = T>) {
    let mut harness = SinkHarness::new(sink);
    records.into_iter().for_each(|record| harness.write(record, 0));
    let staged = harness.prepare();
    harness.commit(&staged);
}

fn refused<T: Data>(sink: SqliteTable<T>) -> String {
    SinkHarness::try_subtask(sink, 0, 1).err().unwrap().to_string()
}

#[test]
fn it_keeps_the_contract_of_sinks() {
    let place = tempfile::tempdir().unwrap();
    let trials = std::cell::Cell::new(0);
    let fresh = || {
        trials.set(trials.get() + 1);
        let path = place.path().join(format!("{}.db", trials.get()));
        (SqliteTable::new(&path, "readings"), move || sensors(&path))
    };
    let records: Vec<_> = (0..6).map(|n| Record::new(reading(n), EventTime::from_millis(0))).collect();
    verify_sink(fresh, &records);
}

#[test]
fn each_kind_of_value_is_stored_as_what_it_is() {
    #[derive(Clone, Serialize, Deserialize, Data)]
    enum Quality {
        Good,
    }
    #[derive(Clone, Serialize, Deserialize, Data)]
    struct Wide {
        whole: u64,
        real: f32,
        text: char,
        truth: bool,
        missing: Option<String>,
        quality: Quality,
        parts: Vec<u8>,
        map: Option<BTreeMap<String, u8>>,
        time: EventTime,
    }
    let wide = Wide {
        whole: 7,
        real: 0.5,
        text: 'é',
        truth: true,
        missing: None,
        quality: Quality::Good,
        parts: vec![1, 2],
        map: Some(BTreeMap::from([("a".to_owned(), 1)])),
        time: EventTime::MIN,
    };
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("new/a.db");
    run(SqliteTable::new(&path, "wide"), [wide]);
    let kinds = "SELECT typeof(whole), typeof(real), typeof(text), typeof(truth), typeof(missing), \
                 quality = 'Good', parts, map, time = -9223372036854775808 FROM wide";
    let expected = "integer real text integer null Integer(1) [1,2] {\"a\":1} Integer(1)";
    assert_eq!(query(&path, kinds), [expected]);
    let schema = query(&path, "SELECT sql FROM sqlite_master WHERE name = 'wide'").join("");
    assert!(schema.contains("\"whole\" INTEGER, \"real\" REAL, \"text\" TEXT"), "{schema}");
}

#[test]
fn a_row_replaces_that_of_the_same_key() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a.db");
    let sink = || SqliteTable::new(&path, "readings").primary_key(["sensor"]);
    let changed = |number, value| Reading { value: Some(value), ..reading(number) };
    run(sink(), [reading(1), reading(2), changed(1, 7.0)]);
    run(sink(), [changed(2, 8.0)]);
    let rows = query(&path, "SELECT sensor || value FROM readings ORDER BY sensor");
    assert_eq!(rows, ["s17.0", "s28.0"]);
}

#[test]
fn rows_of_an_earlier_job_stay_without_a_key() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a.db");
    run(SqliteTable::new(&path, "readings"), [reading(1)]);
    run(SqliteTable::new(&path, "readings"), [reading(2)]);
    assert_eq!(sensors(&path), ["s1", "s2"]);
}

#[test]
fn several_subtasks_take_turns() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a.db");
    std::thread::scope(|scope| {
        for index in 0..4 {
            let path = &path;
            scope.spawn(move || {
                let mut harness = SinkHarness::subtask(SqliteTable::new(path, "readings"), index, 4);
                (0..50).for_each(|number| harness.write(reading(index * 100 + number), 0));
                let staged = harness.prepare();
                harness.commit(&staged);
                harness.commit(&staged);
            });
        }
    });
    let mut found = sensors(&path);
    found.sort();
    let mut expected: Vec<String> =
        (0..4).flat_map(|index| (0..50).map(move |number| format!("s{}", index * 100 + number))).collect();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_tuple_goes_to_named_columns() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a.db");
    let error = refused(SqliteTable::<(String, u8)>::new(&path, "words"));
    assert!(error.ends_with("the record's type does not name its columns: say .columns(..)"), "{error}");
    run(SqliteTable::new(&path, "words").columns(["word", "count"]), [("a".to_owned(), 1_u8)]);
    assert_eq!(query(&path, "SELECT count, word FROM words"), ["Integer(1) a"]);
}

#[test]
fn names_are_only_names() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a.db");
    let table = "x\"; DROP TABLE readings; --";
    run(SqliteTable::new(&path, "readings"), [reading(1)]);
    run(SqliteTable::new(&path, table).columns(["sensor\" --", "b"]), [(1_u8, 2_u8)]);
    assert_eq!(sensors(&path), ["s1"]);
    assert_eq!(query(&path, "SELECT b FROM \"x\"\"; DROP TABLE readings; --\""), ["Integer(2)"]);
}

#[test]
fn what_cannot_be_written_is_refused_before_the_first_row() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE readings (sensor)").unwrap();
    let error = refused(SqliteTable::<Reading>::new(&path, "readings"));
    let place_named = format!("table \"readings\" of {}: ", path.display());
    assert!(
        error.starts_with(&place_named)
            && error.contains("with the columns \"sensor\", and the records have \"sensor\", \"value\""),
        "{error}"
    );
    let text = place.path().join("a.txt");
    std::fs::write(&text, "no database, and long enough that it cannot be one".repeat(100)).unwrap();
    let error = refused(SqliteTable::<Reading>::new(&text, "readings"));
    assert!(error.ends_with("the file is no SQLite database"), "{error}");
    let error = refused(SqliteTable::<Reading>::new(place.path(), "readings"));
    assert!(error.contains("unable to open database file"), "{error}");
    let error = refused(SqliteTable::<Reading>::new(&path, "others").primary_key(["id"]));
    assert!(error.ends_with("has no column \"id\" that could be a key"), "{error}");
}

#[test]
fn a_value_that_does_not_fit_is_an_error_that_names_the_column() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a.db");
    let mut harness = SinkHarness::new(SqliteTable::new(&path, "words").columns(["word", "count"]));
    let error = harness.try_write(("a".to_owned(), u64::MAX), 0).unwrap_err().to_string();
    assert!(error.ends_with("column \"count\": 18446744073709551615 is too large for SQLite"), "{error}");
}

#[test]
fn a_database_that_is_kept_locked_is_an_error_in_time_and_the_commit_can_be_repeated() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a.db");
    let sink = SqliteTable::new(&path, "readings").busy_timeout(Duration::from_millis(20));
    let mut harness = SinkHarness::new(sink);
    harness.write(reading(1), 0);
    let staged = harness.prepare();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = harness.try_commit(&staged).unwrap_err();
    assert!(error.to_string().ends_with("another program has kept the database locked for 20ms"), "{error}");
    assert!(!error.is_lost());
    other.execute_batch("COMMIT").unwrap();
    harness.commit(&staged);
    assert_eq!(sensors(&path), ["s1"]);
}

#[test]
fn a_job_that_fails_before_its_first_checkpoint_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("out/a.db");
    let mut harness = SinkHarness::new(SqliteTable::new(&path, "readings"));
    harness.write(reading(1), 0);
    drop(harness);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn rows_that_wait_for_a_checkpoint_are_bounded() {
    let place = tempfile::tempdir().unwrap();
    let sink = SqliteTable::new(place.path().join("a.db"), "readings").epoch_bytes_max(10);
    let mut harness = SinkHarness::new(sink);
    harness.write(reading(1), 0);
    let error = harness.try_write(reading(2), 0).unwrap_err().to_string();
    assert!(error.contains("1 rows of 13 bytes wait for the next checkpoint"), "{error}");
}

#[test]
fn a_job_without_rows_leaves_an_empty_table() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a.db");
    run(SqliteTable::<Reading>::new(&path, "readings"), []);
    assert_eq!(sensors(&path), [] as [&str; 0]);
}

#[test]
fn a_second_job_is_refused_for_the_same_table_and_not_for_another() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a.db");
    let first = SinkHarness::new(SqliteTable::<Reading>::new(&path, "readings"));
    let error = refused(SqliteTable::<Reading>::new(&path, "readings"));
    let why = "another job that is running, or another sink of this one, writes this table: wait for its end, or choose \
               another table";
    assert_eq!(error, format!("table \"readings\" of {}: {why}", path.display()));
    run(SqliteTable::<Reading>::new(&path, "others"), [reading(1)]);
    drop(first);
    run(SqliteTable::<Reading>::new(&path, "readings"), [reading(1)]);
}

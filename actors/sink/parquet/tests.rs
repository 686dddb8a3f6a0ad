//! Files in Parquet, read back with the crate's own reader. Another's reader is asked in `tests/parquet.rs`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde::{Deserialize, Serialize};
use watershed_core::testing::{SinkHarness, verify_sink};
use watershed_core::{Data, EventTime, Record, Sink, SinkPlace};

use super::{GROUP_ROWS, Parquet};
use crate::sink::{Encode, Files};

#[derive(Clone, Serialize, Deserialize, Data)]
struct Row {
    name: String,
    flights: u64,
    mean: Option<f64>,
}

fn row(number: u64) -> Row {
    Row { name: format!("r{number}"), flights: number, mean: number.is_multiple_of(2).then_some(0.5) }
}

/// The parts below a directory, in the order of their names.
fn parts(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory.join("hourly")) else { return Vec::new() };
    let mut parts: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    parts.sort();
    parts
}

/// The rows of a file, as its reader prints them, and how many row groups there are.
fn read(path: &Path) -> (Vec<String>, usize) {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
    (rows, reader.metadata().num_row_groups())
}

fn visible(directory: &Path) -> Vec<String> {
    parts(directory).iter().flat_map(|part| read(part).0).collect()
}

fn encoded<T: Data>(records: &[T]) -> Vec<u8> {
    let (mut parquet, mut out) = (Parquet::default(), Vec::new());
    Encode::<T>::begin(&mut parquet, false);
    for record in records {
        parquet.encode(record, &mut out).unwrap();
    }
    Encode::<T>::finish(&mut parquet, &mut out);
    out
}

#[test]
fn it_keeps_the_contract_of_sinks_over_crashes_and_restores() {
    let place = tempfile::tempdir().unwrap();
    let trials = std::cell::Cell::new(0);
    let fresh = || {
        trials.set(trials.get() + 1);
        let directory: PathBuf = place.path().join(trials.get().to_string());
        (Files::parquet(directory.join("hourly.parquet")), move || visible(&directory))
    };
    let rows: Vec<_> = (0..6).map(|number| Record::new(row(number), EventTime::MIN)).collect();
    verify_sink(fresh, &rows);
}

#[test]
fn each_checkpoint_ends_a_part_and_the_first_one_is_there_without_records() {
    let place = tempfile::tempdir().unwrap();
    let mut harness = SinkHarness::new(Files::parquet(place.path().join("hourly.parquet")));
    for numbers in [0..0, 0..2, 2..3] {
        numbers.for_each(|number| harness.write(row(number), 0));
        let staged = harness.prepare();
        harness.commit(&staged);
    }
    let read: Vec<_> = parts(place.path()).iter().map(|part| read(part)).collect();
    let first = "{name: \"r0\", flights: 0, mean: 0.5}".to_owned();
    let second = "{name: \"r1\", flights: 1, mean: null}".to_owned();
    let third = "{name: \"r2\", flights: 2, mean: 0.5}".to_owned();
    assert_eq!(read, [(vec![], 0), (vec![first, second], 1), (vec![third], 1)]);
}

#[test]
fn many_records_are_several_row_groups_of_one_file() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("many.parquet");
    let rows: Vec<Row> = (0..GROUP_ROWS as u64 + 3).map(row).collect();
    fs::write(&path, encoded(&rows)).unwrap();
    let (read, groups) = read(&path);
    assert_eq!((read.len(), groups), (rows.len(), 2));
    let last = rows.len() - 1;
    assert_eq!(read[last], format!("{{name: \"r{last}\", flights: {last}, mean: 0.5}}"));
}

#[test]
fn long_values_end_a_row_group_before_memory_does() {
    let rows: Vec<Row> = (0..40).map(|number| Row { name: "x".repeat(1 << 20), ..row(number) }).collect();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("long.parquet");
    fs::write(&path, encoded(&rows)).unwrap();
    let (read, groups) = read(&path);
    assert_eq!((read.len(), groups), (40, 2));
}

#[test]
fn the_same_records_are_the_same_bytes() {
    let rows: Vec<Row> = (0..100).map(row).collect();
    assert_eq!(encoded(&rows), encoded(&rows));
}

#[test]
fn what_has_parts_is_json_and_what_is_missing_is_null() {
    #[derive(Clone, Serialize, Deserialize, Data)]
    enum Class {
        Light,
        Heavy { tons: u8 },
    }
    #[derive(Clone, Serialize, Deserialize, Data)]
    struct Nested {
        class: Class,
        counts: BTreeMap<String, u8>,
        late: Option<bool>,
    }
    let light = Nested { class: Class::Light, counts: BTreeMap::new(), late: None };
    let counts = BTreeMap::from([("a".to_owned(), 1)]);
    let heavy = Nested { class: Class::Heavy { tons: 7 }, counts, late: Some(true) };
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("nested.parquet");
    fs::write(&path, encoded(&[light, heavy])).unwrap();
    let expected = [
        r#"{class: "Light", counts: "{}", late: null}"#,
        r#"{class: "{"Heavy":{"tons":7}}", counts: "{"a":1}", late: true}"#,
    ];
    assert_eq!(read(&path).0, expected);
}

#[test]
fn a_record_without_names_is_refused_at_the_start() {
    let place = tempfile::tempdir().unwrap();
    let sink = Files::<(u8, u8), _>::parquet(place.path().join("a.parquet"));
    let error = sink.open(&SinkPlace::alone("sink")).err().unwrap().to_string();
    assert!(error.contains("its type does not name its columns: map it to a struct"), "{error}");
}

#[test]
fn a_number_that_is_too_large_is_refused_and_the_record_leaves_nothing() {
    let (mut parquet, mut out) = (Parquet::default(), Vec::new());
    Encode::<Row>::begin(&mut parquet, false);
    parquet.encode(&row(1), &mut out).unwrap();
    let large = Row { flights: u64::MAX, ..row(2) };
    let error = parquet.encode(&large, &mut out).unwrap_err().to_string();
    let expected = "a record cannot be written as Parquet: column \"flights\": 18446744073709551615 is too large for 64 \
                    bits with a sign";
    assert_eq!(error, expected);
    Encode::<Row>::finish(&mut parquet, &mut out);
    assert_eq!(out, encoded(&[row(1)]));
}

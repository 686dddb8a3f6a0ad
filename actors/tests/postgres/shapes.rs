//! What becomes of values, names and tables that are there already; and rows that replace others.

use serde::{Deserialize, Serialize};
use watershed_actors::sink::{Mode, PostgresTable};
use watershed_core::testing::SinkHarness;
use watershed_core::{Data, Sink, SinkPlace};

use crate::site::Site;

#[derive(Clone, Serialize, Deserialize, Data)]
struct Reading {
    sensor: String,
    value: Option<f64>,
}

fn reading(sensor: &str, value: f64) -> Reading {
    Reading { sensor: sensor.to_owned(), value: Some(value) }
}

fn write<T: Data>(site: &Site, sink: PostgresTable<T>, records: impl IntoIterator<Item = T>) {
    let mut harness = SinkHarness::new(sink);
    records.into_iter().for_each(|record| harness.write(record, 0));
    let staged = harness.prepare();
    harness.commit(&staged);
    site.part_with(harness);
}

fn refused<T: Data>(sink: &PostgresTable<T>) -> String {
    sink.open(&SinkPlace::alone("sink")).err().unwrap().to_string()
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
        real: f64,
        truth: bool,
        text: String,
        missing: Option<String>,
        quality: Quality,
        parts: Vec<u8>,
    }
    let Some(site) = Site::new("shapes::each_kind_of_value_is_stored_as_what_it_is") else { return };
    let wide = |whole, real| Wide {
        whole,
        real,
        truth: true,
        text: "tab\t, \\N and 'é'".to_owned(),
        missing: None,
        quality: Quality::Good,
        parts: vec![1, 2],
    };
    write(
        &site,
        PostgresTable::new(&site.url(), "wide"),
        [wide(7, 0.1), wide(i64::MAX as u64, f64::INFINITY)],
    );
    let rows = site.query("SELECT to_jsonb(w)::text FROM wide w ORDER BY whole");
    let expected = r#"{"real": 0.1, "text": "tab\t, \\N and 'é'", "parts": "[1,2]", "truth": true, "whole": 7, "missing": null, "quality": "Good"}"#;
    assert_eq!(rows[0], expected);
    assert!(
        rows[1].contains(r#""real": "Infinity""#) && rows[1].contains("9223372036854775807"),
        "{}",
        rows[1]
    );
}

#[test]
fn a_table_that_is_there_keeps_its_own_types() {
    #[derive(Clone, Serialize, Deserialize, Data)]
    struct Event {
        at: String,
        amount: u64,
        tags: Vec<String>,
    }
    let Some(site) = Site::new("shapes::a_table_that_is_there_keeps_its_own_types") else { return };
    site.execute(
        "CREATE SCHEMA s; CREATE TABLE s.events (id serial, at timestamptz, amount numeric, tags jsonb)",
    );
    let event = Event { at: "2024-01-01T00:00:00Z".to_owned(), amount: 12, tags: vec!["x".to_owned()] };
    write(&site, PostgresTable::new(&site.url(), "events").schema("s"), [event]);
    let rows =
        site.query("SELECT (extract(epoch FROM at)::bigint, amount + 1, tags->>0)::text FROM s.events");
    assert_eq!(rows, ["(1704067200,13,x)"]);
}

#[test]
fn a_table_of_another_shape_is_refused_with_both_named() {
    let Some(site) = Site::new("shapes::a_table_of_another_shape_is_refused_with_both_named") else { return };
    site.execute("CREATE TABLE readings (sensor text, volume real)");
    let error = refused(&PostgresTable::<Reading>::new(&site.url(), "readings"));
    let expected = "is there with the columns \"sensor\", \"volume\", and the records have \"sensor\", \"value\": \
                    choose another table, or say .columns(..)";
    assert!(error.ends_with(expected), "{error}");
    let error = refused(&PostgresTable::<Reading>::new(&site.url(), "r").schema("nowhere"));
    assert!(error.contains("schema \"nowhere\" does not exist"), "{error}");
}

#[test]
fn names_are_only_names() {
    let Some(site) = Site::new("shapes::names_are_only_names") else { return };
    site.execute("CREATE TABLE readings (sensor text)");
    for (mode, table) in
        [(Mode::Staged, "x\"; DROP TABLE readings; --"), (Mode::Prepared, "y'; DROP TABLE readings; --")]
    {
        let sink = PostgresTable::new(&site.url(), table).columns(["sensor\" --", "b'"]).mode(mode);
        let place =
            SinkPlace { job: "'; DROP TABLE readings; --".to_owned(), ..SinkPlace::alone("o'\"; --") };
        let mut writer = sink.open(&place).unwrap();
        use watershed_core::{Epoch, EventTime, Writer};
        writer.write((1_u8, 2_u8), EventTime::MIN).unwrap();
        let staged = writer.prepare(Epoch(1)).unwrap().unwrap();
        writer.commit(staged).unwrap();
    }
    assert_eq!(site.query("SELECT \"b'\"::text FROM \"x\"\"; DROP TABLE readings; --\""), ["2"]);
    assert_eq!(site.query("SELECT count(*)::text FROM readings"), ["0"]);
}

#[test]
fn a_value_that_no_column_holds_is_found_when_it_is_written() {
    let Some(site) = Site::new("shapes::a_value_that_no_column_holds_is_found_when_it_is_written") else {
        return;
    };
    #[derive(Clone, Serialize, Deserialize, Data)]
    struct Count {
        word: Option<String>,
        count: u64,
    }
    let count = |word: Option<&str>, count| Count { word: word.map(str::to_owned), count };
    let sink = PostgresTable::new(&site.url(), "counts").primary_key(["word"]);
    let mut harness = SinkHarness::new(sink);
    let mut refused = |record| harness.try_write(record, 0).unwrap_err().to_string();
    let error = refused(count(Some("a"), u64::MAX));
    assert!(error.ends_with("column \"count\": 18446744073709551615 is too large for a bigint"), "{error}");
    let error = refused(count(Some("a\0"), 1));
    assert!(error.contains("column \"word\": a text with a NUL character"), "{error}");
    let error = refused(count(None, 1));
    assert!(error.ends_with("column \"word\": a key cannot be missing"), "{error}");
}

#[test]
fn with_a_key_the_last_row_counts_also_within_an_epoch() {
    let Some(site) = Site::new("shapes::with_a_key_the_last_row_counts_also_within_an_epoch") else { return };
    let sink = PostgresTable::new(&site.url(), "readings").primary_key(["sensor"]);
    write(&site, sink.clone(), [reading("a", 1.0), reading("b", 2.0), reading("a", 3.0)]);
    write(&site, sink, [reading("b", 4.0)]);
    assert_eq!(site.query("SELECT sensor || value FROM readings ORDER BY sensor"), ["a3", "b4"]);
}

#[test]
fn upserts_are_seen_at_once_and_may_be_repeated() {
    let Some(site) = Site::new("shapes::upserts_are_seen_at_once_and_may_be_repeated") else { return };
    let sink = PostgresTable::new(&site.url(), "readings").primary_key(["sensor"]).mode(Mode::Upsert);
    let sink = sink.patience(std::time::Duration::from_secs(60));
    for _ in 0..2 {
        let mut harness = SinkHarness::new(sink.clone());
        (0..2500).for_each(|number| harness.write(reading(&format!("s{number}"), 1.0), 0));
        harness.flush();
        assert!(harness.prepare().is_none(), "there is nothing left to commit");
        assert_eq!(site.query("SELECT count(*)::text FROM readings"), ["2500"]);
        site.part_with(harness);
    }
}

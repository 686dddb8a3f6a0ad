//! Parquet files of the sink, judged by a reader that shares no code with their writer: pyarrow.
//!
//! It is looked for in the Python that the variable `TEST_PYTHON` names, or else in `python3`. Where it is not
//! installed (`pip install pyarrow`), the test passes over itself, unless `REQUIRE=pyarrow` is set.

#[path = "../../tests/conditions/need.rs"]
mod need;

use std::process::Command;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use watershed_actors::sink::Files;
use watershed_core::Data;
use watershed_core::testing::SinkHarness;

#[derive(Clone, Serialize, Deserialize, Data)]
struct Reading {
    sensor: String,
    count: u32,
    change: i64,
    mean: Option<f64>,
    valid: bool,
    tags: Vec<String>,
}

fn reading(number: u32) -> Reading {
    Reading {
        sensor: format!("é{}", number % 10),
        count: number,
        change: i64::MIN + i64::from(number),
        mean: (!number.is_multiple_of(3)).then(|| f64::from(number) / 8.0),
        valid: number.is_multiple_of(2),
        tags: vec!["a".to_owned(); number as usize % 3],
    }
}

/// Prints the types of the columns, and each record as a line of JSON.
const JUDGE: &str = "
import json, sys, pyarrow.dataset
table = pyarrow.dataset.dataset(sys.argv[1], format='parquet').to_table()
print(json.dumps({field.name: str(field.type) for field in table.schema}))
for record in table.to_pylist():
    print(json.dumps(record))
";

fn python() -> String {
    std::env::var("TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

#[test]
fn pyarrow_reads_what_was_written() {
    let found = Command::new(python()).args(["-c", "import pyarrow.dataset"]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        let why = format!("{} has no pyarrow", python());
        return need::pass_over("pyarrow_reads_what_was_written", "pyarrow", &why);
    }
    let place = tempfile::tempdir().unwrap();
    let mut harness = SinkHarness::new(Files::parquet(place.path().join("readings.parquet")));
    for epoch in 0..3 {
        (epoch * 1000..epoch * 1000 + 1000).for_each(|number| harness.write(reading(number), 0));
        let staged = harness.prepare();
        harness.commit(&staged);
    }
    let output =
        Command::new(python()).args(["-c", JUDGE]).arg(place.path().join("readings")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let types = json!({
        "sensor": "string", "count": "int64", "change": "int64", "mean": "double", "valid": "bool", "tags": "string",
    });
    assert_eq!(lines.next(), Some(types));
    for number in 0..3000 {
        let Reading { sensor, count, change, mean, valid, tags } = reading(number);
        let tags = serde_json::to_string(&tags).unwrap();
        let expected = json!({
            "sensor": sensor, "count": count, "change": change, "mean": mean, "valid": valid, "tags": tags,
        });
        assert_eq!(lines.next(), Some(expected));
    }
    assert_eq!(lines.next(), None);
}

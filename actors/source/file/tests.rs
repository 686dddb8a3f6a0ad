//! Files of all kinds, read whole and from every position.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use watershed_core::testing::{SourceHarness, verify_source};
use watershed_core::{Data, DeadLetter, Polled, Position, Source};

use super::{Csv, Files, JsonLines, Lines};
use crate::source::{Decode, Words};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
struct Reading {
    sensor: String,
    value: Option<i64>,
}

fn reading(sensor: &str, value: Option<i64>) -> Reading {
    Reading { sensor: sensor.to_owned(), value }
}

fn file(folder: &TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn read<D: Decode>(source: &Files<D>, parallelism: u32) -> (Vec<D::Out>, Vec<DeadLetter>) {
    let mut harness = SourceHarness::new(source, parallelism).unwrap();
    harness.run().unwrap();
    (harness.values(), harness.dead_letters())
}

fn origin(path: &Path, line: u64) -> String {
    format!("{} line {line}", path.display())
}

#[test]
fn lines_of_every_ending_are_read_and_can_be_left_anywhere() {
    let folder = TempDir::new().unwrap();
    let cases: [(&[u8], &[&str]); 7] = [
        (b"", &[]),
        (b"a", &["a"]),
        (b"a\n", &["a"]),
        (b"\n\n", &["", ""]),
        (b"a\r\n\r\nb\r\n", &["a", "", "b"]),
        (b"one\ntwo\nthree", &["one", "two", "three"]),
        ("\u{feff}first\nsecond\n".as_bytes(), &["first", "second"]),
    ];
    for (bytes, wanted) in cases {
        for path in [file(&folder, "plain", bytes), file(&folder, "packed", gzip(bytes))] {
            let lines = Lines::at(&path);
            assert_eq!(read(&lines, 1).0, wanted, "{bytes:?} in {}", path.display());
            verify_source(&lines, 1);
        }
    }
}

#[test]
fn every_line_belongs_to_one_split_however_a_file_is_cut() {
    let folder = TempDir::new().unwrap();
    let text = "\u{feff}alpha\nb\n\ngamma delta\r\nepsilon\nz";
    let path = file(&folder, "text", text);
    for bytes in 1..=text.len() as u64 + 1 {
        let lines = Lines::at(&path).split_bytes(bytes);
        assert_eq!(read(&lines, 1).0.len(), 6, "cut in {bytes}");
        let mut values = read(&lines, 1).0;
        values.sort();
        assert_eq!(values, ["", "alpha", "b", "epsilon", "gamma delta", "z"]);
        verify_source(&lines, 1);
    }
}

#[test]
fn every_split_of_a_csv_file_knows_the_header() {
    let folder = TempDir::new().unwrap();
    let text = "unused,value,sensor\n1,10,a\n2,NA,b\nx\n4,40,d\n";
    let path = file(&folder, "rows.csv", text);
    let source = Csv::<Reading>::at(&path).missing("NA").rows_are_lines();
    for bytes in 1..=text.len() as u64 {
        let source = source.clone().split_bytes(bytes);
        let (mut rows, letters) = read(&source, 1);
        rows.sort_by(|left, right| left.sensor.cmp(&right.sensor));
        assert_eq!(rows, [reading("a", Some(10)), reading("b", None), reading("d", Some(40))]);
        assert_eq!(letters.len(), 1);
        assert!(letters[0].origin.ends_with("line 4"), "cut in {bytes}: {}", letters[0].origin);
        verify_source(&source, 1);
    }
}

#[test]
fn bad_rows_are_set_aside_with_place_reason_and_bytes_and_nothing_else_is_lost() {
    let folder = TempDir::new().unwrap();
    let rows: &[u8] = b"sensor,value\na,1\nb\nc,x\nd\xff,4\n\"e\ne\",5\nf,6,6\ng,7";
    for path in [file(&folder, "rows.csv", rows), file(&folder, "rows.csv.gz", gzip(rows))] {
        let source = Csv::<Reading>::at(&path);
        let (values, letters) = read(&source, 1);
        assert_eq!(values, [reading("a", Some(1)), reading("e\ne", Some(5)), reading("g", Some(7))]);
        let letters: Vec<(&str, &str, &[u8])> = letters
            .iter()
            .map(|letter| (letter.origin.as_str(), letter.reason.as_str(), letter.bytes.as_slice()))
            .collect();
        assert_eq!(letters.len(), 4);
        let wanted: [(u64, &str, &[u8]); 4] = [
            (3, "1 fields where the header has 2", b"b"),
            (4, "invalid digit found in string in column value", b"c,x"),
            (5, "UTF-8", b"d\xff,4"),
            (8, "3 fields where the header has 2", b"f,6,6"),
        ];
        for ((place, reason, bytes), (line, wanted, wanted_bytes)) in letters.into_iter().zip(wanted) {
            assert_eq!((place, bytes), (origin(&path, line).as_str(), wanted_bytes));
            assert!(reason.contains(wanted), "{reason}");
        }
        verify_source(&source, 1);
    }
}

#[test]
fn a_quote_that_is_never_closed_costs_its_line_alone() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, "rows.csv", "sensor,value\na,1\n\"b,2\nc,3\nd,4\n");
    let source = Csv::<Reading>::at(&path);
    let (values, letters) = read(&source, 1);
    assert_eq!(values, [reading("a", Some(1)), reading("c", Some(3)), reading("d", Some(4))]);
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].bytes.as_slice(), &letters[0].origin), (b"\"b,2".as_slice(), &origin(&path, 3)));
    verify_source(&source, 1);
    let limited = source.row_bytes_max(13);
    assert_eq!(read(&limited, 1).0, values, "where the limit comes before the end of the file");
    verify_source(&limited, 1);
}

#[test]
fn a_line_above_the_limit_is_set_aside_and_not_kept_in_memory() {
    let folder = TempDir::new().unwrap();
    let long = "x".repeat(3_000_000);
    let path = file(&folder, "text", format!("a\n{long}\nb\n{}\nc\n{long}", "y".repeat(2000)));
    let lines = Lines::at(&path).row_bytes_max(1000);
    let (values, letters) = read(&lines, 1);
    assert_eq!(values, ["a", "b", "c"]);
    let places: Vec<&str> = letters.iter().map(|letter| letter.origin.as_str()).collect();
    assert_eq!(places, [origin(&path, 2), origin(&path, 4), origin(&path, 6)]);
    assert_eq!(letters[0].bytes, long.as_bytes()[..DeadLetter::BYTES_MAX]);
    let reasons: Vec<&str> = letters.iter().map(|letter| letter.reason.as_str()).collect();
    let cut = "longer than the limit of 1000 bytes for a row; cut to the first 65536 of 3000000 bytes";
    assert_eq!(reasons, [cut, "longer than the limit of 1000 bytes for a row", cut]);
    verify_source(&lines, 1);
}

#[test]
fn json_lines_are_values() {
    let folder = TempDir::new().unwrap();
    let text = "{\"sensor\":\"a\",\"value\":1}\n\n{\"sensor\":\n{\"sensor\":\"b\",\"value\":null}\n";
    let source = JsonLines::<Reading>::at(file(&folder, "rows.jsonl", text));
    let (values, letters) = read(&source, 1);
    assert_eq!(values, [reading("a", Some(1)), reading("b", None)]);
    assert_eq!(letters.len(), 1);
    assert!(letters[0].origin.ends_with("line 3"));
    verify_source(&source, 1);
}

#[test]
fn a_row_may_make_several_records() {
    let folder = TempDir::new().unwrap();
    let source = Lines::at(file(&folder, "text", "to be\nor not\n...\nto be")).decode(Words);
    assert_eq!(read(&source, 1).0, ["to", "be", "or", "not", "to", "be"]);
    verify_source(&source, 1);
}

#[test]
fn truncated_and_damaged_gzip_files_end_the_job_and_say_where() {
    let folder = TempDir::new().unwrap();
    let packed = gzip("a line of text\n".repeat(1000).as_bytes());
    let error = |name, bytes: &[u8]| {
        let mut harness = SourceHarness::new(&Lines::at(file(&folder, name, bytes)), 1);
        let error = match &mut harness {
            Ok(harness) => harness.run().unwrap_err(),
            Err(error) => return error.to_string(),
        };
        error.to_string()
    };
    let truncated = error("truncated.gz", &packed[..packed.len() - 9]);
    assert!(truncated.contains("truncated.gz at byte ") && truncated.contains("get it again"), "{truncated}");
    let mut damaged = packed.clone();
    damaged[packed.len() - 6] ^= 0xff;
    assert!(error("damaged.gz", &damaged).contains("damaged"));
    assert!(error("no.gz", b"this is no gzip data").contains("damaged"));
    assert!(error("empty.gz", b"").contains("ends too early"));
}

#[test]
fn what_follows_complete_gzip_data_is_told_from_data_that_ends_too_early() {
    let folder = TempDir::new().unwrap();
    let packed = gzip(b"a\nb\n");
    let error = |behind: &[u8]| {
        let path = file(&folder, "two.gz", [&packed, behind].concat());
        let mut harness = SourceHarness::new(&Lines::at(path), 1).unwrap();
        harness.run().unwrap_err().to_string()
    };
    for behind in [b"x".as_slice(), b"garbage", &[0; 100_000]] {
        let (error, count) = (error(behind), behind.len());
        let wanted = format!("complete, and {count} bytes that are no gzip data follow it; cut them off");
        assert!(error.contains(&wanted) && error.contains("two.gz: "), "{error}");
    }
    for behind in [1, 5, packed.len() - 1] {
        assert!(error(&packed[..behind]).contains("ends too early"), "{behind} bytes of a second member");
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let error = Lines::at(&path).splits(1).unwrap_err().to_string();
    assert!(error.contains("not a regular file") && error.contains("standard input"), "{error}");
}

#[test]
fn files_of_several_gzip_members_are_read_to_their_end() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, "two", [gzip(b"a\nb"), gzip(b"c\nd\n")].concat());
    assert_eq!(read(&Lines::at(path), 1).0, ["a", "bc", "d"]);
}

#[test]
fn a_split_that_has_ended_stays_where_it_is() {
    let folder = TempDir::new().unwrap();
    let mut harness =
        SourceHarness::new(&Lines::at(file(&folder, "text", "a\nb\nc")).split_bytes(3), 1).unwrap();
    harness.run().unwrap();
    let positions = [harness.position(0), harness.position(1)];
    assert_eq!(positions, [Position(4), Position(5)]);
    assert_eq!(harness.values(), ["a", "b", "c"]);
    for split in [0, 1] {
        assert_eq!(harness.poll(split).unwrap(), Polled::End);
        assert_eq!(harness.position(split), positions[split]);
    }
    assert_eq!(harness.values(), [] as [&str; 0]);
}

#[test]
fn directories_and_patterns_name_their_files_in_order() {
    let folder = TempDir::new().unwrap();
    for (name, text) in [("b.csv", "2"), ("a.csv", "1"), ("c.txt", "3"), (".d.csv", "4")] {
        file(&folder, name, text);
    }
    file(&folder, "e.csv.gz", gzip(b"5"));
    fs::create_dir(folder.path().join("f.csv")).unwrap();
    assert_eq!(read(&Lines::at(folder.path()), 1).0, ["1", "2", "3", "5"]);
    assert_eq!(read(&Lines::at(folder.path()).extension("csv"), 1).0, ["1", "2", "5"]);
    assert_eq!(read(&Lines::at(folder.path().join("?.csv")), 1).0, ["1", "2"]);
    let both = Lines::at(folder.path().join("c.txt")).and(folder.path().join("a*"));
    assert_eq!(read(&both, 1).0, ["3", "1"]);
}

#[test]
fn what_cannot_be_found_or_read_is_an_error_before_the_start() {
    let folder = TempDir::new().unwrap();
    let error = |path: PathBuf| Lines::at(path).splits(1).unwrap_err().to_string();
    let missing = error(folder.path().join("missing.csv"));
    assert!(missing.contains("missing.csv") && missing.contains("correct the path"), "{missing}");
    assert!(error(folder.path().join("*.csv")).contains("no file"));
    assert!(error(folder.path().to_owned()).contains("no file"));
    assert!(error("/dev/null".into()).contains("not a regular file"));
}

#[test]
fn a_file_that_has_lost_what_was_read_cannot_be_taken_up_again() {
    let folder = TempDir::new().unwrap();
    for (name, whole, cut) in
        [("plain", b"a\nb\nc\n".to_vec(), b"a\n".to_vec()), ("packed", gzip(b"a\nb\nc\n"), gzip(b"a\n"))]
    {
        let path = file(&folder, name, whole);
        let mut harness = SourceHarness::new(&Lines::at(&path), 1).unwrap();
        harness.run().unwrap();
        let position = harness.position(0);
        fs::write(&path, cut).unwrap();
        let error = harness.reopen(0, position).and_then(|()| harness.run()).unwrap_err();
        assert!(error.to_string().contains("shorter"), "{error}");
    }
}

#[test]
fn a_rate_holds_over_all_files() {
    let folder = TempDir::new().unwrap();
    file(&folder, "a", "a\n".repeat(900));
    file(&folder, "b", "b\n".repeat(100));
    let mut harness = SourceHarness::new(&Lines::at(folder.path()).per_second(500.0), 2).unwrap();
    harness.run().unwrap();
    assert_eq!(harness.values().len(), 1000);
    assert!((1900..2100).contains(&harness.now().as_millis()), "{:?}", harness.now());
}

#[test]
fn a_job_that_goes_on_at_another_rate_does_so() {
    let folder = TempDir::new().unwrap();
    let path = file(&folder, "a", "a\n".repeat(1000));
    let (slow, unbound) = (Lines::at(&path).per_second(1.0), Lines::at(&path));
    let saved = slow.splits(1).unwrap();
    let mut harness = SourceHarness::of(&unbound, &saved).unwrap();
    harness.run().unwrap();
    assert_eq!((harness.values().len(), harness.now().as_millis()), (1000, 0));
}

#[test]
fn large_files_are_read_in_chunks_and_lose_nothing() {
    let folder = TempDir::new().unwrap();
    let text: String = (0..200_000).map(|n| format!("line {n} {}\n", "-".repeat(n % 97))).collect();
    for path in [file(&folder, "plain", &text), file(&folder, "packed", gzip(text.as_bytes()))] {
        let (values, _) = read(&Lines::at(&path).split_bytes(1_000_003), 3);
        let mut numbers: Vec<usize> =
            values.iter().map(|line| line.split(' ').nth(1).unwrap().parse().unwrap()).collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..200_000));
    }
}

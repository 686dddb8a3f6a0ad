//! The table of faults is true: each row is there once, and each test that it names is a test.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The kinds of rows, and how many there are of each.
const KINDS: [(&str, u32); 14] = [
    ("W", 6),
    ("C", 6),
    ("K", 2),
    ("N", 10),
    ("Z", 3),
    ("T", 3),
    ("D", 6),
    ("M", 3),
    ("S", 3),
    ("B", 6),
    ("L", 3),
    ("E", 4),
    ("I", 30),
    ("X", 5),
];

/// The consistency layer's invariants, each of which a test has in its name.
const CAUSAL: u32 = 10;
/// Those of checkpoints.
const DECIDED: u32 = 12;

const SHOWN: &str = "shown";
const IN_PART: &str = "in part: ";
const OPEN: &str = "open";

/// A line of one of the tables.
#[derive(Debug)]
struct Row {
    name: String,
    what: String,
    /// File and name of each test.
    tests: Vec<(String, String)>,
    verdict: String,
}

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/FAULTS.md");
    fs::read_to_string(path).expect("the page is beside this file")
}

/// The rows of the tables, in their order.
fn rows() -> Vec<Row> {
    let page = page();
    let lines = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = lines.map(|line| line.split(" | ").collect::<Vec<_>>());
    let named = cells.filter(|cells| cells[0].ends_with(|last: char| last.is_ascii_digit()));
    named.map(|cells| row(&cells)).collect()
}

fn row(cells: &[&str]) -> Row {
    let [name, what, tests, verdict] = cells else { panic!("a row has four cells: {cells:?}") };
    let test = |quoted: &str| {
        let named = quoted.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
        let split = named.and_then(|named| named.split_once("::"));
        let (file, test) = split.unwrap_or_else(|| panic!("{name}: {quoted} is no `file::test`"));
        (file.to_owned(), test.to_owned())
    };
    let tests = tests.split("<br>").filter(|quoted| !quoted.is_empty()).map(test).collect();
    let [name, what, verdict] = [name, what, verdict].map(|cell| (*cell).to_owned());
    Row { name, what, tests, verdict }
}

/// What stands directly above a function: its attributes. `None` where there is no such function.
fn attributes<'a>(source: &'a str, function: &str) -> Option<Vec<&'a str>> {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let begins = |line: &str| {
        let rest = line.split_once("fn ").filter(|(before, _)| ["", "async ", "pub "].contains(before));
        rest.is_some_and(|(_, rest)| rest.strip_prefix(function).is_some_and(|rest| rest.starts_with('(')))
    };
    let at = lines.iter().position(|line| begins(line))?;
    Some(lines[..at].iter().rev().take_while(|line| line.starts_with('#')).copied().collect())
}

/// Whether a test is there, and whether it runs unless it is asked for. `Err` says what is wrong with it.
fn runs_each_time(file: &str, test: &str) -> Result<bool, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let source = fs::read_to_string(&path).map_err(|error| format!("{file}: {error}"))?;
    let attributes = attributes(&source, test).ok_or_else(|| format!("{file} has no {test}"))?;
    if !attributes.iter().any(|attribute| attribute.contains("test")) {
        return Err(format!("{test} of {file} is no test"));
    }
    Ok(!attributes.iter().any(|attribute| attribute.starts_with("#[ignore")))
}

#[test]
fn each_row_is_there_once_and_in_its_place() {
    let numbered = |(kind, count): (&'static str, u32)| (1..=count).map(move |n| format!("{kind}{n}"));
    let kinds = KINDS.into_iter().chain([("c", CAUSAL), ("d", DECIDED)]);
    let expected: Vec<String> = kinds.flat_map(numbered).collect();
    let found: Vec<String> = rows().into_iter().map(|row| row.name).collect();
    assert_eq!(found, expected);
}

#[test]
fn each_test_that_is_named_is_a_test() {
    let named =
        rows().into_iter().flat_map(|row| row.tests.into_iter().map(move |test| (row.name.clone(), test)));
    let wrong: Vec<String> = named
        .filter_map(|(row, (file, test))| {
            runs_each_time(&file, &test).err().map(|why| format!("{row}: {why}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_verdict_is_what_its_tests_allow() {
    for Row { name, what, tests, verdict } in rows() {
        assert!(!what.is_empty(), "{name} says what happens");
        let each_time = tests.iter().any(|(file, test)| runs_each_time(file, test) == Ok(true));
        match verdict.as_str() {
            SHOWN => assert!(each_time, "{name} is called shown, and no test of it runs each time"),
            OPEN => assert!(tests.is_empty(), "{name} is called open, and has a test"),
            said => {
                let lacks = said.strip_prefix(IN_PART);
                let lacks = lacks.unwrap_or_else(|| panic!("{name}: {said:?} is no verdict"));
                assert!(!lacks.is_empty() && !tests.is_empty(), "{name} says what is tried and what is not");
            }
        }
    }
}

#[test]
fn the_sum_of_the_verdicts_is_right() {
    let mut counts = BTreeMap::from([(SHOWN, 0), (IN_PART, 0), (OPEN, 0)]);
    let rows = rows();
    for row in &rows {
        let kind = counts.keys().copied().find(|kind| row.verdict.starts_with(*kind));
        *counts.entry(kind.unwrap_or(OPEN)).or_default() += 1;
    }
    let [shown, in_part, open] = [SHOWN, IN_PART, OPEN].map(|kind| counts[kind]);
    let sum = format!("{} rows: {shown} shown, {in_part} in part, {open} open.", rows.len());
    assert!(page().lines().any(|line| line == sum), "the page does not say: {sum}");
}

#[test]
fn each_invariant_has_a_test_of_its_name() {
    for row in rows() {
        if row.name.starts_with(['c', 'd']) {
            let name = format!("{}_", row.name);
            assert!(
                row.tests.iter().any(|(_, test)| test.starts_with(&name)),
                "no test of {row:?} has its name"
            );
        }
    }
}

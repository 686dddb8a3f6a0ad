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
    ("X", 6),
];

/// The consistency layer's invariants, each of which a test has in its name.
const CAUSAL: u32 = 10;
/// Those of checkpoints.
const DECIDED: u32 = 13;

const SHOWN: &str = "shown";
/// What follows is what has to be there.
const SHOWN_WHERE: &str = "shown where ";
const IN_PART: &str = "in part: ";
const OPEN: &str = "open";

/// What tests need that pass over themselves where it is not there (`tests/conditions/need.rs`), by what has them need it: where
/// they are, or what they call.
const NEEDS: [(&str, &str); 9] = [
    ("actors/tests/postgres/", "postgres"),
    ("tests/txn/", "postgres"),
    ("tests/s3/", "moto"),
    ("src/state/store/tests/remote.rs", "moto"),
    ("Disk::mount(", "mount"),
    ("\"pyarrow\"", "pyarrow"),
    ("\"msgpack\"", "msgpack"),
    ("\"containers\"", "containers"),
    ("\"flights\"", "flights"),
];

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

/// A test, as it stands in its file.
struct Test<'a> {
    /// What stands directly above it.
    attributes: Vec<&'a str>,
    body: String,
}

/// Finds a function; `None` where there is no such function.
fn find<'a>(source: &'a str, function: &str) -> Option<Test<'a>> {
    let whole: Vec<&str> = source.lines().collect();
    let lines: Vec<&str> = whole.iter().map(|line| line.trim()).collect();
    let begins = |line: &str| {
        let rest = line.split_once("fn ").filter(|(before, _)| ["", "async ", "pub "].contains(before));
        rest.is_some_and(|(_, rest)| rest.strip_prefix(function).is_some_and(|rest| rest.starts_with('(')))
    };
    let at = lines.iter().position(|line| begins(line))?;
    let attributes = lines[..at].iter().rev().take_while(|line| line.starts_with('#')).copied().collect();
    let indented = whole[at].len() - lines[at].len();
    let end = |line: &&&str| line.len() == indented + 1 && line.ends_with('}');
    let body = whole[at..].iter().take_while(|line| !end(line)).copied().collect::<Vec<_>>().join("\n");
    Some(Test { attributes, body })
}

/// When a test runs.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Runs {
    /// Each time, whatever is installed.
    EachTime,
    /// Each time where this is there.
    Where(&'static str),
    /// When it is asked for.
    WhenAsked,
}

/// When a test runs. `Err` says what is wrong with it.
fn runs(file: &str, test: &str) -> Result<Runs, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let source = fs::read_to_string(&path).map_err(|error| format!("{file}: {error}"))?;
    let Test { attributes, body } = find(&source, test).ok_or_else(|| format!("{file} has no {test}"))?;
    if !attributes.iter().any(|attribute| attribute.contains("test")) {
        return Err(format!("{test} of {file} is no test"));
    }
    if attributes.iter().any(|attribute| attribute.starts_with("#[ignore")) {
        return Ok(Runs::WhenAsked);
    }
    let need = NEEDS.iter().find(|(by, _)| file.starts_with(by) || body.contains(by));
    Ok(need.map_or(Runs::EachTime, |(_, need)| Runs::Where(need)))
}

/// The first time that any test of a row runs.
fn soonest(tests: &[(String, String)]) -> Option<Runs> {
    tests.iter().filter_map(|(file, test)| runs(file, test).ok()).min()
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
        .filter_map(|(row, (file, test))| runs(&file, &test).err().map(|why| format!("{row}: {why}")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_verdict_is_what_its_tests_allow() {
    for Row { name, what, tests, verdict } in rows() {
        assert!(!what.is_empty(), "{name} says what happens");
        match verdict.as_str() {
            SHOWN => {
                let soonest = soonest(&tests);
                assert_eq!(
                    soonest,
                    Some(Runs::EachTime),
                    "{name} is called shown, and no test of it runs each time"
                );
            }
            OPEN => assert!(tests.is_empty(), "{name} is called open, and has a test"),
            said if said.starts_with(SHOWN_WHERE) => {
                let Some(Runs::Where(need)) = soonest(&tests) else {
                    panic!("{name} has no test that needs anything")
                };
                assert_eq!(said, format!("{SHOWN_WHERE}{need} is"), "{name}");
            }
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
    let mut counts = BTreeMap::from([(SHOWN, 0), (SHOWN_WHERE, 0), (IN_PART, 0), (OPEN, 0)]);
    let rows = rows();
    for row in &rows {
        let is_of = |kind: &&str| row.verdict.starts_with(*kind) && (*kind != SHOWN || row.verdict == SHOWN);
        let kind = counts.keys().copied().find(is_of);
        *counts.entry(kind.unwrap_or(OPEN)).or_default() += 1;
    }
    let [shown, condition, in_part, open] = [SHOWN, SHOWN_WHERE, IN_PART, OPEN].map(|kind| counts[kind]);
    let sum = format!(
        "{} rows: {shown} shown, {condition} shown where something is there, {in_part} in part, {open} open.",
        rows.len()
    );
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

/// What a test is ignored for that shows something that is wrong and is not mended.
const GAP: &str = "#[ignore = \"known: ";

#[test]
fn each_known_gap_is_on_the_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = ["src", "actors", "tests", "examples"].map(|folder| root.join(folder)).to_vec();
    let (mut unnamed, page) = (Vec::new(), page());
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
        for path in entries {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = fs::read_to_string(&path).expect("a source file is readable");
                let tests =
                    source.split(GAP).skip(1).filter_map(|rest| rest.split_once("fn ")?.1.split_once('('));
                let tests = tests.filter(|(test, _)| !page.contains(&format!("::{test}`")));
                unnamed.extend(tests.map(|(test, _)| format!("{}: {test}", path.display())));
            }
        }
    }
    // This file says what is looked for, and is no gap.
    unnamed.retain(|gap| !gap.contains("tests/faults.rs"));
    assert_eq!(unnamed, [] as [String; 0], "these show a gap that no row of the page has");
}

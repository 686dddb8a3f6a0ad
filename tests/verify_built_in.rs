//! Everything built in is checked against its contract: operators, sources and sinks by their own tests, of which
//! this file keeps the list; aggregates here, in each kind of window.

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use watershed::actors::aggregate::{
    AggregateOf, ApproxDistinct, Collect, Count, Covariance, First, Last, Max, Mean, Min, MostFrequent,
    Quantiles, Sum, TopK, Variance,
};
use watershed::actors::window::{Assigner, Global, Rules, Session, Sliding, Tumbling};
use watershed::core::Keyed;
use watershed::core::testing::{Input, verify_transform};

/// How a built-in actor is checked.
enum Checked {
    /// By a call of the function, in the file, with arguments in which the text is found.
    By(&'static str, &'static str, &'static str),
    /// Not by the contract's check, for a reason.
    Otherwise(&'static str),
}
use Checked::{By, Otherwise};

/// Every type in `actors/` that implements the trait.
const OPERATORS: &[(&str, Checked)] = &[
    ("Deduplicate", By("verify", "operator/deduplicate.rs", "Deduplicate::by_id")),
    ("ExponentialMean", By("verify", "operator/mean.rs", "ExponentialMean::half_life")),
    ("MapWithState", By("verify", "operator/map_with_state.rs", "&sum")),
    ("RunningMean", By("verify", "operator/mean.rs", "RunningMean::of")),
    ("TopK", By("verify", "operator/top_k.rs", "&top(3)")),
];

/// See [`OPERATORS`].
const CO_OPERATORS: &[(&str, Checked)] = &[
    ("IntervalJoin", By("verify_co", "join/interval.rs", "Interval::around")),
    ("SessionJoin", By("verify_co", "join/session.rs", "&join")),
    ("TemporalJoin", By("verify_co", "join/temporal.rs", "&join(age_max")),
    ("WindowJoin", By("verify_co", "join/window.rs", "&join")),
];

/// See [`OPERATORS`].
const TRANSFORMS: &[(&str, Checked)] = &[
    ("Lookup", By("verify_whole", "operator/lookup/tests.rs", "Lookup::unordered")),
    ("RateLimit", By("verify_whole", "operator/lookup/tests.rs", "RateLimit::per_second")),
    ("Sessions", By("verify_transform", "window/tests/active.rs", "sessions.windows")),
    ("Sliced", By("verify_transform", "window/tests/mod.rs", "sliding.windows")),
    ("WholeStream", By("verify_transform", "window/tests/active.rs", "Global::new()")),
];

/// See [`OPERATORS`].
const SOURCES: &[(&str, Checked)] = &[
    ("Files", By("verify_source", "source/file/tests.rs", "&lines")),
    ("Generator", By("verify_source", "source/generator.rs", "Generator::new")),
    (
        "Stdin",
        Otherwise("the process has one; a pipe that is read as it is stands for it in source/feed/tests"),
    ),
    ("TcpConnect", By("verify_source", "source/feed/tests/logged.rs", "&client")),
    ("TcpListen", By("verify_source", "source/feed/tests/logged.rs", "&listener")),
    ("Udp", By("verify_source", "source/feed/tests/logged.rs", "&datagrams")),
];

/// See [`OPERATORS`].
const SINKS: &[(&str, Checked)] = &[
    ("Collect", By("verify_sink", "sink/collect.rs", "fresh")),
    ("DeadLetterFile", Otherwise("letters are diagnostics, and shown when they come")),
    ("Discard", Otherwise("nothing is ever seen of it")),
    ("Files", By("verify_sink", "sink/files/tests.rs", "fresh")),
    ("Fold", Otherwise("it is for tests, and shows what it has at prepare")),
    ("PostgresTable", By("verify_sink", "tests/postgres/staged.rs", "fresh")),
    ("Print", Otherwise(SHOWN)),
    ("SqliteTable", By("verify_sink", "sink/sqlite/tests.rs", "fresh")),
    ("TcpSink", Otherwise(SHOWN)),
];

const SHOWN: &str = "what it has shown cannot be taken back";

/// The aggregates that [`aggregates_in`] names.
const AGGREGATES: &[&str] = &[
    "ApproxDistinct",
    "Collect",
    "Count",
    "Covariance",
    "First",
    "Last",
    "Max",
    "Mean",
    "Min",
    "MostFrequent",
    "Of",
    "OfSome",
    "Quantiles",
    "Sum",
    "TopK",
    "Variance",
];

/// What else the module of aggregates exports. Windows alone make a `Reduce`, which keeps what the extremes keep.
const NO_AGGREGATES: &[&str] = &["AggregateOf", "Number", "Reduce"];

fn actors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("actors")
}

/// The Rust files of `actors/`, without those that hold tests alone.
fn sources() -> Vec<String> {
    let (mut folders, mut texts) = (vec![actors()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && stem != "tests" && stem != "target" {
                folders.push(path);
            } else if stem != "tests" && path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                texts.push(text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned());
            }
        }
    }
    assert!(texts.len() > 30, "the actors were not found in {}", actors().display());
    texts
}

/// The types that implement a trait of this name, wherever they are.
fn implementors(of: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for text in sources() {
        for line in text.lines().filter(|line| line.trim_start().starts_with("impl")) {
            // `impl<..> Trait for Type<..>` or `impl<..> Trait<..> for Type<..>`
            let Some((head, implementor)) = line.split_once(" for ") else { continue };
            let named = head.split([' ', '>']).any(|word| word == of || word.starts_with(&format!("{of}<")));
            let bounds_only = head.trim_end().ends_with(':');
            if named && !bounds_only && is_trait_of(head, of) {
                let end = implementor.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
                found.insert(implementor[..end.unwrap_or(implementor.len())].to_owned());
            }
        }
    }
    found
}

/// Whether the trait that `impl<..> Trait<..>` implements, and not one of its bounds, has this name.
fn is_trait_of(head: &str, of: &str) -> bool {
    let mut rest = head.trim_start().strip_prefix("impl").expect("the line begins so");
    if rest.starts_with('<') {
        let mut depth = 0;
        let end = rest.char_indices().find(|(index, character)| {
            depth += i32::from(*character == '<');
            // The arrow of a function's bound closes nothing.
            depth -= i32::from(*character == '>' && !rest[..*index].ends_with('-'));
            depth == 0
        });
        let Some((end, _)) = end else { return false };
        rest = &rest[end + 1..];
    }
    rest.trim_start().split(['<', ' ']).next() == Some(of)
}

/// Demands that the list is complete, and that each check is where the list says.
fn complete(of: &str, list: &[(&str, Checked)]) {
    let listed: BTreeSet<String> = list.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(
        implementors(of),
        listed,
        "the types that implement {of}, and the list of how they are checked"
    );
    for (name, checked) in list {
        match checked {
            By(function, file, argument) => {
                let text = fs::read_to_string(actors().join(file)).unwrap_or_default();
                let found = text
                    .split(&format!("{function}("))
                    .skip(1)
                    .any(|call| call.split(';').next().is_some_and(|arguments| arguments.contains(argument)));
                assert!(found, "{file} has no call {function}(.. {argument} ..): how is {name} checked now?");
            }
            Otherwise(reason) => assert!(!reason.is_empty()),
        }
    }
}

#[test]
fn every_operator_is_verified() {
    complete("Operator", OPERATORS);
    complete("CoOperator", CO_OPERATORS);
    complete("Transform", TRANSFORMS);
}

#[test]
fn every_source_that_can_go_back_is_verified() {
    complete("Source", SOURCES);
}

#[test]
fn every_sink_that_can_take_back_is_verified() {
    complete("Sink", SINKS);
}

#[test]
fn every_aggregate_is_verified_here() {
    let module = fs::read_to_string(actors().join("aggregate/mod.rs")).unwrap();
    let exported: BTreeSet<&str> = module
        .lines()
        .filter_map(|line| line.strip_prefix("pub use ")?.strip_suffix(';'))
        .flat_map(|path| path.split("::").last().unwrap().split([',', '{', '}', ' ']))
        .filter(|name| !name.is_empty() && !name.ends_with("State") && !NO_AGGREGATES.contains(name))
        .collect();
    assert_eq!(exported, AGGREGATES.iter().copied().collect());
}

/// Records of three keys: ties, late ones, negative times and a jump.
fn rich() -> Vec<Input<Keyed<u64, i64>>> {
    let mut inputs =
        vec![Input::at(-30, Keyed { key: 1, value: -4 }), Input::at(-1, Keyed { key: 0, value: 9 })];
    for n in 0..36_i64 {
        let (time, value) = (n * 4 + (n * 7) % 11 - (n % 9 / 8) * 40, (n * n * 31) % 17 - 5);
        inputs.push(Input::at(time, Keyed { key: (n * n % 3) as u64, value }));
        if n % 5 == 4 {
            inputs.push(Input::watermark(n * 4 - 12));
        }
    }
    inputs.push(Input::watermark(10_000));
    inputs.push(Input::at(10_007, Keyed { key: 2, value: 3 }));
    inputs.push(Input::at(20, Keyed { key: 2, value: 3 }));
    inputs.push(Input::end());
    inputs
}

/// Verifies windows of one kind with each aggregate: what it keeps survives its encoding, in the middle of a
/// window and when keys move.
fn aggregates_in<W: Assigner>(windows: &W) {
    macro_rules! each {
        ($($aggregate:expr),* $(,)?) => {$(
            verify_transform(&windows.clone().windows::<u64, i64, _>($aggregate, Rules::default()), &rich());
        )*};
    }
    each!(
        Count,
        Sum,
        Min,
        Max,
        Mean,
        Collect,
        First,
        Last,
        TopK::new(2),
        MostFrequent::new(2),
        ApproxDistinct,
        Quantiles::new(&[0.0, 0.5, 0.9]),
        Variance::population(),
        Covariance::sample().of(|value: &i64| (*value, *value as f64 / 7.0)),
        Mean.of(|value: &i64| *value as f64 / 3.0),
        Max.of_some(|value: &i64| (*value > 0).then_some(*value)),
        (Count, Sum, Min, Max),
    );
}

#[test]
fn tumbling_windows_keep_every_aggregate() {
    aggregates_in(&Tumbling::of(Duration::from_millis(10)).offset(3));
}

#[test]
fn sliding_windows_keep_every_aggregate() {
    aggregates_in(&Sliding::of(Duration::from_millis(25), Duration::from_millis(10)));
}

#[test]
fn session_windows_keep_every_aggregate() {
    aggregates_in(&Session::with_gap(Duration::from_millis(6)));
}

#[test]
fn the_global_window_keeps_every_aggregate() {
    aggregates_in(&Global::new());
}

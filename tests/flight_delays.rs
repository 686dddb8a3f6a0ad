//! `flight-delays` against an independent computation, on good input and on bad.
//!
//! The judge is `tests/judge/flight_delays.py`, a program that shares nothing with the engine.

#![expect(clippy::unwrap_used, reason = "all of this file is tests, and what they share")]

#[path = "conditions/need.rs"]
mod need;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Duration;

use flate2::read::GzDecoder;
use tempfile::TempDir;
use watershed::runtime::Summary;
use watershed::{Config, Job, JobEnd};

use flight_delays::{FlightDelays, flight_delays};

#[path = "../examples/flight_delays/mod.rs"]
#[expect(dead_code, reason = "the pipeline is described without an application")]
mod flight_delays;

const PARALLELISMS: [u32; 3] = [1, 2, 7];

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs the pipeline into a directory of its own.
fn run(parallelism: u32, set: impl FnOnce(&mut FlightDelays)) -> (TempDir, Summary) {
    run_within(Config { parallelism, ..Config::default() }, set)
}

fn run_within(config: Config, set: impl FnOnce(&mut FlightDelays)) -> (TempDir, Summary) {
    let directory = tempfile::tempdir().unwrap();
    let mut parameters = FlightDelays { output: directory.path().to_owned(), ..FlightDelays::default() };
    set(&mut parameters);
    let job = Job::describe("flight-delays", |pipeline| flight_delays(pipeline, parameters));
    let summary = job.unwrap().config(config).run().unwrap();
    assert_eq!(summary.end, JobEnd::Complete);
    (directory, summary)
}

fn python(script: &str, arguments: &[&dyn AsRef<std::ffi::OsStr>]) -> Output {
    let mut python = Command::new("python3");
    python.arg(project("tests/judge").join(script)).args(arguments.iter().map(AsRef::as_ref));
    python
        .output()
        .expect("python3 judges the results: install it (`.ci/run` does), and see that it is in PATH")
}

/// What the outputs have to be.
fn judged(flights: &Path, weather: &Path) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let judge = python(
        "flight_delays.py",
        &[&"--flights", &flights, &"--weather", &weather, &"--out", &directory.path()],
    );
    assert!(judge.status.success(), "the judge: {}", String::from_utf8_lossy(&judge.stderr));
    directory
}

fn january() -> &'static Path {
    static JUDGED: OnceLock<TempDir> = OnceLock::new();
    let defaults = FlightDelays::default();
    JUDGED.get_or_init(|| judged(&project_path(&defaults.input), &project_path(&defaults.weather))).path()
}

fn project_path(path: &Path) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[track_caller]
fn assert_equal(expected: &Path, actual: &Path, outputs: &[&str], what: &str) {
    let mut arguments: Vec<&dyn AsRef<std::ffi::OsStr>> = vec![&expected, &actual, &"--only"];
    arguments.extend(outputs.iter().map(|output| output as &dyn AsRef<std::ffi::OsStr>));
    let compared = python("compare.py", &arguments);
    let said = String::from_utf8_lossy(&compared.stdout) + String::from_utf8_lossy(&compared.stderr);
    assert!(compared.status.success(), "{what}:\n{said}");
}

const OUTPUTS: [&str; 5] = ["hourly", "carriers", "rotations", "weather", "top_routes"];

/// The rows of a CSV file, by the names of its columns.
fn rows(path: impl AsRef<Path>) -> Vec<BTreeMap<String, String>> {
    let path = path.as_ref();
    let mut reader =
        csv::Reader::from_path(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    reader.deserialize().map(|row| row.unwrap()).collect()
}

fn sum(rows: &[BTreeMap<String, String>], column: &str) -> u64 {
    rows.iter().map(|row| row[column].parse::<u64>().unwrap()).sum()
}

/// The lines of a compressed file, the header first.
fn lines(path: &str) -> Vec<Vec<u8>> {
    let mut text = Vec::new();
    GzDecoder::new(File::open(project(path)).unwrap()).read_to_end(&mut text).unwrap();
    text.strip_suffix(b"\n").unwrap().split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

const JANUARY_FLIGHTS: &str = "examples/data/flights-2013-01.csv.gz";
const JANUARY_WEATHER: &str = "examples/data/weather-2013-01.csv.gz";

fn write_lines(path: &Path, lines: &[Vec<u8>]) {
    let mut text = lines.join(&b'\n');
    text.push(b'\n');
    fs::write(path, text).unwrap();
}

fn late(summary: &Summary) -> u64 {
    summary.vertices.iter().map(|vertex| vertex.counters.late).sum()
}

fn dead_letters(summary: &Summary) -> u64 {
    summary.vertices.iter().map(|vertex| vertex.counters.dead_letters).sum()
}

#[test]
fn january_is_as_judged_at_every_parallelism() {
    for parallelism in PARALLELISMS {
        let (output, summary) = run(parallelism, |_| {});
        assert_equal(january(), output.path(), &OUTPUTS, &format!("parallelism {parallelism}"));
        assert_eq!((late(&summary), dead_letters(&summary)), (0, 0));
        let mut names: Vec<_> =
            fs::read_dir(output.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        names.sort();
        let expected = ["carriers.csv", "hourly.csv", "rotations.csv", "top_routes.csv", "weather.csv"];
        assert_eq!(names, expected, "nothing was late or unusable, so nothing else is there");
    }
}

#[test]
fn the_whole_year_is_as_judged_at_every_parallelism() {
    let data = project("../shared/data/nycflights13");
    let (flights, weather) = (data.join("flights.csv.gz"), data.join("weather.csv.gz"));
    if !flights.exists() {
        let test = "the_whole_year_is_as_judged_at_every_parallelism";
        return need::pass_over(test, "flights", &format!("{} is not there", flights.display()));
    }
    let expected = judged(&flights, &weather);
    for parallelism in PARALLELISMS {
        let (output, summary) = run(parallelism, |parameters| {
            parameters.input = flights.clone();
            parameters.weather = weather.clone();
        });
        assert_equal(expected.path(), output.path(), &OUTPUTS, &format!("parallelism {parallelism}"));
        assert_eq!((late(&summary), dead_letters(&summary)), (0, 0));
    }
}

#[test]
fn with_a_small_bound_what_an_output_lacks_is_in_the_late_file_and_nothing_else_is_lost() {
    let late_in = |rows: &[BTreeMap<String, String>], output: &str| {
        rows.iter().filter(|row| row["output"] == output).count() as u64
    };
    let mut tried = (0..5).map(|_| {
        // Watermarks come with polls and batches: small ones leave little time to those who are late.
        let config = Config { parallelism: 2, poll_records: 16, batch_records: 16, ..Config::default() };
        let (output, summary) = run_within(config, |parameters| parameters.bound = Duration::from_secs(3600));
        let path = output.path().join("late.csv");
        let late_rows = if path.exists() { rows(path) } else { Vec::new() };
        assert_eq!(late(&summary), late_rows.len() as u64);
        (output, late_rows)
    });
    // Nobody is late as long as a subtask that reads nothing has had no time to say so.
    let enough = |(_, rows): &(TempDir, Vec<_>)| late_in(rows, "hourly") > 100;
    let (output, late_rows) = tried.find(enough).expect("some flights are late");
    let late_of = |output: &str| late_in(&late_rows, output);
    let rows_of = |name: &str| rows(output.path().join(name));
    assert_eq!(sum(&rows_of("hourly.csv"), "flights") + late_of("hourly"), 27_004);
    assert_eq!(sum(&rows_of("rotations.csv"), "flights") + late_of("rotations"), 26_849);

    // Without the flights that were late for an output, its windows are those that the judge finds.
    for name in ["hourly", "top_routes", "weather"] {
        let mut late: BTreeMap<String, usize> = BTreeMap::new();
        for row in late_rows.iter().filter(|row| row["output"] == name) {
            *late.entry(late_identity(row)).or_default() += 1;
        }
        let flights = lines(JANUARY_FLIGHTS);
        let header = str::from_utf8(&flights[0]).unwrap();
        let left: Vec<Vec<u8>> = flights
            .iter()
            .filter(|line| match late.get_mut(&flight_identity(header, str::from_utf8(line).unwrap())) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    false
                }
                _ => true,
            })
            .cloned()
            .collect();
        assert_eq!(
            left.len() as u64,
            flights.len() as u64 - late_of(name),
            "late flights are flights of January"
        );
        let directory = tempfile::tempdir().unwrap();
        write_lines(&directory.path().join("flights.csv"), &left);
        let expected = judged(&directory.path().join("flights.csv"), &project(JANUARY_WEATHER));
        assert_equal(expected.path(), output.path(), &[name], "without the late flights");
    }
}

/// What tells a flight from others, as far as `late.csv` has it.
const IDENTITY: [&str; 7] = ["carrier", "tailnum", "origin", "dest", "distance", "dep_delay", "arr_delay"];

fn late_identity(row: &BTreeMap<String, String>) -> String {
    IDENTITY.iter().fold(row["event_time"].clone(), |identity, column| identity + "," + &row[*column])
}

fn flight_identity(header: &str, line: &str) -> String {
    let fields: BTreeMap<&str, &str> = header.split(',').zip(line.split(',')).collect();
    let hour = fields["time_hour"].get(..14).unwrap_or_default();
    let time = format!("{hour}{:0>2}:00Z", fields["minute"]);
    let known = |column: &str| if fields[column] == "NA" { "" } else { fields[column] };
    IDENTITY.iter().fold(time, |identity, column| identity + "," + known(column))
}

/// A good flight, from which bad ones are made.
const GOOD: &str = "2013,1,1,517,515,2,830,819,11,UA,1545,N14228,EWR,IAH,227,1400,5,15,2013-01-01T10:00:00Z";

#[test]
fn rows_that_cannot_be_used_become_dead_letters_and_harm_no_other() {
    let with = |from: &str, to: &[u8]| {
        let (before, after) = GOOD.split_once(from).expect("the good flight has it");
        [before.as_bytes(), to, after.as_bytes()].concat()
    };
    let bad = [
        (b"2013,1,1,517".to_vec(), "4 fields where the header has 19"),
        (with(",EWR", b",EWR,EWR"), "20 fields where the header has 19"),
        (with("EWR", b"E\xffR"), "UTF-8"),
        (with("1400", b"14oo"), "distance"),
        (with("1400", b"NA"), "distance"),
        (with(",2,830", b",99999999999,830"), "dep_delay"),
        (with("2013-01-01T10:00:00Z", b"yesterday"), "no believable time"),
        (with("2013-01-01T10:00:00Z", b"2013-13-01T10:00:00Z"), "no believable time"),
        (with("2013-01-01T10:00:00Z", b"9999-01-01T10:00:00Z"), "after 2099"),
        (with("2013-01-01T10:00:00Z", b"0001-01-01T10:00:00Z"), "before 1970"),
        (with("2013-01-01T10:00:00Z", b"1969-12-31T23:59:59Z"), "before 1970"),
        (with("UA", b"\"UA"), "a quote that is never closed"),
    ];
    let mut flights = lines(JANUARY_FLIGHTS);
    let mut expected = Vec::new();
    // Behind the header, at the end, and spread in between; each place behind those that follow here.
    for (number, (line, reason)) in bad.iter().enumerate().rev() {
        let place = 1 + number * (flights.len() - 1) / (bad.len() - 1);
        flights.insert(place, line.clone());
        expected.push((place + 1 + number, line.clone(), *reason));
    }
    let mut weather = lines(JANUARY_WEATHER);
    let cloud = b"EWR,2013,1,1,1,39.02,26.06,59.37,270,10.4,NA,0,1012,cloudy,2013-01-01T06:00:00Z".to_vec();
    weather.push(cloud);

    let directory = tempfile::tempdir().unwrap();
    let (flights_path, weather_path) =
        (directory.path().join("flights.csv"), directory.path().join("weather.csv"));
    write_lines(&flights_path, &flights);
    write_lines(&weather_path, &weather);
    for parallelism in ["1", "3"] {
        let (output, kept) = (directory.path().join("out"), directory.path().join("letters.jsonl"));
        let ended = watershed(
            &["--json", "--parallelism", parallelism, "--dead-letters", &kept.display().to_string()],
            &[
                &format!("input={}", flights_path.display()),
                &format!("weather={}", weather_path.display()),
                &format!("output={}", output.display()),
            ],
        );
        assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
        let account: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
        assert_equal(january(), &output, &OUTPUTS, "the good flights");
        let letters = letters_in(&kept);
        assert_eq!(account["dead_letters"], letters.len());
        assert_eq!(account["late"], 0);
        assert_eq!(letters.len(), bad.len() + 1, "{letters:#?}");
        for (line, input, reason) in &expected {
            let origin = format!("{} line {line}", flights_path.display());
            let found = letters.iter().find(|letter| letter["origin"] == origin);
            let letter = found.unwrap_or_else(|| panic!("nothing of {origin}: {letters:#?}"));
            match str::from_utf8(input) {
                Ok(text) => assert_eq!(letter["text"], text),
                Err(_) => assert_eq!(letter["hex"], hex(input)),
            }
            assert!(letter["reason"].contains(reason), "{origin}: {}", letter["reason"]);
        }
        let cloudy = letters.iter().find(|letter| letter["origin"].contains("weather.csv")).unwrap();
        assert!(cloudy["reason"].contains("visib"), "{}", cloudy["reason"]);
    }
}

/// The lines of a file of dead letters.
fn letters_in(path: &Path) -> Vec<BTreeMap<String, String>> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Runs the pipeline by the stock binary.
fn watershed(options: &[&str], set: &[&str]) -> Output {
    let mut watershed = Command::new(env!("CARGO_BIN_EXE_watershed"));
    watershed.args(["run", "flight-delays"]).args(options);
    for set in set {
        watershed.args(["--set", set]);
    }
    watershed.output().unwrap()
}

#[test]
fn a_truncated_input_fails_the_job_by_name_and_shows_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (input, output) = (directory.path().join("flights.csv.gz"), directory.path().join("out"));
    let whole = fs::read(project(JANUARY_FLIGHTS)).unwrap();
    fs::write(&input, &whole[..whole.len() / 2]).unwrap();
    let ended =
        watershed(&[], &[&format!("input={}", input.display()), &format!("output={}", output.display())]);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("flights.csv.gz") && said.contains("truncated"), "{said}");
    let left = fs::read_dir(&output).map_or(0, Iterator::count);
    assert_eq!(left, 0, "half of the result must not pass for the whole");
}

#[test]
fn a_missing_input_is_refused_before_anything_runs() {
    let directory = tempfile::tempdir().unwrap();
    let output = format!("output={}", directory.path().join("out").display());
    for parameter in ["input", "weather"] {
        let ended = watershed(&[], &[&format!("{parameter}=no/such/file.csv"), &output]);
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{said}");
        assert!(said.contains("no/such/file.csv"), "{said}");
    }
}

#[test]
fn an_output_directory_that_cannot_be_made_is_refused_before_anything_runs() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let ended = watershed(&[], &[&format!("output={}", file.join("out").display())]);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains(&file.display().to_string()), "{said}");
}

#[test]
fn parameters_that_make_no_sense_are_refused() {
    for set in
        ["gap=0s", "carriers-slide=0s", "hourly-window=0s", "rate=0", "rate=-1", "rate=NaN", "boun=24h"]
    {
        let ended = watershed(&[], &[set]);
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(2), "{set}: {said}");
        assert!(said.contains(set.split('=').next().unwrap()), "{set}: {said}");
    }
}

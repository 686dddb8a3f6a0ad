//! What goes wrong around a command, and what it leaves behind.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::place::{Ended, Place, STARTS, refused};

/// A device on which nothing can be written.
fn full() -> Stdio {
    Stdio::from(File::options().write(true).open("/dev/full").expect("the device is there"))
}

/// The names in a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().into_string().expect("names are text")).collect();
    names.sort();
    names
}

#[test]
fn a_process_ends_that_takes_more_memory_than_it_may() {
    let place = Place::new();
    // Nobody waits for the end of this job.
    let run = ["run", "two-phase-commit", "--quiet", "--set", "rate=10"];
    let node = ["node", "--name", "n1", "--listen", "127.0.0.1:0", "--http", "none", "--data", "data"];
    for arguments in [&run[..], &node] {
        let ended = place.run(&[arguments, &["--memory-limit-mib", "1"]].concat());
        assert_eq!(ended.code, Some(1), "{arguments:?}: {ended:?}");
        assert!(ended.err.contains(" MiB of memory, of 1 MiB that it may take"), "{arguments:?}: {ended:?}");
    }
    let ended = place.run_with(&[("WATERSHED_MEMORY_LIMIT_MIB", "1")], &[&run[..], &["--json"]].concat());
    assert_eq!((ended.code, &ended.json()["exit_code"]), (Some(1), &1.into()), "{ended:?}");
    let why = refused(&place, &[&run[..], &["--memory-limit-mib", "much"]].concat());
    assert!(why.contains("--memory-limit-mib"), "{why}");
}

#[test]
fn an_answer_that_cannot_be_written_is_a_failure() {
    for arguments in
        [&["pipelines"][..], &["plan", "hello"], &["plan", "hello", "--json"], &["--help"], &["--version"]]
    {
        let output = Place::new().command(arguments).stdout(full()).output().expect(STARTS);
        let ended = Ended::of(output);
        assert_eq!(ended.code, Some(1), "{arguments:?}: {ended:?}");
        assert!(ended.err.starts_with("error: standard output cannot be written: "), "{ended:?}");
    }
    let arguments = ["run", "word-count", "--json", "--set", "input=none.txt"];
    let ended = Ended::of(Place::new().command(&arguments).stdout(full()).output().expect(STARTS));
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("none.txt"), "an error is told where it can be: {ended:?}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    drop(reader);
    let ended = Ended::of(Place::new().command(&["pipelines"]).stdout(writer).output().expect(STARTS));
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
}

#[test]
fn a_standard_error_that_cannot_be_written_changes_nothing() {
    let place = Place::new();
    let run = |arguments: &[&str]| {
        let output = place.command(arguments).stderr(full()).output().expect(STARTS);
        Ended::of(output)
    };
    let ended = run(&["run", "hello", "--set", "times=1"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), "hello stream, number 1\n"));
    assert_eq!(run(&["run", "helo"]).code, Some(2));
    assert_eq!(run(&["--hlep"]).code, Some(2));
}

#[test]
fn settings_without_an_end_are_refused() {
    let place = Place::new();
    let begun = Instant::now();
    let error = refused(&place, &["run", "hello", "--config", "/dev/zero"]);
    assert_eq!(error, "error: /dev/zero cannot be read: it is longer than 1048576 bytes\n");
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn an_address_that_is_none_is_refused_before_anything_is_made() {
    for input in ["tcp://nonsense", "udp://nonsense", "tcp://192.0.2.1:0", "udp://127.0.0.1:99999"] {
        let place = Place::new();
        let error = refused(&place, &["run", "sensor-statistics", "--set", &format!("input={input}")]);
        assert!(error.contains(input.split_once("://").expect("it is an address").1), "{error}");
        assert_eq!(names(place.path()), [] as [&str; 0], "{input} has left something behind");
    }
}

#[test]
fn a_job_that_is_refused_leaves_nothing_behind() {
    let place = Place::new();
    place.write("input.csv.gz", "");
    let ended = place.run(&["run", "sensor-statistics", "--set", "input=input.csv.gz"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!(names(place.path()), ["input.csv.gz"]);
}

#[test]
fn a_binary_file_taken_for_csv_is_refused_in_a_short_line() {
    let place = Place::new();
    fs::write(place.path().join("noise.csv"), [0xff, 0x01].repeat(200_000)).expect("the directory is ours");
    let error = refused(&place, &["run", "sensor-statistics", "--set", "input=noise.csv"]);
    assert!(error.len() < 1000 && error.contains("is not UTF-8"), "{} bytes: {error}", error.len());
    let error = refused(&place, &["run", "hello", "--set", &format!("times={}", "x".repeat(100_000))]);
    assert!(error.len() < 5000, "{} bytes", error.len());
}

#[test]
fn a_second_run_into_one_directory_is_refused_and_says_what_to_do() {
    let place = Place::new();
    let endless = ["run", "sensor-statistics", "--set", "input=udp://127.0.0.1:0", "--set", "output=out"];
    let mut first = place.command(&endless).stderr(Stdio::null()).spawn().expect(STARTS);
    let begun = Instant::now();
    while !place.path().join("out/.inprogress/statistics.jsonl-00000.lock").exists() {
        assert!(begun.elapsed() < Duration::from_secs(120), "the first run does not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    let error = refused(&place, &["run", "sensor-statistics", "--set", "readings=10", "--set", "output=out"]);
    assert!(error.contains(": out: another job that is running"), "{error}");
    assert!(error.contains("wait for its end, or choose another directory"), "{error}");
    let beside = place.run(&["run", "sensor-statistics", "--set", "readings=10", "--set", "output=out-2"]);
    assert_eq!(beside.code, Some(0), "{beside:?}");
    first.kill().expect("it runs");
    first.wait().expect("it was killed");
    let after = place.run(&["run", "sensor-statistics", "--set", "readings=10", "--set", "output=out"]);
    assert_eq!(after.code, Some(0), "what a killed run leaves locks nobody out: {after:?}");
    assert!(!place.path().join("out/.inprogress").exists());
}

#[test]
fn runs_that_start_and_end_in_one_directory_do_not_stumble_over_each_other() {
    let place = Place::new();
    for _ in 0..10 {
        let start =
            |_| place.command(&["run", "hello", "--quiet"]).stdout(Stdio::null()).spawn().expect(STARTS);
        for mut run in (0..8).map(start).collect::<Vec<_>>() {
            assert_eq!(run.wait().expect("it was started").code(), Some(0));
        }
    }
    // Whoever has made the directory may have left it before the last one did; no lock and no folder is in it.
    assert_eq!(names(&place.path().join("dead-letters")), [] as [&str; 0]);
}

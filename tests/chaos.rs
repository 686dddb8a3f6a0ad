//! `chaos run`, by itself: that it hurts, that it judges, and that it leaves nothing behind.

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

/// The longest that anything may take here.
const PATIENCE: Duration = Duration::from_secs(300);

/// One cluster at a time, so that none is slowed down by another.
static ONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn chaos(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watershed"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("WATERSHED_") || name == "RUST_LOG") {
            command.env_remove(name);
        }
    }
    command.args(["chaos", "run"]).args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    chaos(arguments).output().expect("the program starts")
}

/// What a command that is refused says; its exit code is 2, and nothing was run.
#[track_caller]
fn refused(arguments: &[&str]) -> String {
    let output = run(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    said
}

fn report(place: &Path) -> Value {
    let text = fs::read_to_string(place).expect("there is a report");
    serde_json::from_str(&text).expect("it is JSON")
}

/// Waits until something is so.
#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// How many processes have a directory in their arguments.
fn processes_of(directory: &Path) -> usize {
    let wanted = directory.to_str().expect("a directory of a test has a plain name");
    let has = |entry: fs::DirEntry| {
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&arguments).contains(wanted)
    };
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter(has_number)
        .map(has)
        .filter(|has| *has)
        .count()
}

fn has_number(entry: &fs::DirEntry) -> bool {
    entry.file_name().to_string_lossy().parse::<u32>().is_ok()
}

/// A rehearsal whose three nodes are up.
fn under_way(place: &TempDir) -> Child {
    let directory = place.path().join("d");
    let arguments =
        ["flight-delays", "--faults", "delay", "--minutes", "5", "--directory", directory.to_str().unwrap()];
    let said = File::create(place.path().join("said")).unwrap();
    let child = chaos(&arguments).stdout(Stdio::null()).stderr(said).spawn().expect("the program starts");
    let runs =
        || fs::read_to_string(place.path().join("said")).is_ok_and(|said| said.contains("chaos-1 runs"));
    wait_until("a job", runs);
    // The command itself has the directory in its arguments, too.
    assert_eq!(processes_of(&directory), 4);
    child
}

#[test]
fn a_pipeline_is_hurt_in_several_ways_and_writes_what_it_writes_undisturbed() {
    let _alone = alone();
    let place = TempDir::new().unwrap();
    let path = |name: &str| place.path().join(name).display().to_string();
    let (json, svg) = (path("report.json"), path("soak.svg"));
    let output = run(&[
        "flight-delays",
        "--faults",
        "kill,one-way,duplicate,flip,disk",
        "--seed",
        "7",
        "--minutes",
        "0.5",
        "--every",
        "4s",
        "--checkpoint-interval",
        "200ms",
        "--directory",
        &path("d"),
        "--report",
        &json,
        "--svg",
        &svg,
    ]);
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let report = report(Path::new(&json));
    assert_eq!(report["held"], true, "{said}");
    let faults = report["faults"].as_array().unwrap();
    let kinds: std::collections::BTreeSet<&str> =
        faults.iter().map(|fault| fault["kind"].as_str().unwrap()).collect();
    assert!(kinds.len() >= 3, "{said}");
    assert!(
        faults.iter().any(|fault| fault["recovery_seconds"].as_f64().is_some_and(|took| took > 0.0)),
        "{said}"
    );
    assert!(report["checkpoints_proved"].as_u64().unwrap() > 20, "{said}");
    assert_eq!(
        report["checkpoints_completed"], report["checkpoints_proved"],
        "none was lost, and none passed over"
    );
    assert!(said.contains("chaos-1: as if nobody had hurt it, by its lines: "), "{said}");
    assert!(said.contains("again: watershed chaos run flight-delays --nodes 3 "), "{said}");
    let drawn = fs::read_to_string(svg).unwrap();
    assert!(drawn.starts_with("<svg ") && drawn.contains("open files") && drawn.ends_with("</svg>\n"));
    assert_eq!(processes_of(place.path()), 0, "nobody is left behind");
}

#[test]
fn an_output_that_is_not_as_it_should_be_is_told() {
    let _alone = alone();
    let place = TempDir::new().unwrap();
    let (directory, json) = (place.path().join("d"), place.path().join("report.json"));
    let arguments = [
        "flight-delays",
        "--faults",
        "delay",
        "--minutes",
        "0.1",
        "--every",
        "3s",
        "--directory",
        directory.to_str().unwrap(),
        "--report",
        json.to_str().unwrap(),
    ];
    let child =
        chaos(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
    wait_until("a node", || directory.join("n1.log").exists());
    // As if the cluster had lost a line: one more is expected of it.
    let right = directory.join("undisturbed/hourly.csv");
    writeln!(File::options().append(true).open(right).unwrap(), "one more").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("WRONG: chaos-1: hourly.csv: 1 of ") && said.contains("NOT HELD"), "{said}");
    assert_eq!(report(&json)["held"], false);
}

#[test]
fn the_same_seed_does_the_same() {
    let plan = |seed: &str| {
        let output = run(&["flight-delays", "--seed", seed, "--minutes", "10", "--dry-run"]);
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    };
    let seven = plan("7");
    assert!(seven.lines().count() > 50, "{seven}");
    assert_eq!(seven, plan("7"));
    assert_ne!(seven, plan("8"));
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_runs() {
    assert!(refused(&["flight-delays", "--faults", "kill,hill"]).contains("there is no fault \"hill\""));
    assert!(refused(&["flight-delays", "--nodes", "0"]).contains("--nodes 0"));
    assert!(refused(&["flight-delays", "--nodes", "1", "--faults", "slow"]).contains("needs two nodes"));
    assert!(refused(&["flight-delays", "--minutes", "0"]).contains("--minutes"));
    assert!(refused(&["flight-delays", "--every", "soon"]).contains("--every: \"soon\" is no duration"));
    assert!(refused(&["flight-delays", "--set", "output=x"]).contains("--set output"));
    assert!(refused(&["flight-delays", "--set", "speed=9"]).contains("speed"));
    assert!(refused(&["hello"]).contains("has no parameter `output`"));
    assert!(refused(&["flight-delay"]).contains("did you mean \"flight-delays\""));
    let full = TempDir::new().unwrap();
    fs::write(full.path().join("a"), "mine").unwrap();
    assert!(
        refused(&["flight-delays", "--directory", full.path().to_str().unwrap()]).contains("is not empty")
    );
    assert_eq!(fs::read(full.path().join("a")).unwrap(), b"mine");
}

#[test]
fn the_nodes_end_with_the_command_when_it_is_killed() {
    let _alone = alone();
    let place = TempDir::new().unwrap();
    let mut child = under_way(&place);
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the end of the nodes", || processes_of(&place.path().join("d")) == 0);
}

#[test]
fn the_nodes_end_with_the_command_when_somebody_has_had_enough() {
    let _alone = alone();
    let place = TempDir::new().unwrap();
    let mut child = under_way(&place);
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(1));
    assert_eq!(processes_of(&place.path().join("d")), 0);
    assert!(fs::read_to_string(place.path().join("said")).unwrap().contains("error: interrupted"));
}

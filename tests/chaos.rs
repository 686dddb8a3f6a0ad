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
use serde_json::{Value, json};
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

/// How many minutes a rehearsal lasts, in turn, until all that was asked for is felt and recovered from: how long that takes
/// is the machine's affair.
const MINUTES: [&str; 3] = ["0.25", "1", "4"];

/// That nothing is wrong and nothing ended by itself.
#[track_caller]
fn expect_held(report: &Value, said: &str) {
    assert_eq!(report["held"], true, "{said}");
    assert_eq!(report["deaths"], json!([]), "whoever is not killed lives: {said}");
    let faults = report["faults"].as_array().unwrap().iter();
    let recovered = faults.filter(|fault| fault["recovery_seconds"].is_number());
    assert!(recovered.clone().all(|fault| fault["struck"] == true), "{said}");
    assert_eq!(report["recovery"]["all"]["recovered"], recovered.count(), "{said}");
    assert_eq!(
        report["checkpoints_completed"], report["checkpoints_proved"],
        "none was lost, and none passed over: {said}"
    );
}

/// Whether everything that was asked for was done, was felt, and was recovered from.
fn is_all_felt(report: &Value, kinds: &[&str]) -> bool {
    kinds.iter().all(|kind| {
        let come = &report["recovery"][kind];
        let [struck, recovered] = ["struck", "recovered"].map(|what| come[what].as_u64().unwrap_or_default());
        struck >= 1 && recovered >= 1 && come["p50_seconds"].as_f64().is_some_and(|took| took > 0.0)
    })
}

/// What a rehearsal has left.
struct Rehearsed {
    place: TempDir,
    report: Value,
    said: String,
}

impl Rehearsed {
    /// Rehearses `flight-delays`, and demands that it held, or that nothing was harmed. Where it is refused, what is said.
    #[track_caller]
    fn of(arguments: &[&str], minutes: &str) -> Result<Rehearsed, String> {
        let place = TempDir::new().unwrap();
        let path = |name: &str| place.path().join(name).display().to_string();
        let (directory, json, svg) = (path("d"), path("report.json"), path("soak.svg"));
        let mut all = vec!["flight-delays", "--minutes", minutes, "--every", "2s"];
        all.extend(["--checkpoint-interval", "200ms", "--directory", &directory]);
        all.extend(["--report", &json, "--svg", &svg]);
        all.extend(arguments);
        let output = run(&all);
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(2) {
            return Err(said.into_owned());
        }
        let report = report(Path::new(&json));
        // A job that was over before the first fault shows nothing.
        let wrong = report["wrong"].as_array().unwrap();
        let is_over = |why: &Value| why.as_str().is_some_and(|why| why.starts_with("nothing was harmed: "));
        if wrong.is_empty() || !wrong.iter().all(is_over) {
            assert_eq!(output.status.code(), Some(0), "{said}");
            expect_held(&report, &said);
        }
        assert_eq!(processes_of(place.path()), 0, "nobody is left behind");
        Ok(Rehearsed { place, report, said: said.into_owned() })
    }

    /// The first of longer and longer ones that has enough.
    #[track_caller]
    fn until(arguments: &[&str], is_enough: impl Fn(&Rehearsed) -> bool) -> Result<Rehearsed, String> {
        for minutes in MINUTES {
            let rehearsed = Rehearsed::of(arguments, minutes)?;
            if is_enough(&rehearsed) {
                return Ok(rehearsed);
            }
            println!("it takes longer than {minutes} minutes: {}", rehearsed.said);
        }
        panic!("not all is felt and recovered from");
    }

    fn details(&self, kind: &str) -> Vec<String> {
        details(&self.report, kind)
    }
}

#[test]
fn a_pipeline_is_hurt_in_several_ways_and_writes_what_it_writes_undisturbed() {
    let _alone = alone();
    let kinds = ["kill", "one-way", "duplicate", "flip", "disk"];
    let of_kind = ["records", "element", "credit", "message"].map(|kind| format!("a frame of kind {kind}"));
    // Of this seed, each kind is begun within 11 s, and none lasts long.
    let rehearsed = Rehearsed::until(&["--faults", &kinds.join(","), "--seed", "3"], |rehearsed| {
        let frames = [rehearsed.details("duplicate"), rehearsed.details("flip")].concat();
        let harmed = frames.iter().filter(|how| of_kind.contains(how)).count();
        let proved = rehearsed.report["checkpoints_proved"].as_u64();
        is_all_felt(&rehearsed.report, &kinds) && harmed >= 2 && proved > Some(20)
    });
    let rehearsed = rehearsed.expect("processes of this machine can be harmed");
    let disk = rehearsed.details("disk");
    assert!(disk.iter().all(|how| how == "files lie where the directory and its folders were"), "{disk:?}");
    let said = &rehearsed.said;
    assert!(said.contains("FAULT      DONE  STRUCK  RECOVERED "), "{said}");
    assert!(said.contains("chaos-1: as if nobody had hurt it, by its lines: "), "{said}");
    assert!(said.contains("again: watershed chaos run flight-delays --nodes 3 "), "{said}");
    let drawn = fs::read_to_string(rehearsed.place.path().join("soak.svg")).unwrap();
    assert!(drawn.starts_with("<svg ") && drawn.contains("open files") && drawn.ends_with("</svg>\n"));
}

/// A short rehearsal in a home that has enough; nothing, with a word about it, where nobody can live there.
fn rehearsed_in(
    home: &str,
    image: &str,
    faults: &str,
    is_enough: impl Fn(&Rehearsed) -> bool,
) -> Option<Rehearsed> {
    // Of this seed, each kind is begun within 10 s, and somebody is cut off for longer than a silence is borne.
    let arguments = ["--in", home, "--image", image, "--faults", faults, "--seed", "32"];
    let kinds: Vec<&str> = faults.split(',').collect();
    let rehearsed = Rehearsed::until(&arguments, |rehearsed| {
        is_all_felt(&rehearsed.report, &kinds) && is_enough(rehearsed)
    });
    match rehearsed {
        Ok(rehearsed) => {
            let said = &rehearsed.said;
            println!("{said}");
            assert!(said.contains(&format!(" on 3 nodes in {home}, seed 32: ")), "{said}");
            assert_eq!(rehearsed.report["in"], home);
            Some(rehearsed)
        }
        Err(said) => {
            let lacks = ["nodes cannot live in", "cannot be mounted", "cannot be entered"];
            assert!(lacks.iter().any(|lack| said.contains(lack)), "{said}");
            println!("in {home}: skipped: {said}");
            None
        }
    }
}

/// How the faults of a kind were done.
fn details(report: &Value, kind: &str) -> Vec<String> {
    let faults = report["faults"].as_array().unwrap().iter();
    let of_kind = faults.filter(|fault| fault["kind"] == kind);
    of_kind.map(|fault| fault["detail"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn nodes_in_networks_of_their_own_are_parted_by_the_kernel_and_nothing_of_it_is_left() {
    let _alone = alone();
    let interfaces = || fs::read_to_string("/proc/net/dev").unwrap().lines().count();
    let mounts = || fs::read_to_string("/proc/mounts").unwrap();
    let before = interfaces();
    // Nobody was killed or stood still, so that only a wire that was cut can have been silent.
    let is_missed = |rehearsed: &Rehearsed| {
        let folder = rehearsed.place.path().join("d");
        let said = ["n1", "n2", "n3"].map(|node| folder.join(node).with_extension("log"));
        said.iter().any(|log| fs::read_to_string(log).unwrap().contains("nothing was heard of it"))
    };
    let Some(rehearsed) = rehearsed_in("namespaces", "-", "partition,one-way,full-disk", is_missed) else {
        return;
    };
    let full = rehearsed.details("full-disk");
    assert!(!full.is_empty() && full.iter().all(|how| how == "there is no room for a byte more"), "{full:?}");
    let parted = [rehearsed.details("one-way"), rehearsed.details("partition")].concat();
    assert!(!parted.is_empty() && parted.iter().all(|how| how.ends_with("drops every packet")), "{parted:?}");
    assert_eq!(interfaces(), before, "the machine's own network is as it was");
    assert!(!mounts().contains("watershed-chaos"), "no disk is left");
}

#[test]
fn nodes_in_containers_are_hurt_by_their_engine_and_nothing_of_it_is_left() {
    let _alone = alone();
    let image = std::env::var("WATERSHED_IMAGE").unwrap_or_else(|_| "watershed:local".to_owned());
    let faults = "kill,pause,partition";
    let Some(rehearsed) = rehearsed_in("containers", &image, faults, |_| true) else { return };
    let parted = rehearsed.details("partition");
    assert!(parted.iter().all(|how| how.ends_with("the engine takes its network away")), "{parted:?}");
    let filter = "label=watershed.chaos";
    for list in [&["ps", "--all"], &["network", "ls"]] {
        let left = Command::new("docker").args(list).args(["--quiet", "--filter", filter]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&left.stdout), "", "something is left over");
    }
}

#[test]
fn what_cannot_be_done_where_the_nodes_live_is_refused_and_left_out_of_all() {
    let said = refused(&["flight-delays", "--in", "containers", "--faults", "flip"]);
    assert!(said.contains("`flip` with --nodes 3 --in containers: no proxy stands between"), "{said}");
    assert!(refused(&["flight-delays", "--in", "castles"]).contains("castles"));
    let plan = |arguments: &[&str]| {
        let output = run(&[&["flight-delays", "--seed", "7", "--dry-run"], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let alone = plan(&["--nodes", "1"]);
    assert!(alone.contains(" kill ") && !alone.contains(" to "), "{alone}");
    let contained = plan(&["--in", "containers", "--minutes", "5"]);
    assert!(contained.contains(" pause ") && !contained.contains(" delay "), "{contained}");
}

#[test]
fn an_output_that_is_not_as_it_should_be_and_a_schedule_that_harms_nothing_are_told() {
    let _alone = alone();
    let place = TempDir::new().unwrap();
    let (directory, json) = (place.path().join("d"), place.path().join("report.json"));
    let arguments = [
        "flight-delays",
        "--faults",
        "delay",
        "--minutes",
        "0.05",
        // None comes before the job's end.
        "--every",
        "60s",
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
    assert!(said.contains("WRONG: nothing was harmed: of 0 faults of the schedule 0 were done"), "{said}");
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

//! A record by which an operator panics, in a job whose process is killed meanwhile.
//!
//! No stock pipeline panics, so the process that is killed is this very test, started once more: a job of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use watershed::prelude::*;
use watershed::{Job, core::testing::Numbers};
use watershed_runtime::{CheckpointConfig, Config, PoisonConfig, PoisonPolicy};

use crate::process::{Ended, Process};

/// Names the folder of the job to the process that is it.
const FOLDER: &str = "POISONED_JOB_FOLDER";
/// Names to it for how many microseconds it rests after each 16 records.
const REST: &str = "POISONED_JOB_REST";

/// The rests that are tried, in turn, until a job is killed at all: how many checkpoints a job has time for is the
/// machine's affair, and the longest makes the job take half a minute.
const RESTS: [u64; 4] = [400, 2_500, 25_000, 160_000];

const COUNT: u64 = 3000;
const POISON: [u64; 2] = [1400, 2700];

/// Keeps its letters twice: in files that are staged, and in the file that shows them at once.
fn describe(pipeline: &Pipeline, folder: &Path, rest: Duration) {
    let numbers = pipeline.source(Numbers::up_to(COUNT)).uid("numbers").map(move |n| {
        if n % 16 == 0 {
            std::thread::sleep(rest);
        }
        n
    });
    let checked = numbers.rebalance().map(|n| {
        assert!(!POISON.contains(&n), "cannot bear {n}");
        n
    });
    checked.uid("checked").sink(sink::Files::json_lines(folder.join("out.jsonl")).in_parts());
    let letters = pipeline.dead_letters().shared();
    letters.branch().parallelism(1).sink(sink::DeadLetterFile::at(folder.join("letters.jsonl")));
    let staged = letters.branch().map(|letter: DeadLetter| letter.reason).parallelism(1);
    staged.sink(sink::Files::json_lines(folder.join("staged.jsonl")).in_parts());
}

#[test]
#[ignore = "the job of the other test, in a process of its own"]
fn the_job() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let rest = Duration::from_micros(std::env::var(REST).unwrap().parse().unwrap());
    let checkpoints =
        CheckpointConfig { interval: Some(Duration::from_millis(10)), ..CheckpointConfig::default() };
    let poison = PoisonConfig { policy: PoisonPolicy::Quarantine, ..PoisonConfig::default() };
    let config =
        Config { checkpoints, poison, arbiters: 2, parallelism: 2, poll_records: 16, ..Config::default() };
    let job = Job::describe("poisoned", |pipeline| {
        describe(pipeline, folder, rest);
        Ok(())
    });
    job.unwrap().config(config).state_directory(folder.join("state")).run().unwrap();
}

fn live(folder: &Path, rest: u64, failpoints: &str) -> Ended {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["poison::the_job", "--exact", "--ignored", "--nocapture"]);
    command.env(FOLDER, folder).env(REST, rest.to_string()).env("FAILPOINTS", failpoints);
    Process::start(&mut command).end()
}

/// Starts the job again and again until it is done; how often it was killed.
fn live_until_done(folder: &Path, rest: u64, failpoints: &str) -> u32 {
    for life in 0..30 {
        let ended = live(folder, rest, if life < 12 { failpoints } else { "" });
        if !ended.is_killed() {
            ended.expect_done(failpoints);
            return life;
        }
    }
    panic!("{failpoints}: the job does not get on");
}

/// The values of all lines of a file, or of all files of a folder.
fn values(path: &Path) -> Vec<Value> {
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        let parts = entries.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
        return parts.flat_map(|path| values(&path)).collect();
    }
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_job_that_is_killed_around_a_quarantine_has_one_letter_of_each_record() {
    // Before a checkpoint is decided, right after, and before it is carried out; every few checkpoints, so that the
    // kills come between the tries, between the last of them and the letter, and between the letter and its checkpoint.
    for failpoints in [
        "sink::after_prepare=13*off->return(kill)",
        "coordinator::before_decision=3*off->return(kill)",
        "coordinator::after_decision=2*off->return(kill)",
        "sink::before_commit=14*off->return(kill)",
    ] {
        let (folder, _) = RESTS
            .into_iter()
            .map(|rest| {
                let folder = TempDir::new().unwrap();
                let killed = live_until_done(folder.path(), rest, failpoints);
                println!("{failpoints}: killed {killed} times, resting for {rest} us");
                (folder, killed)
            })
            .find(|(_, killed)| *killed > 0)
            .unwrap_or_else(|| panic!("{failpoints}: never killed"));
        let numbers = values(&folder.path().join("out"));
        let mut counts: BTreeMap<u64, u32> = (0..COUNT).map(|n| (n, 0)).collect();
        numbers.iter().for_each(|n| *counts.get_mut(&n.as_u64().unwrap()).unwrap() += 1);
        for (n, count) in counts {
            assert_eq!(count, u32::from(!POISON.contains(&n)), "{failpoints}: {n} came out {count} times");
        }
        for letters in ["letters.jsonl", "staged"] {
            let reasons = values(&folder.path().join(letters));
            let of = |n: u64| {
                reasons.iter().filter(|one| one.to_string().contains(&format!("cannot bear {n}"))).count()
            };
            assert_eq!(
                (of(POISON[0]), of(POISON[1]), reasons.len()),
                (1, 1, 2),
                "{failpoints}: {letters}: {reasons:?}"
            );
        }
    }
}

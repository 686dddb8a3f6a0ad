//! A job that takes more memory than its process may.
//!
//! As in [`poison`](super::poison), the process that ends is this very test, started once more.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use watershed::prelude::*;
use watershed::{Job, core::testing::Numbers};
use watershed_runtime::{CheckpointConfig, Config};

use crate::process::{Ended, Process};

/// Names the folder of the job to the process that is it.
const FOLDER: &str = "HUNGRY_JOB_FOLDER";
/// Tells it how it is to be: one of the [`Habit`]s.
const HABIT: &str = "HUNGRY_JOB_HABIT";

/// How much the process may take: several times what it takes without state.
const LIMIT_BYTES: u64 = 128 << 20;
/// What is kept for each key.
const VALUE_BYTES: usize = 32 << 10;
/// So many that their values are half as much again as the process may take.
const KEYS: u64 = 6_000;
/// At which number the greedy one begins.
const GREEDY_AT: u64 = 4_000;

/// How the job keeps its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// Keeps a value for each key.
    Hoards,
    /// The same, and may take as much memory as there is.
    HoardsFreely,
    /// Keeps nothing, and takes memory without end at one record.
    Greedy,
    /// Keeps nothing.
    Modest,
}

impl Habit {
    const ALL: [Habit; 4] = [Habit::Hoards, Habit::HoardsFreely, Habit::Greedy, Habit::Modest];

    fn named(name: &str) -> Habit {
        Habit::ALL.into_iter().find(|habit| format!("{habit:?}") == name).expect("it is one of them")
    }
}

/// Passes each number on, and keeps something for it.
#[derive(Clone)]
struct Keep {
    habit: Habit,
}

impl Operator for Keep {
    type Key = u64;
    type In = u64;
    type Out = u64;
    type State = String;

    fn on_record(&self, n: u64, kept: &mut String, cx: &mut impl Context<Self>) {
        match self.habit {
            Habit::Hoards | Habit::HoardsFreely => *kept = "x".repeat(VALUE_BYTES),
            Habit::Greedy if n == GREEDY_AT => {
                let mut taken = Vec::new();
                loop {
                    taken.push(vec![1_u8; 1 << 20]);
                }
            }
            Habit::Greedy | Habit::Modest => cx.forget(),
        }
        cx.emit(n);
    }
}

#[test]
#[ignore = "the job of the other tests, in a process of its own"]
fn the_job() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let habit = Habit::named(&std::env::var(HABIT).unwrap());
    let checkpoints =
        CheckpointConfig { interval: Some(Duration::from_millis(250)), ..CheckpointConfig::default() };
    let config = Config { checkpoints, arbiters: 2, parallelism: 2, ..Config::default() };
    let job = Job::describe("hungry", |pipeline| {
        let numbers = pipeline.source(Numbers::up_to(KEYS)).uid("numbers");
        let kept = numbers.key_by(|n| *n).process(Keep { habit }).uid("kept");
        kept.sink(sink::Files::json_lines(folder.join("out.jsonl")).in_parts());
        Ok(())
    });
    let limit = (habit != Habit::HoardsFreely).then_some(LIMIT_BYTES);
    let job = job.unwrap().config(config).state_directory(folder.join("state"));
    job.memory_limit(limit).run().unwrap();
}

fn live(folder: &Path, habit: Habit) -> Ended {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["memory::the_job", "--exact", "--ignored", "--nocapture"]);
    command.env(FOLDER, folder).env(HABIT, format!("{habit:?}"));
    Process::start(&mut command).end()
}

#[track_caller]
fn expect_exceeded(ended: &Ended) {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.said.contains("MiB of memory, of 128 MiB that it may take, and ends here"), "{ended:?}");
}

/// Each number came out once.
#[track_caller]
fn expect_all(folder: &Path) {
    let parts = fs::read_dir(folder.join("out")).unwrap().map(|entry| entry.unwrap().path());
    let parts = parts.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    let text: String = parts.map(|path| fs::read_to_string(path).unwrap()).collect();
    let numbers: Vec<u64> = text.lines().map(|line| line.parse().unwrap()).collect();
    let different: BTreeSet<u64> = numbers.iter().copied().collect();
    assert_eq!((numbers.len() as u64, different.len() as u64), (KEYS, KEYS));
}

#[test]
fn state_of_more_keys_than_fit_ends_the_process_and_goes_on_where_there_is_room() {
    let folder = TempDir::new().unwrap();
    expect_exceeded(&live(folder.path(), Habit::Hoards));
    live(folder.path(), Habit::HoardsFreely).expect_done("with room");
    expect_all(folder.path());
}

#[test]
fn an_operator_that_takes_memory_without_end_ends_its_process_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    expect_exceeded(&live(folder.path(), Habit::Greedy));
    live(folder.path(), Habit::Modest).expect_done("without the greedy operator");
    expect_all(folder.path());
}

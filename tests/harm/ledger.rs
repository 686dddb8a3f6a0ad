//! A ledger that is booked by processes which die, and is judged at the end.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::process::{Ended, Process, watershed};
use crate::state::prove;

/// How many events a second are booked: the rates that are tried, in turn, until a job lives long enough to be harmed where it
/// is to be. How many checkpoints it has time for is the machine's affair. At the last it lives for four minutes.
pub(crate) const RATES: [u64; 4] = [6000, 1200, 240, 25];

/// How many events a second are booked by a job that goes on behind its harm.
pub(crate) const RATE_BEHIND: u64 = 20_000;

/// A place for a ledger, its state, and what is to be booked there.
pub(crate) struct Ledger {
    folder: TempDir,
    pub(crate) events: u64,
    pub(crate) rate: u64,
    /// From one checkpoint to the next.
    pub(crate) interval: &'static str,
    state: PathBuf,
}

impl Ledger {
    /// A second's work, and a checkpoint every 50 ms.
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let state = folder.path().join("state");
        Ledger { folder, events: 6000, rate: RATES[0], interval: "50ms", state }
    }

    /// A ledger whose job was harmed as `harm` says, which tells whether it could; ever slower ones are tried.
    pub(crate) fn harmed(harm: impl Fn(&mut Ledger) -> bool) -> Option<Self> {
        RATES.into_iter().find_map(|rate| {
            let mut ledger = Ledger { rate, ..Ledger::new() };
            let is_harmed = harm(&mut ledger);
            println!("{rate} events a second: {}", if is_harmed { "harmed" } else { "it was over before" });
            is_harmed.then(|| Ledger { rate: RATE_BEHIND, ..ledger })
        })
    }

    /// Keeps its checkpoints in a directory elsewhere.
    pub(crate) fn with_state(mut self, state: &Path) -> Self {
        self.state = state.to_owned();
        self
    }

    pub(crate) fn state(&self) -> &Path {
        &self.state
    }

    pub(crate) fn output(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// What lies aside, written and not committed.
    pub(crate) fn drafts(&self) -> Vec<String> {
        let folder = std::fs::read_dir(self.output().join(".inprogress")).into_iter().flatten();
        let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains(".jsonl-") && !name.ends_with(".lock")).collect()
    }

    /// A process that books.
    pub(crate) fn command(&self, failpoints: &str, parallelism: u32) -> Command {
        let set = [format!("events={}", self.events), format!("rate={}", self.rate)];
        let (parallelism, state) = (parallelism.to_string(), self.state.to_str().unwrap());
        let mut command = watershed(self.folder.path(), &["run", "two-phase-commit", "--quiet"]);
        command.args(["--set", &set[0], "--set", &set[1], "--set", "keys=200", "--set", "output=out"]);
        command.args(["--state-dir", state, "--checkpoint-interval", self.interval]);
        command.args(["--parallelism", &parallelism]);
        if !failpoints.is_empty() {
            command.env("FAILPOINTS", failpoints);
        }
        command
    }

    /// Lets a process book to its end.
    pub(crate) fn book(&self, failpoints: &str, parallelism: u32) -> Ended {
        Process::start(&mut self.command(failpoints, parallelism)).end()
    }

    /// Lets a process book until it is killed at a failpoint; whether it was, before it came to its end.
    #[track_caller]
    pub(crate) fn dies(&self, failpoints: &str, parallelism: u32) -> bool {
        let ended = self.book(failpoints, parallelism);
        if ended.code == Some(0) {
            return false;
        }
        assert!(ended.is_killed() && ended.said.contains("harm: killed at "), "{failpoints}: {ended:?}");
        true
    }

    /// Demands that every event was booked once, in order, in the table and in the files alike, and that all
    /// checkpoints that are left are sound.
    #[track_caller]
    pub(crate) fn judge(&self, what: &str) {
        let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judge/ledger.py");
        let output = Command::new("python3")
            .arg(judge)
            .arg(self.output())
            .args(["--keys", "200", "--events", &self.events.to_string()])
            .output()
            .expect("python3 judges the results: install it (`.ci/run` does), and see that it is in PATH");
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{what}: {said}");
        assert!(!prove(&self.state, what).is_empty(), "{what}: no checkpoint is left");
        assert_eq!(self.drafts(), [] as [String; 0], "{what}: drafts are left over");
    }
}

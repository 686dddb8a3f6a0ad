//! A job that writes numbers to a table, in a process that may be killed: the test's own program, run again.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use watershed::actors::sink::{Mode, PostgresTable};
use watershed::prelude::*;
use watershed::{Config, runtime::CheckpointConfig};

use crate::server::{Server, skip, url};

/// How many numbers are written.
pub(crate) const NUMBERS: u64 = 2000;

const DATABASE: &str = "TXN_TEST_DATABASE";
const STATE: &str = "TXN_TEST_STATE";
const RATE: &str = "TXN_TEST_RATE";

/// How many of the numbers come a second: the rates that are tried, in turn, until a job lives long enough to die where it is
/// to. How many checkpoints it has time for is the machine's affair.
const RATES: [u32; 4] = [4000, 800, 160, 20];

/// A job, its database and its state directory.
pub(crate) struct Job {
    server: Arc<Server>,
    pub(crate) database: String,
    place: TempDir,
    rate: u32,
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) out: String,
    pub(crate) code: Option<i32>,
}

impl Ended {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.out.trim_end()).unwrap_or_else(|_| panic!("{self:?}"))
    }
}

/// The job itself. Run as a test it does nothing; as the process that may die, it is told where to write.
#[test]
fn the_job_that_the_other_tests_run() {
    let (Some(database), Some(state)) = (std::env::var_os(DATABASE), std::env::var_os(STATE)) else { return };
    let checkpoints =
        CheckpointConfig { interval: Some(Duration::from_millis(100)), ..CheckpointConfig::default() };
    let config = Config { parallelism: 1, checkpoints, ..Config::default() };
    let rate = std::env::var(RATE).unwrap().parse().unwrap();
    let job = watershed::Job::describe("numbers", |pipeline: &Pipeline| {
        let numbers = Generator::new(1, |n, _| n).take(NUMBERS).per_second(rate);
        let table =
            PostgresTable::new(database.to_str().unwrap(), "numbers").columns(["n"]).mode(Mode::Prepared);
        let rows = pipeline.source(numbers).uid("numbers").map(|n| (n,));
        rows.sink(table.patience(Duration::from_secs(60))).named("table").uid("table");
        Ok(())
    });
    let ended = job.unwrap().config(config).state_directory(PathBuf::from(state)).run();
    if let Err(error) = ended {
        panic!("the job failed: {error}");
    }
}

impl Job {
    /// A job with a database of its own; none, and a word about it, where there is no PostgreSQL.
    pub(crate) fn new(test: &str) -> Option<Job> {
        Job::on(Server::shared(), test, RATES[0])
    }

    /// A job whose server is no other test's, at so many numbers a second.
    pub(crate) fn apart(test: &str, rate: u32) -> Option<Job> {
        Job::on(Server::start(&["max_prepared_transactions=50"]).map(Arc::new), test, rate)
    }

    fn on(server: Option<Arc<Server>>, test: &str, rate: u32) -> Option<Job> {
        let Some(server) = server else {
            skip(test);
            return None;
        };
        Some(Job { database: server.create_database(), server, place: TempDir::new().unwrap(), rate })
    }

    /// A job that has died at a point, on its way. Ever slower ones are tried.
    #[track_caller]
    pub(crate) fn died(test: &str, failpoints: &str) -> Option<Job> {
        for rate in RATES {
            let job = Job::on(Server::shared(), test, rate)?;
            let output = job.process(failpoints);
            if !output.status.success() {
                assert_eq!(output.status.signal(), Some(9), "{}", said(&output));
                return Some(job);
            }
            println!("{rate} numbers a second: it was over before");
        }
        panic!("{failpoints}: it does not die, however long it lives");
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.place.path().join("state")
    }

    /// The address of the database, with a password that nobody asks for and nobody must print.
    pub(crate) fn url(&self) -> String {
        url(self.server.port(), &self.database).replace("owner@", "owner:hush-hush@")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["job::the_job_that_the_other_tests_run", "--exact", "--nocapture"]);
        command.env(DATABASE, self.url()).env(STATE, self.state()).env(RATE, self.rate.to_string());
        command.stdin(Stdio::null());
        command
    }

    fn process(&self, failpoints: &str) -> Output {
        self.command().env("FAILPOINTS", failpoints).output().unwrap()
    }

    /// Lets the job run, and whoever asks do something meanwhile; it has to come to its end.
    #[track_caller]
    pub(crate) fn ends_though<T>(&self, meanwhile: impl FnOnce() -> T) -> T {
        let mut command = self.command();
        let process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let done = meanwhile();
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        done
    }

    /// Runs the job to its end.
    #[track_caller]
    pub(crate) fn ends(&self) {
        let output = self.process("");
        assert!(output.status.success(), "{}", said(&output));
    }

    /// Runs the job to a failure, and tells of it.
    #[track_caller]
    pub(crate) fn fails(&self) -> String {
        let output = self.process("");
        assert_eq!(output.status.code(), Some(101), "{}", said(&output));
        said(&output)
    }

    /// A `txn` command with the database and the state directory, answered in JSON.
    #[track_caller]
    pub(crate) fn txn(&self, arguments: &[&str]) -> Ended {
        let (url, state) = (self.url(), self.state());
        let place = ["--json", "--database", &url, "--state-dir", state.to_str().unwrap()];
        self.run(&[&["txn"], arguments, &place].concat())
    }

    /// A command of the stock binary, which must not print the password.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watershed"));
        command.current_dir(self.place.path()).args(arguments).env_remove("DATABASE_URL");
        let output = command.output().unwrap();
        let text = said(&output);
        assert!(!text.contains("hush"), "the password is printed: {text}");
        Ended { out: String::from_utf8(output.stdout).unwrap(), code: output.status.code() }
    }

    pub(crate) fn execute(&self, sql: &str) {
        self.server.connect(&self.database).batch_execute(sql).unwrap();
    }

    /// How many rows the table has.
    pub(crate) fn count(&self) -> u64 {
        self.counts().0
    }

    /// How many rows the table has, and how many different ones.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let count = "SELECT count(*), count(DISTINCT n) FROM numbers";
        let row = self.server.connect(&self.database).query_one(count, &[]).unwrap();
        (row.get::<_, i64>(0).unsigned_abs(), row.get::<_, i64>(1).unsigned_abs())
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

//! A ledger that is booked by the stock binary, with its checkpoints in a bucket.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use object_store::{ObjectStore as _, ObjectStoreExt as _};
use tempfile::TempDir;

use crate::server::{BUCKET, Server, client};

/// How long a job is given to get somewhere.
pub(crate) const WITHIN: Duration = Duration::from_secs(300);

/// How many events are booked.
const EVENTS: &str = "4000";

/// The file that keeps a job from its end as long as it is there (`src/runtime/harm/leash.rs`), and how many events are
/// booked at most in a run until then.
const LEASH: (&str, &str) = ("leash", "600");

static JOBS: AtomicU32 = AtomicU32::new(0);

/// A job, its place on the disk and in the bucket.
pub(crate) struct Job {
    server: Arc<Server>,
    pub(crate) place: TempDir,
    pub(crate) address: String,
    prefix: String,
    endpoint: String,
}

/// What a process said, and its exit code.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) said: String,
    pub(crate) code: Option<i32>,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("hush"), "a secret is printed: {said}");
        Ended { said: said.into_owned(), code: output.status.code() }
    }
}

impl Ended {
    /// How a process ends; one that does not is killed, and has no exit code.
    pub(crate) fn in_time(mut process: Child) -> Ended {
        let until = Instant::now() + WITHIN;
        while process.try_wait().unwrap().is_none() {
            if Instant::now() > until {
                process.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        process.wait_with_output().unwrap().into()
    }
}

impl Job {
    /// A job of its own on the shared server; none where there is no server.
    pub(crate) fn new(test: &str) -> Option<Job> {
        let server = Server::shared(test)?;
        let prefix = format!("job-{}", JOBS.fetch_add(1, Ordering::Relaxed));
        let endpoint = format!("http://127.0.0.1:{}", server.port());
        let address = format!("s3://{BUCKET}/{prefix}");
        Some(Job { server, place: TempDir::new().unwrap(), address, prefix, endpoint })
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.port()
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.place.path().join(file), text).unwrap();
    }

    fn command(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watershed"));
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("WATERSHED_") || name.starts_with("AWS_")) {
                command.env_remove(name);
            }
        }
        command
            .env("AWS_ENDPOINT", &self.endpoint)
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "tester").env("AWS_SECRET_ACCESS_KEY", "hush-hush");
        command.env("WATERSHED_CHECKPOINT_STORE", &self.address).env("WATERSHED_STATE_DIR", "state");
        command.env("HARM_LEASH", LEASH.0);
        for (name, value) in variables {
            // Set to nothing is not set.
            if value.is_empty() {
                command.env_remove(name)
            } else {
                command.env(name, value)
            };
        }
        command.current_dir(self.place.path()).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn booking(&self, variables: &[(&str, &str)]) -> Command {
        let events = format!("events={EVENTS}");
        let mut command = self.command(variables, &["run", "two-phase-commit", "--parallelism", "1"]);
        command.args(["--checkpoint-interval", "100ms", "--set", "output=out"]);
        command.args(["--set", &events, "--set", "rate=2000", "--set", "keys=200"]);
        command
    }

    /// Keeps the job from its end, also one that is yet to be started.
    pub(crate) fn hold(&self) {
        self.write(LEASH.0, LEASH.1);
    }

    /// Lets it come to its end.
    pub(crate) fn let_go(&self) {
        std::fs::remove_file(self.place.path().join(LEASH.0)).unwrap();
    }

    /// Runs the job as it ends, whichever way.
    pub(crate) fn run(&self, variables: &[(&str, &str)]) -> Ended {
        Ended::in_time(self.booking(variables).spawn().unwrap())
    }

    /// Runs the job to its end.
    #[track_caller]
    pub(crate) fn ends(&self, variables: &[(&str, &str)]) -> Ended {
        let ended = self.run(variables);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    }

    /// Runs the job until it has taken another checkpoint or two, and kills it.
    #[track_caller]
    pub(crate) fn is_killed_behind_a_checkpoint(&self) {
        self.hold();
        let before = self.newest();
        let mut process = self.booking(&[]).spawn().unwrap();
        let until = Instant::now() + WITHIN;
        while self.newest() < before + 2 && Instant::now() < until {
            assert!(
                process.try_wait().unwrap().is_none(),
                "it ended: {:?}",
                Ended::from(process.wait_with_output().unwrap())
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        process.kill().unwrap();
        process.wait().unwrap();
        self.let_go();
        assert!(self.newest() >= before + 2, "no checkpoint in {WITHIN:?}");
    }

    /// The number of the newest checkpoint that is decided.
    pub(crate) fn newest(&self) -> u64 {
        let state = self.place.path().join("state");
        let meta = watershed_state::FileMetaStore::peek(&state).ok();
        meta.and_then(|meta| meta.completed).map_or(0, |completed| completed.epoch.0)
    }

    /// A look at the state directory.
    pub(crate) fn look(&self, arguments: &[&str]) -> Ended {
        self.command(&[], &[arguments, &["state"]].concat()).output().unwrap().into()
    }

    /// Demands that every event was booked once, in the table and in the files alike.
    #[track_caller]
    pub(crate) fn judge(&self) {
        let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judge/ledger.py");
        let mut command = Command::new("python3");
        command.arg(judge).arg(self.place.path().join("out")).args(["--keys", "200", "--events", EVENTS]);
        let output = command.output().expect("python3 judges the results");
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
}

/// Takes the objects out of a job's part of the bucket whose paths are chosen.
pub(crate) fn store(job: &Job, chosen: impl Fn(&str) -> bool) -> Vec<String> {
    let bucket = client(job.port()).with_bucket_name(BUCKET).build().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let below = object_store::path::Path::from(job.prefix.as_str());
        let listed = bucket.list_with_delimiter(Some(&below.clone().join("ck").join("0"))).await.unwrap();
        let mut gone = Vec::new();
        for epoch in listed.common_prefixes {
            for run in bucket.list_with_delimiter(Some(&epoch)).await.unwrap().common_prefixes {
                for object in bucket.list_with_delimiter(Some(&run)).await.unwrap().objects {
                    let path = object.location.to_string();
                    if chosen(&path) {
                        bucket.delete(&object.location).await.unwrap();
                        gone.push(path);
                    }
                }
            }
        }
        gone
    })
}

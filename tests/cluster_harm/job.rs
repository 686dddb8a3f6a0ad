//! `flight-delays` on a cluster, slow enough to be harmed, and what it has to write.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use watershed::core::checkpoint::Manifest;
use watershed_protocol::checkpoint::certify_manifest;
use watershed_state::CheckpointStore;
use watershed_state::inspect::Offline;

use crate::nodes::Nodes;
use crate::process::{Process, watershed};

const OUTPUTS: [&str; 5] = ["hourly", "carriers", "rotations", "weather", "top_routes"];

/// One job at a time, so that what is measured is not another test's work.
static ONE: Mutex<()> = Mutex::new(());

/// Waits until no other test has a cluster.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lines of each output, sorted.
fn outputs(folder: &Path) -> Vec<Vec<String>> {
    let lines = |output| {
        let path = folder.join("out").join(format!("{output}.csv"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    OUTPUTS.map(lines).into()
}

/// What a run in one process writes.
fn undisturbed() -> &'static Vec<Vec<String>> {
    static EXPECTED: OnceLock<Vec<Vec<String>>> = OnceLock::new();
    EXPECTED.get_or_init(|| {
        let folder = TempDir::new().unwrap();
        let mut command =
            watershed(folder.path(), &["run", "flight-delays", "--quiet", "--set", "output=out"]);
        Process::start(&mut command).end().expect_done("a run that nobody disturbs");
        outputs(folder.path())
    })
}

/// A job that has been submitted.
pub(crate) struct Job {
    parallelism: u32,
}

/// How a job stands.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) state: String,
    pub(crate) run: u64,
    pub(crate) restarts: u64,
    /// The nodes that have subtasks of it.
    pub(crate) nodes: Vec<String>,
    /// When its newest checkpoint was completed, where the node that leads has seen it.
    pub(crate) completed_at: Option<Instant>,
    /// What it waits for, or why it failed.
    reason: String,
}

impl Job {
    /// Submits it, and waits until it has checkpoints. It reads so many flights a second, of 27,004.
    pub(crate) fn submit(nodes: &Nodes, parallelism: u32, rate: u32) -> Job {
        Job::submit_with(nodes, parallelism, rate, &["--checkpoint-interval", "200ms"])
    }

    /// As [`Job::submit`], with these settings alone.
    pub(crate) fn submit_with(nodes: &Nodes, parallelism: u32, rate: u32, settings: &[&str]) -> Job {
        let (parallel, rate) = (parallelism.to_string(), format!("rate={rate}"));
        let mut arguments = vec!["submit", "flight-delays", "--parallelism", &parallel, "--set", &rate];
        arguments.extend(["--set", "output=out"]);
        arguments.extend(settings);
        nodes.command(&arguments);
        let job = Job { parallelism };
        job.wait_for(nodes, "a checkpoint", |standing| standing.completed_at.is_some());
        job
    }

    /// How it stands, if anybody can say.
    pub(crate) fn standing(&self, nodes: &Nodes) -> Option<Standing> {
        let asked = Instant::now();
        let said = nodes.ask("/api/v1/jobs/flight-delays")?;
        let completed_at = said["checkpoints"]["age_seconds"].as_f64();
        Some(Standing {
            state: said["state"].as_str()?.to_owned(),
            run: said["run"].as_u64().unwrap_or_default(),
            restarts: said["checkpoints"]["restarts"].as_u64()?,
            nodes: said["slots"].as_object()?.keys().cloned().collect(),
            // Not later than it was.
            completed_at: completed_at.and_then(|age| asked.checked_sub(Duration::from_secs_f64(age))),
            reason: said["reason"].as_str().unwrap_or_default().to_owned(),
        })
    }

    /// Waits until it stands as is wanted.
    #[track_caller]
    pub(crate) fn wait_for(&self, nodes: &Nodes, what: &str, wanted: impl Fn(&Standing) -> bool) -> Standing {
        nodes.wait_for(&format!("{what} of the job"), || {
            let standing = self.standing(nodes)?;
            let failed = standing.state == "failed" || standing.state == "cancelled";
            assert!(!failed, "{what}: the job {}: {}\n{}", standing.state, standing.reason, nodes.said());
            wanted(&standing).then_some(standing)
        })
    }

    /// A node that has subtasks of it and does not lead.
    pub(crate) fn worker(&self, nodes: &Nodes) -> String {
        nodes.wait_for("a worker of the job", || self.worker_now(nodes))
    }

    /// The same, if there is one now: a job that was crowded onto one node stays there until it is moved.
    pub(crate) fn worker_now(&self, nodes: &Nodes) -> Option<String> {
        let leader = nodes.leader();
        let standing = self.wait_for(nodes, "a run", |standing| !standing.nodes.is_empty());
        standing.nodes.into_iter().find(|node| *node != leader)
    }

    /// Harms the cluster, and returns how long it took from then to the first checkpoint that was completed when a later
    /// run had been seen.
    #[track_caller]
    pub(crate) fn harm(&self, nodes: &mut Nodes, what: &str, harm: impl FnOnce(&mut Nodes)) -> Duration {
        let before = self.wait_for(nodes, what, |standing| standing.run > 0);
        assert_eq!(before.state, "running", "{what}: it comes too late");
        let begun = Instant::now();
        harm(nodes);
        let in_time = |standing: &Standing| {
            assert_ne!(
                standing.state, "finished",
                "{what}: the job has ended, and there was no run behind it"
            );
        };
        self.wait_for(nodes, &format!("a run behind {what}"), |standing| {
            in_time(standing);
            standing.run > before.run
        });
        let later = Instant::now();
        let after = self.wait_for(nodes, &format!("a checkpoint behind {what}"), |standing| {
            in_time(standing);
            standing.completed_at.is_some_and(|at| at > later)
        });
        let recovery = after.completed_at.map_or(Duration::ZERO, |at| at - begun);
        println!(
            "{what}: first checkpoint {recovery:.1?} behind it, run {} after run {}",
            after.run, before.run
        );
        recovery
    }

    /// Waits for its end, and demands that it has written what an undisturbed run writes, and kept only sound checkpoints.
    #[track_caller]
    pub(crate) fn judge(&self, nodes: &Nodes, what: &str) {
        self.wait_for(nodes, "the end", |standing| standing.state == "finished");
        let found = outputs(nodes.folder());
        for ((output, expected), found) in OUTPUTS.iter().zip(undisturbed()).zip(&found) {
            let (rows, there) = (expected.len(), found.len());
            assert!(expected == found, "{what}: {output} has {there} lines, of {rows}, or others");
        }
        let proved = self.prove(nodes, what);
        assert!(proved > 0, "{what}: no checkpoint is left");
        println!("{what}: same output at parallelism {}, {proved} checkpoints proved", self.parallelism);
    }

    /// Proves every checkpoint that is there, and returns how many there are.
    fn prove(&self, nodes: &Nodes, what: &str) -> usize {
        let certify = |manifest: &Manifest, base: Option<&Manifest>| {
            certify_manifest(manifest, base).err().iter().map(ToString::to_string).collect()
        };
        let number = nodes.ask("/api/v1/jobs/flight-delays").unwrap()["number"].to_string();
        let store = nodes.folder().join("checkpoints").join(format!("flight-delays-{number}"));
        let offline = Offline::of(CheckpointStore::at(&store, None).unwrap(), None);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (reports, unread) = runtime.block_on(offline.verify_all(&certify)).unwrap();
        assert_eq!(unread, [] as [String; 0], "{what}");
        for report in &reports {
            assert!(report.is_sound(), "{what}: {report}");
        }
        reports.len()
    }
}

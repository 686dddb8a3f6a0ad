//! `flight-delays` on a cluster, on a leash until it was harmed, and what it has to write.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use watershed::core::Run;
use watershed::core::checkpoint::Manifest;
use watershed_state::CheckpointStore;
use watershed_state::inspect::Offline;

use crate::cuts;
use crate::nodes::Nodes;
use crate::process::{Process, watershed};

const OUTPUTS: [&str; 5] = ["hourly", "carriers", "rotations", "weather", "top_routes"];

/// The file that keeps a job from its end as long as it is there, see [`Node`](crate::node::Node).
const LEASH: &str = "leash";

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
    /// Its pipeline, after which it is called.
    pub(crate) name: &'static str,
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
    /// How many slots they give it.
    pub(crate) slots: u64,
    /// When its newest checkpoint was completed, where the node that leads has seen it.
    pub(crate) completed_at: Option<Instant>,
    /// What it waits for, or why it failed.
    reason: String,
}

impl Job {
    /// Submits it, and waits until it has checkpoints. Until it is [let go](Job::let_go), it reads fewer than so many flights
    /// in a run, of 27,004.
    pub(crate) fn submit(nodes: &Nodes, parallelism: u32, leash: u32) -> Job {
        Job::submit_with(nodes, parallelism, leash, &["--checkpoint-interval", "200ms"])
    }

    /// As [`Job::submit`], with these settings alone.
    pub(crate) fn submit_with(nodes: &Nodes, parallelism: u32, leash: u32, settings: &[&str]) -> Job {
        Job::submit_pipeline(nodes, "flight-delays", parallelism, leash, settings)
    }

    /// Submits any pipeline with these settings, and waits until it has checkpoints. Until it is [let go](Job::let_go), each
    /// subtask of a source reads fewer than so many records in a run.
    pub(crate) fn submit_pipeline(
        nodes: &Nodes,
        name: &'static str,
        parallelism: u32,
        leash: u32,
        settings: &[&str],
    ) -> Job {
        // All are kept, so that what each run went on from can be looked at in the end.
        fs::write(nodes.folder().join("watershed.toml"), "[checkpoints]\nretain = 100000\n").unwrap();
        fs::write(nodes.folder().join(LEASH), leash.to_string()).unwrap();
        let parallel = parallelism.to_string();
        let mut arguments = vec!["submit", name, "--parallelism", &parallel, "--set", "output=out"];
        arguments.extend(settings);
        nodes.command(&arguments);
        let job = Job { name, parallelism };
        job.wait_for(nodes, "a checkpoint", |standing| standing.completed_at.is_some());
        job
    }

    /// Lets it read as fast as it can, and waits for its end.
    #[track_caller]
    pub(crate) fn let_go(&self, nodes: &Nodes) {
        if let Err(error) = fs::remove_file(nodes.folder().join(LEASH)) {
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "only a job that was let go has no leash");
        }
        self.wait_for(nodes, "the end", |standing| standing.state == "finished");
    }

    fn path(&self) -> String {
        format!("/api/v1/jobs/{}", self.name)
    }

    /// How it stands, if anybody can say.
    pub(crate) fn standing(&self, nodes: &Nodes) -> Option<Standing> {
        let asked = Instant::now();
        let said = nodes.ask(&self.path())?;
        let completed_at = said["checkpoints"]["age_seconds"].as_f64();
        Some(Standing {
            state: said["state"].as_str()?.to_owned(),
            run: said["run"].as_u64().unwrap_or_default(),
            restarts: said["checkpoints"]["restarts"].as_u64()?,
            nodes: said["slots"].as_object()?.keys().cloned().collect(),
            slots: said["slots"].as_object()?.values().filter_map(Value::as_u64).sum(),
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
        let in_time = |standing: &Standing| {
            assert_ne!(
                standing.state, "finished",
                "{what}: the job has ended, and there was no run behind it"
            );
        };
        let before = self.wait_for(nodes, what, |standing| {
            in_time(standing);
            standing.run > 0 && standing.state == "running"
        });
        let begun = Instant::now();
        harm(nodes);
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

    /// Lets it go, and demands that it has written what an undisturbed run writes, and kept only sound checkpoints.
    #[track_caller]
    pub(crate) fn judge(&self, nodes: &Nodes, what: &str) {
        self.let_go(nodes);
        let found = outputs(nodes.folder());
        for ((output, expected), found) in OUTPUTS.iter().zip(undisturbed()).zip(&found) {
            let (rows, there) = (expected.len(), found.len());
            assert!(expected == found, "{what}: {output} has {there} lines, of {rows}, or others");
        }
        let proved = self.prove(nodes, what).len();
        println!("{what}: same output at parallelism {}, {proved} checkpoints proved", self.parallelism);
    }

    /// Proves every checkpoint that is there, by the engine's own rules and by others, and returns all of them.
    #[track_caller]
    pub(crate) fn prove(&self, nodes: &Nodes, what: &str) -> Vec<Manifest> {
        let said = nodes.wait_for("word of the job", || nodes.ask(&self.path()));
        let number = said["number"].to_string();
        let store = nodes.folder().join("checkpoints").join(format!("{}-{number}", self.name));
        let offline = Offline::of(CheckpointStore::at(&store, None).unwrap(), None);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let manifests = runtime.block_on(cuts::prove(&offline, what));
        self.demand_restored(nodes, &manifests, what);
        manifests
    }

    /// Demands that each later run has gone on from a checkpoint of an earlier one. The same output would come of a job that
    /// began anew each time.
    #[track_caller]
    fn demand_restored(&self, nodes: &Nodes, manifests: &[Manifest], what: &str) {
        assert!(!manifests.is_empty(), "{what}: no checkpoint is left");
        let runs: BTreeSet<Run> = manifests.iter().map(|manifest| manifest.run).collect();
        let restored: BTreeSet<Run> =
            cuts::restored(manifests).iter().map(|(manifest, _)| manifest.run).collect();
        let later: BTreeSet<Run> = runs.iter().skip(1).copied().collect();
        assert_eq!(
            restored,
            later,
            "{what}: runs that have gone on, and those that should\n{}",
            nodes.said()
        );
        let runs_of = self.wait_for(nodes, "the last run", |_| true).run;
        assert!(runs_of == 1 || !later.is_empty(), "{what}: {runs_of} runs, and checkpoints of {runs:?}");
    }
}

//! The coordinator alone, one subtask's node alone, or all nodes die, stop or sleep at a step of a checkpoint.
//!
//! `two-phase-commit` is at work on three nodes, each a process, and `tests/judge/ledger.py`, which shares nothing with it,
//! judges what it has booked in the end. Of the product of steps, victims and harms, `cargo test` tries a few; all that there
//! are, some of them without a victim since no such subtask passes the step, take about half an hour:
//!
//! ```sh
//! cargo test --test cluster_harm -- --ignored --nocapture the_whole_product
//! HARM_STEP=sink::before_commit cargo test --test cluster_harm -- --ignored --nocapture the_whole_product    # one step
//! ```

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use watershed::core::Epoch;
use watershed::core::checkpoint::Manifest;

use crate::job::{Job, Standing, alone};
use crate::nodes::Nodes;
use crate::order::Order;

/// Three leases of a leader, each of which is worth more than the silence after which a node is given up.
const STILL: Duration = Duration::from_secs(9);

/// How long a leader stands still in the ordinary suite: longer than its lease, which is 3 s.
const LEASE: Duration = Duration::from_millis(3500);

/// How long those who are to be harmed all at once may take until they come to the step. Whoever has not is harmed where it is.
const TOGETHER: Duration = Duration::from_millis(1500);

/// How often a job is dealt out anew until somebody has something to do who is to be harmed.
const SPREADS_MAX: usize = 12;

/// How many slots a node has, and of how many subtasks some are on every node then, or on two at least.
const SLOTS: u32 = 2;
const ON_EVERY_NODE: &str = "5";
const ON_TWO_NODES: &str = "4";

/// How many events are booked.
const EVENTS: u64 = 6000;

/// How long the leash is of each subtask that reads them, of which there are three or more: each harm begins a run, or two
/// where the machine does harm of its own.
fn leash(harms: usize) -> u32 {
    EVENTS as u32 / 3 / (4 + 2 * harms as u32)
}

/// Whose node is harmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    /// The node that leads, and nobody else.
    Leader,
    /// A node that does not lead, when a sink's subtask on it comes to the step; and likewise an operator's and a source's.
    Sink,
    Operator,
    Source,
    /// All nodes, at once.
    All,
}

/// What happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    /// SIGKILL.
    Kill,
    /// SIGSTOP, and SIGCONT when [`STILL`] is over.
    Stop,
    /// The thread that has come to the step sleeps for [`STILL`], and the process goes on.
    Sleep,
}

/// One step, victim and harm.
#[derive(Clone, Copy, Debug)]
struct Case(&'static str, Victim, Harm);

/// The points of `src/runtime/harm.rs` that a checkpoint passes, and who passes them.
const STEPS: [(&str, &[Victim]); 14] = {
    use Victim::{All, Leader, Operator, Sink, Source};
    const COORDINATOR: &[Victim] = &[Leader, All];
    const EACH: &[Victim] = &[Leader, Sink, Operator, Source, All];
    const SINKS: &[Victim] = &[Leader, Sink, All];
    [
        ("coordinator::triggered", COORDINATOR),
        ("task::barrier_seen", EACH),
        ("sink::before_prepare", EACH),
        ("sink::after_prepare", SINKS),
        // Only the operator keeps something.
        ("task::after_save", &[Leader, Operator, All]),
        ("task::before_vote", EACH),
        ("coordinator::after_vote", COORDINATOR),
        ("coordinator::before_manifest", COORDINATOR),
        ("coordinator::after_manifest", COORDINATOR),
        ("coordinator::before_decision", COORDINATOR),
        ("coordinator::after_decision", COORDINATOR),
        ("sink::before_commit", SINKS),
        ("sink::after_commit", SINKS),
        ("coordinator::after_commit", COORDINATOR),
    ]
};

impl Victim {
    /// A stage of the subtask that has to come to the step.
    fn uid(self, point: &str) -> &'static str {
        match self {
            // What is saved is saved beside the stream, where nobody knows of stages.
            _ if point == "task::after_save" => "*",
            Victim::Sink => "files",
            Victim::Operator => "count",
            Victim::Source => "log",
            Victim::Leader | Victim::All => "*",
        }
    }
}

impl Case {
    fn is_of_the_coordinator(&self) -> bool {
        self.0.starts_with("coordinator::")
    }

    /// Lets it happen, has the job go on, and says who was harmed, and in which run.
    fn harm(&self, nodes: &mut Nodes, job: &Job, still: Duration) -> (Vec<String>, u64) {
        let Case(point, victim, harm) = *self;
        let what = format!("{harm:?} of {victim:?} at {point}");
        let before = self.ready(nodes, job);
        let leader = nodes.leader();
        let (names, uid) = (nodes.names(), victim.uid(point));
        let action = match harm {
            Harm::Kill => "kill".to_owned(),
            Harm::Stop => "stop".to_owned(),
            Harm::Sleep => format!("sleep {}", still.as_millis()),
        };
        let whom: Vec<Vec<String>> = match victim {
            Victim::Leader => vec![vec![leader]],
            Victim::All if self.is_of_the_coordinator() => vec![vec![leader]],
            Victim::All => names.iter().map(|name| vec![name.clone()]).collect(),
            _ => vec![names.iter().filter(|name| **name != leader).cloned().collect()],
        };
        let orders: Vec<Order> =
            whom.iter().map(|names| Order::give(nodes, names, point, uid, &action)).collect();
        nodes.wait_for(&what, || orders.iter().any(|order| order.taken_by().is_some()).then_some(()));
        let begun = Instant::now();
        while begun.elapsed() < TOGETHER && orders.iter().any(|order| order.taken_by().is_none()) {
            std::thread::sleep(Duration::from_millis(10));
        }
        for order in &orders {
            order.take_back();
        }
        let there: Vec<String> = orders.iter().filter_map(Order::taken_by).collect();
        let elsewhere: Vec<String> =
            names.into_iter().filter(|name| victim == Victim::All && !there.contains(name)).collect();
        match harm {
            Harm::Kill => kill(nodes, &there, &elsewhere),
            Harm::Stop => stop(nodes, &there, &elsewhere),
            Harm::Sleep => {}
        }
        // Those that are left take over meanwhile.
        if victim != Victim::All && harm != Harm::Sleep {
            job.wait_for(nodes, &format!("a run behind {what}"), |standing| standing.run > before.run);
        }
        if harm != Harm::Kill {
            std::thread::sleep(still.saturating_sub(begun.elapsed()));
        }
        let over = Instant::now();
        for name in there.iter().chain(&elsewhere) {
            match harm {
                Harm::Kill => nodes.start_again(name),
                Harm::Stop => nodes.node(name).go_on(),
                Harm::Sleep => {}
            }
        }
        job.wait_for(nodes, &format!("a checkpoint behind {what}"), |standing| {
            let is_later = standing.run > before.run || harm != Harm::Kill;
            is_later && standing.completed_at.is_some_and(|at| at > over) || standing.state == "finished"
        });
        println!(
            "{what} ({}): a checkpoint {:.1?} behind it, run {} after run {}",
            there.join(", "),
            begun.elapsed(),
            job.standing(nodes).map_or(0, |after| after.run),
            before.run
        );
        (there, before.run)
    }

    /// Waits until all nodes are there, and whoever is to be harmed has something to do.
    fn ready(&self, nodes: &Nodes, job: &Job) -> Standing {
        nodes.expect_alive(3);
        let leader = nodes.leader();
        let mut standing = job.wait_for(nodes, "a run", |standing| {
            assert_ne!(standing.state, "finished", "{self:?} comes too late");
            standing.state == "running" && !standing.nodes.is_empty() && standing.completed_at.is_some()
        });
        // A job that was crowded together stays so until it is asked for more, and then a node with much to do may get
        // nothing.
        for _ in 0..SPREADS_MAX {
            if self.has_work(&standing, &leader) {
                return standing;
            }
            let is_wide = standing.slots.to_string() == ON_EVERY_NODE;
            let (before, parallelism) = (standing.run, if is_wide { ON_TWO_NODES } else { ON_EVERY_NODE });
            nodes.command(&["rescale", job.name, "--parallelism", parallelism]);
            standing = job.wait_for(nodes, "a checkpoint", |standing| {
                standing.state == "running" && standing.run > before && standing.completed_at.is_some()
            });
        }
        assert!(
            self.has_work(&standing, &leader),
            "{self:?}: nobody is to be harmed on {:?}",
            standing.nodes
        );
        standing
    }

    /// Whether whoever is to be harmed has something to do.
    fn has_work(&self, standing: &Standing, leader: &String) -> bool {
        match self.1 {
            _ if self.is_of_the_coordinator() => true,
            // Those that have not are harmed where they are.
            Victim::All => standing.nodes.len() > 1,
            Victim::Leader => standing.nodes.contains(leader),
            Victim::Sink | Victim::Operator | Victim::Source => {
                standing.nodes.iter().any(|node| node != leader)
            }
        }
    }
}

/// Sees nodes die at a step, and kills others that are to die with them.
fn kill(nodes: &mut Nodes, there: &[String], elsewhere: &[String]) {
    for name in elsewhere {
        nodes.node(name).kill();
    }
    for name in there {
        let status = nodes.node(name).ended();
        assert_eq!(status.signal(), Some(9), "{name} is killed at the step: {status}");
    }
}

/// Notes that nodes stand still at a step, and lets others stand still with them.
fn stop(nodes: &mut Nodes, there: &[String], elsewhere: &[String]) {
    there.iter().for_each(|name| nodes.node(name).has_stopped());
    elsewhere.iter().for_each(|name| nodes.node(name).stop());
}

/// A job that books all events when so many harms are over.
fn submit(nodes: &Nodes, harms: usize) -> Job {
    let events = format!("events={EVENTS}");
    let settings = ["--set", &events, "--set", "keys=200", "--checkpoint-interval", "200ms"];
    Job::submit_pipeline(nodes, "two-phase-commit", 3, leash(harms), &settings)
}

/// Lets it go, and demands that it has booked each event once, in the table and in the files alike.
#[track_caller]
fn judge(nodes: &Nodes, job: &Job, what: &str) -> Vec<Manifest> {
    job.let_go(nodes);
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judge/ledger.py");
    let output = Command::new("python3")
        .arg(judge)
        .arg(nodes.folder().join("out"))
        .args(["--keys", "200", "--events", &EVENTS.to_string()])
        .output()
        .expect("python3 judges the results: install it (`.ci/run` does), and see that it is in PATH");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {said}\n{}", nodes.said());
    let checkpoints = job.prove(nodes, what);
    println!("{what}: {}, {} checkpoints proved", said.trim(), checkpoints.len());
    checkpoints
}

#[test]
fn a_leader_alone_a_worker_alone_and_all_die_at_steps_of_a_checkpoint() {
    let _alone = alone();
    let mut nodes = Nodes::start(3, SLOTS);
    let cases = [
        Case("coordinator::after_vote", Victim::Leader, Harm::Kill),
        Case("coordinator::after_manifest", Victim::Leader, Harm::Kill),
        Case("coordinator::after_decision", Victim::Leader, Harm::Kill),
        Case("sink::before_commit", Victim::Sink, Harm::Kill),
        Case("coordinator::after_decision", Victim::All, Harm::Kill),
    ];
    let job = submit(&nodes, cases.len());
    for case in cases {
        case.harm(&mut nodes, &job, STILL);
    }
    judge(&nodes, &job, "behind kills at steps");
}

#[test]
fn a_leader_that_stands_still_before_its_decision_decides_nothing_when_it_goes_on() {
    let _alone = alone();
    let mut nodes = Nodes::start(3, SLOTS);
    let job = submit(&nodes, 1);
    let step = "coordinator::before_decision";
    // The last word of its lease is older than the lease lasts.
    let (harmed, run) = Case(step, Victim::Leader, Harm::Stop).harm(&mut nodes, &job, LEASE);
    let leader = &harmed[0];
    // It may need a while until it has heard what has become of it, and which of its threads goes on first is not said.
    let [stopped, went_on] = ["stopped", "went on"].map(|what| format!("harm: {what} at {step}"));
    nodes.wait_for("the end of its reign", || {
        let said = nodes.all_said(leader);
        let (_, since) = said.split_once(&stopped)?;
        let is_over = since.contains(&went_on) && since.contains("this node leads the cluster no more");
        is_over.then_some(())
    });
    let checkpoints = judge(&nodes, &job, "behind a leader that stood still");
    // It had written a manifest, and was about to decide it.
    let of_its_run = checkpoints.iter().filter(|checkpoint| u64::from(checkpoint.run.0) == run);
    let undecided = of_its_run.map(|checkpoint| checkpoint.epoch).max().expect("it had written manifests");
    let decided = decided(&checkpoints);
    assert!(!decided.contains(&undecided), "{undecided} of run {run} was decided: {decided:?}");
    assert!(decided.iter().any(|epoch| *epoch < undecided), "what was decided before counts: {decided:?}");
}

/// The newest checkpoint, the one that it came from, and so on: what was decided.
fn decided(checkpoints: &[Manifest]) -> BTreeSet<Epoch> {
    let mut decided = BTreeSet::new();
    let mut next = checkpoints.iter().map(|checkpoint| checkpoint.epoch).max();
    while let Some(epoch) = next.filter(|epoch| decided.insert(*epoch)) {
        let manifest = checkpoints.iter().find(|checkpoint| checkpoint.epoch == epoch);
        next = manifest.expect("all checkpoints are kept").base;
    }
    decided
}

#[test]
#[ignore = "takes half an hour: the whole product of steps, victims and harms"]
fn the_whole_product() {
    let _alone = alone();
    let only = std::env::var("HARM_STEP").ok();
    for (point, victims) in
        STEPS.into_iter().filter(|(point, _)| only.as_deref().is_none_or(|only| only == *point))
    {
        let mut nodes = Nodes::start(3, SLOTS);
        let harms = [Harm::Kill, Harm::Stop, Harm::Sleep];
        let cases: Vec<Case> = harms
            .into_iter()
            .flat_map(|harm| victims.iter().map(move |victim| Case(point, *victim, harm)))
            .collect();
        let job = submit(&nodes, cases.len());
        for case in &cases {
            case.harm(&mut nodes, &job, STILL);
        }
        judge(&nodes, &job, &format!("behind {} harms at {point}", cases.len()));
    }
}

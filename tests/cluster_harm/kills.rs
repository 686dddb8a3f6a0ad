//! Nodes that are killed.

use std::time::Duration;

use crate::job::{Job, alone};
use crate::nodes::Nodes;

/// How many slots a node has: too few for the three of a job, so that no node has all of it, however busy the others are.
pub(crate) const SLOTS: u32 = 2;

/// How long the leash is of a job that is to last for this many harms: each begins a run, or two where the machine does
/// harm of its own.
pub(crate) fn leash(harms: u32) -> u32 {
    27_004 / (4 + 2 * harms)
}

/// Kills nodes, and starts them again where a majority is gone.
fn kill(nodes: &mut Nodes, names: &[String], again: bool) {
    for name in names {
        nodes.node(name).kill();
    }
    if again {
        std::thread::sleep(Duration::from_millis(500));
        for name in names {
            nodes.start_again(name);
        }
    }
}

/// Kills whoever is named, has the job go on, and starts the nodes again. How long it took until it went on.
pub(crate) fn harm(nodes: &mut Nodes, job: &Job, what: &str, names: &[String]) -> Duration {
    let majority_gone = names.len() > 1;
    let recovery = job.harm(nodes, what, |nodes| kill(nodes, names, majority_gone));
    if !majority_gone {
        nodes.start_again(&names[0]);
    }
    nodes.expect_alive(3);
    recovery
}

#[test]
fn a_job_outlives_a_worker_and_the_leader() {
    let _alone = alone();
    let mut nodes = Nodes::start(3, SLOTS);
    let settings = ["--checkpoint-interval", "200ms", "--state-backend", "disk"];
    let job = Job::submit_with(&nodes, 3, leash(2), &settings);
    let worker = job.worker(&nodes);
    harm(&mut nodes, &job, "kill -9 of a worker", &[worker]);
    let leader = nodes.leader();
    harm(&mut nodes, &job, "kill -9 of the leader", &[leader]);
    job.judge(&nodes, "behind kills of a worker and the leader");
}

#[test]
#[ignore = "takes a quarter of a minute"]
fn a_job_outlives_the_leader_and_a_worker_at_once() {
    let _alone = alone();
    let mut nodes = Nodes::start(3, SLOTS);
    let job = Job::submit(&nodes, 3, leash(1));
    let both = [nodes.leader(), job.worker(&nodes)];
    harm(&mut nodes, &job, "kill -9 of the leader and a worker", &both);
    job.judge(&nodes, "behind the leader and a worker");
}

#[test]
#[ignore = "takes a quarter of a minute"]
fn a_job_outlives_both_followers_at_once() {
    let _alone = alone();
    let mut nodes = Nodes::start(3, SLOTS);
    let job = Job::submit(&nodes, 3, leash(1));
    let leader = nodes.leader();
    let followers: Vec<String> = nodes.names().into_iter().filter(|name| *name != leader).collect();
    harm(&mut nodes, &job, "kill -9 of both followers", &followers);
    job.judge(&nodes, "behind both followers");
}

#[test]
#[ignore = "takes half a minute"]
fn a_job_outlives_all_nodes() {
    let _alone = alone();
    let mut nodes = Nodes::start(3, SLOTS);
    let job = Job::submit(&nodes, 3, leash(2));
    for what in ["kill -9 of all", "kill -9 of all, again"] {
        let all = nodes.names();
        harm(&mut nodes, &job, what, &all);
    }
    job.judge(&nodes, "behind kills of all");
}

#[test]
#[ignore = "takes a minute"]
fn a_job_outlives_leader_after_leader() {
    let _alone = alone();
    let mut nodes = Nodes::start(3, SLOTS);
    let job = Job::submit(&nodes, 3, leash(6));
    for kill in 1..=6 {
        let leader = nodes.leader();
        harm(&mut nodes, &job, &format!("kill -9 of leader {kill}"), &[leader]);
    }
    job.judge(&nodes, "behind kills of six leaders");
}

/// How often each of two nodes is killed to see how long recovery takes.
const MEASURED_KILLS: u32 = 50;

#[test]
#[ignore = "takes a quarter of an hour"]
fn recovery_from_many_kills_with_default_settings() {
    let _alone = alone();
    let mut nodes = Nodes::start(3, SLOTS);
    let job = Job::submit_with(&nodes, 3, leash(2 * MEASURED_KILLS), &[]);
    let (mut workers, mut leaders) = (Vec::new(), Vec::new());
    for kill in 1..=MEASURED_KILLS {
        if let Some(worker) = job.worker_now(&nodes) {
            workers.push(harm(&mut nodes, &job, &format!("kill -9 of worker {kill}"), &[worker]));
        }
        let leader = nodes.leader();
        leaders.push(harm(&mut nodes, &job, &format!("kill -9 of leader {kill}"), &[leader]));
    }
    for (what, times) in [("a worker", &mut workers), ("the leader", &mut leaders)] {
        times.sort_unstable();
        // Of a hundred or less the longest is the 99th percentile.
        let (half, most) = (times[times.len() / 2], times[times.len() - 1]);
        println!("{} kills of {what}: p50 {half:.1?}, p99 {most:.1?}", times.len());
    }
    job.judge(&nodes, "behind many kills");
}

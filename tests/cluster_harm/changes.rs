//! Nodes that leave when they are asked to, and nodes that come.

use crate::job::{Job, alone};
use crate::kills::{SLOTS, leash};
use crate::nodes::Nodes;

/// Asks a node to leave, and demands that the job has moved and is not seen as one that failed.
fn leave(nodes: &mut Nodes, job: &Job, what: &str, name: &str) {
    let leads = nodes.leader() == name;
    let before = job.wait_for(nodes, "a run", |standing| standing.run > 0);
    job.harm(nodes, what, |nodes| nodes.node(name).leave());
    let status = nodes.node(name).ended();
    assert!(status.success(), "{what}: {status}\n{}", nodes.said());
    let after =
        job.wait_for(nodes, "a run elsewhere", |standing| !standing.nodes.iter().any(|node| node == name));
    // A new leader counts anew.
    let restarts = if leads { 0 } else { before.restarts };
    assert_eq!(after.restarts, restarts, "{what}: it is no failure\n{}", nodes.said());
}

#[test]
fn a_job_grows_onto_a_node_that_comes() {
    let _alone = alone();
    let mut nodes = Nodes::start(3, SLOTS);
    let job = Job::submit(&nodes, 3, leash(1));
    let new = nodes.add();
    nodes.expect_alive(4);
    job.harm(&mut nodes, "a node more, and the job rescaled", |nodes| {
        // One more than the three had slots for.
        nodes.command(&["rescale", "flight-delays", "--parallelism", "7"]);
    });
    job.wait_for(&nodes, "a place on the new node", |standing| standing.nodes.contains(&new));
    job.judge(&nodes, "on a node more");
}

#[test]
fn a_job_moves_away_from_a_worker_that_leaves() {
    let _alone = alone();
    let mut nodes = Nodes::start(3, SLOTS);
    let job = Job::submit(&nodes, 3, leash(1));
    let worker = job.worker(&nodes);
    leave(&mut nodes, &job, "SIGTERM of a worker", &worker);
    job.judge(&nodes, "behind a worker that left");
}

#[test]
#[ignore = "takes a quarter of a minute"]
fn a_job_moves_away_from_a_leader_that_leaves() {
    let _alone = alone();
    let mut nodes = Nodes::start(3, SLOTS);
    let job = Job::submit(&nodes, 3, leash(1));
    let leader = nodes.leader();
    leave(&mut nodes, &job, "SIGTERM of the leader", &leader);
    job.judge(&nodes, "behind a leader that left");
}

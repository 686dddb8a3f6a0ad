//! Nodes that stand still, are given up, and go on as if nothing had happened: what they still do must not count.

use std::time::Duration;

use crate::job::{Job, alone};
use crate::kills::rate;
use crate::nodes::Nodes;

/// Longer than it takes to give a node up.
const STILL: Duration = Duration::from_secs(5);

/// Lets a node stand still for [`STILL`], and has the job go on.
fn harm(nodes: &mut Nodes, job: &Job, what: &str, name: &str) {
    job.harm(nodes, what, |nodes| {
        nodes.node(name).stop();
        std::thread::sleep(STILL);
        nodes.node(name).go_on();
    });
    nodes.expect_alive(3);
}

#[test]
#[ignore = "takes half a minute"]
fn a_job_goes_on_without_nodes_that_stand_still_and_with_them_afterwards() {
    let _alone = alone();
    let mut nodes = Nodes::start(3, 4);
    let job = Job::submit(&nodes, 3, rate(2));
    let worker = job.worker(&nodes);
    harm(&mut nodes, &job, "SIGSTOP of a worker", &worker);
    let leader = nodes.leader();
    harm(&mut nodes, &job, "SIGSTOP of the leader", &leader);
    job.judge(&nodes, "behind nodes that stood still");
}

#[test]
fn a_job_goes_on_without_a_node_that_stands_still_for_long() {
    let _alone = alone();
    let mut nodes = Nodes::start(3, 4);
    let job = Job::submit(&nodes, 3, rate(1));
    let worker = job.worker(&nodes);
    job.harm(&mut nodes, "SIGSTOP of a worker without an end", |nodes| nodes.node(&worker).stop());
    job.judge(&nodes, "without a node that stands still");
}

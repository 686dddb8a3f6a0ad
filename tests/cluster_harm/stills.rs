//! Nodes that stand still, are given up, and go on as if nothing had happened: what they still do must not count.

use crate::job::{Job, alone};
use crate::kills::{SLOTS, leash};
use crate::nodes::Nodes;

/// Lets a node stand still until it is given up, and has the job go on.
fn harm(nodes: &mut Nodes, job: &Job, what: &str, name: &str) {
    let before = job.wait_for(nodes, what, |standing| standing.run > 0).run;
    job.harm(nodes, what, |nodes| {
        nodes.node(name).stop();
        job.wait_for(nodes, "a run without a node", |standing| standing.run > before);
        nodes.node(name).go_on();
    });
    nodes.expect_alive(3);
}

#[test]
#[ignore = "takes half a minute"]
fn a_job_goes_on_without_nodes_that_stand_still_and_with_them_afterwards() {
    let _alone = alone();
    let mut nodes = Nodes::start(3, SLOTS);
    let job = Job::submit(&nodes, 3, leash(2));
    let worker = job.worker(&nodes);
    harm(&mut nodes, &job, "SIGSTOP of a worker", &worker);
    let leader = nodes.leader();
    harm(&mut nodes, &job, "SIGSTOP of the leader", &leader);
    job.judge(&nodes, "behind nodes that stood still");
}

#[test]
fn a_job_goes_on_without_a_node_that_stands_still_for_long() {
    let _alone = alone();
    let mut nodes = Nodes::start(3, SLOTS);
    let job = Job::submit(&nodes, 3, leash(1));
    let worker = job.worker(&nodes);
    job.harm(&mut nodes, "SIGSTOP of a worker until others have its work", |nodes| {
        nodes.node(&worker).stop();
    });
    // It comes back in the middle of what others do meanwhile, and goes on with it until it is told.
    let before = nodes.all_said(&worker).len();
    nodes.node(&worker).go_on();
    let overtaken = "a run went on without this node, and what is left of it here is stopped";
    nodes.wait_for("the end of what it still did", || {
        nodes.all_said(&worker)[before..].contains(overtaken).then_some(())
    });
    nodes.expect_alive(3);
    job.judge(&nodes, "with a node that stood still");
}

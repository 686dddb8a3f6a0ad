//! Clusters of several sizes on one machine: the job, and what membership costs each node.

use std::time::{Duration, Instant};

use crate::job::{Job, alone};
use crate::kills::leash;
use crate::nodes::Nodes;

/// How long an idle cluster is looked at.
const IDLE: Duration = Duration::from_secs(10);

/// The sum of a metric's values, of all its labels.
fn metric(text: &str, name: &str) -> f64 {
    let value = |line: &str| {
        let (of, value) = line.rsplit_once(' ')?;
        (of.split('{').next() == Some(name)).then(|| value.parse::<f64>().ok()).flatten()
    };
    text.lines().filter_map(value).sum()
}

/// The bytes that nodes have sent and the frames that they have got, and how long they have worked for it.
fn spent(nodes: &mut Nodes) -> (f64, f64, Duration) {
    let (mut bytes, mut frames, mut worked) = (0.0, 0.0, Duration::ZERO);
    for name in nodes.names() {
        let metrics = nodes.metrics(&name);
        bytes += metric(&metrics, "watershed_link_sent_bytes_total");
        frames += metric(&metrics, "watershed_link_received_frames_total");
        worked += nodes.node(&name).worked();
    }
    (bytes, frames, worked)
}

/// Measures an idle cluster, runs the job at full speed, and demands its output.
fn run(count: usize) {
    let begun = Instant::now();
    // With one slot each, a node that is busy at the moment gets its part of the job all the same.
    let mut nodes = Nodes::start(count, 1);
    let up = begun.elapsed();
    std::thread::sleep(Duration::from_secs(1));
    let (begun, before) = (Instant::now(), spent(&mut nodes));
    std::thread::sleep(IDLE);
    let (after, took) = (spent(&mut nodes), begun.elapsed().as_secs_f64());
    let each = took * count as f64;
    println!(
        "{count} nodes: up within {up:.1?}; idle, each node sends {:.1} frames and {:.0} bytes a second, and uses {:.1} % of a core",
        (after.1 - before.1) / each,
        (after.0 - before.0) / each,
        (after.2 - before.2).as_secs_f64() * 100.0 / each
    );
    assert!(after.1 > before.1, "nodes that are linked talk to each other");
    let job = Job::submit(&nodes, count as u32, leash(1));
    let on_all = job.wait_for(&nodes, "a place on every node", |standing| standing.nodes.len() == count);
    let begun = Instant::now();
    job.let_go(&nodes);
    println!(
        "{count} nodes: the rest of the job took {:.1?} on {}",
        begun.elapsed(),
        on_all.nodes.join(", ")
    );
    job.judge(&nodes, &format!("{count} nodes"));
}

#[test]
#[ignore = "takes half a minute"]
fn a_job_runs_on_three_nodes() {
    let _alone = alone();
    run(3);
}

#[test]
#[ignore = "takes half a minute"]
fn a_job_runs_on_five_nodes() {
    let _alone = alone();
    run(5);
}

#[test]
#[ignore = "takes half a minute"]
fn a_job_runs_on_eight_nodes() {
    let _alone = alone();
    run(8);
}

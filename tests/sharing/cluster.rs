//! Both pipelines on three nodes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::job::{Found, finished, judged, submit, wait_for};
use crate::nodes::Nodes;

/// One cluster at a time.
static ONE: Mutex<()> = Mutex::new(());

/// How many slots a node has: so few that a job has a subtask of each operator on every node.
const SLOTS: u32 = 1;

/// How many records are read a second, in turn, until a job lives so long that it is harmed: how long that takes is the
/// machine's affair, and the last lets a job live for more than a minute.
const RATES: [&str; 3] = ["2000", "500", "100"];

/// How long updates are held back, in turn, until payments overtake them: on a slow machine they come late themselves.
const DELAYS: [&str; 3] = ["50ms", "500ms", "5s"];

fn alone() -> MutexGuard<'static, ()> {
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a pipeline to its end, and kills a node when it has some checkpoints. Whether it has begun another run for that: one
/// that was over before was not harmed.
fn is_harmed(nodes: &mut Nodes, pipeline: &str, name: &str, victim: &str, set: &[(&str, &str)]) -> bool {
    submit(nodes, pipeline, name, set);
    let is_over = |standing: &Value| standing["state"] == "finished";
    let before = wait_for(nodes, name, "a checkpoint", |standing| {
        standing["checkpoints"]["newest"].as_u64() > Some(2) || is_over(standing)
    });
    nodes.node(victim).kill();
    nodes.start_again(victim);
    let later = |standing: &Value| standing["run"].as_u64() > before["run"].as_u64();
    let after = wait_for(nodes, name, "a later run", |standing| later(standing) || is_over(standing));
    finished(nodes, name);
    nodes.expect_alive(3);
    println!("{name}: run {} behind run {}", after["run"], before["run"]);
    !is_over(&before) && later(&after)
}

/// Runs `live-rules` to its end, and lets its judge look.
fn live_rules(nodes: &Nodes, name: &str, set: &[(&str, &str)]) -> Found {
    let output = format!("out/{name}");
    let mut all = vec![("records", "12000"), ("rate", "4000"), ("changes", "60"), ("output", &output)];
    all.extend(set);
    submit(nodes, "live-rules", name, &all);
    finished(nodes, name);
    judged("live_rules.py", &nodes.folder().join(output), &[("records", 12_000), ("changes", 60)])
}

/// Everything is right, but maybe that decisions were made by older rules than had been announced. How many were.
#[track_caller]
fn overtaken(found: &Found) -> u64 {
    let wrong = found.values().sum::<u64>() - found["decisions"] - found["overtaken"];
    assert_eq!((found["decisions"], wrong), (12_000, 0), "{found:?}");
    found["overtaken"]
}

#[test]
fn no_payment_overtakes_its_rule_unless_the_wait_is_taken_away() {
    let _alone = alone();
    let nodes = Nodes::start(3, SLOTS);
    assert_eq!(overtaken(&live_rules(&nodes, "plain", &[])), 0);
    assert_eq!(overtaken(&live_rules(&nodes, "slow", &[("delay", DELAYS[0])])), 0);
    let is_missed = DELAYS.into_iter().any(|delay| {
        let careless = [("delay", delay), ("wait", "off")];
        let careless = overtaken(&live_rules(&nodes, &format!("careless-{delay}"), &careless));
        println!("without the wait, {careless} of 12000 payments have overtaken their rule by {delay}");
        careless > 50
    });
    assert!(is_missed, "the test cannot see what the wait is for");
}

#[test]
fn no_payment_overtakes_its_rule_when_a_node_is_killed() {
    let _alone = alone();
    let mut nodes = Nodes::start(3, SLOTS);
    let harmed = RATES.into_iter().any(|rate| {
        let (leader, names) = (nodes.leader(), nodes.names());
        let worker = names.into_iter().find(|name| *name != leader).unwrap();
        let (name, output) = (format!("killed-{rate}"), format!("out/killed-{rate}"));
        let set =
            [("records", "12000"), ("changes", "60"), ("delay", "20ms"), ("rate", rate), ("output", &output)];
        let is_harmed = is_harmed(&mut nodes, "live-rules", &name, &worker, &set);
        let options = [("records", 12_000), ("changes", 60)];
        let found = judged("live_rules.py", &nodes.folder().join(&output), &options);
        assert_eq!(overtaken(&found), 0);
        is_harmed
    });
    assert!(harmed, "all were over before the node was killed");
}

#[test]
fn inventory_adds_up_on_three_nodes_also_when_one_is_killed() {
    let _alone = alone();
    let mut nodes = Nodes::start(3, SLOTS);
    let harmed = RATES.into_iter().any(|rate| {
        let (leader, output) = (nodes.leader(), format!("out/inventory-{rate}"));
        let set = [("orders", "8000"), ("rate", rate), ("output", &output)];
        let is_harmed = is_harmed(&mut nodes, "inventory", &format!("inventory-{rate}"), &leader, &set);
        let found = judged("inventory.py", &nodes.folder().join(&output), &[("orders", 8000)]);
        assert_eq!((found["lost"], found["doubled"], found["different"]), (0, 0, 0), "{found:?}");
        is_harmed
    });
    assert!(harmed, "all were over before the leader was killed");
}

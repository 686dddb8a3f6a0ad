//! Both pipelines on three nodes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::job::{Found, finished, judged, submit, wait_for};
use crate::nodes::Nodes;

/// One cluster at a time.
static ONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
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
    let nodes = Nodes::start(3, 4);
    let slow = ("delay", "50ms");
    assert_eq!(overtaken(&live_rules(&nodes, "plain", &[])), 0);
    assert_eq!(overtaken(&live_rules(&nodes, "slow", &[slow])), 0);
    let careless = overtaken(&live_rules(&nodes, "careless", &[slow, ("wait", "off")]));
    println!("without the wait, {careless} of 12000 payments have overtaken their rule");
    assert!(careless > 50, "the test cannot see what the wait is for: {careless}");
}

#[test]
fn no_payment_overtakes_its_rule_when_a_node_is_killed() {
    let _alone = alone();
    let mut nodes = Nodes::start(3, 4);
    let set = [("records", "12000"), ("rate", "2000"), ("delay", "20ms")];
    let (leader, names) = (nodes.leader(), nodes.names());
    let worker = names.into_iter().find(|name| *name != leader).unwrap();
    let output = [("changes", "60"), ("output", "out/killed")];
    submit(&nodes, "live-rules", "killed", &[&set[..], &output].concat());
    let before = wait_for(&nodes, "killed", "a checkpoint", |standing| {
        standing["checkpoints"]["newest"].as_u64() > Some(3)
    });
    nodes.node(&worker).kill();
    nodes.start_again(&worker);
    wait_for(&nodes, "killed", "a later run", |standing| standing["run"].as_u64() > before["run"].as_u64());
    finished(&nodes, "killed");
    let output = nodes.folder().join("out/killed");
    let found = judged("live_rules.py", &output, &[("records", 12_000), ("changes", 60)]);
    assert_eq!(overtaken(&found), 0);
}

#[test]
fn inventory_adds_up_on_three_nodes_also_when_one_is_killed() {
    let _alone = alone();
    let mut nodes = Nodes::start(3, 4);
    let set = [("orders", "8000"), ("rate", "2000"), ("output", "out/inventory")];
    submit(&nodes, "inventory", "inventory", &set);
    let before = wait_for(&nodes, "inventory", "a checkpoint", |standing| {
        standing["checkpoints"]["newest"].as_u64() > Some(2)
    });
    let leader = nodes.leader();
    nodes.node(&leader).kill();
    nodes.start_again(&leader);
    wait_for(&nodes, "inventory", "a later run", |standing| {
        standing["run"].as_u64() > before["run"].as_u64()
    });
    finished(&nodes, "inventory");
    let found = judged("inventory.py", &nodes.folder().join("out/inventory"), &[("orders", 8000)]);
    assert_eq!((found["lost"], found["doubled"], found["different"]), (0, 0, 0), "{found:?}");
}

//! Rules that are broken on all nodes, one at a time, each with a schedule by which it comes to light.
//!
//! The schedules alone break nothing: what the nodes say under them as they are is judged as well.

use std::time::Duration;

use crate::drive::{Harm, Late, Plan, drive};
use crate::plan;

/// What one node says comes to one other later than what both hear from the third: much later than a client needs to ask,
/// also on a busy machine, and not so late that the link is given up.
fn overtaken() -> Plan {
    let late = Late { from: "n2", to: "n3", by: Duration::from_millis(1500) };
    Plan { late: Some(late), delay: Duration::ZERO, ..plan(800, 3, "causal") }
}

/// What a client has seen at one node is not at the next when it comes there.
fn held_back(level: &str) -> Plan {
    Plan { delay: Duration::from_millis(300), ..plan(1000, 3, level) }
}

/// What one node says in a run comes to one other when the next has begun.
fn outlived() -> Plan {
    let late = Late { from: "n3", to: "n4", by: Duration::from_millis(1900) };
    Plan { late: Some(late), panics: Some(("n1", 8)), ..plan(1000, 4, "causal") }
}

/// Clients come with what a run has shown them into the next.
fn set_back() -> Plan {
    Plan { harms: vec![Harm::Kill], ..plan(1200, 3, "causal") }
}

/// How often as much is tried until somebody notices, with more operations each time that are held back for longer: on a
/// slow machine, who comes late is overtaken by less.
const TRIES: [u32; 3] = [1, 3, 9];

/// Lets nodes that break a rule work by a plan, and demands that somebody notices. What it is called depends on who comes
/// to what first: a read without what it has to show, or orders that do not fit together.
#[track_caller]
fn must_be_caught(plan: &Plan) {
    let is_caught = TRIES.into_iter().any(|more| {
        let mut plan = Plan { delay: plan.delay * more, ..plan.clone() };
        plan.workload.operations *= more as usize;
        plan.workload.seed = more.into();
        let verdict = drive(&plan);
        !verdict.anomalies.is_empty() || !verdict.patterns.is_empty()
    });
    assert!(is_caught, "{}: the checkers do not see it", plan.broken);
}

#[test]
fn a_history_of_answers_that_did_not_wait_is_refused() {
    must_be_caught(&held_back("eventual"));
}

#[test]
fn updates_that_do_not_wait_for_their_causes_are_caught() {
    let plan = Plan { broken: "broken::causes", ..overtaken() };
    must_be_caught(&plan);
}

#[test]
#[ignore = "takes some minutes"]
fn updates_of_a_run_that_is_over_are_caught() {
    let plan = Plan { broken: "broken::fence", ..outlived() };
    must_be_caught(&plan);
}

#[test]
fn tokens_that_nobody_looks_at_are_caught() {
    let plan = Plan { broken: "broken::tokens", ..held_back("causal") };
    must_be_caught(&plan);
}

#[test]
fn tokens_that_are_taken_for_what_is_left_of_them_are_caught() {
    let plan = Plan { broken: "broken::translation", ..set_back() };
    must_be_caught(&plan);
}

#[test]
#[ignore = "takes some minutes"]
fn what_comes_late_or_from_a_run_that_is_over_does_no_harm_to_nodes_that_keep_the_rules() {
    drive(&overtaken()).expect_causal(400);
    drive(&outlived()).expect_causal(500);
}

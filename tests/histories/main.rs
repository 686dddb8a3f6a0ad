//! What many clients were told of shared state, through nodes that are killed and stand still, judged by a checker that is not ours.
//!
//! Clients append to lists of the job `sessions` and read them, each through whichever node, showing the tokens that they were
//! given. All that they did and were told is a [history](history), in two formats that other programs read: Elle's (JSON, list-append) and
//! Plume's (text). The crate `adya`, a checker of histories of transactions that shares nothing with us, then looks for what causal
//! consistency forbids:
//!
//! | anomaly | is |
//! | --- | --- |
//! | `G1-process` and all that implies it | something read that nobody wrote, that contradicts another read, or that came before its cause |
//! | `G-single-item-process` | a read that lacks what the session had written, had read, or what came before that |
//!
//! Cycles with more than one missed update are no business of causal consistency: two clients may each miss what the other does
//! at the same time.
//!
//! Each list has one writer, who counts up, so that every two reads of it can be compared; what concurrent writers come to is
//! tried elsewhere (`actors/tests`). After a failure the job goes on from a checkpoint, and younger appends never happened.
//! A client who has seen one is told so, and begins anew; so each run of the job has lists and a history of its own. A
//! history begins with a transaction that writes every list of its run, and every session first reads a marker that was written last, for a
//! checker knows nothing of values that nobody wrote.
//!
//! ```sh
//! cargo test --test histories -- --include-ignored --nocapture     # also 100,000 operations
//! ```

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

mod client;
mod history;
#[path = "../cluster_harm/http.rs"]
mod http;
#[path = "../cluster_harm/node.rs"]
#[expect(dead_code, reason = "nodes leave elsewhere")]
mod node;
#[path = "../cluster_harm/nodes.rs"]
#[expect(dead_code, reason = "clusters grow elsewhere")]
mod nodes;
#[path = "../harm/process.rs"]
#[expect(dead_code, reason = "a process that is one job is killed elsewhere")]
mod process;
mod session;
mod verdict;
mod world;

use std::time::Duration;

use world::{Harm, Plan, drive};

/// Some operations, as many nodes, and how the clients ask.
fn plan(operations: usize, nodes: usize, level: &'static str) -> Plan {
    Plan {
        operations,
        nodes,
        sessions: 8,
        level,
        delay: Duration::from_millis(20),
        seed: 1,
        harms: Vec::new(),
    }
}

#[test]
fn sessions_are_told_nothing_older_than_they_have_seen_on_three_nodes_that_are_killed_and_stand_still() {
    let harms = vec![Harm::Kill, Harm::Pause];
    let verdict = drive(&Plan { harms, ..plan(4000, 3, "causal") });
    verdict.expect_causal(2000);
    assert!(verdict.histories > 1, "a kill begins another run, and with it another history: {verdict:?}");
}

#[test]
fn a_history_of_answers_that_did_not_wait_is_refused() {
    let verdict = drive(&plan(2000, 3, "eventual"));
    println!("without the wait: {verdict:?}");
    assert!(!verdict.anomalies.is_empty(), "the checker sees nothing: {verdict:?}");
}

#[test]
#[ignore = "takes some minutes"]
fn a_hundred_thousand_operations_on_five_nodes() {
    let harms = [Harm::Kill, Harm::Pause].repeat(4);
    let verdict = drive(&Plan { harms, sessions: 16, ..plan(100_000, 5, "causal") });
    verdict.expect_causal(50_000);
}

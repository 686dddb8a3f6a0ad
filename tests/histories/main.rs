//! What many clients were told of shared state, through nodes that are killed, stand still and are cut off from each other,
//! judged by checkers that are not ours.
//!
//! Clients append to lists of the job `sessions` and read them, as [`clients`] does, which is an example that anybody can have
//! work with a cluster of their own. All that they did and were told is a [history](clients::history), in two formats that other
//! programs read: Elle's (JSON, list-append) and Plume's (text). The crate `adya`, which shares nothing with us, then looks in
//! the one for what causal consistency forbids:
//!
//! | anomaly | is |
//! | --- | --- |
//! | `G1-process` and all that implies it | a read of what nobody wrote, or came before its cause, or contradicts another |
//! | `G-single-item-process` | a read that lacks what the session had written, had read, or what came before that |
//!
//! Cycles with more than one missed update are no business of causal consistency: two clients may each miss what the other does
//! at the same time. No package of Rust or Python was found that reads Plume's form, so that is read by
//! `tests/judge/causal_history.py`, a program of its own with the standard library of Python alone, which looks for the bad
//! patterns of Bouajjani and others (2017). Both have to find nothing.
//!
//! What happens meanwhile to the nodes is a [harm](drive::Harm): they are killed, stand still, or are cut off from each other in
//! both directions or in one, while clients go on to ask those on either side.
//!
//! That there would be something to find is shown by breaking each rule once: here, on all nodes ([`broken`]; the rules are in
//! `src/runtime/breakage.rs`), by both checkers; or in a model or a simulation of the machines that run.
//!
//! | rule that is broken | found by | in so many operations |
//! | --- | --- | --- |
//! | an update waits for its causes (`broken::causes`) | both checkers | 800 |
//! | a run that is over is not heard (`broken::fence`) | both | 1,000 |
//! | who shows a token is answered when all is here (`broken::tokens`) | both | 1,000 |
//! | a token of what was undone is refused (`broken::translation`) | both | 1,200 |
//! | a client asks for causal answers | both | 1,000 |
//! | a batch waits for what its sender had seen | the judge of `tests/sharing` | |
//! | an update is of the lane of its epoch | `one_counter_for_all_epochs_makes_cuts_that_are_none` in `causal_simulation` | |
//! | a task sees no later epoch | `tasks_that_see_later_epochs_make_orphans`, there | |
//! | no counter is restored | `counters_that_are_restored_are_caught` in `token_simulation` | |
//! | a leader makes sure that it leads | `stateright`'s tester in `src/cluster/tests/linearizable.rs` | 2 |
//!
//! ```sh
//! cargo test --test histories                                 # some thousand operations for each of these
//! cargo test --test histories -- --ignored --nocapture        # 100,000 over five nodes
//! HISTORIES=out cargo test --test histories                   # keeps the histories there, for other checkers
//! cargo run --example histories -- --history out/told         # has clients work with a cluster that is there
//! ```

#![expect(clippy::unwrap_used, reason = "a test that is surprised has failed")]

mod broken;
#[path = "../../examples/histories/mod.rs"]
mod clients;
mod drive;
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
mod verdict;

use std::time::Duration;

use clients::world::Workload;
use drive::{Harm, Plan, drive};

/// Some operations, as many nodes, and how the clients ask.
fn plan(operations: usize, nodes: usize, level: &str) -> Plan {
    Plan {
        workload: Workload { operations, sessions: 8, level: level.to_owned(), seed: 1 },
        nodes,
        delay: Duration::from_millis(20),
        harms: Vec::new(),
        late: None,
        panics: None,
        broken: "",
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
fn sessions_on_both_sides_of_a_cut_are_told_nothing_older_than_they_have_seen() {
    let harms = vec![Harm::CutOff, Harm::Mute, Harm::CutOffLeader, Harm::Deaf];
    let verdict = drive(&Plan { harms, ..plan(6000, 3, "causal") });
    verdict.expect_causal(3000);
    assert!(verdict.histories > 1, "whoever is cut off is given up: {verdict:?}");
}

#[test]
#[ignore = "takes some minutes"]
fn a_hundred_thousand_operations_on_five_nodes() {
    let harms = [Harm::Kill, Harm::CutOff, Harm::Pause, Harm::Mute, Harm::CutOffLeader, Harm::Deaf].repeat(2);
    let mut plan = Plan { harms, ..plan(106_000, 5, "causal") };
    plan.workload.sessions = 16;
    let verdict = drive(&plan);
    verdict.expect_causal(50_000);
}

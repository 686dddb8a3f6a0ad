//! The checkpoint protocol, checked over every order of events in small worlds.
//!
//! The machines in these worlds are the ones that run: [`Coordinator`](watershed_protocol::checkpoint::Coordinator)
//! and [`Participant`](watershed_protocol::checkpoint::Participant), with the certificate, the recovery and the
//! guard of the meta store that they use. Around them is the least world that can harm them: a linearizable meta
//! store whose answers may be lost and whose swaps may come about late, a network that delivers what was ever
//! sent in any order, again and again or never, coordinators that do not know that they are deposed, runs that do
//! not know that they are over, and two external systems, one with staged output and a fence row, one with
//! prepared transactions and marker rows.
//!
//! ```text
//!   cargo test -p watershed-protocol --test checkpoint_model                            seconds
//!   cargo test -p watershed-protocol --test checkpoint_model -- --ignored --nocapture   larger worlds, minutes
//! ```
//!
//! Every world is explored to its end. That the properties can fail is shown by breaking each rule once
//! ([`Fault`]): the checker must find what comes of it.
//!
//! What the worlds leave out: time (whatever waits for it may happen at once or never), alignment (each sink has
//! one channel; [`Alignment`](watershed_protocol::Alignment) is explored beside its code), rescaling, savepoints,
//! and crashes in the midst of one commit, which a marker or fence row makes all or nothing.

mod fault;
mod invariants;
mod job;
mod model;
mod nodes;
mod outside;
mod properties;
mod workers;
mod world;
mod worlds;

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model as _};

use fault::Fault;
use model::Model;
use properties::{NOTHING_EARLY, NOTHING_LOST, ONCE};
use worlds::{CANCEL, DOUBT, END, FAIL_OVER, GIVEN_UP, PATIENT, RIVAL, THREE_EPOCHS, THREE_RUNS};

/// Explores a whole world: what must always hold does, and what must be able to happen can.
fn explore(name: &str, model: Model) {
    let checker = model.checker().threads(2).spawn_bfs().join();
    let (unique, depth) = (checker.unique_state_count(), checker.max_depth());
    println!("{name}: {unique} states, depth {depth}");
    checker.assert_properties();
}

#[test]
fn a_fail_over_loses_and_doubles_nothing() {
    explore("fail-over", FAIL_OVER);
}

#[test]
fn a_rival_takes_the_reign_and_the_zombie_decides_nothing() {
    explore("rival", RIVAL);
}

#[test]
fn a_decision_in_doubt_is_resolved_either_way() {
    explore("doubt", DOUBT);
}

#[test]
fn a_job_that_is_cancelled_in_doubt_takes_back_nothing_that_may_be_decided() {
    explore("cancel", CANCEL);
}

#[test]
fn a_job_that_is_cancelled_commits_what_it_has_decided() {
    explore("patient", PATIENT);
}

#[test]
fn a_job_that_finishes_has_committed_everything() {
    explore("end", END);
}

#[test]
fn what_is_staged_for_a_checkpoint_that_is_given_up_is_carried_by_the_next() {
    explore("given up", GIVEN_UP);
}

#[test]
fn two_zombies_harm_no_more_than_one() {
    explore("three runs", THREE_RUNS);
}

#[test]
#[ignore = "takes minutes; see the top of the file"]
fn larger_worlds_hold_no_surprise() {
    explore("three epochs", THREE_EPOCHS);
    explore("fail-over, two records", FAIL_OVER.larger());
    explore("cancel, two records", CANCEL.larger());
    explore("patient, two records", Model { records: 2, ..PATIENT });
    explore("doubt, two records", DOUBT.larger());
    explore("rival, two epochs", Model { records: 1, ..RIVAL.larger() });
    explore("three runs, two epochs", Model { records: 1, ..THREE_RUNS.larger() });
    explore("end, two epochs", Model { records: 1, ..END.larger() });
}

/// Breaks a rule and lets the checker find each of these properties broken by it.
fn must_break(model: Model, fault: Fault, properties: &[&'static str]) {
    let wanted: BTreeSet<&'static str> = properties.iter().copied().collect();
    let finish = HasDiscoveries::AllOf(wanted.clone());
    let checker = model.with(fault).checker().threads(2).finish_when(finish).spawn_bfs().join();
    for property in wanted {
        let path = checker.discovery(property);
        let steps = path.map(|path| path.into_actions().len());
        println!("{fault:?} breaks {property} in {steps:?} steps, {} states", checker.unique_state_count());
        assert!(steps.is_some(), "{fault:?} does not break {property}");
    }
}

#[test]
fn a_commit_before_the_decision_is_caught() {
    must_break(FAIL_OVER, Fault::CommitBeforeDecision, &[NOTHING_EARLY]);
}

#[test]
fn an_unguarded_decision_is_caught() {
    must_break(FAIL_OVER, Fault::UnguardedDecision, &[NOTHING_LOST]);
}

#[test]
fn a_recovery_that_takes_everything_back_is_caught() {
    must_break(FAIL_OVER, Fault::RecoveryTakesEverythingBack, &[NOTHING_LOST]);
}

#[test]
fn an_abort_that_takes_back_is_caught() {
    must_break(FAIL_OVER, Fault::AbortTakesBack, &[NOTHING_LOST]);
}

#[test]
fn a_vote_that_lists_its_own_epoch_only_is_caught() {
    must_break(FAIL_OVER, Fault::VoteListsOwnOnly, &[NOTHING_LOST]);
}

#[test]
fn epochs_that_are_handed_out_twice_are_caught() {
    must_break(Model { epochs: 1, ..FAIL_OVER }, Fault::EpochsReused, &[ONCE]);
}

#[test]
fn a_manifest_that_is_read_before_the_fence_is_caught() {
    must_break(FAIL_OVER, Fault::ReadBeforeFence, &[NOTHING_LOST]);
}

#[test]
fn an_external_system_that_times_out_is_caught() {
    must_break(FAIL_OVER, Fault::PreparedTimesOut, &[NOTHING_LOST]);
}

#[test]
fn a_commit_that_is_not_idempotent_is_caught() {
    must_break(FAIL_OVER, Fault::CommitsNotIdempotent, &[ONCE]);
}

#[test]
fn an_unknown_decision_that_is_taken_for_made_is_caught() {
    must_break(DOUBT, Fault::UnknownTakenForDone, &[NOTHING_EARLY]);
}

#[test]
fn an_end_that_takes_back_in_doubt_is_caught() {
    must_break(CANCEL, Fault::EndTakesBackInDoubt, &[NOTHING_LOST]);
}

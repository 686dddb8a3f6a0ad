//! The invariants by their names: each can be broken by a rule that is, or is looked at in the world that tries it most.
//!
//! That all of them hold in all worlds is explored beside this; here each is asked for alone, so that a name leads to it.

use std::collections::BTreeSet;

use stateright::{Checker, HasDiscoveries, Model as _};

use crate::fault::Fault;
use crate::model::Model;
use crate::must_break;
use crate::properties::{
    BEGUN, CANCELLED_WHOLE, CUT, DECIDED_ONCE, FROM_BASE, KEPT, NEW_EPOCHS, NEWEST_NAME, ONE_END,
    ONLY_DECIDED, ONWARD, WHOLE_END,
};
use crate::worlds::{CANCEL, DOUBT, END, FAIL_OVER, GIVEN_UP, PATIENT, RIVAL};

/// Explores a world for one property alone: it holds in each state, of which there are many.
fn holds(model: Model, property: &'static str) {
    let finish = HasDiscoveries::AnyOf(BTreeSet::from([property]));
    let checker = model.checker().threads(2).finish_when(finish).spawn_bfs().join();
    checker.assert_no_discovery(property);
    println!("{property} holds in {} states", checker.unique_state_count());
    assert!(checker.unique_state_count() > 1_000, "the world is large enough to break it");
}

#[test]
fn d1_an_epoch_is_decided_once() {
    holds(RIVAL, DECIDED_ONCE);
}

#[test]
fn d2_decisions_go_up_over_a_fail_over() {
    holds(FAIL_OVER, DECIDED_ONCE);
}

#[test]
fn d3_an_unguarded_decision_is_made_in_an_old_name() {
    must_break(FAIL_OVER, Fault::UnguardedDecision, &[NEWEST_NAME]);
}

#[test]
fn d4_an_output_that_its_database_forgets_has_no_end() {
    must_break(FAIL_OVER, Fault::PreparedTimesOut, &[ONE_END]);
}

#[test]
fn d5_a_commit_before_the_decision_commits_what_nobody_decided() {
    must_break(FAIL_OVER, Fault::CommitBeforeDecision, &[ONLY_DECIDED]);
}

#[test]
fn d6_nothing_is_written_before_the_begin() {
    holds(DOUBT, BEGUN);
}

#[test]
fn d7_a_base_that_is_read_before_the_fence_is_another() {
    must_break(FAIL_OVER, Fault::ReadBeforeFence, &[FROM_BASE]);
}

#[test]
fn d8_nothing_that_is_needed_is_forgotten() {
    holds(Model { hears_commits: true, records: 1, ..GIVEN_UP }, KEPT);
}

#[test]
fn d9_positions_go_on_and_those_of_an_unguarded_decision_do_not() {
    must_break(FAIL_OVER, Fault::UnguardedDecision, &[ONWARD]);
}

#[test]
fn d10_epochs_that_are_reused_are_handed_out_twice() {
    must_break(Model { epochs: 1, ..FAIL_OVER }, Fault::EpochsReused, &[NEW_EPOCHS]);
}

#[test]
fn d11_an_end_without_its_commits_is_none() {
    must_break(END, Fault::RecoveryTakesEverythingBack, &[WHOLE_END]);
}

#[test]
fn d13_what_a_cancelled_job_has_decided_is_not_left_to_a_database_that_forgets() {
    must_break(PATIENT, Fault::PreparedTimesOut, &[CANCELLED_WHOLE]);
}

#[test]
fn c6_every_checkpoint_is_a_consistent_cut() {
    holds(CANCEL, CUT);
}

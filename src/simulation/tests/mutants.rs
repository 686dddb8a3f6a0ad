//! Each rule broken once: the simulation has to find it, within so many seeds.

use watershed_simulation::{Broken, Mutant, shrink, simulate};

/// How many seeds a mutant may live, at most.
const SEEDS_MAX: u64 = 1000;

/// Lets a mutant live in one seed after another until a property does not hold. Which one has to be, where `expected`
/// names any.
fn must_be_found(mutant: Mutant, expected: &[Broken]) {
    let found = (0..SEEDS_MAX).find_map(|seed| {
        let report = simulate(seed, Some(mutant));
        report.broken.is_some().then_some(report)
    });
    let report = found.unwrap_or_else(|| panic!("{mutant:?} lives through {SEEDS_MAX} seeds"));
    let (broken, reason) = report.broken.clone().expect("it was found");
    let least = shrink(&report, Some(mutant)).faults.len();
    println!(
        "{mutant:?}: found in seed {} by {broken:?} ({reason}), with {least} of {} faults",
        report.seed,
        report.faults.len()
    );
    assert!(expected.is_empty() || expected.contains(&broken), "{mutant:?} breaks {broken:?}: {reason}");
}

#[test]
fn a_commit_before_the_decision_is_found() {
    must_be_found(Mutant::CommitBeforeDecision, &[Broken::D5, Broken::I3]);
}

#[test]
fn an_unguarded_decision_is_found() {
    must_be_found(Mutant::UnguardedDecision, &[Broken::D3]);
}

#[test]
fn a_recovery_that_takes_everything_back_is_found() {
    must_be_found(Mutant::RecoveryTakesEverythingBack, &[Broken::I2, Broken::D4]);
}

#[test]
fn an_abort_that_takes_back_is_found() {
    must_be_found(Mutant::AbortTakesBack, &[Broken::I2, Broken::D4]);
}

#[test]
fn a_vote_that_lists_its_own_epoch_only_is_found() {
    must_be_found(Mutant::VoteListsOwnOnly, &[Broken::I2]);
}

#[test]
fn epochs_that_are_handed_out_twice_are_found() {
    must_be_found(Mutant::EpochsReused, &[Broken::D10, Broken::I1, Broken::D5]);
}

#[test]
fn a_manifest_that_is_read_before_the_fence_is_found() {
    must_be_found(Mutant::ReadBeforeFence, &[]);
}

#[test]
fn an_external_system_that_times_out_is_found() {
    must_be_found(Mutant::PreparedTimesOut, &[Broken::I2, Broken::D4]);
}

#[test]
fn a_commit_that_is_not_idempotent_is_found() {
    must_be_found(Mutant::CommitNotIdempotent, &[Broken::I1]);
}

#[test]
fn an_unknown_decision_that_is_taken_for_made_is_found() {
    must_be_found(Mutant::UnknownTakenForDone, &[Broken::D5, Broken::I3, Broken::D2]);
}

#[test]
fn a_vote_before_the_sync_is_found() {
    must_be_found(Mutant::VoteBeforeSync, &[Broken::D8]);
}

#[test]
fn a_frame_that_is_left_out_is_found() {
    must_be_found(Mutant::FrameLeftOut, &[Broken::K]);
}

#[test]
fn a_frame_that_is_worked_on_twice_is_found() {
    must_be_found(Mutant::FrameTwice, &[Broken::K]);
}

#[test]
fn a_barrier_that_overtakes_is_found() {
    must_be_found(Mutant::BarrierOvertakes, &[Broken::K]);
}

#[test]
fn an_alignment_that_is_released_early_is_found() {
    must_be_found(Mutant::AlignmentReleasedEarly, &[Broken::K]);
}

#[test]
fn one_counter_for_all_epochs_is_found() {
    must_be_found(Mutant::NoLanes, &[Broken::C6, Broken::K, Broken::Shared]);
}

#[test]
fn a_task_that_sees_later_epochs_is_found() {
    must_be_found(Mutant::NoEpochFilter, &[Broken::K, Broken::C3]);
}

#[test]
fn counters_that_are_restored_are_found() {
    must_be_found(Mutant::CountersRestored, &[Broken::C1, Broken::K]);
}

#[test]
fn a_task_that_does_not_wait_is_found() {
    must_be_found(Mutant::NoWaits, &[Broken::C2, Broken::C3]);
}

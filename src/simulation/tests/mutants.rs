//! Each rule broken once: the simulation has to find it, within so many seeds.

use watershed_simulation::{Broken, Mutant, Report, shrink, simulate};

/// Within how many seeds a mutant has to be found.
const SEEDS_MAX: u64 = 1500;

/// The first seed that finds each, from which on it is looked for: who changes what is drawn lets
/// `every_mutant_is_found_from_the_first_seed_on` say it anew.
const FOUND_AT: [(Mutant, u64); 40] = [
    (Mutant::CommitBeforeDecision, 0),
    (Mutant::UnguardedDecision, 7),
    (Mutant::RecoveryTakesEverythingBack, 3),
    (Mutant::AbortTakesBack, 7),
    (Mutant::VoteListsOwnOnly, 7),
    (Mutant::EpochsReused, 0),
    (Mutant::ReadBeforeFence, 175),
    (Mutant::PreparedTimesOut, 5),
    (Mutant::CommitNotIdempotent, 2),
    (Mutant::UnknownTakenForDone, 41),
    (Mutant::VoteBeforeSync, 0),
    (Mutant::FrameLeftOut, 0),
    (Mutant::FrameTwice, 0),
    (Mutant::BarrierOvertakes, 2),
    (Mutant::AlignmentReleasedEarly, 0),
    (Mutant::NoLanes, 5),
    (Mutant::NoEpochFilter, 67),
    (Mutant::CountersRestored, 5),
    (Mutant::NoWaits, 5),
    (Mutant::OwnEpochKept, 83),
    (Mutant::NoTranslation, 0),
    (Mutant::ReadDoesNotWait, 22),
    (Mutant::DurableByNumber, 74),
    (Mutant::CompletedTakenForApplied, 935),
    (Mutant::ClientWritesBehind, 10),
    (Mutant::BatchBlamed, 0),
    (Mutant::LeftOutByTime, 17),
    (Mutant::LetterDropped, 0),
    (Mutant::OrphansLeft, 39),
    (Mutant::WholeStateLoaded, 22),
    (Mutant::AgreementUnguarded, 3),
    (Mutant::AgreementGuessed, 3),
    (Mutant::DeposedStaysDown, 1),
    (Mutant::AnyRunHeard, 0),
    (Mutant::WorkBeforeBegin, 0),
    (Mutant::SyncForgotten, 7),
    (Mutant::BaseOfReign, 3),
    (Mutant::SplitsReadAgain, 2),
    (Mutant::LastCommitSkipped, 1),
    (Mutant::PromisedTooMuch, 0),
];

/// Finds the first seed from `first` on in which a property does not hold.
fn find(mutant: Mutant, first: u64) -> Report {
    let found = (first..SEEDS_MAX).find_map(|seed| {
        let report = simulate(seed, Some(mutant));
        report.broken.is_some().then_some(report)
    });
    found.unwrap_or_else(|| panic!("{mutant:?} lives through the seeds {first} to {SEEDS_MAX}"))
}

/// Lets a mutant live in one seed after another until a property does not hold. Which one has to be, where `expected`
/// names any.
fn must_be_found(mutant: Mutant, expected: &[Broken]) {
    let (_, first) = FOUND_AT.into_iter().find(|(other, _)| *other == mutant).expect("each has a row");
    let report = find(mutant, first);
    let (broken, reason) = report.broken.expect("it was found");
    println!("{mutant:?}: found in seed {} by {broken:?} ({reason})", report.seed);
    assert!(expected.is_empty() || expected.contains(&broken), "{mutant:?} breaks {broken:?}: {reason}");
}

/// Lets a mutant live until it breaks this property, where it breaks others as well and sooner.
fn must_be_shown(broken: Broken, mutant: Mutant, first: u64) {
    let breaks = |seed| matches!(simulate(seed, Some(mutant)).broken, Some((other, _)) if other == broken);
    let shown = (first..SEEDS_MAX).find(|seed| breaks(*seed));
    println!("{broken:?}: broken by {mutant:?} in seed {shown:?}");
    assert!(shown.is_some(), "{mutant:?} never breaks {broken:?}");
}

#[test]
#[ignore = "takes minutes, and says what the table has to be: --ignored --nocapture"]
fn every_mutant_is_found_from_the_first_seed_on() {
    for mutant in Mutant::ALL {
        let report = find(mutant, 0);
        let least = shrink(&report, Some(mutant)).faults.len();
        let (broken, reason) = report.broken.expect("it was found");
        println!("    (Mutant::{mutant:?}, {}),", report.seed);
        println!("        // {broken:?}: {reason}, with {least} of {} faults", report.faults.len());
    }
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

#[test]
fn a_task_that_stays_in_its_own_epoch_is_found() {
    must_be_found(Mutant::OwnEpochKept, &[]);
}

#[test]
fn a_token_that_is_not_translated_is_found() {
    must_be_found(Mutant::NoTranslation, &[Broken::C8]);
}

#[test]
fn a_read_that_does_not_wait_is_found() {
    must_be_found(Mutant::ReadDoesNotWait, &[Broken::C4]);
}

#[test]
fn an_update_that_is_called_durable_by_its_number_is_found() {
    must_be_found(Mutant::DurableByNumber, &[Broken::C7]);
}

#[test]
fn a_checkpoint_that_is_taken_for_applied_is_found() {
    must_be_found(Mutant::CompletedTakenForApplied, &[Broken::C4]);
}

#[test]
fn an_update_behind_what_its_writer_has_seen_is_found() {
    must_be_found(Mutant::ClientWritesBehind, &[Broken::C3, Broken::C6]);
}

#[test]
fn a_batch_that_is_blamed_on_its_first_record_is_found() {
    must_be_found(Mutant::BatchBlamed, &[Broken::Poison]);
}

#[test]
fn records_that_are_left_out_by_their_time_alone_are_found() {
    must_be_found(Mutant::LeftOutByTime, &[Broken::Poison]);
}

#[test]
fn a_dead_letter_that_nobody_gets_is_found() {
    must_be_found(Mutant::LetterDropped, &[Broken::I2, Broken::D11]);
}

#[test]
fn transactions_of_subtasks_that_are_no_more_are_found() {
    must_be_found(Mutant::OrphansLeft, &[Broken::D4]);
}

#[test]
fn state_that_is_not_divided_is_found() {
    must_be_found(Mutant::WholeStateLoaded, &[Broken::State]);
}

#[test]
fn an_agreement_that_compares_nothing_is_found() {
    must_be_found(Mutant::AgreementUnguarded, &[Broken::Agreed]);
}

#[test]
fn an_agreement_that_is_guessed_not_to_be_is_found() {
    must_be_found(Mutant::AgreementGuessed, &[Broken::Agreed]);
}

#[test]
fn a_leader_that_is_not_replaced_when_it_was_deposed_is_found() {
    must_be_found(Mutant::DeposedStaysDown, &[Broken::D12]);
}

#[test]
fn a_replica_that_hears_other_runs_is_found() {
    must_be_found(Mutant::AnyRunHeard, &[Broken::Mistrust]);
}

#[test]
fn work_before_the_beginning_is_found() {
    must_be_found(Mutant::WorkBeforeBegin, &[Broken::D6]);
}

#[test]
fn a_sync_that_is_forgotten_is_found() {
    must_be_found(Mutant::SyncForgotten, &[Broken::D7, Broken::D8]);
}

#[test]
fn a_run_that_goes_on_from_an_older_decision_is_found() {
    must_be_found(Mutant::BaseOfReign, &[Broken::D9, Broken::I1, Broken::I2]);
}

#[test]
fn a_source_that_reads_again_is_found() {
    must_be_found(Mutant::SplitsReadAgain, &[Broken::K]);
}

#[test]
fn a_last_commit_that_is_skipped_is_found() {
    must_be_found(Mutant::LastCommitSkipped, &[Broken::D11]);
}

#[test]
fn a_promise_of_too_much_is_found() {
    must_be_found(Mutant::PromisedTooMuch, &[Broken::W]);
}

#[test]
fn state_that_is_gone_when_it_is_to_be_restored_is_found() {
    must_be_shown(Broken::D7, Mutant::SyncForgotten, 53);
}

#[test]
fn a_source_that_has_gone_back_in_a_decision_is_found() {
    must_be_shown(Broken::D9, Mutant::BaseOfReign, 15);
}

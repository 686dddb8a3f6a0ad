//! A decision whose answer does not come.

use super::*;

/// A bench that has asked for the decision of epoch 1.
fn deciding() -> Bench {
    let mut bench = Bench::running(config());
    let epoch = bench.trigger();
    bench.vote(epoch, 5, &[1]);
    bench.written(epoch);
    bench
}

fn uncertain() -> [Effect; 2] {
    [Effect::ReadMeta, Effect::Report(Report::Uncertain(Epoch(1)))]
}

#[test]
fn nothing_but_a_read_follows_an_unknown_answer() {
    let mut bench = deciding();
    assert_eq!(bench.answer(Swapped::Unknown), uncertain());
    assert!(bench.coordinator.is_uncertain());
    assert_eq!(bench.coordinator.deadline(), None);
    assert_eq!(bench.feed(request(Wish::Checkpoint)), []);
    assert_eq!(bench.feed(Event::MetaUnread), []);
    assert_eq!(bench.coordinator.deadline(), Some(Tick(1500)));
    assert_eq!(bench.wait(), [Effect::ReadMeta]);
}

#[test]
fn a_decision_that_is_there_is_carried_out() {
    let mut bench = deciding();
    bench.perform();
    bench.answer(Swapped::Unknown);
    let effects = bench.feed(Event::MetaRead(bench.meta.clone()));
    assert_eq!(effects, [Effect::Report(Report::Completed(pointer(1))), commit(1, 1, &[1])]);
}

#[test]
fn a_decision_that_is_not_there_is_given_up_and_what_it_staged_left_alone() {
    let mut bench = deciding();
    bench.answer(Swapped::Unknown);
    let reason = "the meta store does not show the decision";
    assert_eq!(bench.feed(Event::MetaRead(bench.meta.clone())), [abort_note(1, 1), given_up(1, reason)]);
    // It may yet come about: nobody may take anything back.
    assert_eq!(bench.feed(request(Wish::Cancel))[0], end_run(1, EndReason::Cancelled, None));
}

#[test]
fn a_newer_decision_ends_the_doubt() {
    let mut bench = deciding();
    bench.answer(Swapped::Unknown);
    bench.feed(Event::MetaRead(bench.meta.clone()));
    let (epoch, effects) = bench.decide(6, &[1]);
    assert_eq!(effects[1], commit(1, epoch, &[1, 2]));
    assert_eq!(bench.feed(request(Wish::Cancel)), []);
    let end = bench.feed(committed(1, epoch));
    assert_eq!(end[1], end_run(1, EndReason::Cancelled, Some(Some(Epoch(2)))));
}

#[test]
fn a_decision_that_certainly_failed_is_given_up_without_doubt() {
    let mut bench = deciding();
    let reason = "the meta store did not take the decision";
    assert_eq!(bench.answer(Swapped::Failed), [abort_note(1, 1), given_up(1, reason)]);
    assert_eq!(bench.feed(request(Wish::Cancel))[0], end_run(1, EndReason::Cancelled, Some(None)));
}

#[test]
fn a_refused_decision_means_that_somebody_else_reigns() {
    let mut bench = deciding();
    let rival = Meta { term: Term(2), ..bench.meta.clone() };
    assert_eq!(
        bench.answer(Swapped::Refused(rival)),
        [end_run(1, EndReason::Deposed, None), Effect::Report(Report::Following)]
    );
}

#[test]
fn a_refusal_of_our_own_repetition_is_no_refusal() {
    let mut bench = deciding();
    bench.perform();
    let shown = bench.meta.clone();
    assert_eq!(bench.answer(Swapped::Refused(shown))[1], commit(1, 1, &[1]));
}

#[test]
fn a_read_from_before_the_run_says_nothing() {
    let mut bench = deciding();
    bench.answer(Swapped::Unknown);
    let old = Meta { term: Term(1), run: Run(0), ..Meta::default() };
    assert_eq!(bench.refused(Event::MetaRead(old)), Outcome::Stale);
}

#[test]
fn a_subtask_lost_in_doubt_is_no_reason_to_guess() {
    let mut bench = deciding();
    bench.answer(Swapped::Unknown);
    let effects = bench.feed(lost(1, false));
    assert_eq!(effects[0], end_run(1, lost_reason(), None));
    assert_eq!(effects[2], swap(1, 1, Change::BeginRun));
    // The decision was on its way and came before the fence: the next run goes on from it.
    let complete = Change::Complete(pointer(1));
    bench.meta = complete.apply(Guard::of(&bench.meta), &bench.meta).unwrap();
    assert_eq!(bench.swap(), [Effect::LoadManifest(pointer(1))]);
}

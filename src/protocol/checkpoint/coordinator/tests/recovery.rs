//! What follows a failure: another run from the newest decision, or none.

use watershed_core::VertexId;

use super::*;
use crate::checkpoint::Role;
use crate::checkpoint::small_job::sink;

fn taken(run: u32, epoch: u64) -> Manifest {
    manifest(run, epoch, None, vec![source_vote(5), sink_vote(5, vec![staged(run, epoch)])])
}

/// A bench whose first run has decided epoch 1 and is lost; the second waits for the manifest.
fn loading() -> Bench {
    let mut bench = Bench::running(config());
    bench.decide(5, &[]);
    bench.feed(lost(1, false));
    assert_eq!(bench.swap(), [Effect::LoadManifest(pointer(1))]);
    bench
}

#[test]
fn a_lost_subtask_ends_the_run_and_the_next_goes_on_from_the_newest_decision() {
    let mut bench = Bench::running(config());
    bench.decide(5, &[]);
    assert_eq!(
        bench.feed(lost(1, false)),
        [
            end_run(1, lost_reason(), None),
            Effect::Report(Report::Restarting { reason: lost_reason() }),
            swap(1, 1, Change::BeginRun)
        ]
    );
    assert_eq!(bench.refused(lost(1, false)), Outcome::Stale);
    bench.swap();
    let splits = Some(source_vote(5).splits);
    let source = Part { splits, ..Part::default() };
    let sink = Part { splits: Some(vec![]), staged: vec![staged(1, 1)], ..Part::default() };
    assert_eq!(
        bench.feed(Event::Loaded(taken(1, 1))),
        [restore(2, SOURCE, 64, Some(1), source), restore(2, SINK, 64, Some(1), sink)]
    );
    let base = RollBack { run: Run(2), lineage: Lineage(0), base: Some(Epoch(1)) };
    assert_eq!(bench.meta.roll_backs.last(), Some(&base));
}

#[test]
fn the_next_run_hands_out_epochs_that_nobody_had() {
    let mut bench = loading();
    bench.feed(Event::Loaded(taken(1, 1)));
    bench.feed(restored(1, 2, SOURCE));
    bench.feed(restored(1, 2, SINK));
    assert_eq!(bench.trigger(), 65);
    assert_eq!(bench.meta.burnt, Epoch(128));
}

#[test]
fn old_messages_do_not_reach_the_next_run() {
    let mut bench = loading();
    bench.feed(Event::Loaded(taken(1, 1)));
    assert_eq!(bench.refused(restored(1, 1, SINK)), Outcome::Stale);
    assert_eq!(bench.refused(voted(authority(1, 1), 2, source_vote(5))), Outcome::Stale);
    assert_eq!(bench.refused(committed(1, 1)), Outcome::Stale);
    assert_eq!(bench.refused(ended(1, SOURCE)), Outcome::Stale);
    assert_eq!(bench.refused(Event::Loaded(taken(1, 1))), Outcome::Stale);
}

#[test]
fn a_manifest_of_another_job_or_epoch_is_not_gone_on_from() {
    for lie in [Manifest { job: "other".to_owned(), ..taken(1, 1) }, taken(1, 2)] {
        let effects = loading().feed(Event::Loaded(lie));
        let Effect::Report(Report::Over(Over::Failed { reason })) = &effects[0] else {
            panic!("{effects:?}")
        };
        assert!(reason.contains("the checkpoint store belongs to another job"), "{reason}");
    }
}

#[test]
fn a_manifest_that_is_gone_for_good_fails_the_job_and_one_out_of_reach_is_tried_again() {
    let gone = |permanent| Event::LoadFailed(Failure { reason: "no such object".to_owned(), permanent });
    let failed = Over::Failed { reason: "no such object".to_owned() };
    assert_eq!(loading().feed(gone(true)), [Effect::Report(Report::Over(failed))]);
    let mut bench = loading();
    assert_eq!(bench.feed(gone(false)).last(), Some(&swap(1, 2, Change::BeginRun)));
    bench.swap();
    bench.feed(gone(false));
    // The second run in a row that ends without a checkpoint waits before it is followed.
    assert_eq!(bench.wait(), [swap(1, 3, Change::BeginRun)]);
}

#[test]
fn runs_that_decide_nothing_follow_each_other_ever_more_slowly_and_not_for_ever() {
    let mut bench = Bench::running(config());
    let mut waits = Vec::new();
    for run in 1..=3 {
        bench.feed(lost(run, false));
        let before = bench.now;
        if bench.coordinator.deadline().is_some() {
            bench.wait();
        }
        waits.push(bench.now - before);
        bench.swap();
        bench.feed(restored(1, run + 1, SOURCE));
        bench.feed(restored(1, run + 1, SINK));
    }
    assert_eq!(waits, [0, 1000, 2000]);
    let effects = bench.feed(lost(4, false));
    let reason = "subtask 1.0 was lost: it fell silent (run 4 in a row that ended without a checkpoint)";
    assert_eq!(
        effects.last(),
        Some(&Effect::Report(Report::Over(Over::Failed { reason: reason.to_owned() })))
    );
}

#[test]
fn a_run_that_has_decided_something_is_always_followed_by_one_that_can_commit_it() {
    let mut bench = Bench::running(CheckpointConfig { restarts_max: 0, ..config() });
    bench.decide(5, &[]);
    assert_eq!(bench.feed(lost(1, false)).last(), Some(&swap(1, 1, Change::BeginRun)));
    bench.swap();
    bench.feed(Event::Loaded(taken(1, 1)));
    let effects = bench.feed(lost(2, false));
    assert!(matches!(effects.last(), Some(Effect::Report(Report::Over(Over::Failed { .. })))));
}

#[test]
fn a_checkpoint_makes_earlier_failures_forgotten() {
    let mut bench = Bench::running(CheckpointConfig { restarts_max: 0, ..config() });
    let effects = bench.feed(lost(1, false));
    assert!(matches!(effects.last(), Some(Effect::Report(Report::Over(Over::Failed { .. })))));
    let mut bench = Bench::running(config());
    bench.coordinator.fruitless = 3;
    bench.decide(5, &[]);
    assert_eq!(bench.feed(lost(1, false)).last(), Some(&swap(1, 1, Change::BeginRun)));
}

#[test]
fn runs_that_end_at_a_record_that_is_counted_on_its_own_do_not_count() {
    let mut bench = Bench::running(CheckpointConfig { restarts_max: 0, ..config() });
    let reason = "it cannot bear 7".to_owned();
    for run in 1..5 {
        let (authority, reason) = (authority(1, run), reason.clone());
        let effects = bench.feed(Event::Poisoned { authority, subtask: SINK, reason: reason.clone() });
        assert_eq!(effects[0], end_run(run, EndReason::Poisoned { subtask: SINK, reason }, None));
        assert_eq!(effects.last(), Some(&swap(1, run, Change::BeginRun)), "without a pause");
        bench.swap();
    }
    assert_eq!(bench.coordinator.fruitless, 0);
}

#[test]
fn a_failure_that_would_come_again_ends_the_job_at_once_and_takes_back_what_was_not_decided() {
    let mut bench = Bench::running(config());
    bench.decide(5, &[]);
    let effects = bench.feed(lost(1, true));
    let reason = "subtask 1.0 was lost: it fell silent".to_owned();
    let why = EndReason::Lost { subtask: None, reason: reason.clone() };
    assert_eq!(
        effects,
        [end_run(1, why, Some(Some(Epoch(1)))), Effect::Report(Report::Over(Over::Failed { reason }))]
    );
}

#[test]
fn subtasks_that_are_not_restored_in_time_end_the_run() {
    let mut bench = loading();
    bench.feed(Event::Loaded(taken(1, 1)));
    let reason = "the subtasks were not restored in time".to_owned();
    assert_eq!(bench.wait()[0], end_run(2, EndReason::Lost { subtask: None, reason }, None));
    assert_eq!(bench.now, 601_000);
}

#[test]
fn a_rescale_begins_a_run_with_the_new_roster() {
    let mut bench = Bench::running(config());
    bench.decide(5, &[]);
    let mut larger = roster();
    larger.subtasks.insert(sink(1), Role { source: false, sink: true });
    let effects = bench.feed(Event::Rescale(larger.clone()));
    assert_eq!(effects[0], end_run(1, EndReason::Rescaled, None));
    assert_eq!(bench.refused(Event::Rescale(larger)), Outcome::Duplicate);
    bench.swap();
    let effects = bench.feed(Event::Loaded(taken(1, 1)));
    assert_eq!(effects.len(), 3);
}

#[test]
fn what_a_subtask_that_is_no_more_says_of_an_older_run_is_stale() {
    let mut bench = Bench::running(config());
    bench.decide(5, &[]);
    let mut larger = roster();
    larger.subtasks.insert(sink(1), Role { source: false, sink: true });
    bench.feed(Event::Rescale(larger));
    bench.swap();
    bench.feed(Event::Loaded(taken(1, 1)));
    bench.feed(Event::Rescale(roster()));
    let late = || restored(1, 2, sink(1));
    assert_eq!(bench.refused(late()), Outcome::Stale);
    bench.swap();
    assert_eq!(bench.refused(late()), Outcome::Stale);
    // Of this run there is none to say it.
    bench.feed(Event::Loaded(taken(1, 1)));
    assert_eq!(bench.refused(restored(1, 3, sink(1))), Outcome::Unexpected);
}

#[test]
fn going_back_to_an_older_checkpoint_first_resolves_the_newest_decision() {
    let mut bench = Bench::running(config());
    bench.decide(5, &[]);
    bench.decide(6, &[1]);
    bench.coordinator = Coordinator::new("small", roster(), config());
    bench.campaign(Some(Fork::Checkpoint(pointer(1))));
    assert_eq!(bench.swap(), [swap(2, 1, Change::BeginRun)]);
    assert_eq!(bench.swap(), [Effect::LoadManifest(pointer(2))]);
    let mut voted = vec![source_vote(6), sink_vote(6, vec![staged(1, 1), staged(1, 2)])];
    voted[0].snapshot = vec![pointer(2).manifest];
    // A vertex that the program had when it took the checkpoint, and has no more.
    let vertex = VertexId(9);
    voted.push(Vote { subtask: SubtaskId { vertex, index: 0 }, staged: Vec::new(), ..voted[0].clone() });
    let effects = bench.feed(Event::Loaded(manifest(1, 2, None, voted)));
    let splits = Some(source_vote(6).splits);
    let source = Part { splits, ..Part::default() };
    let sink = Part { splits: Some(vec![]), staged: vec![staged(1, 1), staged(1, 2)], ..Part::default() };
    let restore = |subtask, part| {
        let (authority, after, permit) = (authority(2, 2), Epoch(64), Some(permit_for(2)));
        Effect::Restore { authority, subtask, after, permit, part }
    };
    assert_eq!(effects, [restore(SOURCE, source), restore(SINK, sink)]);
    bench.feed(restored(2, 2, SOURCE));
    let effects = bench.feed(restored(2, 2, SINK));
    let base = Some(pointer(1));
    assert_eq!(effects[1], swap(2, 2, Change::Fork { base }));
    assert_eq!(bench.swap(), [Effect::LoadManifest(pointer(1))]);
    bench.feed(Event::Loaded(taken(1, 1)));
    let authority = Authority { lineage: Lineage(1), ..authority(2, 3) };
    assert_eq!(bench.coordinator.authority(), Some(authority));
    bench.feed(Event::Restored { authority, subtask: SOURCE });
    let effects = bench.feed(Event::Restored { authority, subtask: SINK });
    assert_eq!(effects[0], Effect::Start { authority, subtask: SOURCE });
}

#[test]
fn a_finished_job_can_be_begun_again_in_a_new_history() {
    let mut bench = Bench::new(config());
    bench.meta = Meta { finished: true, completed: Some(pointer(3)), burnt: Epoch(64), ..Meta::default() };
    bench.campaign(Some(Fork::Beginning));
    assert_eq!(bench.swap(), [swap(1, 0, Change::Fork { base: None })]);
    let effects = bench.swap();
    assert!(matches!(effects[0], Effect::Restore { permit: None, .. }), "{effects:?}");
}

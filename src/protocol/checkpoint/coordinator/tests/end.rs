//! How a job comes to its end: the last checkpoint is decided and committed before it is finished.

use super::*;

/// The votes of subtasks that have come to their end.
fn last_votes(bench: &mut Bench, epoch: u64) -> Vec<Effect> {
    let own = bench.coordinator.authority().expect("a run works");
    let mut source = source_vote(5);
    (source.finished, source.splits[0].ended) = (true, true);
    let sink = Vote { finished: true, ..sink_vote(5, vec![staged(own.run.0, epoch)]) };
    bench.feed(voted(own, epoch, source));
    bench.feed(voted(own, epoch, sink))
}

fn plain() -> CheckpointConfig {
    CheckpointConfig { interval: None, restarts_max: 0, ..config() }
}

/// A bench without checkpoints whose input has ended.
fn all_ended() -> Bench {
    let mut bench = Bench::running(plain());
    assert_eq!(bench.feed(ended(1, SOURCE)), []);
    assert_eq!(bench.feed(ended(1, SINK)), [swap(1, 1, Change::Burn(Epoch(64)))]);
    assert_eq!(bench.swap(), [trigger(1, 1, None, Intent::Checkpoint, &[SOURCE, SINK])]);
    bench
}

#[test]
fn a_job_finishes_after_the_decision_and_every_commit_of_its_last_checkpoint() {
    let mut bench = all_ended();
    let effects = last_votes(&mut bench, 1);
    let Effect::WriteManifest(manifest) = &effects[0] else { panic!("{effects:?}") };
    assert!(manifest.last);
    bench.written(1);
    assert_eq!(bench.swap(), [Effect::Report(Report::Completed(pointer(1))), commit(1, 1, &[1])]);
    assert_eq!(
        bench.feed(committed(1, 1)),
        [Effect::Report(Report::Committed(Epoch(1))), swap(1, 1, Change::Finish)]
    );
    assert_eq!(
        bench.swap(),
        [end_run(1, EndReason::Finished, Some(Some(Epoch(1)))), Effect::Report(Report::Over(Over::Finished))]
    );
    assert!(bench.meta.finished);
    assert_eq!(bench.refused(ended(1, SINK)), Outcome::Stale);
}

#[test]
fn a_job_without_sinks_needs_no_commits_to_finish() {
    let mut bench = all_ended();
    let own = authority(1, 1);
    let source = Vote { finished: true, ..source_vote(5) };
    let sink = Vote { finished: true, ..sink_vote(5, vec![]) };
    bench.feed(voted(own, 1, source));
    bench.feed(voted(own, 1, sink));
    bench.written(1);
    assert_eq!(
        bench.swap(),
        [
            Effect::Report(Report::Completed(pointer(1))),
            Effect::Report(Report::Committed(Epoch(1))),
            swap(1, 1, Change::Finish)
        ]
    );
}

#[test]
fn a_last_checkpoint_that_fails_is_tried_again() {
    let mut bench = all_ended();
    bench.wait();
    assert_eq!(bench.trigger(), 2);
    assert_eq!(bench.now, 61_000);
}

#[test]
fn a_run_that_is_lost_before_its_last_commit_is_followed_by_one_that_only_commits() {
    let mut bench = all_ended();
    let effects = last_votes(&mut bench, 1);
    let Effect::WriteManifest(manifest) = effects[0].clone() else { panic!("{effects:?}") };
    bench.written(1);
    bench.swap();
    bench.coordinator = Coordinator::new("small", roster(), plain());
    bench.campaign(None);
    bench.swap();
    assert_eq!(bench.swap(), [Effect::LoadManifest(pointer(1))]);
    let effects = bench.feed(Event::Loaded(*manifest));
    assert!(matches!(&effects[1], Effect::Restore { part, .. } if part.staged == [staged(1, 1)]));
    bench.feed(restored(2, 2, SOURCE));
    let running = Report::Running { authority: authority(2, 2), base: Some(Epoch(1)) };
    assert_eq!(bench.feed(restored(2, 2, SINK)), [Effect::Report(running), swap(2, 2, Change::Finish)]);
    assert_eq!(bench.swap().last(), Some(&Effect::Report(Report::Over(Over::Finished))));
}

#[test]
fn a_finish_whose_answer_does_not_come_is_read_back() {
    let mut bench = all_ended();
    last_votes(&mut bench, 1);
    bench.written(1);
    bench.swap();
    bench.feed(committed(1, 1));
    assert_eq!(bench.answer(Swapped::Unknown), [Effect::ReadMeta]);
    assert_eq!(bench.feed(Event::MetaRead(bench.meta.clone())), []);
    assert_eq!(bench.wait(), [swap(1, 1, Change::Finish)]);
    bench.perform();
    bench.answer(Swapped::Unknown);
    let effects = bench.feed(Event::MetaRead(bench.meta.clone()));
    assert_eq!(effects.last(), Some(&Effect::Report(Report::Over(Over::Finished))));
}

#[test]
fn a_subtask_whose_input_ends_during_a_checkpoint_is_triggered_by_hand() {
    let mut bench = Bench::running(config());
    let epoch = bench.trigger();
    assert_eq!(bench.feed(ended(1, SOURCE)), []);
    assert_eq!(bench.feed(ended(1, SINK)), [trigger(1, epoch, None, Intent::Checkpoint, &[SINK])]);
    assert_eq!(bench.refused(ended(1, SINK)), Outcome::Duplicate);
    // All of them vote that they have finished: this was the last checkpoint.
    last_votes(&mut bench, epoch);
    bench.written(epoch);
    bench.swap();
    let effects = bench.feed(committed(1, epoch));
    assert_eq!(effects[1], swap(1, 1, Change::Finish));
}

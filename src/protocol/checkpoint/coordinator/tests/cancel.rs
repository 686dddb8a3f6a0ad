//! The end that somebody wants now: not before what is decided is committed, unless that takes too long.

use std::collections::BTreeSet;

use super::*;

const CANCEL: RequestId = RequestId(7);

fn done(pointer: Option<u64>) -> Effect {
    let answer = Answer::Done(pointer.map(super::pointer));
    Effect::Answer { request: CANCEL, answer }
}

fn over(in_doubt: Option<InDoubt>) -> Effect {
    Effect::Report(Report::Over(Over::Cancelled { in_doubt }))
}

fn in_doubt(epoch: u64, xids: &[(u32, u64)]) -> InDoubt {
    let xids = xids.iter().map(|&(run, epoch)| xid(run, epoch)).collect::<BTreeSet<_>>();
    InDoubt { epoch: Epoch(epoch), xids }
}

fn patient() -> CheckpointConfig {
    CheckpointConfig { cancel_timeout: Duration::from_secs(3600), ..config() }
}

fn end(run: u32, decided: u64) -> Effect {
    end_run(run, EndReason::Cancelled, Some(Some(Epoch(decided))))
}

#[test]
fn what_is_decided_is_committed_first_and_nothing_more_is_triggered() {
    let mut bench = Bench::running(patient());
    bench.decide(5, &[]);
    assert_eq!(bench.feed(request(Wish::Cancel)), []);
    // Only the order to commit is still repeated.
    assert_eq!(bench.wait(), [commit(1, 1, &[1])]);
    assert_eq!(
        bench.feed(committed(1, 1)),
        [Effect::Report(Report::Committed(Epoch(1))), end(1, 1), done(Some(1)), over(None)]
    );
}

#[test]
fn a_checkpoint_under_way_is_given_up_while_commits_are_outstanding() {
    let mut bench = Bench::running(patient());
    bench.decide(5, &[]);
    let epoch = bench.trigger();
    let effects = bench.feed(request(Wish::Cancel));
    assert_eq!(effects, [abort_note(1, epoch), given_up(epoch, "the job is cancelled")]);
    assert_eq!(bench.feed(committed(1, 1)).last(), Some(&over(None)));
}

#[test]
fn a_decision_under_way_is_waited_for_and_committed() {
    let mut bench = Bench::running(patient());
    let epoch = bench.trigger();
    bench.vote(epoch, 5, &[epoch]);
    bench.written(epoch);
    assert_eq!(bench.feed(request(Wish::Cancel)), []);
    assert_eq!(bench.swap(), [Effect::Report(Report::Completed(pointer(1))), commit(1, 1, &[1])]);
    assert_eq!(bench.feed(committed(1, 1)).last(), Some(&over(None)));
}

#[test]
fn a_decision_that_may_still_come_about_is_fenced_off_before_the_end() {
    let mut bench = Bench::running(patient());
    let epoch = bench.trigger();
    bench.vote(epoch, 5, &[epoch]);
    bench.written(epoch);
    bench.feed(request(Wish::Cancel));
    assert_eq!(bench.answer(Swapped::Unknown).first(), Some(&Effect::ReadMeta));
    let effects = bench.feed(Event::MetaRead(bench.meta.clone()));
    // It is not there yet: what it has staged is not taken back, and the next run finds out.
    assert!(effects.contains(&end_run(1, EndReason::Cancelled, None)), "{effects:?}");
    assert_eq!(effects.last(), Some(&swap(1, 1, Change::BeginRun)));
    // It came about before the fence.
    bench.meta.completed = Some(pointer(1));
    assert_eq!(bench.swap(), [Effect::LoadManifest(pointer(1))]);
    bench.feed(Event::Loaded(manifest(1, 1, None, vec![source_vote(5), sink_vote(5, vec![staged(1, 1)])])));
    bench.feed(restored(1, 2, SOURCE));
    assert_eq!(bench.feed(restored(1, 2, SINK))[1..], [end(2, 1), done(Some(1)), over(None)]);
}

#[test]
fn a_decision_that_never_came_about_leaves_nothing_to_commit() {
    let mut bench = Bench::running(patient());
    let epoch = bench.trigger();
    bench.vote(epoch, 5, &[epoch]);
    bench.written(epoch);
    bench.feed(request(Wish::Cancel));
    bench.answer(Swapped::Unknown);
    bench.feed(Event::MetaRead(bench.meta.clone()));
    assert_eq!(bench.swap(), [done(None), over(None)]);
}

#[test]
fn a_new_reign_commits_what_an_older_one_has_decided_and_starts_nothing() {
    let mut bench = Bench::running(patient());
    bench.decide(5, &[]);
    bench.coordinator = Coordinator::new("small", roster(), patient());
    bench.campaign(None);
    assert_eq!(bench.feed(request(Wish::Cancel)), []);
    bench.swap();
    assert_eq!(bench.swap(), [Effect::LoadManifest(pointer(1))]);
    let mut sink = sink_vote(5, vec![staged(1, 1)]);
    sink.snapshot = vec![object("state")];
    let effects = bench.feed(Event::Loaded(manifest(1, 1, None, vec![source_vote(5), sink])));
    // What is staged, and no state.
    let Effect::Restore { part, .. } = &effects[1] else { panic!("{effects:?}") };
    assert_eq!((&part.staged, part.snapshots.len()), (&vec![staged(1, 1)], 0));
    bench.feed(restored(2, 2, SOURCE));
    let effects = bench.feed(restored(2, 2, SINK));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Start { .. })), "{effects:?}");
    assert_eq!(effects.last(), Some(&over(None)));
}

#[test]
fn a_new_reign_ends_at_once_where_nothing_is_staged_or_decided() {
    let mut bench = Bench::new(patient());
    bench.campaign(None);
    bench.feed(request(Wish::Cancel));
    bench.swap();
    assert_eq!(bench.swap(), [done(None), over(None)]);

    let mut bench = Bench::running(patient());
    bench.decide(5, &[]);
    bench.coordinator = Coordinator::new("small", roster(), patient());
    bench.campaign(None);
    bench.feed(request(Wish::Cancel));
    bench.swap();
    bench.swap();
    let loaded = Event::Loaded(manifest(1, 1, None, vec![source_vote(5), sink_vote(5, vec![])]));
    assert_eq!(bench.feed(loaded), [done(Some(1)), over(None)]);
}

#[test]
fn a_job_that_is_being_restored_ends_at_once_where_nothing_is_staged() {
    let mut bench = Bench::new(patient());
    bench.campaign(None);
    bench.swap();
    bench.swap();
    let end = end_run(1, EndReason::Cancelled, None);
    assert_eq!(bench.feed(request(Wish::Cancel)), [end, done(None), over(None)]);
}

#[test]
fn a_run_that_is_lost_before_its_commits_is_followed_by_one_that_commits() {
    let mut bench = Bench::running(patient());
    bench.decide(5, &[]);
    bench.feed(request(Wish::Cancel));
    assert_eq!(bench.feed(lost(1, false)).last(), Some(&swap(1, 1, Change::BeginRun)));
    bench.swap();
    bench.feed(Event::Loaded(manifest(1, 1, None, vec![source_vote(5), sink_vote(5, vec![staged(1, 1)])])));
    bench.feed(restored(1, 2, SOURCE));
    assert_eq!(bench.feed(restored(1, 2, SINK)).last(), Some(&over(None)));
}

#[test]
fn a_job_that_rests_does_not_rest_on() {
    let mut bench = Bench::running(patient());
    bench.feed(lost(1, false));
    bench.swap();
    bench.feed(lost(2, false));
    assert!(matches!(bench.coordinator.phase, Phase::Resting { .. }));
    assert_eq!(bench.feed(request(Wish::Cancel)), [swap(1, 2, Change::BeginRun)]);
    assert_eq!(bench.swap(), [done(None), over(None)]);
}

#[test]
fn what_cannot_be_committed_in_time_is_named() {
    let mut bench = Bench::running(CheckpointConfig { commit_retry: Duration::from_secs(3600), ..config() });
    bench.decide(5, &[]);
    bench.feed(request(Wish::Cancel));
    let effects = bench.wait();
    assert_eq!(bench.now, 1000 + 60_000);
    let reason = "the job has ended, and whether all output up to checkpoint 1 is committed is not known; transactions in \
                  doubt: 0/1/1.0/1";
    let answer = Answer::Refused { wish: Wish::Cancel, reason: reason.to_owned() };
    let refused = Effect::Answer { request: CANCEL, answer };
    assert_eq!(effects, [end(1, 1), refused, over(Some(in_doubt(1, &[(1, 1)])))]);
}

#[test]
fn a_decision_that_does_not_come_in_time_is_in_doubt_and_nothing_of_it_is_taken_back() {
    let mut bench = Bench::running(config());
    let epoch = bench.trigger();
    bench.vote(epoch, 5, &[epoch]);
    bench.written(epoch);
    bench.feed(request(Wish::Cancel));
    let effects = bench.wait();
    assert_eq!(effects[0], end_run(1, EndReason::Cancelled, None));
    assert_eq!(effects.last(), Some(&over(Some(in_doubt(1, &[(1, 1)])))));
}

#[test]
fn a_restore_that_does_not_come_in_time_leaves_what_it_was_to_commit_in_doubt() {
    let mut bench = Bench::running(config());
    bench.decide(5, &[]);
    bench.coordinator = Coordinator::new("small", roster(), config());
    bench.campaign(None);
    bench.feed(request(Wish::Cancel));
    bench.swap();
    bench.swap();
    let until = bench.coordinator.deadline();
    assert_eq!(until, Some(Tick(bench.now + 60_000)), "also while the manifest is waited for");
    bench.feed(Event::Loaded(manifest(1, 1, None, vec![source_vote(5), sink_vote(5, vec![staged(1, 1)])])));
    let effects = bench.wait();
    assert_eq!(effects.last(), Some(&over(Some(in_doubt(1, &[(1, 1)])))));
}

#[test]
fn the_last_checkpoint_is_the_end_of_the_job_whoever_cancels_it() {
    let mut bench = Bench::running(CheckpointConfig { interval: None, ..patient() });
    bench.feed(ended(1, SOURCE));
    bench.feed(ended(1, SINK));
    bench.swap();
    let own = authority(1, 1);
    bench.feed(voted(own, 1, Vote { finished: true, ..source_vote(5) }));
    bench.feed(voted(own, 1, Vote { finished: true, ..sink_vote(5, vec![staged(1, 1)]) }));
    bench.written(1);
    bench.swap();
    assert_eq!(bench.feed(request(Wish::Cancel)), []);
    assert_eq!(bench.feed(committed(1, 1)).last(), Some(&swap(1, 1, Change::Finish)));
    let answer = Answer::Refused { wish: Wish::Cancel, reason: "the job has finished".to_owned() };
    let effects = bench.swap();
    assert_eq!(effects[1], Effect::Answer { request: CANCEL, answer });
    assert_eq!(effects[2], Effect::Report(Report::Over(Over::Finished)));
}

#[test]
fn a_cancel_overtakes_a_suspension_whose_commits_are_outstanding() {
    let mut bench = Bench::running(CheckpointConfig { interval: None, ..patient() });
    bench.feed(Event::Request { request: RequestId(1), wish: Wish::Suspend });
    bench.swap();
    bench.vote(1, 5, &[1]);
    bench.written(1);
    bench.swap();
    bench.feed(request(Wish::Cancel));
    let reason = "the job is cancelled".to_owned();
    let refused = Answer::Refused { wish: Wish::Suspend, reason };
    assert_eq!(
        bench.feed(committed(1, 1))[1..],
        [end(1, 1), Effect::Answer { request: RequestId(1), answer: refused }, done(Some(1)), over(None)]
    );
}

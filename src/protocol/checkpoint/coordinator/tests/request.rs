//! What people ask of a running job.

use super::*;

fn answer(answer: Answer) -> Effect {
    Effect::Answer { request: RequestId(7), answer }
}

/// A bench that takes no checkpoint by itself, with the first block of epochs burnt.
fn idle() -> Bench {
    let mut bench = Bench::running(CheckpointConfig { interval: None, ..config() });
    bench.feed(request(Wish::Checkpoint));
    bench.swap();
    bench.vote(1, 5, &[]);
    bench.written(1);
    bench.swap();
    bench
}

#[test]
fn a_savepoint_is_taken_at_once_and_marked() {
    let mut bench = idle();
    assert_eq!(bench.feed(request(Wish::Savepoint)), [trigger(1, 2, Some(1), Intent::Checkpoint, &[SOURCE])]);
    let effects = bench.vote(2, 5, &[]);
    assert!(matches!(&effects[0], Effect::WriteManifest(manifest) if manifest.savepoint));
    bench.written(2);
    let done = answer(Answer::Done(Some(pointer(2))));
    assert_eq!(bench.swap()[1], done);
}

#[test]
fn a_request_during_a_checkpoint_waits_for_the_next_one() {
    let mut bench = idle();
    bench.feed(request(Wish::Checkpoint));
    assert_eq!(bench.feed(request(Wish::Savepoint)), []);
    bench.vote(2, 5, &[]);
    bench.written(2);
    assert_eq!(bench.swap().last(), Some(&trigger(1, 3, Some(2), Intent::Checkpoint, &[SOURCE])));
}

#[test]
fn a_savepoint_that_fails_is_refused_with_the_reason() {
    let mut bench = idle();
    bench.feed(request(Wish::Savepoint));
    let effects = bench.wait();
    let reason = "2 subtasks have not voted in time, among them 0.0, 1.0".to_owned();
    assert_eq!(effects[1], answer(Answer::Refused { wish: Wish::Savepoint, reason }));
}

#[test]
fn a_savepoint_outlives_the_run_that_was_to_take_it() {
    let mut bench = idle();
    bench.feed(request(Wish::Savepoint));
    bench.feed(lost(1, false));
    bench.swap();
    bench.feed(Event::Loaded(manifest(1, 1, None, vec![source_vote(5), sink_vote(5, vec![])])));
    bench.feed(restored(1, 2, SOURCE));
    let effects = bench.feed(restored(1, 2, SINK));
    assert_eq!(effects.last(), Some(&swap(1, 2, Change::Burn(Epoch(128)))));
}

#[test]
fn a_suspended_job_ends_behind_a_savepoint_and_its_commits() {
    let mut bench = idle();
    assert_eq!(bench.feed(request(Wish::Suspend)), [trigger(1, 2, Some(1), Intent::Suspend, &[SOURCE])]);
    bench.vote(2, 6, &[2]);
    bench.written(2);
    assert_eq!(bench.swap(), [Effect::Report(Report::Completed(pointer(2))), commit(1, 2, &[2])]);
    assert_eq!(
        bench.feed(committed(1, 2)),
        [
            Effect::Report(Report::Committed(Epoch(2))),
            end_run(1, EndReason::Suspended, Some(Some(Epoch(2)))),
            answer(Answer::Done(Some(pointer(2)))),
            Effect::Report(Report::Over(Over::Suspended(pointer(2))))
        ]
    );
    assert!(!bench.meta.finished);
}

#[test]
fn a_suspension_that_fails_is_tried_again() {
    let mut bench = idle();
    bench.feed(request(Wish::Suspend));
    bench.wait();
    assert_eq!(bench.wait(), [trigger(1, 3, Some(1), Intent::Suspend, &[SOURCE])]);
    assert_eq!(bench.now, 61_000);
}

#[test]
fn a_drained_job_comes_to_its_regular_end() {
    let mut bench = idle();
    let drain = Effect::Drain { authority: authority(1, 1) };
    assert_eq!(bench.feed(request(Wish::Drain)), [drain]);
    bench.feed(ended(1, SOURCE));
    assert_eq!(bench.feed(ended(1, SINK)), [trigger(1, 2, Some(1), Intent::Checkpoint, &[SOURCE, SINK])]);
    // A run that follows a failure is told again.
    bench.feed(lost(1, false));
    bench.swap();
    bench.feed(Event::Loaded(manifest(1, 1, None, vec![source_vote(5), sink_vote(5, vec![])])));
    bench.feed(restored(1, 2, SOURCE));
    let effects = bench.feed(restored(1, 2, SINK));
    assert_eq!(effects.last(), Some(&Effect::Drain { authority: authority(1, 2) }));
}

#[test]
fn a_cancelled_job_ends_at_once_and_takes_back_what_was_not_decided() {
    let mut bench = idle();
    bench.feed(request(Wish::Savepoint));
    let refused = Answer::Refused { wish: Wish::Savepoint, reason: "the job is cancelled".to_owned() };
    let cancel = Event::Request { request: RequestId(8), wish: Wish::Cancel };
    assert_eq!(
        bench.feed(cancel),
        [
            end_run(1, EndReason::Cancelled, Some(Some(Epoch(1)))),
            answer(refused),
            Effect::Answer { request: RequestId(8), answer: Answer::Done(Some(pointer(1))) },
            Effect::Report(Report::Over(Over::Cancelled { in_doubt: None }))
        ]
    );
    let reason = "the job is over".to_owned();
    let refused = Answer::Refused { wish: Wish::Drain, reason };
    assert_eq!(bench.feed(request(Wish::Drain)), [answer(refused)]);
}

#[test]
fn more_requests_than_can_wait_are_refused_at_once() {
    let mut bench = Bench::new(config());
    bench.campaign(None);
    let wishes: Vec<_> = (0..257).map(|_| bench.feed(request(Wish::Savepoint))).collect();
    assert!(wishes[..256].iter().all(Vec::is_empty));
    let reason = "256 requests are waiting: ask again later".to_owned();
    assert_eq!(wishes[256], [answer(Answer::Refused { wish: Wish::Savepoint, reason })]);
    // Whoever wants the end is heard all the same.
    assert_eq!(bench.feed(request(Wish::Suspend)), []);
}

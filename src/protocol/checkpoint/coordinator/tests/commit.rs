//! Orders to commit: repeated for ever, bounded in number, and never without what they need.

use super::*;

#[test]
fn an_order_is_repeated_ever_less_often_until_it_is_carried_out() {
    let mut bench = Bench::running(CheckpointConfig { interval: None, ..config() });
    bench.feed(request(Wish::Checkpoint));
    bench.swap();
    bench.vote(1, 5, &[1]);
    bench.written(1);
    bench.swap();
    let mut times = Vec::new();
    for _ in 0..10 {
        let effects = bench.wait();
        assert_eq!(effects[0], commit(1, 1, &[1]));
        times.push(bench.now / 1000);
    }
    assert_eq!(times, [1, 3, 7, 15, 31, 63, 127, 255, 511, 811]);
    bench.feed(committed(1, 1));
    assert_eq!(bench.coordinator.deadline(), None);
}

#[test]
fn a_sink_that_does_not_commit_degrades_the_job_until_it_does() {
    let mut bench = Bench::running(CheckpointConfig { interval: None, ..config() });
    bench.feed(request(Wish::Checkpoint));
    bench.swap();
    bench.vote(1, 5, &[1]);
    bench.written(1);
    bench.swap();
    bench.wait();
    bench.wait();
    let reason = "a sink does not carry out its order to commit".to_owned();
    assert_eq!(bench.wait(), [commit(1, 1, &[1]), Effect::Report(Report::Degraded { reason })]);
    assert_eq!(
        bench.feed(committed(1, 1)),
        [Effect::Report(Report::Committed(Epoch(1))), Effect::Report(Report::Healthy)]
    );
}

#[test]
fn outstanding_commits_hold_further_checkpoints_back() {
    let config = CheckpointConfig { pending_max: 2, commit_retry: Duration::from_secs(3600), ..config() };
    let mut bench = Bench::running(config);
    bench.decide(1, &[]);
    bench.decide(2, &[1]);
    assert_eq!(bench.coordinator.deadline(), Some(Tick(2000 + 300_000)));
    let effects = bench.feed(committed(1, 1));
    assert_eq!(effects, [Effect::Report(Report::Committed(Epoch(1)))]);
    assert_eq!(bench.coordinator.deadline(), Some(Tick(3000)));
}

#[test]
fn a_newer_commit_carries_out_the_older_orders_too() {
    let mut bench = Bench::running(config());
    bench.decide(1, &[]);
    bench.decide(2, &[1]);
    assert_eq!(
        bench.feed(committed(1, 2)),
        [Effect::Report(Report::Committed(Epoch(1))), Effect::Report(Report::Committed(Epoch(2)))]
    );
    assert_eq!(bench.refused(committed(1, 1)), Outcome::Duplicate);
}

#[test]
fn what_nobody_decided_cannot_have_been_committed() {
    let mut bench = Bench::running(config());
    assert_eq!(bench.refused(committed(1, 1)), Outcome::Unexpected);
    bench.decide(1, &[]);
    assert_eq!(bench.refused(committed(1, 2)), Outcome::Unexpected);
}

#[test]
fn a_checkpoint_is_not_forgotten_before_it_is_committed() {
    let config = CheckpointConfig { pending_max: 9, retain: 1, ..config() };
    let mut bench = Bench::running(config);
    for (records, pending) in [(1, &[] as &[u64]), (2, &[1]), (3, &[1, 2])] {
        let (_, effects) = bench.decide(records, pending);
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Forget { .. })), "{effects:?}");
    }
    let forget = |before| Effect::Forget { before: Epoch(before) };
    assert_eq!(bench.feed(committed(1, 1)), [Effect::Report(Report::Committed(Epoch(1))), forget(2)]);
    assert_eq!(bench.feed(committed(1, 3)).last(), Some(&forget(3)));
}

//! A checkpoint from its trigger to its decision, and how it is given up.

use super::*;
use crate::checkpoint::Violation;
use crate::checkpoint::small_job::{CHANNEL, sink};

#[test]
fn burns_a_block_of_epochs_before_it_hands_the_first_one_out() {
    let mut bench = Bench::running(config());
    assert_eq!(bench.coordinator.deadline(), Some(Tick(1000)));
    assert_eq!(bench.wait(), [swap(1, 1, Change::Burn(Epoch(64)))]);
    assert_eq!(bench.swap(), [trigger(1, 1, None, Intent::Checkpoint, &[SOURCE])]);
}

#[test]
fn votes_make_a_manifest_the_manifest_a_decision_and_the_decision_commits() {
    let mut bench = Bench::running(config());
    let epoch = bench.trigger();
    assert_eq!(epoch, 1);
    let manifest = manifest(1, 1, None, vec![source_vote(5), sink_vote(5, vec![staged(1, 1)])]);
    assert_eq!(bench.vote(1, 5, &[1]), [Effect::WriteManifest(Box::new(manifest))]);
    assert_eq!(bench.written(1), [swap(1, 1, Change::Complete(pointer(1)))]);
    assert_eq!(bench.swap(), [Effect::Report(Report::Completed(pointer(1))), commit(1, 1, &[1])]);
    assert_eq!(bench.feed(committed(1, 1)), [Effect::Report(Report::Committed(Epoch(1)))]);
    assert_eq!(bench.refused(committed(1, 1)), Outcome::Duplicate);
    assert_eq!(bench.coordinator.deadline(), Some(Tick(2000)));
}

#[test]
fn votes_are_counted_once_and_only_where_they_belong() {
    let mut bench = Bench::running(config());
    bench.trigger();
    let own = authority(1, 1);
    bench.feed(voted(own, 1, source_vote(5)));
    assert_eq!(bench.refused(voted(own, 1, source_vote(5))), Outcome::Duplicate);
    assert_eq!(bench.refused(voted(own, 1, source_vote(6))), Outcome::Unexpected);
    assert_eq!(bench.refused(voted(own, 2, sink_vote(5, vec![]))), Outcome::Unexpected);
    assert_eq!(bench.refused(voted(own, 0, sink_vote(5, vec![]))), Outcome::Stale);
    assert_eq!(bench.refused(voted(authority(1, 0), 1, sink_vote(5, vec![]))), Outcome::Stale);
    assert_eq!(bench.refused(voted(authority(1, 2), 1, sink_vote(5, vec![]))), Outcome::Unexpected);
    let stranger = Vote { subtask: sink(1), ..sink_vote(5, vec![]) };
    assert_eq!(bench.refused(voted(own, 1, stranger)), Outcome::Unexpected);
}

#[test]
fn a_decline_gives_the_checkpoint_up_and_puts_the_next_one_off() {
    let mut bench = Bench::running(config());
    bench.trigger();
    let decline = |epoch| Event::Declined {
        authority: authority(1, 1),
        epoch: Epoch(epoch),
        subtask: SINK,
        reason: "the disk is full".to_owned(),
    };
    assert_eq!(
        bench.feed(decline(1)),
        [abort_note(1, 1), given_up(1, "subtask 1.0 declined: the disk is full")]
    );
    assert_eq!(bench.refused(decline(1)), Outcome::Stale);
    assert_eq!(bench.coordinator.deadline(), Some(Tick(2000)));
    assert_eq!(bench.trigger(), 2);
    bench.feed(decline(2));
    assert_eq!(bench.coordinator.deadline(), Some(Tick(4000)));
}

#[test]
fn a_checkpoint_that_takes_too_long_is_given_up_and_names_who_is_late() {
    let mut bench = Bench::running(config());
    bench.trigger();
    bench.feed(voted(authority(1, 1), 1, source_vote(5)));
    let reason = "1 subtasks have not voted in time, among them 1.0";
    assert_eq!(bench.wait(), [abort_note(1, 1), given_up(1, reason)]);
    assert_eq!(bench.now, 61_000);
    assert_eq!(bench.refused(voted(authority(1, 1), 1, sink_vote(5, vec![]))), Outcome::Stale);
}

#[test]
fn failures_in_a_row_are_reported_once_and_so_is_their_end() {
    let mut bench = Bench::running(config());
    let mut reports = Vec::new();
    for _ in 0..4 {
        bench.trigger();
        reports.extend(bench.wait());
    }
    let reason = "2 subtasks have not voted in time, among them 0.0, 1.0".to_owned();
    let degraded = Effect::Report(Report::Degraded { reason });
    assert_eq!(reports.iter().filter(|effect| **effect == degraded).count(), 1);
    assert_eq!(reports.iter().position(|effect| *effect == degraded), Some(6));
    let (_, effects) = bench.decide(5, &[]);
    assert_eq!(effects.last(), Some(&Effect::Report(Report::Healthy)));
}

#[test]
fn a_manifest_that_is_not_durable_decides_nothing() {
    let mut bench = Bench::running(config());
    let epoch = bench.trigger();
    bench.vote(epoch, 5, &[1]);
    let failed = Event::ManifestFailed { epoch: Epoch(1), reason: "no space".to_owned() };
    assert_eq!(
        bench.feed(failed.clone()),
        [abort_note(1, 1), given_up(1, "the manifest was not written: no space")]
    );
    assert_eq!(bench.refused(failed), Outcome::Stale);
    let late = Event::ManifestWritten { epoch: Epoch(1), object: object("manifest-1") };
    assert_eq!(bench.refused(late), Outcome::Stale);
}

fn violated(halt: bool) -> (Bench, Vec<Effect>) {
    let mut bench = Bench::running(CheckpointConfig { halt_on_violation: halt, ..config() });
    bench.trigger();
    bench.feed(voted(authority(1, 1), 1, source_vote(5)));
    let effects = bench.feed(voted(authority(1, 1), 1, sink_vote(4, vec![])));
    (bench, effects)
}

#[test]
fn votes_that_are_no_consistent_cut_are_never_decided_and_set_the_job_back() {
    let (channel, measure) = (CHANNEL, crate::checkpoint::Measure::Records);
    let violation = Violation::Channel { channel, measure, sent: 5, received: 4, in_flight: 0 };
    let text = "channel 1.0:0: records sent 5, received 4, in flight 0";
    let (mut bench, effects) = violated(false);
    assert_eq!(
        effects,
        [
            Effect::Report(Report::Violated(Epoch(1), violation)),
            abort_note(1, 1),
            given_up(1, text),
            end_run(1, EndReason::Violated, None),
            Effect::Report(Report::Restarting { reason: EndReason::Violated }),
            swap(1, 1, Change::BeginRun)
        ]
    );
    bench.swap();
    assert_eq!(bench.coordinator.authority(), Some(authority(1, 2)));
    let (_, effects) = violated(true);
    let reason = format!("the votes of epoch 1 are no consistent cut: {text}");
    assert_eq!(effects.last(), Some(&Effect::Report(Report::Over(Over::Failed { reason }))));
}

#[test]
fn a_source_must_not_go_back_between_two_checkpoints() {
    let mut bench = Bench::running(config());
    bench.decide(5, &[]);
    let epoch = bench.trigger();
    let effects = bench.vote(epoch, 4, &[]);
    assert!(matches!(effects[0], Effect::Report(Report::Violated(Epoch(2), Violation::WentBack { .. }))));
}

#[test]
fn checkpoints_keep_their_distance_where_they_take_long() {
    let mut bench = Bench::running(CheckpointConfig { pause_min: Duration::from_millis(300), ..config() });
    let epoch = bench.trigger();
    bench.now = 1900;
    bench.vote(epoch, 5, &[]);
    bench.written(epoch);
    bench.swap();
    assert_eq!(bench.coordinator.deadline(), Some(Tick(2200)));
}

#[test]
fn only_as_many_decided_checkpoints_are_kept_as_the_job_asks_for() {
    let mut bench = Bench::running(config());
    let mut forgotten = Vec::new();
    for records in 1..=4 {
        let (epoch, effects) = bench.decide(records, &[]);
        forgotten.push(effects.into_iter().find_map(|effect| match effect {
            Effect::Forget { before } => Some(before.0),
            _ => None,
        }));
        assert_eq!(
            bench.feed(committed(1, epoch)).first(),
            Some(&Effect::Report(Report::Committed(Epoch(epoch))))
        );
    }
    // The outstanding commit of the newest holds nothing older back.
    assert_eq!(forgotten, [None, None, Some(2), Some(3)]);
}

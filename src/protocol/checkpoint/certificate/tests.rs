//! One lie at a time in an honest set of votes, and the violation that names it.

mod shared;

use watershed_core::checkpoint::{ChannelCut, ChannelKey, InFlight};
use watershed_core::{ChannelId, KeyGroupRange, Position, SplitId};

use super::*;
use crate::checkpoint::Role;
use crate::checkpoint::small_job::{
    CHANNEL, SINK, SOURCE, cut, manifest, object, plan, roster, sink, sink_vote, source_vote,
};

const OTHER: ChannelKey = ChannelKey { to: SINK, channel: ChannelId(1) };
const SPLIT: SplitId = SplitId(0);
const MOMENT: Moment = Moment { run: Run(1), epoch: Epoch(2), base: Some(Epoch(1)) };

fn honest() -> Vec<Vote> {
    vec![source_vote(5), sink_vote(5, Vec::new())]
}

/// What is found where `lie` has changed the honest votes.
fn found(lie: impl FnOnce(&mut Vec<Vote>)) -> Result<(), Violation> {
    let mut votes = honest();
    lie(&mut votes);
    certify(&roster(), MOMENT, &Positions::of(&[source_vote(3)]), &votes)
}

fn in_flight(records: u64) -> InFlight {
    InFlight { cut: cut(records), object: object("in-flight") }
}

#[test]
fn honest_votes_are_a_consistent_cut() {
    assert_eq!(found(|_| ()), Ok(()));
}

#[test]
fn every_subtask_votes_exactly_once() {
    assert_eq!(found(|votes| votes.truncate(1)), Err(Violation::VoteMissing(SINK)));
    assert_eq!(found(|votes| votes.push(source_vote(5))), Err(Violation::VoteTwice(SOURCE)));
    assert_eq!(found(|votes| votes[1].subtask = sink(1)), Err(Violation::Stranger(sink(1))));
}

#[test]
fn every_subtask_runs_the_plan_of_the_job() {
    let expected = plan().digest();
    assert_eq!(
        found(|votes| votes[1].plan = 7),
        Err(Violation::OtherPlan { subtask: SINK, found: 7, expected })
    );
}

#[test]
fn what_was_sent_is_received_or_in_flight() {
    let off = |measure, sent, received, in_flight| {
        Err(Violation::Channel { channel: CHANNEL, measure, sent, received, in_flight })
    };
    assert_eq!(found(|votes| votes[1].received[0].records = 6), off(Measure::Records, 5, 6, 0));
    assert_eq!(found(|votes| votes[1].received[0].records = 4), off(Measure::Records, 5, 4, 0));
    assert_eq!(found(|votes| votes[1].received[0].batches = 4), off(Measure::Batches, 5, 4, 0));
    assert_eq!(found(|votes| votes[1].received[0].sum = 4), off(Measure::Sum, 5, 4, 0));
    let unaligned = |recorded| {
        move |votes: &mut Vec<Vote>| {
            votes[1].received[0] = cut(3);
            votes[1].in_flight.push(in_flight(recorded));
        }
    };
    assert_eq!(found(unaligned(2)), Ok(()));
    assert_eq!(found(unaligned(1)), off(Measure::Records, 5, 3, 1));
}

#[test]
fn counts_do_not_wrap_around_and_sums_do() {
    let wrap = |votes: &mut Vec<Vote>| {
        votes[1].received[0] = ChannelCut { sum: u64::MAX, ..cut(3) };
        votes[1]
            .in_flight
            .push(InFlight { cut: ChannelCut { sum: 6, ..cut(2) }, object: object("in-flight") });
    };
    assert_eq!(found(wrap), Ok(()));
    let overflow = |votes: &mut Vec<Vote>| {
        votes[1].received[0].records = u64::MAX;
        votes[1].in_flight.push(in_flight(6));
    };
    assert_eq!(
        found(overflow),
        Err(Violation::Channel {
            channel: CHANNEL,
            measure: Measure::Records,
            sent: 5,
            received: u64::MAX,
            in_flight: 6
        })
    );
}

#[test]
fn every_channel_is_reported_once_by_each_end() {
    let silent = |end| Err(Violation::NotReported { end, channel: CHANNEL });
    assert_eq!(found(|votes| votes[0].sent.clear()), silent(End::Sent));
    assert_eq!(found(|votes| votes[1].received.clear()), silent(End::Received));
    let twice = |end| Err(Violation::ReportedTwice { end, channel: CHANNEL });
    assert_eq!(found(|votes| votes[0].sent.push(cut(5))), twice(End::Sent));
    assert_eq!(found(|votes| votes[1].received.push(cut(0))), twice(End::Received));
    let both = |votes: &mut Vec<Vote>| votes[1].in_flight = vec![in_flight(0), in_flight(0)];
    assert_eq!(found(both), twice(End::InFlight));
    let unknown = Violation::UnknownChannel { end: End::Sent, channel: OTHER };
    assert_eq!(found(|votes| votes[0].sent[0].channel = OTHER), Err(unknown));
    let wrong = |end| Err(Violation::WrongEnd { subtask: SOURCE, end, channel: CHANNEL });
    assert_eq!(found(|votes| votes[0].received.push(cut(5))), wrong(End::Received));
    assert_eq!(found(|votes| votes[0].in_flight.push(in_flight(0))), wrong(End::InFlight));
}

/// Two keyed sinks with these ranges of the eight groups, and no channels.
fn keyed(ranges: [Option<std::ops::Range<u16>>; 2]) -> Result<(), Violation> {
    let mut roster = roster();
    roster.channels.clear();
    roster.subtasks.insert(sink(1), Role { source: false, sink: true });
    let votes: Vec<Vote> = (0..)
        .zip(ranges)
        .map(|(index, range)| Vote {
            subtask: sink(index),
            key_groups: range.map(KeyGroupRange),
            received: Vec::new(),
            ..sink_vote(0, Vec::new())
        })
        .chain([Vote { sent: Vec::new(), ..source_vote(3) }])
        .collect();
    certify(&roster, MOMENT, &Positions::default(), &votes)
}

#[test]
fn key_groups_are_covered_exactly_once() {
    let vertex = SINK.vertex;
    assert_eq!(keyed([Some(0..4), Some(4..8)]), Ok(()));
    assert_eq!(keyed([Some(4..8), Some(0..4)]), Ok(()));
    assert_eq!(keyed([None, None]), Ok(()));
    assert_eq!(keyed([Some(0..8), None]), Err(Violation::NotKeyed { subtask: sink(1) }));
    let meet = |subtask, found, expected| Err(Violation::KeyGroups { vertex, subtask, found, expected });
    assert_eq!(keyed([Some(0..4), Some(5..8)]), meet(sink(1), 5, 4));
    assert_eq!(keyed([Some(0..5), Some(4..8)]), meet(sink(1), 4, 5));
    assert_eq!(keyed([Some(1..4), Some(4..8)]), meet(sink(0), 1, 0));
    assert_eq!(
        keyed([Some(0..4), Some(4..7)]),
        Err(Violation::KeyGroupsEnd { vertex, found: 7, expected: 8 })
    );
}

#[test]
fn splits_never_go_back_and_none_is_forgotten_or_read_twice() {
    let vertex = SOURCE.vertex;
    let positions = |records| Positions::of(&[source_vote(records)]);
    assert_eq!(certify(&roster(), MOMENT, &positions(5), &honest()), Ok(()));
    let (found, previous) = (Position(5), Position(6));
    assert_eq!(
        certify(&roster(), MOMENT, &positions(6), &honest()),
        Err(Violation::WentBack { vertex, split: SPLIT, found, previous })
    );
    let mut votes = honest();
    let split = votes[0].splits.pop().expect("the source has a split");
    assert_eq!(
        certify(&roster(), MOMENT, &positions(4), &votes),
        Err(Violation::SplitForgotten { vertex, split: SPLIT, previous: Position(4) })
    );
    let mut ended = source_vote(4);
    ended.splits[0].ended = true;
    assert_eq!(certify(&roster(), MOMENT, &Positions::of(&[ended]), &votes), Ok(()));
    votes[0].splits = vec![split.clone(), split];
    let subtasks = (SOURCE, SOURCE);
    assert_eq!(
        certify(&roster(), MOMENT, &positions(4), &votes),
        Err(Violation::SplitTwice { vertex, split: SPLIT, subtasks })
    );
}

#[test]
fn a_manifest_is_proved_again_without_its_job() {
    let before = manifest(1, 1, None, vec![source_vote(3), sink_vote(3, Vec::new())]);
    let mut after = manifest(1, 2, Some(1), honest());
    assert_eq!(certify_manifest(&after, Some(&before)), Ok(()));
    assert!(matches!(certify_manifest(&before, Some(&after)), Err(Violation::WentBack { .. })));
    after.lineage.0 += 1;
    assert_eq!(certify_manifest(&before, Some(&after)), Ok(()), "another history proves nothing");
    after.votes[1].subtask = sink(2);
    after.votes[1].received[0].channel.to = sink(2);
    after.votes[0].sent[0].channel.to = sink(2);
    assert_eq!(certify_manifest(&after, None), Err(Violation::VoteMissing(sink(0))));
}

#[test]
fn a_hostile_index_in_a_manifest_is_refused_in_bounded_memory() {
    let mut lie = manifest(1, 2, None, honest());
    lie.votes[1].subtask = sink(u32::MAX);
    assert_eq!(certify_manifest(&lie, None), Err(Violation::VoteMissing(sink(0))));
    assert_eq!(Roster::of_manifest(&lie).subtasks.len(), 1 + 32_769 + 1);
}

#[test]
fn a_violation_names_the_place_and_both_figures() {
    let violation = found(|votes| votes[1].received[0].records = 4).unwrap_err();
    assert_eq!(violation.to_string(), "channel 1.0:0: records sent 5, received 4, in flight 0");
}

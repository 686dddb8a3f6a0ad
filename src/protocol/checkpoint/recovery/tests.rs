//! Checkpoints dealt out to as many, to more and to fewer subtasks.

use std::collections::BTreeSet;

use watershed_core::{Epoch, KeyGroups, Position, SplitId};

use super::*;
use crate::checkpoint::Role;
use crate::checkpoint::small_job::{
    SINK, SOURCE, cut, manifest, object, roster, sink, sink_vote, source_vote, staged,
};

/// The small job with so many sinks.
fn with_sinks(parallelism: u32) -> Roster {
    let mut roster = roster();
    roster.subtasks.extend((0..parallelism).map(|index| (sink(index), Role { source: false, sink: true })));
    roster
}

/// The vote of sink `index` of `parallelism`, with a snapshot named after it and something staged.
fn sink_of(index: u32, parallelism: u32) -> Vote {
    let mut staged = staged(1, 4);
    staged.xid.subtask = sink(index);
    Vote {
        subtask: sink(index),
        snapshot: vec![object(&format!("full-{index}")), object(&format!("changes-{index}"))],
        key_groups: Some(with_sinks(1).key_groups.range(index, parallelism)),
        ..sink_vote(0, vec![staged])
    }
}

fn taken_with(sinks: u32) -> Manifest {
    let votes = (0..sinks).map(|index| sink_of(index, sinks)).chain([source_vote(9)]).collect();
    manifest(1, 4, None, votes)
}

fn share(from: u32, key_groups: std::ops::Range<u16>, whole: bool) -> Share {
    let layers = vec![object(&format!("full-{from}")), object(&format!("changes-{from}"))];
    let key_groups = (!key_groups.is_empty()).then_some(KeyGroupRange(key_groups));
    Share { from: sink(from), layers, key_groups, whole }
}

fn shares(before: u32, now: u32) -> Vec<Vec<Share>> {
    let parts = deal(&taken_with(before), &with_sinks(now)).expect("it can be dealt");
    (0..now).map(|index| parts[&sink(index)].snapshots.clone()).collect()
}

#[test]
fn as_many_subtasks_get_back_what_they_had() {
    assert_eq!(shares(2, 2), [vec![share(0, 0..4, true)], vec![share(1, 4..8, true)]]);
    let parts = deal(&taken_with(2), &with_sinks(2)).unwrap();
    assert_eq!(parts[&SOURCE].splits.as_ref().unwrap()[0].position, Position(9));
    assert_eq!(parts[&sink(1)].staged, sink_of(1, 2).staged);
}

#[test]
fn more_subtasks_share_the_key_groups_and_no_whole_piece_is_loaded_twice() {
    assert_eq!(
        shares(1, 3),
        [vec![share(0, 0..3, true)], vec![share(0, 3..6, false)], vec![share(0, 6..8, false)]]
    );
}

#[test]
fn fewer_subtasks_take_over_all_pieces() {
    assert_eq!(
        shares(3, 2),
        [
            vec![share(0, 0..3, true), share(1, 3..4, false), share(2, 0..0, true)],
            vec![share(1, 4..6, true), share(2, 6..8, false)]
        ]
    );
}

#[test]
fn every_group_every_whole_piece_and_every_staged_output_finds_exactly_one_heir() {
    for before in 1..=8 {
        for now in 1..=8 {
            let parts = deal(&taken_with(before), &with_sinks(now)).unwrap();
            let mut groups = vec![0; 8];
            let mut whole = vec![0; before as usize];
            let mut committed = BTreeSet::new();
            for part in parts.values() {
                for share in &part.snapshots {
                    whole[share.from.index as usize] += u32::from(share.whole);
                    for group in share.key_groups.iter().flat_map(|range| range.0.clone()) {
                        groups[group as usize] += 1;
                    }
                }
                for staged in &part.staged {
                    assert!(committed.insert(staged.xid), "{} is committed twice", staged.xid);
                }
            }
            let once = (vec![1; 8], vec![1; before as usize], before as usize);
            assert_eq!((groups, whole, committed.len()), once, "{before} to {now}");
        }
    }
}

#[test]
fn splits_stay_with_their_reader_or_are_dealt_anew() {
    let split = |id| SplitCut {
        split: SplitId(id),
        description: vec![id as u8],
        position: Position(u64::from(id) * 10),
        ended: false,
    };
    let source = |index| SubtaskId { index, ..SOURCE };
    let mut first = source_vote(0);
    first.splits = vec![split(0), split(3)];
    let mut second = Vote { subtask: source(1), ..source_vote(0) };
    second.splits = vec![split(2), split(1)];
    let manifest = manifest(1, 1, None, vec![first, second, sink_vote(0, Vec::new())]);
    let read = |sources: u32| -> Vec<Vec<u32>> {
        let mut roster = roster();
        roster.subtasks.extend((0..sources).map(|index| (source(index), Role { source: true, sink: false })));
        let parts = deal(&manifest, &roster).unwrap();
        let ids = |index| parts[&source(index)].splits.iter().flatten().map(|split| split.split.0).collect();
        (0..sources).map(ids).collect()
    };
    assert_eq!(read(2), [vec![0, 3], vec![1, 2]]);
    assert_eq!(read(1), [vec![0, 1, 2, 3]]);
    assert_eq!(read(3), [vec![0, 3], vec![1], vec![2]]);
}

#[test]
fn staged_output_of_a_subtask_that_is_no_more_is_committed_by_another_oldest_first() {
    let mut older = staged(1, 3);
    older.xid.subtask = sink(1);
    let mut second = sink_of(1, 2);
    second.staged.insert(0, older.clone());
    let manifest = manifest(1, 4, None, vec![source_vote(9), sink_of(0, 2), second]);
    let parts = deal(&manifest, &with_sinks(1)).unwrap();
    let epochs: Vec<Epoch> = parts[&SINK].staged.iter().map(|staged| staged.xid.epoch).collect();
    assert_eq!(epochs, [Epoch(3), Epoch(4), Epoch(4)]);
    assert_eq!(parts[&SINK].staged[0], older);
}

#[test]
fn what_finds_no_place_is_refused() {
    let mut roster = with_sinks(1);
    roster.key_groups = KeyGroups::new(9).unwrap();
    let error = deal(&taken_with(1), &roster).unwrap_err();
    assert_eq!(error.to_string(), "the checkpoint has 8 key groups and the job 9: run the job with 8");

    let mut roster = with_sinks(1);
    roster.subtasks.remove(&SINK);
    assert_eq!(deal(&taken_with(1), &roster), Err(RecoveryError::VertexGone(SINK.vertex)));

    let mut manifest = taken_with(2);
    manifest.votes[0].in_flight.push(InFlight { cut: cut(1), object: object("in-flight") });
    assert_eq!(
        deal(&manifest, &with_sinks(3)),
        Err(RecoveryError::InFlight { vertex: SINK.vertex, found: 2, expected: 3 })
    );
    let parts = deal(&manifest, &with_sinks(2)).unwrap();
    assert_eq!(parts[&sink(0)].in_flight, manifest.votes[0].in_flight);
}

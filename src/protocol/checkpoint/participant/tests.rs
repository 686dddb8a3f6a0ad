//! Single behaviours against literal effects.

use watershed_core::checkpoint::{Staged, Vote};

use super::ParticipantEffect as Effect;
use super::ParticipantEvent as Event;
use super::*;
use crate::checkpoint::small_job::{SINK, authority, sink_vote, staged, xid};

fn fed(participant: &mut Participant, events: &[Event]) -> Vec<Effect> {
    let mut effects = Vec::new();
    for event in events {
        assert_eq!(participant.on(Tick(0), event.clone(), &mut effects), Outcome::Applied, "{event:?}");
    }
    effects
}

/// Feeds one event that must change nothing, and returns its outcome and what is answered.
fn refused(participant: &mut Participant, event: Event) -> (Outcome, Vec<Effect>) {
    let (before, mut effects) = (participant.clone(), Vec::new());
    let outcome = participant.on(Tick(0), event, &mut effects);
    assert_eq!(*participant, before);
    (outcome, effects)
}

/// A sink of run 2 at work, where epochs up to 4 were handed out before.
fn working() -> Participant {
    let mut participant = Participant::new(SINK, authority(1, 2));
    let part = Part { staged: vec![staged(1, 3)], ..Part::default() };
    let restore = Event::Restore { authority: authority(1, 2), after: Epoch(4), part: part.clone() };
    assert_eq!(
        fed(&mut participant, &[restore]),
        [
            Effect::Resolve { authority: authority(1, 2), staged: vec![staged(1, 3)] },
            Effect::Load { after: Epoch(4), part }
        ]
    );
    assert_eq!(
        fed(&mut participant, &[Event::Loaded, Event::Start { authority: authority(1, 2) }]),
        [Effect::Restored { authority: authority(1, 2), subtask: SINK }, Effect::Begin]
    );
    participant
}

fn cut(epoch: u64) -> Event {
    Event::Cut { epoch: Epoch(epoch) }
}

fn prepared(epoch: u64) -> Event {
    Event::Prepared { epoch: Epoch(epoch), staged: Some(staged(2, epoch)) }
}

fn saved(epoch: u64) -> Event {
    Event::Saved { epoch: Epoch(epoch), vote: sink_vote(epoch, Vec::new()) }
}

fn commit(epoch: u64, xids: &[u64]) -> Event {
    let xids = xids.iter().map(|&epoch| xid(2, epoch)).collect();
    Event::Commit { authority: authority(1, 2), epoch: Epoch(epoch), xids }
}

fn done(epoch: u64) -> Event {
    Event::CommitDone { xid: xid(2, epoch) }
}

fn abort(epoch: u64) -> Event {
    Event::AbortNote { authority: authority(1, 2), epoch: Epoch(epoch) }
}

fn vote(epoch: u64, pending: Vec<Staged>) -> Effect {
    let vote: Vote = sink_vote(epoch, pending);
    Effect::Vote { authority: authority(1, 2), epoch: Epoch(epoch), vote }
}

fn committed(epoch: u64) -> Effect {
    Effect::Committed { authority: authority(1, 2), epoch: Epoch(epoch), subtask: SINK }
}

fn decline(epoch: u64, reason: &str) -> Effect {
    let reason = reason.to_owned();
    Effect::Decline { authority: authority(1, 2), epoch: Epoch(epoch), subtask: SINK, reason }
}

/// A sink that has voted on these epochs, none of them committed.
fn voted(epochs: &[u64]) -> Participant {
    let mut participant = working();
    for &epoch in epochs {
        fed(&mut participant, &[cut(epoch), prepared(epoch), saved(epoch)]);
    }
    participant
}

#[test]
fn votes_when_output_and_state_are_durable() {
    let mut participant = working();
    assert_eq!(fed(&mut participant, &[cut(5)]), [Effect::Snapshot(Epoch(5))]);
    assert_eq!(refused(&mut participant, saved(5)), (Outcome::Unexpected, vec![]));
    assert_eq!(fed(&mut participant, &[prepared(5)]), []);
    assert_eq!(fed(&mut participant, &[saved(5)]), [vote(5, vec![staged(2, 5)])]);
}

#[test]
fn votes_also_where_nothing_was_staged() {
    let mut participant = working();
    let nothing = Event::Prepared { epoch: Epoch(5), staged: None };
    let effects = fed(&mut participant, &[cut(5), nothing, saved(5)]);
    assert_eq!(effects, [Effect::Snapshot(Epoch(5)), vote(5, vec![])]);
    assert_eq!(refused(&mut participant, commit(5, &[])), (Outcome::Duplicate, vec![committed(5)]));
}

#[test]
fn every_vote_lists_all_that_is_pending() {
    let mut participant = voted(&[5, 6]);
    let effects = fed(&mut participant, &[cut(7), prepared(7), saved(7)]);
    assert_eq!(effects[1], vote(7, vec![staged(2, 5), staged(2, 6), staged(2, 7)]));
}

#[test]
fn an_abort_note_leaves_what_is_staged_to_the_next_checkpoint() {
    let mut participant = working();
    fed(&mut participant, &[cut(5), prepared(5)]);
    assert_eq!(fed(&mut participant, &[abort(5)]), [Effect::Abandon(Epoch(5))]);
    assert_eq!(refused(&mut participant, saved(5)), (Outcome::Stale, vec![]));
    let effects = fed(&mut participant, &[cut(6), prepared(6), saved(6)]);
    assert_eq!(effects[1], vote(6, vec![staged(2, 5), staged(2, 6)]));
}

#[test]
fn an_abort_note_while_the_output_is_staged_changes_nothing() {
    let mut participant = working();
    fed(&mut participant, &[cut(5)]);
    assert_eq!(refused(&mut participant, abort(5)), (Outcome::Stale, vec![]));
    assert_eq!(fed(&mut participant, &[prepared(5), saved(5)]), [vote(5, vec![staged(2, 5)])]);
}

#[test]
fn a_snapshot_that_fails_is_declined_and_its_output_kept() {
    let mut participant = working();
    fed(&mut participant, &[cut(5), prepared(5)]);
    let failed = Event::Failed { epoch: Epoch(5), reason: "the disk is full".to_owned() };
    assert_eq!(fed(&mut participant, &[failed]), [decline(5, "the disk is full")]);
    let effects = fed(&mut participant, &[cut(6), prepared(6), saved(6)]);
    assert_eq!(effects[1], vote(6, vec![staged(2, 5), staged(2, 6)]));
}

#[test]
fn a_newer_cut_gives_the_snapshot_under_way_up_but_not_what_it_staged() {
    let mut participant = working();
    fed(&mut participant, &[cut(5)]);
    assert_eq!(
        fed(&mut participant, &[cut(6)]),
        [
            Effect::Abandon(Epoch(5)),
            decline(5, "epoch 6 came before it was saved"),
            Effect::Snapshot(Epoch(6))
        ]
    );
    // The staging of 5 could not be called back.
    assert_eq!(
        fed(&mut participant, &[prepared(5), prepared(6), saved(6)]),
        [vote(6, vec![staged(2, 5), staged(2, 6)])]
    );
}

#[test]
fn what_is_staged_twice_and_committed_between_is_not_committed_again() {
    let mut participant = working();
    // The store takes long: what 5 has staged is written once more for 6, and the first time is heard of last.
    fed(&mut participant, &[cut(5), cut(6), prepared(5), prepared(6), saved(6), commit(6, &[5, 6])]);
    assert_eq!(fed(&mut participant, &[done(5), done(6)]), [Effect::Commit(staged(2, 6)), committed(6)]);
    fed(&mut participant, &[cut(7), prepared(7), saved(7)]);
    assert_eq!(refused(&mut participant, prepared(5)), (Outcome::Stale, vec![]));
    assert_eq!(fed(&mut participant, &[commit(7, &[7])]), [Effect::Commit(staged(2, 7))]);
}

#[test]
fn cuts_of_old_epochs_are_refused() {
    let mut participant = voted(&[5]);
    assert_eq!(refused(&mut participant, cut(5)), (Outcome::Duplicate, vec![]));
    assert_eq!(refused(&mut participant, cut(4)), (Outcome::Stale, vec![]));
    assert_eq!(refused(&mut working(), cut(3)), (Outcome::Stale, vec![]));
}

#[test]
fn a_decision_commits_everything_up_to_it_one_after_the_other() {
    let mut participant = voted(&[5, 6, 7]);
    assert_eq!(fed(&mut participant, &[commit(6, &[5, 6])]), [Effect::Commit(staged(2, 5))]);
    assert_eq!(fed(&mut participant, &[done(5)]), [Effect::Commit(staged(2, 6))]);
    assert_eq!(fed(&mut participant, &[done(6)]), [committed(6)]);
    let effects = fed(&mut participant, &[cut(8), prepared(8), saved(8)]);
    assert_eq!(effects[1], vote(8, vec![staged(2, 7), staged(2, 8)]));
}

#[test]
fn a_repeated_order_does_nothing_and_is_answered_again() {
    let mut participant = voted(&[5]);
    fed(&mut participant, &[commit(5, &[5])]);
    assert_eq!(refused(&mut participant, commit(5, &[5])), (Outcome::Duplicate, vec![]));
    fed(&mut participant, &[done(5)]);
    assert_eq!(refused(&mut participant, commit(5, &[5])), (Outcome::Duplicate, vec![committed(5)]));
    assert_eq!(refused(&mut participant, done(5)), (Outcome::Duplicate, vec![]));
}

#[test]
fn a_newer_order_extends_the_one_being_carried_out() {
    let mut participant = voted(&[5, 6]);
    fed(&mut participant, &[commit(5, &[5])]);
    assert_eq!(fed(&mut participant, &[commit(6, &[5, 6])]), []);
    assert_eq!(fed(&mut participant, &[done(5)]), [Effect::Commit(staged(2, 6))]);
    assert_eq!(fed(&mut participant, &[done(6)]), [committed(6)]);
}

#[test]
fn a_commit_that_fails_waits_for_the_order_to_be_repeated() {
    let mut participant = voted(&[5, 6]);
    fed(&mut participant, &[commit(6, &[5, 6]), done(5)]);
    assert_eq!(fed(&mut participant, &[Event::CommitFailed { xid: xid(2, 6) }]), []);
    assert_eq!(fed(&mut participant, &[commit(6, &[5, 6])]), [Effect::Commit(staged(2, 6))]);
}

#[test]
fn an_order_that_no_vote_stands_behind_is_not_carried_out() {
    let mut participant = voted(&[5, 6]);
    assert_eq!(refused(&mut participant, commit(7, &[5, 6])), (Outcome::Unexpected, vec![]));
    assert_eq!(refused(&mut participant, commit(6, &[6])), (Outcome::Unexpected, vec![]));
    assert_eq!(refused(&mut working(), commit(5, &[])), (Outcome::Unexpected, vec![]));
}

#[test]
fn an_older_name_is_refused_and_a_newer_one_ends_the_run() {
    let mut participant = voted(&[5]);
    let newest = authority(1, 2);
    for old in [authority(1, 1), authority(0, 9)] {
        let event = Event::Commit { authority: old, epoch: Epoch(5), xids: vec![xid(2, 5)] };
        assert_eq!(refused(&mut participant, event), (Outcome::Stale, vec![Effect::Refuse { newest }]));
    }
    let newer = Event::Heard { authority: authority(2, 3) };
    assert_eq!(fed(&mut participant, &[newer]), [Effect::Exit]);
    assert!(participant.is_fenced());
    for event in [commit(5, &[5]), cut(6), prepared(6), saved(6), done(5), abort(5), Event::Loaded] {
        assert_eq!(refused(&mut participant, event), (Outcome::Stale, vec![]));
    }
    let old = Event::Heard { authority: authority(1, 1) };
    let newest = authority(2, 3);
    assert_eq!(refused(&mut participant, old), (Outcome::Stale, vec![Effect::Refuse { newest }]));
}

#[test]
fn the_end_of_a_run_takes_back_only_what_is_known_to_be_undecided() {
    let end = |take_back_after| {
        let event = Event::EndRun { authority: authority(1, 2), take_back_after };
        fed(&mut voted(&[5, 6]), &[event])
    };
    assert_eq!(end(None), [Effect::Exit]);
    assert_eq!(end(Some(Some(Epoch(5)))), [Effect::TakeBack(staged(2, 6)), Effect::Exit]);
    assert_eq!(
        end(Some(None)),
        [Effect::TakeBack(staged(2, 5)), Effect::TakeBack(staged(2, 6)), Effect::Exit]
    );
}

#[test]
fn nothing_begins_before_it_is_restored() {
    let mut participant = Participant::new(SINK, authority(1, 1));
    let start = Event::Start { authority: authority(1, 1) };
    for event in [start.clone(), Event::Loaded, cut(1)] {
        assert_eq!(refused(&mut participant, event), (Outcome::Unexpected, vec![]));
    }
    let restore = Event::Restore { authority: authority(1, 1), after: Epoch(0), part: Part::default() };
    assert_eq!(fed(&mut participant, std::slice::from_ref(&restore)).len(), 2);
    assert_eq!(refused(&mut participant, restore), (Outcome::Duplicate, vec![]));
    assert_eq!(refused(&mut participant, start), (Outcome::Unexpected, vec![]));
}

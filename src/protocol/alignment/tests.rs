//! Single behaviours against literal effects, then every order in which two or three channels deliver.

use std::time::Duration;

use watershed_core::{ChannelId, Epoch};

use super::AlignmentEffect::{Abandon, Block, Complete, Overtake, Snapshot, StopRecording, Unblock};
use super::{Alignment, AlignmentEffect, AlignmentEvent, EPOCH_JUMP_MAX};
use crate::explore::explore;
use crate::{Machine, Outcome, Tick};

const TIMEOUT: Option<Duration> = Some(Duration::from_millis(10));
const A: ChannelId = ChannelId(0);
const B: ChannelId = ChannelId(1);
const C: ChannelId = ChannelId(2);
const DEADLINE: AlignmentEvent = AlignmentEvent::Deadline;

fn barrier(channel: ChannelId, epoch: u64) -> AlignmentEvent {
    AlignmentEvent::Barrier { channel, epoch: Epoch(epoch) }
}

fn ended(channel: ChannelId) -> AlignmentEvent {
    AlignmentEvent::Ended { channel }
}

fn aborted(epoch: u64) -> AlignmentEvent {
    AlignmentEvent::AbortNote { epoch: Epoch(epoch) }
}

/// Feeds the events, all of which must be applied, and returns their effects.
fn fed(alignment: &mut Alignment, events: &[(u64, AlignmentEvent)]) -> Vec<AlignmentEffect> {
    let mut effects = Vec::new();
    for &(now, event) in events {
        assert_eq!(alignment.on(Tick(now), event, &mut effects), Outcome::Applied, "{event:?}");
    }
    effects
}

/// Feeds one event that must change nothing, and returns its outcome.
fn refused(alignment: &mut Alignment, event: AlignmentEvent) -> Outcome {
    let (before, mut effects) = (alignment.clone(), Vec::new());
    let outcome = alignment.on(Tick(1), event, &mut effects);
    assert_eq!((&effects, &*alignment), (&vec![], &before), "{event:?}");
    outcome
}

#[test]
fn one_channel_needs_no_alignment() {
    let mut alignment = Alignment::new(1, TIMEOUT);
    assert_eq!(fed(&mut alignment, &[(0, barrier(A, 1))]), [Snapshot(Epoch(1))]);
    assert_eq!(fed(&mut alignment, &[(0, barrier(A, 2))]), [Snapshot(Epoch(2))]);
    assert_eq!((alignment.under_way(), alignment.deadline()), (None, None));
}

#[test]
fn blocks_each_channel_behind_its_barrier_until_the_last_has_come() {
    let mut alignment = Alignment::new(3, None);
    assert_eq!(fed(&mut alignment, &[(0, barrier(B, 1))]), [Block(B)]);
    assert_eq!(alignment.under_way(), Some(Epoch(1)));
    assert_eq!(fed(&mut alignment, &[(0, barrier(A, 1))]), [Block(A)]);
    assert_eq!(fed(&mut alignment, &[(0, barrier(C, 1))]), [Snapshot(Epoch(1)), Unblock(A), Unblock(B)]);
    assert_eq!(alignment.under_way(), None);
}

#[test]
fn a_repeated_barrier_is_a_duplicate_and_an_old_one_stale() {
    let mut alignment = Alignment::new(2, None);
    assert_eq!(
        fed(&mut alignment, &[(0, barrier(A, 1)), (0, barrier(B, 1))]),
        [Block(A), Snapshot(Epoch(1)), Unblock(A)]
    );
    assert_eq!(refused(&mut alignment, barrier(A, 1)), Outcome::Stale);
    assert_eq!(fed(&mut alignment, &[(0, barrier(A, 3))]), [Block(A)]);
    assert_eq!(refused(&mut alignment, barrier(A, 3)), Outcome::Duplicate);
    assert_eq!(refused(&mut alignment, barrier(B, 2)), Outcome::Stale);
}

#[test]
fn a_newer_barrier_gives_the_older_checkpoint_up() {
    let mut alignment = Alignment::new(3, None);
    assert_eq!(fed(&mut alignment, &[(0, barrier(A, 1))]), [Block(A)]);
    assert_eq!(fed(&mut alignment, &[(0, barrier(B, 2))]), [Abandon(Epoch(1)), Unblock(A), Block(B)]);
    assert_eq!(refused(&mut alignment, barrier(C, 1)), Outcome::Stale);
    assert_eq!(fed(&mut alignment, &[(0, barrier(C, 2))]), [Block(C)]);
    assert_eq!(fed(&mut alignment, &[(0, barrier(A, 2))]), [Snapshot(Epoch(2)), Unblock(B), Unblock(C)]);
}

#[test]
fn a_newer_barrier_on_a_blocked_channel_leaves_it_blocked() {
    let mut alignment = Alignment::new(2, None);
    assert_eq!(fed(&mut alignment, &[(0, barrier(A, 1))]), [Block(A)]);
    assert_eq!(fed(&mut alignment, &[(0, barrier(A, 2))]), [Abandon(Epoch(1))]);
    assert_eq!(fed(&mut alignment, &[(0, barrier(B, 2))]), [Snapshot(Epoch(2)), Unblock(A)]);
}

#[test]
fn an_ended_channel_has_passed_every_barrier() {
    let mut alignment = Alignment::new(3, None);
    assert_eq!(fed(&mut alignment, &[(0, ended(C)), (0, barrier(A, 1))]), [Block(A)]);
    assert_eq!(fed(&mut alignment, &[(0, ended(B))]), [Snapshot(Epoch(1)), Unblock(A)]);
    assert_eq!(fed(&mut alignment, &[(0, barrier(A, 2))]), [Snapshot(Epoch(2))]);
    assert_eq!(refused(&mut alignment, ended(B)), Outcome::Duplicate);
    assert_eq!(refused(&mut alignment, barrier(B, 3)), Outcome::Unexpected);
}

#[test]
fn goes_over_to_unaligned_when_alignment_takes_too_long() {
    let mut alignment = Alignment::new(3, TIMEOUT);
    assert_eq!(alignment.deadline(), None);
    assert_eq!(fed(&mut alignment, &[(5, barrier(A, 1))]), [Block(A)]);
    assert_eq!(alignment.deadline(), Some(Tick(15)));
    assert_eq!(refused(&mut alignment, DEADLINE), Outcome::Stale);
    let overtake = Overtake { epoch: Epoch(1), record: vec![B, C] };
    assert_eq!(fed(&mut alignment, &[(15, DEADLINE)]), [overtake, Unblock(A)]);
    assert_eq!(alignment.deadline(), None);
    assert_eq!(refused(&mut alignment, barrier(A, 1)), Outcome::Duplicate);
    assert_eq!(fed(&mut alignment, &[(16, barrier(C, 1))]), [StopRecording(C)]);
    assert_eq!(fed(&mut alignment, &[(17, ended(B))]), [StopRecording(B), Complete(Epoch(1))]);
    assert_eq!(alignment.under_way(), None);
}

#[test]
fn a_newer_barrier_gives_an_overtaken_checkpoint_up() {
    let mut alignment = Alignment::new(2, Some(Duration::ZERO));
    let overtake = Overtake { epoch: Epoch(1), record: vec![B] };
    assert_eq!(fed(&mut alignment, &[(0, barrier(A, 1)), (0, DEADLINE)]), [Block(A), overtake, Unblock(A)]);
    assert_eq!(fed(&mut alignment, &[(0, barrier(A, 2))]), [Abandon(Epoch(1)), Block(A)]);
    assert_eq!(fed(&mut alignment, &[(0, barrier(B, 2))]), [Snapshot(Epoch(2)), Unblock(A)]);
}

#[test]
fn an_abort_note_releases_what_is_blocked_and_makes_the_other_barriers_stale() {
    let mut alignment = Alignment::new(2, None);
    assert_eq!(
        fed(&mut alignment, &[(0, barrier(A, 1)), (0, aborted(1))]),
        [Block(A), Abandon(Epoch(1)), Unblock(A)]
    );
    assert_eq!(refused(&mut alignment, barrier(B, 1)), Outcome::Stale);
    assert_eq!(refused(&mut alignment, aborted(1)), Outcome::Stale);
}

#[test]
fn an_abort_note_that_comes_first_keeps_its_checkpoint_from_blocking() {
    let mut alignment = Alignment::new(2, None);
    assert_eq!(fed(&mut alignment, &[(0, aborted(2))]), []);
    assert_eq!(
        [refused(&mut alignment, aborted(2)), refused(&mut alignment, aborted(1))],
        [Outcome::Duplicate, Outcome::Stale]
    );
    // What was triggered before it is as dead.
    assert_eq!(fed(&mut alignment, &[(0, barrier(A, 1))]), []);
    assert_eq!(refused(&mut alignment, barrier(B, 1)), Outcome::Stale);
    assert_eq!(fed(&mut alignment, &[(0, barrier(B, 2))]), []);
    assert_eq!(refused(&mut alignment, barrier(A, 2)), Outcome::Stale);
    assert_eq!(
        fed(&mut alignment, &[(0, barrier(A, 3)), (0, barrier(B, 3))]),
        [Block(A), Snapshot(Epoch(3)), Unblock(A)]
    );
}

#[test]
fn a_note_of_a_later_checkpoint_gives_up_the_one_whose_own_note_was_lost() {
    let mut alignment = Alignment::new(2, None);
    assert_eq!(
        fed(&mut alignment, &[(0, barrier(A, 1)), (0, aborted(2))]),
        [Block(A), Abandon(Epoch(1)), Unblock(A)]
    );
    assert_eq!(refused(&mut alignment, barrier(B, 1)), Outcome::Stale);
    assert_eq!(refused(&mut alignment, aborted(1)), Outcome::Stale);
    assert_eq!(refused(&mut alignment, aborted(2)), Outcome::Duplicate);
    assert_eq!(fed(&mut alignment, &[(0, barrier(A, 2))]), []);
    assert_eq!(
        fed(&mut alignment, &[(0, barrier(A, 3)), (0, barrier(B, 3))]),
        [Block(A), Snapshot(Epoch(3)), Unblock(A)]
    );
    let mut alignment = Alignment::new(2, Some(Duration::ZERO));
    fed(&mut alignment, &[(0, barrier(A, 1)), (0, DEADLINE)]);
    assert_eq!(fed(&mut alignment, &[(0, aborted(3))]), [Abandon(Epoch(1))]);
    assert_eq!(fed(&mut alignment, &[(0, barrier(A, 2))]), []);
    assert_eq!(refused(&mut alignment, barrier(B, 2)), Outcome::Stale);
}

#[test]
fn an_epoch_far_ahead_is_refused() {
    let mut alignment = Alignment::new(2, None).after(Epoch(7));
    assert_eq!(refused(&mut alignment, barrier(A, 7)), Outcome::Stale);
    for epoch in [7 + EPOCH_JUMP_MAX + 1, u64::MAX] {
        assert_eq!(refused(&mut alignment, barrier(A, epoch)), Outcome::Unexpected);
        assert_eq!(refused(&mut alignment, aborted(epoch)), Outcome::Unexpected);
    }
    assert_eq!(fed(&mut alignment, &[(0, barrier(A, 7 + EPOCH_JUMP_MAX))]), [Block(A)]);
    assert_eq!(refused(&mut alignment, barrier(B, 7 + 2 * EPOCH_JUMP_MAX + 1)), Outcome::Unexpected);
}

/// What a channel carries in the exploration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Record,
    Barrier(u64),
    End,
}
use Item::{Barrier, End, Record};

/// A subtask that does what the machine says, over channels that deliver their scripts in any order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    alignment: Alignment,
    now: u64,
    notes_left: Vec<u64>,
    channels: Vec<Channel>,
    /// Epochs whose barrier was sent on.
    sent: Vec<u64>,
    /// Epochs whose cut is complete.
    cut: Vec<u64>,
    /// Whether the coordinator triggers the second checkpoint only once the first is cut.
    paced: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Channel {
    read: usize,
    handled: u32,
    blocked: bool,
    /// The records in the snapshot and those recorded since, while recording.
    recording: Option<u32>,
}

impl World {
    fn new(channels: usize, align_timeout: Option<Duration>, notes: &[u64]) -> Self {
        World {
            alignment: Alignment::new(channels, align_timeout),
            now: 0,
            notes_left: notes.to_vec(),
            channels: vec![Channel::default(); channels],
            sent: vec![],
            cut: vec![],
            paced: false,
        }
    }

    fn feed(&mut self, scripts: &[&[Item]], event: AlignmentEvent) {
        let mut effects = Vec::new();
        let outcome = self.alignment.on(Tick(self.now), event, &mut effects);
        assert_ne!(outcome, Outcome::Unexpected, "{self:?} {event:?}");
        assert!(outcome == Outcome::Applied || effects.is_empty(), "{self:?} {event:?} {effects:?}");
        for effect in effects {
            self.perform(scripts, &effect);
        }
    }

    fn perform(&mut self, scripts: &[&[Item]], effect: &AlignmentEffect) {
        let context = format!("{self:?} {effect:?}");
        match effect {
            Block(channel) => {
                let channel = &mut self.channels[channel.0 as usize];
                assert!(!channel.blocked, "{context}");
                channel.blocked = true;
            }
            Unblock(channel) => {
                let channel = &mut self.channels[channel.0 as usize];
                assert!(channel.blocked, "{context}");
                channel.blocked = false;
            }
            Snapshot(epoch) => {
                for (channel, script) in self.channels.iter().zip(scripts) {
                    assert_eq!(
                        channel.handled,
                        records_before(script, *epoch),
                        "a record is on the wrong side: {context}"
                    );
                }
                self.sent.push(epoch.0);
                self.cut.push(epoch.0);
            }
            Overtake { epoch, record } => {
                for (id, (channel, script)) in (0..).map(ChannelId).zip(self.channels.iter_mut().zip(scripts))
                {
                    if record.contains(&id) {
                        channel.recording = Some(channel.handled);
                    } else {
                        assert_eq!(
                            channel.handled,
                            records_before(script, *epoch),
                            "a record is missed: {context}"
                        );
                    }
                }
                self.sent.push(epoch.0);
            }
            StopRecording(id) => {
                let index = id.0 as usize;
                let recorded = self.channels[index].recording.take().expect("the channel is being recorded");
                let epoch = *self.sent.last().expect("a checkpoint is being recorded");
                assert_eq!(
                    recorded,
                    records_before(scripts[index], Epoch(epoch)),
                    "the record is not the gap: {context}"
                );
            }
            Complete(epoch) => {
                assert!(self.channels.iter().all(|channel| channel.recording.is_none()), "{context}");
                assert_eq!(self.sent.last(), Some(&epoch.0), "{context}");
                self.cut.push(epoch.0);
            }
            Abandon(epoch) => {
                assert!(!self.cut.contains(&epoch.0), "a completed checkpoint cannot be given up: {context}");
                for channel in &mut self.channels {
                    channel.recording = None;
                }
            }
        }
        assert!(self.sent.is_sorted_by(|a, b| a < b), "barriers are sent on in order, each once: {context}");
    }

    fn step(&self, scripts: &[&[Item]], next: &mut Vec<World>) {
        for (index, script) in scripts.iter().enumerate() {
            if self.channels[index].blocked || self.channels[index].read == script.len() {
                continue;
            }
            let (mut world, id) = (self.clone(), ChannelId(index as u32));
            let channel = &mut world.channels[index];
            let item = script[channel.read];
            if self.paced && item == Barrier(2) && self.cut.is_empty() {
                continue;
            }
            channel.read += 1;
            match item {
                Record => {
                    channel.handled += 1;
                    channel.recording = channel.recording.map(|recorded| recorded + 1);
                }
                Barrier(epoch) => world.feed(scripts, barrier(id, epoch)),
                End => world.feed(scripts, ended(id)),
            }
            next.push(world);
        }
        let all_read =
            self.channels.iter().zip(scripts).all(|(channel, script)| channel.read == script.len());
        assert!(all_read || !next.is_empty(), "all that is left is blocked for ever: {self:?}");
        if let Some(deadline) = self.alignment.deadline() {
            let mut world = self.clone();
            world.now = deadline.0;
            world.feed(scripts, DEADLINE);
            next.push(world);
        }
        for note in 0..self.notes_left.len() {
            let mut world = self.clone();
            let epoch = world.notes_left.remove(note);
            world.feed(scripts, aborted(epoch));
            next.push(world);
        }
    }

    /// Explores all orders, and asserts that each ends with nothing blocked. Returns the cuts of each end.
    fn ends(self, scripts: &[&[Item]]) -> Vec<Vec<u64>> {
        let mut ends = Vec::new();
        explore(self, |world, next| {
            world.step(scripts, next);
            if next.is_empty() {
                assert!(world.channels.iter().all(|channel| !channel.blocked), "{world:?}");
                assert_eq!(world.alignment.under_way(), None, "{world:?}");
                ends.push(world.cut.clone());
            }
        });
        ends.sort();
        ends.dedup();
        ends
    }
}

/// How many records of the script belong to the snapshot of the epoch: those before its barrier or the end.
fn records_before(script: &[Item], epoch: Epoch) -> u32 {
    let before = script.iter().take_while(|&&item| item != Barrier(epoch.0));
    before.filter(|&&item| item == Record).count() as u32
}

const WHOLE: &[Item] = &[Record, Barrier(1), Record, Record, Barrier(2), Record];
const ENDING: &[Item] = &[Record, Barrier(1), Record, End];
const EMPTY: &[Item] = &[End];
const SECOND_ONLY: &[Item] = &[Record, Record, Barrier(2), Record];

#[test]
fn every_order_of_whole_channels_cuts_each_checkpoint_once() {
    for scripts in [&[WHOLE, WHOLE] as &[_], &[WHOLE, ENDING, EMPTY], &[WHOLE, WHOLE, WHOLE]] {
        assert_eq!(World::new(scripts.len(), None, &[]).ends(scripts), [[1, 2]]);
        let paced = World { paced: true, ..World::new(scripts.len(), TIMEOUT, &[]) };
        assert_eq!(paced.ends(scripts), [[1, 2]]);
    }
}

#[test]
fn an_overtaken_checkpoint_yields_to_one_triggered_before_it_is_cut() {
    assert_eq!(World::new(2, TIMEOUT, &[]).ends(&[WHOLE, WHOLE]), [vec![1, 2], vec![2]]);
}

#[test]
fn a_checkpoint_missing_on_one_channel_never_completes_and_never_hinders_the_next() {
    for timeout in [None, TIMEOUT] {
        assert_eq!(World::new(2, timeout, &[]).ends(&[WHOLE, SECOND_ONLY]), [[2]], "{timeout:?}");
        assert_eq!(World::new(3, timeout, &[]).ends(&[WHOLE, WHOLE, SECOND_ONLY]), [[2]], "{timeout:?}");
    }
}

#[test]
fn an_abort_note_at_any_moment_hinders_no_other_checkpoint() {
    for timeout in [None, TIMEOUT] {
        assert_eq!(World::new(2, timeout, &[1]).ends(&[WHOLE, WHOLE]), [vec![1, 2], vec![2]], "{timeout:?}");
        assert_eq!(World::new(2, timeout, &[1]).ends(&[WHOLE, SECOND_ONLY]), [[2]], "{timeout:?}");
        let ends = World::new(3, timeout, &[1, 2]).ends(&[WHOLE, ENDING, WHOLE]);
        assert_eq!(ends, [vec![], vec![1], vec![1, 2], vec![2]], "{timeout:?}");
    }
}

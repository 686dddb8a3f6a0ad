//! Decides where a checkpoint cuts the input channels of one subtask.
//!
//! ```text
//!               Barrier(n) on a first channel: Block it
//!   Running -------------------------------------------> Aligning(n) --+ Barrier(m > n): Abandon(n),
//!     ^ ^ ^                                               |   |   ^    | Unblock, and join m
//!     | | |       Barrier(n) or end on all the others:    |   |   +----+
//!     | | +------ Snapshot(n), Unblock -------------------+   |
//!     | |                                                     | Deadline: Overtake(n), Unblock
//!     | |         Barrier(n) or end on all the others:        v
//!     | +-------- StopRecording each, Complete(n) -------- Recording(n) -- Barrier(m > n): Abandon(n),
//!     |                                                       |            and join m in Aligning(m)
//!     +------- AbortNote(m >= n): Abandon(n), Unblock --------+ (and from Aligning(n))
//! ```
//!
//! A barrier is the marker of Chandy and Lamport (1985) as asynchronous barrier snapshotting puts it into a
//! dataflow (Carbone et al. 2015), and as Flink runs it: what a subtask has handled when it takes its
//! snapshot is on each channel exactly what came before the barrier. *Aligned*, a channel that has delivered
//! its barrier is blocked until all have, so that nothing in flight needs saving. *Unaligned* (Flink's
//! FLIP-76, and the original algorithm), once alignment has taken too long, the snapshot is taken at once,
//! the barrier goes ahead of what is queued, and on the channels still missing their barrier all that
//! precedes it is recorded as channel state.
//!
//! - A channel that has ended has passed every barrier.
//! - A barrier m > n means that n cannot complete here (FLINK-20654, FLINK-21104): its cut has a channel
//!   without barrier n, or the coordinator has given it up. One checkpoint is under way here at a time: were
//!   the next one triggered before this one is cut, a channel that is recorded no longer could bring its
//!   barrier early and this one would be given up. That is always safe, since the coordinator presumes abort.
//! - An `AbortNote` is information only: it may come before the barriers of its epoch, between them, or
//!   never. One that comes first is remembered (the newest only), so that no channel is blocked for a dead
//!   checkpoint. It stands for all before it: one checkpoint is taken at a time, so whatever is under way here when
//!   a later one is given up is dead too.

use std::time::Duration;

use watershed_core::{ChannelId, Epoch};

use crate::{Machine, Outcome, Tick};

/// How far the epoch of a barrier may lie ahead of the newest one known here.
///
/// Epochs are handed out one by one, and only checkpoints given up before they reached this subtask leave
/// gaps. A longer jump is a broken or hostile peer, and joining it would make every honest barrier after it
/// stale.
pub const EPOCH_JUMP_MAX: u64 = 1024;

/// What an [`Alignment`] hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlignmentEvent {
    /// All that the channel carried before the barrier has been fed to the subtask.
    Barrier {
        /// The channel.
        channel: ChannelId,
        /// The checkpoint that the barrier belongs to.
        epoch: Epoch,
    },
    /// All that the channel will ever carry has been fed to the subtask.
    Ended {
        /// The channel.
        channel: ChannelId,
    },
    /// The coordinator says that it has given this checkpoint up.
    AbortNote {
        /// The checkpoint.
        epoch: Epoch,
    },
    /// The time of [`Machine::deadline`] has come.
    Deadline,
}

/// What an [`Alignment`] wants done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AlignmentEffect {
    /// Keep back what comes on the channel. Follows the channel's barrier; a blocked channel is not blocked
    /// again.
    Block(ChannelId),
    /// Feed the channel again, beginning with what was kept back. A channel that has ended is not unblocked.
    Unblock(ChannelId),
    /// Take the snapshot of this checkpoint and send its barrier on, behind all output so far. The cut is
    /// complete.
    Snapshot(Epoch),
    /// Take the snapshot of this checkpoint now and send its barrier on ahead of all queued output (which
    /// belongs to the snapshot), and record what comes on `record` until told to stop. The cut is complete at
    /// `Complete`.
    Overtake {
        /// The checkpoint.
        epoch: Epoch,
        /// The channels whose barrier has not come.
        record: Vec<ChannelId>,
    },
    /// All that precedes the barrier on this channel has been recorded.
    StopRecording(ChannelId),
    /// Every channel's record of this overtaken checkpoint is complete, and its vote may be cast.
    Complete(Epoch),
    /// This checkpoint has been given up here: throw away what was recorded for it.
    Abandon(Epoch),
}

/// Aligns the barriers of one subtask's input channels, one checkpoint at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Alignment {
    phase: Phase,
    /// Each channel's place relative to the epoch of `phase`.
    channels: Vec<Place>,
    /// The newest epoch that is over here, completed or given up.
    over: Epoch,
    /// The newest epoch ahead that the coordinator has given up.
    aborted: Option<Epoch>,
    align_timeout: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// No checkpoint is under way here.
    Running,
    /// Channels that have passed the barrier are blocked.
    Aligning { epoch: Epoch, since: Tick },
    /// The snapshot is taken, no channel is blocked, and those before the barrier are recorded.
    Recording { epoch: Epoch },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Place {
    Before,
    Passed,
    Ended,
}

impl Alignment {
    /// Aligns `channels` channels, and goes over to an unaligned checkpoint when alignment has taken
    /// `align_timeout` (`None`: never, as is required before a sink).
    ///
    /// # Panics
    /// When there are no channels: a source has no barriers to align.
    pub fn new(channels: usize, align_timeout: Option<Duration>) -> Self {
        assert!(channels > 0, "barriers come on channels");
        Alignment {
            phase: Phase::Running,
            channels: vec![Place::Before; channels],
            over: Epoch(0),
            aborted: None,
            align_timeout,
        }
    }

    /// Refuses the barriers of `newest` and before: the newest epoch handed out before this run began.
    pub fn after(mut self, newest: Epoch) -> Self {
        self.over = newest;
        self
    }

    /// The checkpoint that is being aligned or recorded.
    pub fn under_way(&self) -> Option<Epoch> {
        match self.phase {
            Phase::Running => None,
            Phase::Aligning { epoch, since: _ } | Phase::Recording { epoch } => Some(epoch),
        }
    }

    fn barrier(
        &mut self,
        now: Tick,
        channel: ChannelId,
        epoch: Epoch,
        effects: &mut Vec<AlignmentEffect>,
    ) -> Outcome {
        let place = self.channels[channel.0 as usize];
        match (self.phase, place) {
            (Phase::Running | Phase::Aligning { .. } | Phase::Recording { .. }, Place::Ended) => {
                Outcome::Unexpected
            }
            (Phase::Running, Place::Before | Place::Passed) if epoch <= self.over => Outcome::Stale,
            (
                Phase::Aligning { epoch: n, .. } | Phase::Recording { epoch: n },
                Place::Before | Place::Passed,
            ) if epoch < n => Outcome::Stale,
            (Phase::Aligning { epoch: n, .. } | Phase::Recording { epoch: n }, Place::Passed)
                if epoch == n =>
            {
                Outcome::Duplicate
            }
            (Phase::Aligning { epoch: n, .. } | Phase::Recording { epoch: n }, Place::Before)
                if epoch == n =>
            {
                self.pass(channel, effects);
                Outcome::Applied
            }
            (
                Phase::Running | Phase::Aligning { .. } | Phase::Recording { .. },
                Place::Before | Place::Passed,
            ) => {
                if self.jumps_too_far(epoch) {
                    return Outcome::Unexpected;
                }
                // What was given up later than this was given up after it.
                if self.aborted.is_some_and(|aborted| aborted >= epoch) {
                    self.give_up(None, effects);
                    self.finish(epoch);
                } else {
                    self.give_up(Some(channel), effects);
                    self.phase = Phase::Aligning { epoch, since: now };
                    self.pass(channel, effects);
                }
                Outcome::Applied
            }
        }
    }

    fn ended(&mut self, channel: ChannelId, effects: &mut Vec<AlignmentEffect>) -> Outcome {
        let place = std::mem::replace(&mut self.channels[channel.0 as usize], Place::Ended);
        match (self.phase, place) {
            (Phase::Running | Phase::Aligning { .. } | Phase::Recording { .. }, Place::Ended) => {
                Outcome::Duplicate
            }
            (Phase::Running, Place::Before | Place::Passed)
            | (Phase::Aligning { .. } | Phase::Recording { .. }, Place::Passed) => Outcome::Applied,
            (Phase::Aligning { epoch, since: _ }, Place::Before) => {
                if self.all_passed() {
                    self.snapshot(epoch, effects);
                }
                Outcome::Applied
            }
            (Phase::Recording { epoch }, Place::Before) => {
                self.recorded(epoch, channel, effects);
                Outcome::Applied
            }
        }
    }

    fn abort_note(&mut self, epoch: Epoch, effects: &mut Vec<AlignmentEffect>) -> Outcome {
        match self.phase {
            Phase::Running if epoch <= self.over => Outcome::Stale,
            Phase::Aligning { epoch: n, .. } | Phase::Recording { epoch: n } if epoch < n => Outcome::Stale,
            Phase::Aligning { epoch: n, .. } | Phase::Recording { epoch: n } if epoch == n => {
                self.give_up(None, effects);
                self.finish(epoch);
                Outcome::Applied
            }
            Phase::Running | Phase::Aligning { .. } | Phase::Recording { .. } => {
                if self.jumps_too_far(epoch) {
                    return Outcome::Unexpected;
                }
                // SUBTLE: whoever gives up m has given up n before it, or it would be cut here. Its own note was lost,
                // and its barrier may never come on the other channels: those who send there may have dropped it, and
                // then m too, since they have heard this note. Waiting on would stop the job for good.
                if let Some(under_way) = self.under_way() {
                    self.give_up(None, effects);
                    self.finish(under_way);
                }
                match self.aborted {
                    Some(noted) if noted == epoch => Outcome::Duplicate,
                    Some(noted) if noted > epoch => Outcome::Stale,
                    Some(_) | None => {
                        self.aborted = Some(epoch);
                        Outcome::Applied
                    }
                }
            }
        }
    }

    fn time_passed(&mut self, now: Tick, effects: &mut Vec<AlignmentEffect>) -> Outcome {
        match self.phase {
            Phase::Aligning { epoch, since: _ }
                if self.deadline().is_some_and(|deadline| now >= deadline) =>
            {
                self.phase = Phase::Recording { epoch };
                effects.push(AlignmentEffect::Overtake { epoch, record: self.at(Place::Before).collect() });
                effects.extend(self.at(Place::Passed).map(AlignmentEffect::Unblock));
                Outcome::Applied
            }
            Phase::Running | Phase::Aligning { .. } | Phase::Recording { .. } => Outcome::Stale,
        }
    }

    /// Takes in the barrier of the epoch under way on a channel.
    fn pass(&mut self, channel: ChannelId, effects: &mut Vec<AlignmentEffect>) {
        let blocked =
            std::mem::replace(&mut self.channels[channel.0 as usize], Place::Passed) == Place::Passed;
        match self.phase {
            Phase::Running => unreachable!("a barrier is passed in an epoch"),
            Phase::Aligning { epoch, since: _ } if self.all_passed() => {
                // The channel that completes the cut need not be blocked first.
                if !blocked {
                    self.channels[channel.0 as usize] = Place::Before;
                }
                self.snapshot(epoch, effects);
            }
            Phase::Aligning { .. } if blocked => {}
            Phase::Aligning { .. } => effects.push(AlignmentEffect::Block(channel)),
            Phase::Recording { epoch } => self.recorded(epoch, channel, effects),
        }
    }

    fn snapshot(&mut self, epoch: Epoch, effects: &mut Vec<AlignmentEffect>) {
        effects.push(AlignmentEffect::Snapshot(epoch));
        effects.extend(self.at(Place::Passed).map(AlignmentEffect::Unblock));
        self.finish(epoch);
    }

    fn recorded(&mut self, epoch: Epoch, channel: ChannelId, effects: &mut Vec<AlignmentEffect>) {
        effects.push(AlignmentEffect::StopRecording(channel));
        if self.all_passed() {
            effects.push(AlignmentEffect::Complete(epoch));
            self.finish(epoch);
        }
    }

    /// Lets go of the epoch under way, if there is one; `keep` stays blocked if it is.
    fn give_up(&mut self, keep: Option<ChannelId>, effects: &mut Vec<AlignmentEffect>) {
        match self.phase {
            Phase::Running => {}
            Phase::Aligning { epoch, since: _ } => {
                effects.push(AlignmentEffect::Abandon(epoch));
                let kept = keep.filter(|&channel| self.channels[channel.0 as usize] == Place::Passed);
                let released = self.at(Place::Passed).filter(|&channel| Some(channel) != kept);
                effects.extend(released.map(AlignmentEffect::Unblock));
                self.finish(epoch);
                if let Some(channel) = kept {
                    self.channels[channel.0 as usize] = Place::Passed;
                }
            }
            Phase::Recording { epoch } => {
                effects.push(AlignmentEffect::Abandon(epoch));
                self.finish(epoch);
            }
        }
    }

    fn finish(&mut self, epoch: Epoch) {
        self.phase = Phase::Running;
        self.over = epoch;
        self.aborted = self.aborted.filter(|&aborted| aborted > epoch);
        for place in &mut self.channels {
            match place {
                Place::Before | Place::Passed => *place = Place::Before,
                Place::Ended => {}
            }
        }
    }

    fn jumps_too_far(&self, epoch: Epoch) -> bool {
        let newest = self.under_way().unwrap_or(self.over);
        epoch.0.saturating_sub(newest.0) > EPOCH_JUMP_MAX
    }

    fn all_passed(&self) -> bool {
        !self.channels.contains(&Place::Before)
    }

    fn at(&self, place: Place) -> impl Iterator<Item = ChannelId> {
        (0..)
            .map(ChannelId)
            .zip(&self.channels)
            .filter(move |&(_, &at)| at == place)
            .map(|(channel, _)| channel)
    }
}

impl Machine for Alignment {
    type Event = AlignmentEvent;
    type Effect = AlignmentEffect;

    fn on(&mut self, now: Tick, event: AlignmentEvent, effects: &mut Vec<AlignmentEffect>) -> Outcome {
        match event {
            AlignmentEvent::Barrier { channel, epoch } => self.barrier(now, channel, epoch, effects),
            AlignmentEvent::Ended { channel } => self.ended(channel, effects),
            AlignmentEvent::AbortNote { epoch } => self.abort_note(epoch, effects),
            AlignmentEvent::Deadline => self.time_passed(now, effects),
        }
    }

    fn deadline(&self) -> Option<Tick> {
        match self.phase {
            Phase::Running | Phase::Recording { .. } => None,
            Phase::Aligning { epoch: _, since } => self.align_timeout.map(|timeout| since.after(timeout)),
        }
    }
}

#[cfg(test)]
mod tests;

//! One subtask's side of two-phase commit.
//!
//! ```text
//!   Created --Restore: Resolve, Load--> Restoring --Loaded: Restored--> Restored --Start: Begin--> Working
//!
//!   Working:  Cut(n): Snapshot(n) -> Prepared(n) -> Saved(n): Vote(n), with all that is staged and pending
//!                 |  Failed(n): Decline(n);  Cut(m > n): Abandon(n), Decline(n), Snapshot(m)
//!             Commit(n): Commit each pending xid <= n, one after the other -> Committed(n)
//!
//!   any:      a higher authority, or EndRun: Exit -> Fenced
//! ```
//!
//! A machine lives for one run of its subtask; the next run has a new one.
//!
//! - What is staged stays pending until it is committed, and every vote lists all of it (R7'): an order to commit
//!   that was lost is healed by the next checkpoint, and a checkpoint that was given up leaves its records to the
//!   next one. So an abort rolls nothing back (R6'): the records between barriers n-1 and n live only in what
//!   was staged for n.
//! - A decided checkpoint subsumes all before it: `Commit(n)` commits every pending xid up to n, oldest first.
//!   Doing it again does nothing and says so (R5').
//! - A vote follows when all is durable, also where there was nothing to stage (R9').
//! - A message in an older name is refused, one in a newer name ends the run: whoever sent it has fenced us.
//!
//! # For a driver
//!
//! Feed the coordinator's messages, with their authority, and what the subtask itself comes to. Effects that
//! take time are answered by the event beside them. `Prepared` comes before `Saved`; a subtask that is no sink
//! answers `Prepared` with nothing at once. `Commit` is performed one at a time; on a failure the machine waits
//! for the coordinator's repetition, so no retry is needed here.

mod effect;
mod event;
#[cfg(test)]
mod tests;
mod working;

use watershed_core::{Epoch, SubtaskId};

pub use effect::ParticipantEffect;
pub use event::ParticipantEvent;

use super::{Authority, Part};
use crate::{Machine, Outcome, Tick};
use working::Working;

/// Takes one subtask through the checkpoints of one run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Participant {
    subtask: SubtaskId,
    authority: Authority,
    phase: Phase,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    Created,
    Restoring {
        after: Epoch,
    },
    Restored {
        after: Epoch,
    },
    Working(Working),
    /// The run is over for this subtask.
    Fenced {
        by: Authority,
    },
}

/// What the sender's authority means here.
enum Standing {
    Ours,
    Older,
    Newer,
}

impl Participant {
    /// The participant of a subtask that was made for this run.
    pub fn new(subtask: SubtaskId, authority: Authority) -> Participant {
        Participant { subtask, authority, phase: Phase::Created }
    }

    /// Whether the run is over for this subtask: it must not touch the world outside any more.
    pub fn is_fenced(&self) -> bool {
        match self.phase {
            Phase::Fenced { .. } => true,
            Phase::Created | Phase::Restoring { .. } | Phase::Restored { .. } | Phase::Working(_) => false,
        }
    }

    fn standing(&self, authority: Authority) -> Standing {
        match authority.cmp(&self.authority) {
            std::cmp::Ordering::Less => Standing::Older,
            std::cmp::Ordering::Equal => Standing::Ours,
            std::cmp::Ordering::Greater => Standing::Newer,
        }
    }

    /// Lets `handle` see a message of the coordinator, if it is this run's.
    fn ordered(
        &mut self,
        authority: Authority,
        effects: &mut Vec<ParticipantEffect>,
        handle: impl FnOnce(&mut Self, &mut Vec<ParticipantEffect>) -> Outcome,
    ) -> Outcome {
        match (self.standing(authority), &mut self.phase) {
            (Standing::Ours, Phase::Fenced { .. }) => Outcome::Stale,
            (
                Standing::Ours,
                Phase::Created | Phase::Restoring { .. } | Phase::Restored { .. } | Phase::Working(_),
            ) => handle(self, effects),
            (Standing::Older, Phase::Fenced { by }) => {
                effects.push(ParticipantEffect::Refuse { newest: *by });
                Outcome::Stale
            }
            (
                Standing::Older,
                Phase::Created | Phase::Restoring { .. } | Phase::Restored { .. } | Phase::Working(_),
            ) => {
                effects.push(ParticipantEffect::Refuse { newest: self.authority });
                Outcome::Stale
            }
            (Standing::Newer, Phase::Fenced { by }) => {
                *by = authority.max(*by);
                Outcome::Stale
            }
            (
                Standing::Newer,
                Phase::Created | Phase::Restoring { .. } | Phase::Restored { .. } | Phase::Working(_),
            ) => {
                self.phase = Phase::Fenced { by: authority };
                effects.push(ParticipantEffect::Exit);
                Outcome::Applied
            }
        }
    }

    fn restore(&mut self, after: Epoch, part: Part, effects: &mut Vec<ParticipantEffect>) -> Outcome {
        match self.phase {
            Phase::Created => {
                let staged = part.staged.clone();
                effects.push(ParticipantEffect::Resolve { authority: self.authority, staged });
                effects.push(ParticipantEffect::Load { after, part });
                self.phase = Phase::Restoring { after };
                Outcome::Applied
            }
            Phase::Restoring { .. } | Phase::Restored { .. } | Phase::Working(_) => Outcome::Duplicate,
            Phase::Fenced { .. } => Outcome::Stale,
        }
    }

    fn loaded(&mut self, effects: &mut Vec<ParticipantEffect>) -> Outcome {
        match self.phase {
            Phase::Restoring { after } => {
                let (authority, subtask) = (self.authority, self.subtask);
                effects.push(ParticipantEffect::Restored { authority, subtask });
                self.phase = Phase::Restored { after };
                Outcome::Applied
            }
            Phase::Created => Outcome::Unexpected,
            Phase::Restored { .. } | Phase::Working(_) => Outcome::Duplicate,
            Phase::Fenced { .. } => Outcome::Stale,
        }
    }

    fn start(&mut self, effects: &mut Vec<ParticipantEffect>) -> Outcome {
        match self.phase {
            Phase::Restored { after } => {
                effects.push(ParticipantEffect::Begin);
                self.phase = Phase::Working(Working::new(self.subtask, self.authority, after));
                Outcome::Applied
            }
            Phase::Created | Phase::Restoring { .. } => Outcome::Unexpected,
            Phase::Working(_) => Outcome::Duplicate,
            Phase::Fenced { .. } => Outcome::Stale,
        }
    }

    /// Lets `handle` see what only a working subtask can come to.
    fn at_work(&mut self, handle: impl FnOnce(&mut Working) -> Outcome) -> Outcome {
        match &mut self.phase {
            Phase::Working(working) => handle(working),
            Phase::Created | Phase::Restoring { .. } | Phase::Restored { .. } => Outcome::Unexpected,
            Phase::Fenced { .. } => Outcome::Stale,
        }
    }

    fn end(
        &mut self,
        take_back_after: Option<Option<Epoch>>,
        effects: &mut Vec<ParticipantEffect>,
    ) -> Outcome {
        match &self.phase {
            Phase::Working(working) => working.take_back(take_back_after, effects),
            Phase::Created | Phase::Restoring { .. } | Phase::Restored { .. } => {}
            Phase::Fenced { .. } => return Outcome::Stale,
        }
        self.phase = Phase::Fenced { by: self.authority };
        effects.push(ParticipantEffect::Exit);
        Outcome::Applied
    }
}

impl Machine for Participant {
    type Event = ParticipantEvent;
    type Effect = ParticipantEffect;

    fn on(&mut self, _: Tick, event: ParticipantEvent, effects: &mut Vec<ParticipantEffect>) -> Outcome {
        use ParticipantEvent as Event;
        match event {
            Event::Restore { authority, after, part } => {
                self.ordered(authority, effects, |own, effects| own.restore(after, part, effects))
            }
            Event::Loaded => self.loaded(effects),
            Event::Start { authority } => self.ordered(authority, effects, Participant::start),
            Event::Cut { epoch } => self.at_work(|working| working.cut(epoch, effects)),
            Event::Prepared { epoch, staged } => self.at_work(|working| working.prepared(epoch, staged)),
            Event::Saved { epoch, vote } => self.at_work(|working| working.saved(epoch, vote, effects)),
            Event::Failed { epoch, reason } => self.at_work(|working| working.failed(epoch, reason, effects)),
            Event::Commit { authority, epoch, xids } => self.ordered(authority, effects, |own, effects| {
                own.at_work(|working| working.commit(epoch, &xids, effects))
            }),
            Event::CommitDone { xid } => self.at_work(|working| working.commit_done(xid, effects)),
            Event::CommitFailed { xid } => self.at_work(|working| working.commit_failed(xid)),
            Event::AbortNote { authority, epoch } => self.ordered(authority, effects, |own, effects| {
                own.at_work(|working| working.abort_note(epoch, effects))
            }),
            Event::EndRun { authority, take_back_after } => {
                self.ordered(authority, effects, |own, effects| own.end(take_back_after, effects))
            }
            Event::Heard { authority } => self.ordered(authority, effects, |_, _| Outcome::Duplicate),
        }
    }

    /// Nothing here waits for time: what takes too long, the coordinator gives up.
    fn deadline(&self) -> Option<Tick> {
        None
    }
}

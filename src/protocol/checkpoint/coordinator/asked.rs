//! A change of the meta store that was asked for and is not known to be done.
//!
//! ```text
//!   Swapping --Unknown--> ReadingBack --shown----------> Done
//!       ^  |               |  ^   |----guard is broken-> Refused
//!       |  |        unread |  |   +----neither---------> Absent
//!       |  |               v  | after a pause
//!       |  |              Unread
//!       |  +--Done, Refused, Failed
//!       +-----Pausing, before the same swap is asked for again
//! ```
//!
//! SUBTLE: *Absent* says that the swap had not been done at the instant of the read. It may still be under way
//! and be done later; whoever acts on it must be safe in both cases.

use watershed_core::checkpoint::{Change, Meta};

use super::effect::CoordinatorEffect;
use crate::Tick;
use crate::checkpoint::{CheckpointConfig, Swap, Swapped};

/// A swap under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    swap: Swap,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Swapping,
    ReadingBack,
    Unread { again: Tick },
    Pausing { again: Tick },
}

/// What is known of a swap that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is done.
    Done(Meta),
    /// It is not, and cannot be any more.
    Refused(Meta),
    /// It is not, and will not be unless it is asked for again.
    Failed,
    /// It had not been done when it was looked at.
    Absent(Meta),
}

impl Asked {
    pub(super) fn new(swap: Swap, effects: &mut Vec<CoordinatorEffect>) -> Asked {
        effects.push(CoordinatorEffect::Swap(swap.clone()));
        Asked { swap, stage: Stage::Swapping }
    }

    /// A swap that is asked for after a pause: the store has just failed, and must not be stormed.
    pub(super) fn later(swap: Swap, now: Tick, config: &CheckpointConfig) -> Asked {
        Asked { swap, stage: Stage::Pausing { again: now.after(config.store_retry) } }
    }

    /// The same swap, after a pause.
    pub(super) fn again(self, now: Tick, config: &CheckpointConfig) -> Asked {
        Asked::later(self.swap, now, config)
    }

    pub(super) fn change(&self) -> &Change {
        &self.swap.change
    }

    /// Whether the outcome is unknown.
    pub(super) fn is_uncertain(&self) -> bool {
        match self.stage {
            Stage::Swapping | Stage::Pausing { .. } => false,
            Stage::ReadingBack | Stage::Unread { .. } => true,
        }
    }

    /// Takes in the answer; `None` where it was to another question, or has to be read back first.
    pub(super) fn swapped(
        &mut self,
        change: &Change,
        result: Swapped,
        effects: &mut Vec<CoordinatorEffect>,
    ) -> Option<Verdict> {
        match self.stage {
            Stage::Swapping if *change == self.swap.change => match result {
                Swapped::Done(meta) if self.is_done_in(&meta) => Some(Verdict::Done(meta)),
                // The answer to an equal question, asked in another name before this one.
                Swapped::Done(_) => None,
                // A store may have repeated our own swap and refused the repetition.
                Swapped::Refused(meta) if self.swap.shown_by(&meta) => Some(Verdict::Done(meta)),
                Swapped::Refused(meta) => Some(Verdict::Refused(meta)),
                Swapped::Failed => Some(Verdict::Failed),
                Swapped::Unknown => {
                    self.stage = Stage::ReadingBack;
                    effects.push(CoordinatorEffect::ReadMeta);
                    None
                }
            },
            Stage::Swapping | Stage::ReadingBack | Stage::Unread { .. } | Stage::Pausing { .. } => None,
        }
    }

    /// Whether a store that has done the swap can hold this.
    fn is_done_in(&self, meta: &Meta) -> bool {
        match &self.swap.change {
            Change::Lead => meta.term.0 == self.swap.guard.term.0 + 1,
            Change::BeginRun
            | Change::Fork { .. }
            | Change::Burn(_)
            | Change::Complete(_)
            | Change::Finish
            | Change::Agree(_) => self.swap.shown_by(meta),
        }
    }

    /// Takes in a linearizable read; `None` where none was waited for, or it is older than the swap.
    pub(super) fn read(&self, meta: Meta) -> Option<Verdict> {
        match self.stage {
            Stage::ReadingBack if (meta.term, meta.run) >= (self.swap.guard.term, self.swap.guard.run) => {
                Some(if self.swap.shown_by(&meta) {
                    Verdict::Done(meta)
                } else if self.swap.may_follow(&meta) {
                    Verdict::Absent(meta)
                } else {
                    Verdict::Refused(meta)
                })
            }
            Stage::Swapping | Stage::ReadingBack | Stage::Unread { .. } | Stage::Pausing { .. } => None,
        }
    }

    /// The store could not be read: it is asked again after a pause.
    pub(super) fn unread(&mut self, now: Tick, config: &CheckpointConfig) {
        match self.stage {
            Stage::ReadingBack => self.stage = Stage::Unread { again: now.after(config.store_retry) },
            Stage::Swapping | Stage::Unread { .. } | Stage::Pausing { .. } => {}
        }
    }

    pub(super) fn deadline(&self) -> Option<Tick> {
        match self.stage {
            Stage::Swapping | Stage::ReadingBack => None,
            Stage::Unread { again } | Stage::Pausing { again } => Some(again),
        }
    }

    /// Asks again once the pause is over.
    pub(super) fn time_passed(&mut self, now: Tick, effects: &mut Vec<CoordinatorEffect>) {
        match self.stage {
            Stage::Unread { again } if now >= again => {
                self.stage = Stage::ReadingBack;
                effects.push(CoordinatorEffect::ReadMeta);
            }
            Stage::Pausing { again } if now >= again => {
                self.stage = Stage::Swapping;
                effects.push(CoordinatorEffect::Swap(self.swap.clone()));
            }
            Stage::Swapping | Stage::ReadingBack | Stage::Unread { .. } | Stage::Pausing { .. } => {}
        }
    }
}

//! Sees to it that the tasks of a job hear of all that was agreed on, whatever fails on the way.
//!
//! ```text
//!   Idle ──Begun, Doubted──► Reading ──Read: Tell──► Idle, or Waiting where more is to be looked for
//!                              ▲  └────Unread──────► Waiting
//!                              └───────Deadline────────┘
//! ```
//!
//! What is agreed on is decided in the meta store, and told to the run that there is at that instant. So it is read and told
//! again when a run begins, which may have been set back to before it; and where a proposal has ended in doubt, since what
//! nobody knows to be decided nobody has told. Such a decision may still come about behind the first look at it, so it is
//! looked for [`LOOKS_MAX`] times, ever less often. To be told twice harms nobody.

use std::time::Duration;

use watershed_core::checkpoint::{Agreement, Meta};

use crate::{Machine, Outcome, Tick};

/// How long it is waited before a store that did not answer is read again, and before the second look at what is in doubt.
pub const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How often it is looked for a decision that is in doubt: for two minutes in all, in which whoever carries it has given
/// it up.
pub const LOOKS_MAX: u32 = 8;

/// Tells what was agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Telling {
    stage: Stage,
    /// Whether what is read now may have been asked for too early.
    again: bool,
    /// How many looks are left at what is in doubt.
    looks: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Stage {
    #[default]
    Idle,
    Reading,
    Waiting {
        until: Tick,
    },
}

/// What it hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TellEvent {
    /// A run has begun.
    Begun,
    /// Nobody knows whether a proposal was decided.
    Doubted,
    /// What is decided, as of an instant after it was asked.
    Read(Box<Meta>),
    /// What is decided cannot be read.
    Unread,
    /// The time has come.
    Deadline,
}

/// What it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TellEffect {
    /// Read what is decided, linearizably. Answered by `Read` or `Unread`.
    Read,
    /// Tell the run that there is.
    Tell(Vec<Agreement>),
}

impl Telling {
    fn look(&mut self, effects: &mut Vec<TellEffect>) {
        match self.stage {
            // What is being read may be older than this.
            Stage::Reading => self.again = true,
            Stage::Idle | Stage::Waiting { .. } => {
                self.stage = Stage::Reading;
                effects.push(TellEffect::Read);
            }
        }
    }

    fn read(&mut self, now: Tick, meta: &Meta, effects: &mut Vec<TellEffect>) {
        let agreed: Vec<Agreement> = meta.agreed.all().cloned().collect();
        if !agreed.is_empty() {
            effects.push(TellEffect::Tell(agreed));
        }
        self.stage = Stage::Idle;
        if std::mem::take(&mut self.again) {
            return self.look(effects);
        }
        if let Some(left) = self.looks.checked_sub(1) {
            self.looks = left;
            let wait = LOOK_AGAIN.saturating_mul(1 << (LOOKS_MAX - 2 - left));
            self.stage = Stage::Waiting { until: now.after(wait) };
        }
    }
}

impl Machine for Telling {
    type Event = TellEvent;
    type Effect = TellEffect;

    fn on(&mut self, now: Tick, event: TellEvent, effects: &mut Vec<TellEffect>) -> Outcome {
        match (self.stage, event) {
            (Stage::Idle | Stage::Reading | Stage::Waiting { .. }, TellEvent::Begun) => self.look(effects),
            (Stage::Idle | Stage::Reading | Stage::Waiting { .. }, TellEvent::Doubted) => {
                self.looks = LOOKS_MAX - 1;
                self.look(effects);
            }
            (Stage::Reading, TellEvent::Read(meta)) => self.read(now, &meta, effects),
            (Stage::Reading, TellEvent::Unread) => {
                self.again = false;
                self.stage = Stage::Waiting { until: now.after(LOOK_AGAIN) };
            }
            (Stage::Waiting { until }, TellEvent::Deadline) if now >= until => self.look(effects),
            (Stage::Idle | Stage::Waiting { .. }, TellEvent::Read(_) | TellEvent::Unread)
            | (Stage::Idle | Stage::Reading | Stage::Waiting { .. }, TellEvent::Deadline) => {
                return Outcome::Stale;
            }
        }
        Outcome::Applied
    }

    fn deadline(&self) -> Option<Tick> {
        match self.stage {
            Stage::Waiting { until } => Some(until),
            Stage::Idle | Stage::Reading => None,
        }
    }
}

//! A change of the meta store, under its guard, and what may become of it.
//!
//! What is decided, and under which condition, is stated with the words ([`Change`]); a meta store applies it
//! atomically. Rules R1', R2' and R4' of the protocol live there: a run is begun in the same instant in which the
//! newest decision is read, a decision needs the newest term and run and a number above the last, and epochs are
//! burnt before they are used.

use watershed_core::checkpoint::{Change, Guard, Meta};

/// A compare-and-swap of a job's [`Meta`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Swap {
    /// What must still hold.
    pub guard: Guard,
    /// What is to change.
    pub change: Change,
}

/// What became of a swap.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Swapped {
    /// It is done and durable; the store holds this since.
    Done(Meta),
    /// It was not done and never will be, since the store holds this.
    Refused(Meta),
    /// It was not done, for another reason.
    Failed,
    /// It may have been done, or may yet be.
    Unknown,
}

impl Swap {
    /// Whether the swap could still be done where the store holds `meta`.
    pub fn may_follow(&self, meta: &Meta) -> bool {
        self.change.apply(self.guard, meta).is_ok()
    }

    /// Whether `meta` shows that the swap was done.
    ///
    /// Only its asker can have done what it names: a term belongs to one coordinator, and a pointer names the
    /// content of one manifest. The exception is the reign itself, which any rival could have begun; it is
    /// never shown.
    pub fn shown_by(&self, meta: &Meta) -> bool {
        let same_term = meta.term == self.guard.term;
        let same_run = same_term && meta.run == self.guard.run;
        match &self.change {
            Change::Lead => false,
            Change::BeginRun | Change::Fork { .. } => same_term && meta.run.0 == self.guard.run.0 + 1,
            Change::Burn(up_to) => same_run && meta.burnt >= *up_to,
            Change::Complete(pointer) => same_run && meta.completed.as_ref() == Some(pointer),
            Change::Finish => same_run && meta.finished,
            Change::Agree(agreement) => meta.agreed.on(&agreement.register) == Some(agreement),
        }
    }
}

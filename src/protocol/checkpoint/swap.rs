//! Every change of the meta store, and what guards it.
//!
//! A change is a compare-and-swap that names the reign and the run in whose name it is asked for. The meta
//! store performs [`Swap::apply`] on what it holds, atomically, and so the guard of *the decision* is stated
//! here, in the code that is model-checked, and not once more in each store:
//!
//! ```text
//! store: read Meta -> swap.apply(&meta) -> Ok(next): make next durable, answer Done(next)
//!                                       -> Err(_):   answer Refused(meta)
//! ```
//!
//! A store that cannot tell whether its write is durable answers `Unknown`, and the coordinator reads back
//! ([`Swap::shown_by`]). Rules R1', R2' and R4' of the protocol live here: a run is fenced in the same instant
//! in which the roll-back to the newest decision is recorded, a decision needs the newest term and run and a
//! number above the last, and epochs are burnt before they are used.

use watershed_core::checkpoint::{Meta, Pointer, RollBack};
use watershed_core::{Epoch, Lineage, Run, Term};

/// A compare-and-swap of a job's [`Meta`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Swap {
    /// The newest reign must be this one.
    pub term: Term,
    /// The newest run must be this one.
    pub run: Run,
    /// What is to change.
    pub change: Change,
}

/// What a swap changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// Begins the next reign. Whoever held an older one can change nothing any more.
    BeginReign,
    /// Begins the next run from the newest decision, and records that it was set back there. Whatever belonged
    /// to an older run can be decided no more.
    BeginRun,
    /// Begins the next run from a checkpoint that a person chose, and with it a new history.
    Fork(Pointer),
    /// Burns the epochs up to this one, so that nobody else will ever hand them out.
    Burn(Epoch),
    /// Decides a checkpoint: THE commit point.
    Complete(Pointer),
    /// Declares the job finished.
    Finish,
}

/// What became of a swap.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Swapped {
    /// It is done and durable.
    Done(Meta),
    /// It was not done and never will be; the store holds this.
    Refused(Meta),
    /// It may have been done, or may yet be.
    Unknown,
}

/// Why a swap is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Somebody else reigns.
    #[error("term {found} has replaced term {expected}: this coordinator has to step down")]
    OtherTerm {
        /// Whose name the swap was in.
        expected: Term,
        /// Who reigns.
        found: Term,
    },
    /// Another run is the newest.
    #[error("run {found} has replaced run {expected}: this run has to end")]
    OtherRun {
        /// Whose name the swap was in.
        expected: Run,
        /// The newest run.
        found: Run,
    },
    /// The job has come to its end, and nothing changes any more.
    #[error("the job has finished")]
    Finished,
    /// A checkpoint must be newer than the one that is decided.
    #[error("epoch {epoch} is not above epoch {completed}, which is decided")]
    NotAbove {
        /// The one that was to be decided.
        epoch: Epoch,
        /// The newest decision.
        completed: Epoch,
    },
    /// An epoch that was not burnt could be handed out twice.
    #[error("epoch {epoch} was never handed out: the last one that may have been is {burnt}")]
    NotBurnt {
        /// The one that was to be decided.
        epoch: Epoch,
        /// The newest one that is burnt.
        burnt: Epoch,
    },
    /// The epochs that were to be burnt have been.
    #[error("the epochs up to {burnt} are burnt already")]
    Burnt {
        /// The newest one that is burnt.
        burnt: Epoch,
    },
    /// A checkpoint of one history is no decision of another.
    #[error("the checkpoint belongs to lineage {found}, and the job to lineage {expected}")]
    OtherLineage {
        /// The job's.
        expected: Lineage,
        /// The checkpoint's.
        found: Lineage,
    },
    /// Nothing was ever decided that could be the end.
    #[error("no checkpoint of the job is complete: it cannot have finished")]
    NeverCompleted,
}

impl Swap {
    /// What the store is to hold after the swap, where it holds `meta`.
    ///
    /// # Errors
    ///
    /// Where the guard does not hold: the store stays as it is.
    pub fn apply(&self, meta: &Meta) -> Result<Meta, Refusal> {
        if meta.term != self.term {
            return Err(Refusal::OtherTerm { expected: self.term, found: meta.term });
        }
        if meta.run != self.run {
            return Err(Refusal::OtherRun { expected: self.run, found: meta.run });
        }
        let mut next = meta.clone();
        match &self.change {
            // A finished job may be looked at under a new reign; only a fork brings it back to life.
            Change::BeginReign => next.term = Term(meta.term.0 + 1),
            Change::Fork(from) => {
                next.completed = Some(from.clone());
                next.finished = false;
                begin_run(&mut next, Lineage(meta.lineage.0 + 1));
            }
            Change::BeginRun | Change::Burn(_) | Change::Complete(_) | Change::Finish if meta.finished => {
                return Err(Refusal::Finished);
            }
            Change::BeginRun => begin_run(&mut next, meta.lineage),
            Change::Burn(up_to) if *up_to <= meta.burnt => {
                return Err(Refusal::Burnt { burnt: meta.burnt });
            }
            Change::Burn(up_to) => next.burnt = *up_to,
            Change::Complete(pointer) => {
                may_complete(pointer, meta)?;
                next.completed = Some(pointer.clone());
            }
            Change::Finish if meta.completed.is_none() => return Err(Refusal::NeverCompleted),
            Change::Finish => next.finished = true,
        }
        Ok(next)
    }

    /// Whether `meta` shows that the swap was done.
    ///
    /// Only its asker can have done what it names: a term belongs to one coordinator, and a pointer names the
    /// content of one manifest. The exception is the reign itself, which any rival could have begun; it is
    /// never shown.
    pub fn shown_by(&self, meta: &Meta) -> bool {
        let ours = meta.term == self.term && meta.run == self.run;
        match &self.change {
            Change::BeginReign => false,
            Change::BeginRun | Change::Fork(_) => meta.term == self.term && meta.run.0 == self.run.0 + 1,
            Change::Burn(up_to) => ours && meta.burnt >= *up_to,
            Change::Complete(pointer) => ours && meta.completed.as_ref() == Some(pointer),
            Change::Finish => ours && meta.finished,
        }
    }
}

fn begin_run(next: &mut Meta, lineage: Lineage) {
    next.run = Run(next.run.0 + 1);
    next.lineage = lineage;
    let base = next.completed.as_ref().map(|pointer| pointer.epoch);
    next.roll_backs.push(RollBack { run: next.run, lineage, base });
}

fn may_complete(pointer: &Pointer, meta: &Meta) -> Result<(), Refusal> {
    if pointer.lineage != meta.lineage {
        return Err(Refusal::OtherLineage { expected: meta.lineage, found: pointer.lineage });
    }
    if pointer.epoch > meta.burnt {
        return Err(Refusal::NotBurnt { epoch: pointer.epoch, burnt: meta.burnt });
    }
    match &meta.completed {
        Some(completed) if completed.epoch >= pointer.epoch => {
            Err(Refusal::NotAbove { epoch: pointer.epoch, completed: completed.epoch })
        }
        Some(_) | None => Ok(()),
    }
}

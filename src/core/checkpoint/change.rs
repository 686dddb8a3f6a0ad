//! What may be decided, and under which condition: the rules that every meta store applies alike.
//!
//! Data and a pure function, so that the guard of the decision is stated once: the coordinator asks by it, each
//! meta store applies it, and the model checks it. The machines of the protocol crate never ask for what is
//! refused here as illegal. It is checked all the same, at the one place that all decisions pass: a wrong
//! decision cannot be taken back.

use serde::{Deserialize, Serialize};

use crate::checkpoint::{Agreement, Meta, Pointer, ROLL_BACKS_MAX, RollBack};
use crate::{Epoch, Lineage, Round, Run, Term};

/// What must still hold for a change to be applied: nobody newer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Guard {
    /// The newest reign.
    pub term: Term,
    /// The newest execution.
    pub run: Run,
}

impl Guard {
    /// The guard that holds as long as nothing newer than `meta` is decided.
    pub fn of(meta: &Meta) -> Guard {
        Guard { term: meta.term, run: meta.run }
    }
}

/// A decision to be made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Change {
    /// A new reign begins: the term goes up by one.
    Lead,
    /// A new execution begins from the newest completed checkpoint: the run goes up by one, and a roll-back is
    /// recorded. This fences the older run, so it comes before `completed` is read.
    BeginRun,
    /// A new execution begins a new lineage, from a checkpoint that a person chose, or from the beginning.
    Fork {
        /// The checkpoint to begin from.
        base: Option<Pointer>,
    },
    /// Epochs up to this one are handed out.
    Burn(Epoch),
    /// The decision: this checkpoint is complete.
    Complete(Pointer),
    /// The job has come to its end.
    Finish,
    /// A round of votes on a register is decided, if it is not closed.
    Agree(Agreement),
}

/// Why a change was not applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Another leader reigns.
    #[error("it was asked for in term {asked}, and term {current} has begun")]
    Term {
        /// The guard's.
        asked: Term,
        /// The newest.
        current: Term,
    },
    /// Another execution has begun.
    #[error("it was asked for by run {asked}, and run {current} has begun")]
    Run {
        /// The guard's.
        asked: Run,
        /// The newest.
        current: Run,
    },
    /// Completed checkpoints only go forward.
    #[error("checkpoint {asked} is not newer than checkpoint {completed}, which is complete")]
    NotNewer {
        /// The change's.
        asked: Epoch,
        /// The newest completed one.
        completed: Epoch,
    },
    /// Epochs are handed out only once, and used only when handed out.
    #[error("epoch {asked} does not fit: epochs up to {burnt} have been handed out")]
    Epoch {
        /// The change's.
        asked: Epoch,
        /// The highest handed out.
        burnt: Epoch,
    },
    /// The checkpoint is of another history.
    #[error("checkpoint of lineage {asked} in lineage {current}")]
    Lineage {
        /// The change's.
        asked: Lineage,
        /// The newest.
        current: Lineage,
    },
    /// The job has come to its end.
    #[error("the job has come to its end; to run it again from a checkpoint, fork it")]
    Finished,
    /// A job ends with a complete checkpoint.
    #[error("a job cannot end before a checkpoint of its lineage is complete")]
    NothingCompleted,
    /// A round of votes is decided once, and those before it with it.
    #[error("round {asked} is closed: round {newest} is decided")]
    Closed {
        /// The change's.
        asked: Round,
        /// The newest one that is decided.
        newest: Round,
    },
    /// There is no room for another register.
    #[error("a job agrees on {max} registers and no more")]
    Registers {
        /// How many there may be.
        max: usize,
    },
    /// There is no room for the agreement.
    #[error("the job would have agreed on {bytes} bytes, and {max} are the limit, of {votes} votes each")]
    AgreedBytes {
        /// How many there would be.
        bytes: usize,
        /// How many there may be.
        max: usize,
        /// How many votes an agreement may count.
        votes: usize,
    },
    /// A number has come to its end.
    #[error("no number is left for it")]
    Exhausted,
}

impl Change {
    /// What is decided once the change is applied to `meta`.
    ///
    /// # Errors
    ///
    /// Where the guard does not hold or the change is illegal.
    pub fn apply(&self, guard: Guard, meta: &Meta) -> Result<Meta, Refusal> {
        if guard.term != meta.term {
            return Err(Refusal::Term { asked: guard.term, current: meta.term });
        }
        if guard.run != meta.run {
            return Err(Refusal::Run { asked: guard.run, current: meta.run });
        }
        let mut next = meta.clone();
        match self {
            Change::Lead => next.term = Term(up(meta.term.0.checked_add(1))?),
            Change::BeginRun => {
                if meta.finished {
                    return Err(Refusal::Finished);
                }
                next.run = Run(up(meta.run.0.checked_add(1))?);
                let base = meta.completed.as_ref().map(|pointer| pointer.epoch);
                remember(&mut next, base);
            }
            Change::Fork { base } => {
                next.run = Run(up(meta.run.0.checked_add(1))?);
                next.lineage = Lineage(up(meta.lineage.0.checked_add(1))?);
                next.finished = false;
                next.completed.clone_from(base);
                let base = base.as_ref().map(|pointer| pointer.epoch);
                handed_out(base, meta.burnt)?;
                remember(&mut next, base);
            }
            Change::Burn(epoch) => {
                if *epoch <= meta.burnt {
                    return Err(Refusal::Epoch { asked: *epoch, burnt: meta.burnt });
                }
                next.burnt = *epoch;
            }
            Change::Complete(pointer) => {
                completes(pointer, meta)?;
                next.completed = Some(pointer.clone());
            }
            Change::Finish => {
                let of_lineage = |pointer: &Pointer| pointer.lineage == meta.lineage;
                if !meta.completed.as_ref().is_some_and(of_lineage) {
                    return Err(Refusal::NothingCompleted);
                }
                next.finished = true;
            }
            Change::Agree(agreement) => {
                if meta.finished {
                    return Err(Refusal::Finished);
                }
                next.agreed = meta.agreed.with(agreement)?;
            }
        }
        Ok(next)
    }
}

fn up<T>(next: Option<T>) -> Result<T, Refusal> {
    next.ok_or(Refusal::Exhausted)
}

/// Takes note from where the newest run begins, and forgets the oldest one where there are too many.
fn remember(meta: &mut Meta, base: Option<Epoch>) {
    let excess = (meta.roll_backs.len() + 1).saturating_sub(ROLL_BACKS_MAX);
    meta.roll_backs.drain(..excess);
    meta.roll_backs.push(RollBack { run: meta.run, lineage: meta.lineage, base });
}

fn handed_out(epoch: Option<Epoch>, burnt: Epoch) -> Result<(), Refusal> {
    match epoch {
        Some(asked) if asked > burnt => Err(Refusal::Epoch { asked, burnt }),
        _ => Ok(()),
    }
}

/// A checkpoint may complete where it is of this lineage, newer than the last, and has a number handed out.
fn completes(pointer: &Pointer, meta: &Meta) -> Result<(), Refusal> {
    if meta.finished {
        return Err(Refusal::Finished);
    }
    if pointer.lineage != meta.lineage {
        return Err(Refusal::Lineage { asked: pointer.lineage, current: meta.lineage });
    }
    if let Some(last) = &meta.completed
        && pointer.epoch <= last.epoch
    {
        return Err(Refusal::NotNewer { asked: pointer.epoch, completed: last.epoch });
    }
    handed_out(Some(pointer.epoch), meta.burnt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::{ContentHash, ObjectRef, Register, Voice};

    fn pointer(lineage: u32, epoch: u64) -> Pointer {
        let manifest = ObjectRef { path: "m".to_owned(), bytes: 1, hash: ContentHash([0; 32]) };
        Pointer { lineage: Lineage(lineage), epoch: Epoch(epoch), manifest }
    }

    /// Term 3, run 4, lineage 1, epoch 7 complete, burnt up to 64.
    fn meta() -> Meta {
        let completed = Some(pointer(1, 7));
        let (term, run, lineage, burnt) = (Term(3), Run(4), Lineage(1), Epoch(64));
        Meta { term, run, lineage, completed, burnt, ..Meta::default() }
    }

    fn agree(round: u64) -> Change {
        let register = Register { state: "limits".to_owned(), key: vec![1] };
        let votes = vec![Voice { voter: "a".to_owned(), value: vec![7] }];
        Change::Agree(Agreement { register, round: Round(round), votes, value: vec![7] })
    }

    fn refusal(change: &Change, meta: &Meta) -> Refusal {
        change.apply(Guard::of(meta), meta).expect_err("the change is illegal")
    }

    #[test]
    fn nothing_is_changed_in_the_name_of_an_older_or_newer_reign_or_run() {
        let changes = [
            Change::Lead,
            Change::BeginRun,
            Change::Fork { base: None },
            Change::Burn(Epoch(128)),
            Change::Complete(pointer(1, 8)),
            Change::Finish,
            agree(1),
        ];
        for change in changes {
            assert!(change.apply(Guard::of(&meta()), &meta()).is_ok(), "{change:?}");
            for term in [2, 4] {
                let refused = change.apply(Guard { term: Term(term), run: Run(4) }, &meta());
                assert_eq!(refused, Err(Refusal::Term { asked: Term(term), current: Term(3) }), "{change:?}");
            }
            for run in [3, 5] {
                let refused = change.apply(Guard { term: Term(3), run: Run(run) }, &meta());
                assert_eq!(refused, Err(Refusal::Run { asked: Run(run), current: Run(4) }), "{change:?}");
            }
        }
    }

    #[test]
    fn a_run_begins_in_the_instant_in_which_its_base_is_read() {
        let next = Change::BeginRun.apply(Guard::of(&meta()), &meta()).unwrap();
        let roll_back = RollBack { run: Run(5), lineage: Lineage(1), base: Some(Epoch(7)) };
        assert_eq!(next, Meta { run: Run(5), roll_backs: vec![roll_back], ..meta() });
    }

    #[test]
    fn only_the_newest_roll_backs_are_remembered() {
        let begin = |meta: &Meta| Change::BeginRun.apply(Guard::of(meta), meta).unwrap();
        let mut now = meta();
        for _ in 0..ROLL_BACKS_MAX + 3 {
            now = begin(&now);
        }
        let runs: Vec<u32> = now.roll_backs.iter().map(|record| record.run.0).collect();
        let newest = now.run.0;
        assert_eq!(runs, (newest + 1 - ROLL_BACKS_MAX as u32..=newest).collect::<Vec<_>>());
    }

    #[test]
    fn a_fork_begins_a_history_and_brings_a_finished_job_back() {
        let finished = Meta { finished: true, ..meta() };
        let base = Some(pointer(1, 2));
        let next = Change::Fork { base: base.clone() }.apply(Guard::of(&finished), &finished).unwrap();
        let roll_back = RollBack { run: Run(5), lineage: Lineage(2), base: Some(Epoch(2)) };
        let (run, lineage, roll_backs) = (Run(5), Lineage(2), vec![roll_back]);
        assert_eq!(next, Meta { run, lineage, completed: base, roll_backs, ..meta() });
    }

    #[test]
    fn a_decision_is_newer_than_the_last_and_has_a_number_that_was_handed_out() {
        let complete = |lineage, epoch| Change::Complete(pointer(lineage, epoch));
        let (asked, completed) = (Epoch(7), Epoch(7));
        assert_eq!(refusal(&complete(1, 7), &meta()), Refusal::NotNewer { asked, completed });
        let (asked, burnt) = (Epoch(65), Epoch(64));
        assert_eq!(refusal(&complete(1, 65), &meta()), Refusal::Epoch { asked, burnt });
        let (asked, current) = (Lineage(0), Lineage(1));
        assert_eq!(refusal(&complete(0, 8), &meta()), Refusal::Lineage { asked, current });
        assert_eq!(refusal(&Change::Burn(burnt), &meta()), Refusal::Epoch { asked: burnt, burnt });
    }

    #[test]
    fn a_finished_job_decides_nothing_more() {
        let finished = Change::Finish.apply(Guard::of(&meta()), &meta()).unwrap();
        assert_eq!(finished, Meta { finished: true, ..meta() });
        assert_eq!(refusal(&Change::BeginRun, &finished), Refusal::Finished);
        assert_eq!(refusal(&Change::Complete(pointer(1, 8)), &finished), Refusal::Finished);
        assert_eq!(refusal(&agree(1), &finished), Refusal::Finished);
        assert_eq!(refusal(&Change::Finish, &Meta::default()), Refusal::NothingCompleted);
    }

    #[test]
    fn what_was_agreed_on_outlives_every_roll_back() {
        let agreed = agree(4).apply(Guard::of(&meta()), &meta()).unwrap();
        assert_eq!(agreed.agreed.all().count(), 1);
        for change in [Change::BeginRun, Change::Fork { base: None }] {
            let next = change.apply(Guard::of(&agreed), &agreed).unwrap();
            assert_eq!(next.agreed, agreed.agreed, "{change:?}");
            let closed = Refusal::Closed { asked: Round(4), newest: Round(4) };
            assert_eq!(refusal(&agree(4), &next), closed, "{change:?}");
        }
    }
}

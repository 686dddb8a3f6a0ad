//! How far each subtask of a sink has come, in the database itself: one row for each, the *fence*.
//!
//! ```text
//! stream_fence(target, job, operator, lineage, subtask, epoch, run, owner)
//! ```
//!
//! The fence is raised in the transaction that applies an epoch's rows, so that it can be asked what became of a
//! commit whose answer was lost, and a commit that is repeated does nothing. It is kept for the subtask that has *staged* the
//! epoch: after a rescale, another one may commit it. And it is kept by history, so that an older checkpoint,
//! restored by hand, does not find its epochs done already.
//!
//! The *owner* is a mark that a job leaves when it begins. A job of the same name that begins anew leaves another, and
//! what the one before has staged is not its own.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use watershed_core::{Epoch, Run};

/// The table of the fences.
pub(crate) const FENCE: &str = "stream_fence";

/// One subtask's fence, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fence {
    pub(crate) epoch: Epoch,
    pub(crate) run: Run,
    pub(crate) owner: String,
}

/// What is to be done about a staged epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Apply it.
    Apply,
    /// It has been applied.
    Done,
    /// Another job has begun in its place: it must not be applied.
    Fenced(String),
    /// The database is not the one that it was: earlier epochs are gone.
    Lost(String),
}

/// Judges a staged epoch by the fence of the subtask that has staged it. `after` is the last epoch that this subtask
/// knew to be applied when it staged this one.
pub(crate) fn judge(fence: Option<&Fence>, epoch: Epoch, after: Epoch, owner: &str) -> Verdict {
    match fence {
        None => Verdict::Lost(format!(
            "its row in {FENCE} is gone: the database was emptied, or restored from a backup, and what was committed \
             before may be missing"
        )),
        Some(fence) if fence.owner != owner => Verdict::Fenced(format!(
            "a job of the same name has begun anew in run {} and has taken over: end that one, or this",
            fence.run
        )),
        Some(fence) if fence.epoch >= epoch => Verdict::Done,
        Some(fence) if fence.epoch < after => Verdict::Lost(format!(
            "epoch {after} was committed, and {FENCE} has come to epoch {} only: the database was restored from a \
             backup",
            fence.epoch
        )),
        Some(_) => Verdict::Apply,
    }
}

/// Whether a writer may work in a place where the newest run of its job that has been there is `newest`. `alone` is
/// whether no other process writes there.
pub(crate) fn admit(newest: Option<Run>, run: Run, alone: bool) -> Result<(), String> {
    // An older run of the same job may still be there, paused or cut off; it is overtaken.
    if alone || newest.is_some_and(|newest| newest < run) {
        return Ok(());
    }
    Err("another job that is running, or another sink of this one, writes this table: wait for its end, or choose \
         another table"
        .to_owned())
}

/// Whether a run may go on in a place where the newest run of its job that has been there is `newest`.
pub(crate) fn succeed(newest: Option<Run>, run: Run) -> Result<(), String> {
    match newest {
        Some(newest) if newest > run => Err(format!(
            "run {newest} of a job of this name has written here, and this is run {run}: it goes on from another state \
             directory. Go on from that one, or begin anew"
        )),
        Some(_) | None => Ok(()),
    }
}

/// Whether a run may go on from the checkpoint `base` in a place that has come to `furthest` in this history, as the fences of
/// all subtasks say.
///
/// A fence is raised by what was decided and by nothing else, and a run begins behind the newest decision. So a
/// fence beyond that decision is a decision that was lost.
pub(crate) fn agree(furthest: Option<Epoch>, base: Option<Epoch>) -> Result<(), String> {
    match (furthest, base) {
        (Some(furthest), Some(base)) if furthest > base => Err(format!(
            "epoch {furthest} is committed here, and {base} is the newest checkpoint that is known to be decided: the \
             decision log has lost its end, or is an older copy, and what follows would be written a second time. Bring the \
             newest log back, or begin anew"
        )),
        _ => Ok(()),
    }
}

/// Why a job is refused where another has its fence.
pub(crate) fn taken(job: &str, operator: &str, target: &str) -> String {
    format!(
        "belongs to the sink {operator:?} of the job {job:?}: choose another table or, if that job is over, DELETE \
         FROM {FENCE} WHERE target = '{}'",
        target.replace('\'', "''")
    )
}

/// A mark that no other job has.
pub(crate) fn mark() -> String {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{:016x}", time.as_nanos(), RandomState::new().hash_one(std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fence(epoch: u64) -> Fence {
        Fence { epoch: Epoch(epoch), run: Run(3), owner: "us".to_owned() }
    }

    fn verdict(fence: Option<Fence>, epoch: u64, after: u64) -> Verdict {
        judge(fence.as_ref(), Epoch(epoch), Epoch(after), "us")
    }

    #[test]
    fn an_epoch_is_applied_once() {
        assert_eq!(verdict(Some(fence(4)), 5, 4), Verdict::Apply);
        assert_eq!(verdict(Some(fence(5)), 5, 4), Verdict::Done);
        assert_eq!(verdict(Some(fence(9)), 5, 4), Verdict::Done);
    }

    #[test]
    fn a_database_that_went_back_is_noticed() {
        assert!(matches!(verdict(None, 5, 0), Verdict::Lost(_)));
        assert!(matches!(verdict(Some(fence(2)), 5, 3), Verdict::Lost(_)));
    }

    #[test]
    fn what_another_job_has_staged_is_not_applied() {
        let verdict = judge(Some(&fence(1)), Epoch(2), Epoch(0), "them");
        assert!(matches!(verdict, Verdict::Fenced(_)), "{verdict:?}");
    }

    #[test]
    fn a_place_in_use_is_open_to_a_newer_run_of_the_same_job_only() {
        admit(None, Run(1), true).unwrap();
        admit(Some(Run(7)), Run(1), true).unwrap();
        admit(Some(Run(1)), Run(2), false).unwrap();
        admit(Some(Run(2)), Run(2), false).unwrap_err();
        admit(None, Run(1), false).unwrap_err();
    }

    #[test]
    fn a_run_does_not_go_on_from_before_what_is_committed() {
        agree(None, Some(Epoch(2))).unwrap();
        agree(Some(Epoch(2)), Some(Epoch(2))).unwrap();
        agree(Some(Epoch(1)), Some(Epoch(2))).unwrap();
        let why = agree(Some(Epoch(3)), Some(Epoch(2))).unwrap_err();
        assert!(why.starts_with("epoch 3 is committed here, and 2 is the newest checkpoint"), "{why}");
    }

    #[test]
    fn a_run_does_not_go_on_behind_a_newer_one() {
        succeed(None, Run(2)).unwrap();
        succeed(Some(Run(2)), Run(2)).unwrap();
        succeed(Some(Run(3)), Run(2)).unwrap_err();
    }
}

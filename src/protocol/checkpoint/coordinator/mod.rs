//! Decides a job's checkpoints: the coordinator of two-phase commit, and of what comes before and after it.
//!
//! ```text
//!  Following --Campaign--> Campaigning --done--> Fencing --done--> Loading --> Restoring --> Running --> Over
//!      ^                      | refused            ^                  |            |            |
//!      |                      v                    +------ Resting <--+------------+------------+
//!      +---------------- deposed                     a subtask lost, a restore that failed, a rescale
//! ```
//!
//! Presumed abort (Mohan, Lindsay 1986): nothing is written about a checkpoint before all have voted, and one
//! that is not decided is given up by forgetting it. The decision is one compare-and-swap in the meta store,
//! guarded by reign and run ([`Swap`]), and the manifest it points to names all that has to be committed, so
//! that a coordinator that comes later needs nothing else. The run is begun (which fences all older ones) by a
//! swap whose result names the newest decision: fence first, read second (rule R1'), in one step.
//!
//! # For a driver
//!
//! 1. Open the meta store, read it, feed `Campaign`. The machine takes the reign, begins a run, and asks for the
//!    manifest to go on from, if there is one.
//! 2. Perform each effect in its order; those that take time are started and answered later by the event named
//!    beside them, exactly once. A store that does not answer in time answers `Unknown`, `MetaUnread` or
//!    `ManifestFailed`; what it answers afterwards is dropped. `Failed` is for a swap that was certainly not
//!    done.
//! 3. Carry messages to and from the subtasks with the [`Authority`] they name. Messages may be lost, repeated
//!    and reordered. A lost `Restore` or `Trigger` runs into its time-out, a lost `Commit` is repeated.
//! 4. Feed `Lost` for whoever dies or falls silent, and `Deadline` at [`Machine::deadline`].
//! 5. The machine's word is final at `Report::Over` and `Report::Following`; requests are answered by then.
//!
//! The driver of the model, `nodes.rs` and `workers.rs` in `tests/checkpoint_model`, is a whole one without
//! input or output, and short.
//!
//! A job without a state directory is the same with a meta store in memory, no interval and `restarts_max` 0:
//! its one checkpoint is the last, when all input has ended.

mod asked;
mod cancelling;
mod collecting;
mod commits;
mod deciding;
mod desk;
mod effect;
mod event;
mod failing;
mod keeping;
mod reign;
mod restoring;
mod running;
mod schedule;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use watershed_core::checkpoint::Meta;
use watershed_core::{Run, Term};

pub use cancelling::InDoubt;
pub use effect::{Answer, CoordinatorEffect, EndReason, Intent, Over, Report};
pub use event::{CoordinatorEvent, Failure, Fork, RequestId, Wish};

use super::{Authority, CheckpointConfig, Roster};
use crate::{Machine, Outcome, Tick};
use asked::Asked;
use desk::Desk;
use restoring::Restoring;
use running::{Cx, Leave, Running};

/// Coordinates the checkpoints and the recoveries of one job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Coordinator {
    job: Arc<str>,
    config: Arc<CheckpointConfig>,
    roster: Arc<Roster>,
    phase: Phase,
    desk: Desk,
    /// Where the job is to go back to, until it has.
    fork: Option<Fork>,
    /// How many runs in a row have ended without a checkpoint.
    fruitless: u32,
    /// By when the job is to have ended, where somebody has cancelled it.
    cancel_by: Option<Tick>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Does not reign.
    Following,
    /// Asks for the reign.
    Campaigning(Asked),
    /// Reigns and asks for a new run.
    Fencing { term: Term, asked: Asked },
    /// Waits for the manifest of the newest decision.
    Loading { authority: Authority, meta: Meta },
    /// Waits for the subtasks to be restored.
    Restoring(Restoring),
    /// The subtasks work.
    Running(Box<Running>),
    /// Waits before the next run.
    Resting { term: Term, run: Run, until: Tick },
    /// The job is over.
    Over,
}

impl Coordinator {
    /// A coordinator of the job of this name, which follows until it is told to campaign.
    pub fn new(job: &str, roster: Roster, config: CheckpointConfig) -> Coordinator {
        Coordinator {
            job: Arc::from(job),
            config: Arc::new(config),
            roster: Arc::new(roster),
            phase: Phase::Following,
            desk: Desk::default(),
            fork: None,
            fruitless: 0,
            cancel_by: None,
        }
    }

    /// The run that is being restored or works, and the reign it is in.
    pub fn authority(&self) -> Option<Authority> {
        match &self.phase {
            Phase::Following
            | Phase::Campaigning(_)
            | Phase::Fencing { .. }
            | Phase::Resting { .. }
            | Phase::Over => None,
            Phase::Loading { authority, .. } => Some(*authority),
            Phase::Restoring(restoring) => Some(restoring.authority()),
            Phase::Running(running) => Some(running.authority),
        }
    }

    /// Whether a decision was asked for and it is not known whether it was made.
    pub fn is_uncertain(&self) -> bool {
        match &self.phase {
            Phase::Running(running) => running.is_uncertain(),
            Phase::Following
            | Phase::Campaigning(_)
            | Phase::Fencing { .. }
            | Phase::Loading { .. }
            | Phase::Restoring(_)
            | Phase::Resting { .. }
            | Phase::Over => false,
        }
    }

    /// Handles an event of a run's subtasks, where `authority` is that of the run that works.
    fn in_run(
        &mut self,
        now: Tick,
        authority: Authority,
        effects: &mut Vec<CoordinatorEffect>,
        handle: impl FnOnce(&mut Running, &mut Cx<'_>) -> Outcome,
    ) -> Outcome {
        match self.authority() {
            None => Outcome::Stale,
            Some(own) if authority < own => Outcome::Stale,
            // Nobody but this coordinator could have begun a newer run in whose name it is asked.
            Some(own) if authority != own => Outcome::Unexpected,
            Some(_) => self.with_run(now, effects, handle).unwrap_or(Outcome::Unexpected),
        }
    }

    /// Calls `handle` with the run that works, if one does, and leaves it if that is what comes out.
    fn with_run<T>(
        &mut self,
        now: Tick,
        effects: &mut Vec<CoordinatorEffect>,
        handle: impl FnOnce(&mut Running, &mut Cx<'_>) -> T,
    ) -> Option<T> {
        let Coordinator { job, config, roster, phase, desk, fork: _, fruitless, cancel_by: _ } = self;
        let running = match phase {
            Phase::Running(running) => running,
            Phase::Following
            | Phase::Campaigning(_)
            | Phase::Fencing { .. }
            | Phase::Loading { .. }
            | Phase::Restoring(_)
            | Phase::Resting { .. }
            | Phase::Over => return None,
        };
        let mut cx = Cx { now, job, config, roster, desk, fruitless, effects, leave: None };
        let result = handle(running, &mut cx);
        if let Some(leave) = cx.leave {
            self.leave(now, leave, effects);
        }
        Some(result)
    }

    fn request(
        &mut self,
        now: Tick,
        request: RequestId,
        wish: Wish,
        effects: &mut Vec<CoordinatorEffect>,
    ) -> Outcome {
        match &self.phase {
            Phase::Following => desk::refuse(&[(request, wish)], "this node does not lead the job", effects),
            Phase::Over => desk::refuse(&[(request, wish)], "the job is over", effects),
            Phase::Campaigning(_)
            | Phase::Fencing { .. }
            | Phase::Loading { .. }
            | Phase::Restoring(_)
            | Phase::Running(_)
            | Phase::Resting { .. } => {
                self.desk.enter(request, wish, effects);
                if wish == Wish::Cancel {
                    self.cancel(now, effects);
                } else {
                    self.with_run(now, effects, Running::advance);
                }
            }
        }
        Outcome::Applied
    }

    fn time_passed(&mut self, now: Tick, effects: &mut Vec<CoordinatorEffect>) -> Outcome {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Outcome::Stale;
        }
        if self.cancelled_at().is_some_and(|at| now >= at) {
            let in_doubt = self.in_doubt();
            self.leave(now, Leave::Cancelled { in_doubt }, effects);
            return Outcome::Applied;
        }
        match &mut self.phase {
            Phase::Following | Phase::Loading { .. } | Phase::Over => {}
            Phase::Campaigning(asked) | Phase::Fencing { term: _, asked } => asked.time_passed(now, effects),
            Phase::Restoring(_) => {
                let reason = "the subtasks were not restored in time".to_owned();
                self.leave(now, Leave::Restart(EndReason::Lost { subtask: None, reason }), effects);
            }
            &mut Phase::Resting { term, run, until: _ } => self.fence(term, run, effects),
            Phase::Running(_) => {
                self.with_run(now, effects, Running::time_passed);
            }
        }
        Outcome::Applied
    }
}

impl Machine for Coordinator {
    type Event = CoordinatorEvent;
    type Effect = CoordinatorEffect;

    fn on(&mut self, now: Tick, event: CoordinatorEvent, effects: &mut Vec<CoordinatorEffect>) -> Outcome {
        use CoordinatorEvent as Event;
        match event {
            Event::Campaign { meta, fork } => self.campaign(&meta, fork, effects),
            Event::Swapped { change, result } => self.swapped(now, &change, result, effects),
            Event::MetaRead(meta) => self.meta_read(now, meta, effects),
            Event::MetaUnread => self.meta_unread(now),
            Event::Loaded(manifest) => self.loaded(now, manifest, effects),
            Event::LoadFailed(failure) => self.load_failed(now, failure, effects),
            Event::Restored { authority, subtask } => self.restored(now, authority, subtask, effects),
            Event::Ended { authority, subtask } => {
                self.in_run(now, authority, effects, |running, cx| running.ended(subtask, cx))
            }
            Event::Voted { authority, epoch, vote } => {
                self.in_run(now, authority, effects, |running, cx| running.voted(epoch, vote, cx))
            }
            Event::Declined { authority, epoch, subtask, reason } => {
                self.in_run(now, authority, effects, |running, cx| {
                    running.declined(epoch, subtask, &reason, cx)
                })
            }
            Event::Committed { authority, epoch, subtask } => {
                self.in_run(now, authority, effects, |running, cx| running.carried_out(epoch, subtask, cx))
            }
            Event::Lost { authority, subtask, failure } => {
                self.lost(now, authority, subtask, failure, effects)
            }
            Event::Poisoned { authority, subtask, reason } => {
                self.poisoned(now, authority, subtask, reason, effects)
            }
            Event::ManifestWritten { epoch, object } => self
                .with_run(now, effects, |running, cx| running.written(epoch, object, cx))
                .unwrap_or(Outcome::Stale),
            Event::ManifestFailed { epoch, reason } => self
                .with_run(now, effects, |running, cx| running.not_written(epoch, &reason, cx))
                .unwrap_or(Outcome::Stale),
            Event::Request { request, wish } => self.request(now, request, wish, effects),
            Event::Rescale(roster) => self.rescale(now, roster, effects),
            Event::Move => self.move_away(now, effects),
            Event::Broken { reason } => self.broken(now, reason, effects),
            Event::Deposed => self.deposed(now, effects),
            Event::Deadline => self.time_passed(now, effects),
        }
    }

    fn deadline(&self) -> Option<Tick> {
        let phase = match &self.phase {
            Phase::Following | Phase::Loading { .. } | Phase::Over => None,
            Phase::Campaigning(asked) | Phase::Fencing { term: _, asked } => asked.deadline(),
            Phase::Restoring(restoring) => Some(restoring.until()),
            Phase::Resting { until, .. } => Some(*until),
            Phase::Running(running) => running.deadline(&self.config, &self.roster, &self.desk),
        };
        [phase, self.cancelled_at()].into_iter().flatten().min()
    }
}

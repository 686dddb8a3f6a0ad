//! How a reign begins, and how runs end: fencing, and what follows a failure.

use watershed_core::checkpoint::{Change, Guard, Meta, Pointer};
use watershed_core::{Run, SubtaskId, Term};

use super::asked::{Asked, Verdict};
use super::effect::{CoordinatorEffect, EndReason, Over, Report};
use super::event::{Failure, Fork, Wish};
use super::running::{Leave, Running};
use super::{Coordinator, Phase};
use crate::checkpoint::config::doubled;
use crate::checkpoint::{Authority, Roster, Swap, Swapped};
use crate::{Outcome, Tick};

impl Coordinator {
    pub(super) fn campaign(
        &mut self,
        meta: &Meta,
        fork: Option<Fork>,
        effects: &mut Vec<CoordinatorEffect>,
    ) -> Outcome {
        match &self.phase {
            Phase::Following => {
                self.fork = fork;
                self.ask_for_reign(meta, effects);
                Outcome::Applied
            }
            Phase::Campaigning(_) => Outcome::Duplicate,
            Phase::Fencing { .. }
            | Phase::Loading { .. }
            | Phase::Restoring(_)
            | Phase::Running(_)
            | Phase::Resting { .. }
            | Phase::Over => Outcome::Stale,
        }
    }

    fn ask_for_reign(&mut self, meta: &Meta, effects: &mut Vec<CoordinatorEffect>) {
        if meta.finished && self.fork.is_none() {
            self.close(&Over::Finished, meta.completed.as_ref(), effects);
        } else {
            self.phase = Phase::Campaigning(Asked::new(lead(meta), effects));
        }
    }

    /// Begins the run after `run`.
    pub(super) fn fence(&mut self, term: Term, run: Run, effects: &mut Vec<CoordinatorEffect>) {
        let swap = Swap { guard: Guard { term, run }, change: Change::BeginRun };
        self.phase = Phase::Fencing { term, asked: Asked::new(swap, effects) };
    }

    /// Begins the run that goes back to the checkpoint that a person chose. What the newest decision staged has
    /// been committed by then: it would be forgotten with it.
    pub(super) fn begin_fork(
        &mut self,
        term: Term,
        run: Run,
        fork: Fork,
        effects: &mut Vec<CoordinatorEffect>,
    ) {
        let base = match fork {
            Fork::Beginning => None,
            Fork::Checkpoint(pointer) => Some(pointer),
        };
        let swap = Swap { guard: Guard { term, run }, change: Change::Fork { base } };
        self.phase = Phase::Fencing { term, asked: Asked::new(swap, effects) };
    }

    pub(super) fn swapped(
        &mut self,
        now: Tick,
        change: &Change,
        result: Swapped,
        effects: &mut Vec<CoordinatorEffect>,
    ) -> Outcome {
        let Some(asked) = self.asked() else { return Outcome::Stale };
        if asked.change() != change || asked.is_uncertain() {
            return Outcome::Stale;
        }
        match asked.swapped(change, result, effects) {
            Some(verdict) => self.judge(now, verdict, effects),
            None if asked.is_uncertain() => self.doubted(effects),
            None => return Outcome::Stale,
        }
        Outcome::Applied
    }

    /// Tells whoever watches that a decision may or may not have been made.
    fn doubted(&self, effects: &mut Vec<CoordinatorEffect>) {
        match &self.phase {
            Phase::Running(running) => effects
                .extend(running.uncertain().map(|epoch| CoordinatorEffect::Report(Report::Uncertain(epoch)))),
            Phase::Following
            | Phase::Campaigning(_)
            | Phase::Fencing { .. }
            | Phase::Loading { .. }
            | Phase::Restoring(_)
            | Phase::Resting { .. }
            | Phase::Over => {}
        }
    }

    pub(super) fn meta_read(
        &mut self,
        now: Tick,
        meta: Meta,
        effects: &mut Vec<CoordinatorEffect>,
    ) -> Outcome {
        let Some(verdict) = self.asked().and_then(|asked| asked.read(meta)) else { return Outcome::Stale };
        self.judge(now, verdict, effects);
        Outcome::Applied
    }

    pub(super) fn meta_unread(&mut self, now: Tick) -> Outcome {
        let config = self.config.clone();
        match self.asked() {
            Some(asked) if asked.is_uncertain() => {
                asked.unread(now, &config);
                Outcome::Applied
            }
            Some(_) | None => Outcome::Stale,
        }
    }

    /// The swap under way, in whatever phase.
    fn asked(&mut self) -> Option<&mut Asked> {
        match &mut self.phase {
            Phase::Campaigning(asked) | Phase::Fencing { term: _, asked } => Some(asked),
            Phase::Running(running) => running.asked(),
            Phase::Following
            | Phase::Loading { .. }
            | Phase::Restoring(_)
            | Phase::Resting { .. }
            | Phase::Over => None,
        }
    }

    fn judge(&mut self, now: Tick, verdict: Verdict, effects: &mut Vec<CoordinatorEffect>) {
        match &mut self.phase {
            Phase::Campaigning(asked) => match verdict {
                Verdict::Done(meta) => self.enthroned(&meta, effects),
                Verdict::Refused(_) => self.leave(now, Leave::Deposed, effects),
                // A reign that may or may not have begun is nobody's: the next one is asked for.
                Verdict::Absent(meta) => {
                    self.phase = Phase::Campaigning(Asked::later(lead(&meta), now, &self.config));
                }
                Verdict::Failed => *asked = asked.clone().again(now, &self.config),
            },
            Phase::Fencing { term, asked } => match verdict {
                Verdict::Done(meta) => {
                    let authority = Authority { term: *term, run: meta.run, lineage: meta.lineage };
                    let forked = matches!(asked.change(), Change::Fork { .. });
                    if forked {
                        self.fork = None;
                    }
                    self.load(now, authority, meta, effects);
                }
                Verdict::Refused(meta) if meta.finished && meta.term == *term => {
                    self.close(&Over::Finished, meta.completed.as_ref(), effects);
                }
                Verdict::Refused(_) => self.leave(now, Leave::Deposed, effects),
                Verdict::Absent(_) | Verdict::Failed => *asked = asked.clone().again(now, &self.config),
            },
            Phase::Running(_) => {
                self.with_run(now, effects, |running, cx| running.judged(verdict, cx));
            }
            Phase::Following
            | Phase::Loading { .. }
            | Phase::Restoring(_)
            | Phase::Resting { .. }
            | Phase::Over => unreachable!("no swap is under way"),
        }
    }

    /// The reign has begun: begins its first run.
    fn enthroned(&mut self, meta: &Meta, effects: &mut Vec<CoordinatorEffect>) {
        match &self.fork {
            // Nothing is staged that is not committed.
            Some(fork) if meta.finished || meta.completed.is_none() => {
                let fork = fork.clone();
                self.begin_fork(meta.term, meta.run, fork, effects);
            }
            Some(_) | None => self.fence(meta.term, meta.run, effects),
        }
    }

    pub(super) fn lost(
        &mut self,
        now: Tick,
        authority: Authority,
        subtask: SubtaskId,
        failure: Failure,
        effects: &mut Vec<CoordinatorEffect>,
    ) -> Outcome {
        let reason = EndReason::Lost { subtask: Some(subtask), reason: failure.reason };
        let leave = if failure.permanent { Leave::Fail(reason.to_string()) } else { Leave::Restart(reason) };
        self.leave_without(now, authority, subtask, leave, effects)
    }

    pub(super) fn poisoned(
        &mut self,
        now: Tick,
        authority: Authority,
        subtask: SubtaskId,
        reason: String,
        effects: &mut Vec<CoordinatorEffect>,
    ) -> Outcome {
        let leave = Leave::Restart(EndReason::Poisoned { subtask, reason });
        self.leave_without(now, authority, subtask, leave, effects)
    }

    /// Leaves the run of this authority, which has lost a subtask.
    fn leave_without(
        &mut self,
        now: Tick,
        authority: Authority,
        subtask: SubtaskId,
        leave: Leave,
        effects: &mut Vec<CoordinatorEffect>,
    ) -> Outcome {
        if self.authority() != Some(authority) {
            return Outcome::Stale;
        }
        if !self.roster.subtasks.contains_key(&subtask) {
            return Outcome::Unexpected;
        }
        self.leave(now, leave, effects);
        Outcome::Applied
    }

    pub(super) fn rescale(
        &mut self,
        now: Tick,
        roster: Roster,
        effects: &mut Vec<CoordinatorEffect>,
    ) -> Outcome {
        if *self.roster == roster {
            return Outcome::Duplicate;
        }
        self.roster = roster.into();
        match &self.phase {
            Phase::Following
            | Phase::Campaigning(_)
            | Phase::Fencing { .. }
            | Phase::Loading { .. }
            | Phase::Resting { .. } => {}
            Phase::Restoring(_) | Phase::Running(_) => {
                self.leave(now, Leave::Restart(EndReason::Rescaled), effects);
            }
            Phase::Over => return Outcome::Stale,
        }
        Outcome::Applied
    }

    /// Ends the run, for the next one to begin on other nodes. Where none has subtasks, there is nothing to move.
    pub(super) fn move_away(&mut self, now: Tick, effects: &mut Vec<CoordinatorEffect>) -> Outcome {
        match &self.phase {
            Phase::Restoring(_) | Phase::Running(_) => {
                self.leave(now, Leave::Restart(EndReason::Moved), effects);
                Outcome::Applied
            }
            Phase::Following
            | Phase::Campaigning(_)
            | Phase::Fencing { .. }
            | Phase::Loading { .. }
            | Phase::Resting { .. } => Outcome::Duplicate,
            Phase::Over => Outcome::Stale,
        }
    }

    pub(super) fn deposed(&mut self, now: Tick, effects: &mut Vec<CoordinatorEffect>) -> Outcome {
        match &self.phase {
            Phase::Following => Outcome::Duplicate,
            Phase::Over => Outcome::Stale,
            Phase::Campaigning(_)
            | Phase::Fencing { .. }
            | Phase::Loading { .. }
            | Phase::Restoring(_)
            | Phase::Running(_)
            | Phase::Resting { .. } => {
                self.leave(now, Leave::Deposed, effects);
                Outcome::Applied
            }
        }
    }

    /// A store is broken: the job ends, whether subtasks live or not.
    pub(super) fn broken(
        &mut self,
        now: Tick,
        reason: String,
        effects: &mut Vec<CoordinatorEffect>,
    ) -> Outcome {
        match &self.phase {
            Phase::Following | Phase::Over => Outcome::Stale,
            Phase::Campaigning(_)
            | Phase::Fencing { .. }
            | Phase::Loading { .. }
            | Phase::Restoring(_)
            | Phase::Running(_)
            | Phase::Resting { .. } => {
                self.leave(now, Leave::Fail(reason), effects);
                Outcome::Applied
            }
        }
    }

    /// Leaves the run, if there is one, and does what follows.
    pub(super) fn leave(&mut self, now: Tick, leave: Leave, effects: &mut Vec<CoordinatorEffect>) {
        let leave = self.bounded(leave);
        let reason = match &leave {
            Leave::Restart(reason) => reason.clone(),
            Leave::Fail(reason) => EndReason::Lost { subtask: None, reason: reason.clone() },
            Leave::Deposed => EndReason::Deposed,
            Leave::Finished => EndReason::Finished,
            Leave::Suspended(_) => EndReason::Suspended,
            Leave::Cancelled { .. } => EndReason::Cancelled,
        };
        let over = !matches!(leave, Leave::Restart(_) | Leave::Deposed);
        let ended = self.authority();
        let mut completed = None;
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Running(running) => {
                let authority = running.authority;
                let take_back_after = if over { running.take_back_after() } else { None };
                completed = running.completed.clone();
                effects.push(CoordinatorEffect::EndRun {
                    authority,
                    reason: reason.clone(),
                    take_back_after,
                });
                self.desk.put_back(Running::serves(*running));
            }
            Phase::Restoring(restoring) => {
                let authority = restoring.authority();
                completed = restoring.completed().cloned();
                // Nothing of this run is staged.
                let take_back_after = None;
                effects.push(CoordinatorEffect::EndRun {
                    authority,
                    reason: reason.clone(),
                    take_back_after,
                });
            }
            Phase::Loading { authority: _, meta } => completed = meta.completed,
            Phase::Following
            | Phase::Campaigning(_)
            | Phase::Fencing { .. }
            | Phase::Resting { .. }
            | Phase::Over => {}
        }
        match leave {
            Leave::Restart(_) => {
                let Authority { term, run, lineage: _ } = ended.expect("a run has ended");
                effects.push(CoordinatorEffect::Report(Report::Restarting { reason }));
                self.rest(now, term, run, effects);
            }
            Leave::Deposed => {
                self.phase = Phase::Following;
                self.desk.close(None, None, "another coordinator leads the job: ask it", effects);
                effects.push(CoordinatorEffect::Report(Report::Following));
            }
            Leave::Fail(reason) => self.close(&Over::Failed { reason }, None, effects),
            Leave::Finished => self.close(&Over::Finished, completed.as_ref(), effects),
            Leave::Suspended(at) => self.close(&Over::Suspended(at.clone()), Some(&at), effects),
            Leave::Cancelled { in_doubt } => {
                self.close(&Over::Cancelled { in_doubt }, completed.as_ref(), effects);
            }
        }
    }

    /// Counts runs that end without a checkpoint, and gives the job up after too many.
    fn bounded(&mut self, leave: Leave) -> Leave {
        match leave {
            Leave::Restart(
                EndReason::Rescaled
                | EndReason::Moved
                | EndReason::Forked
                | EndReason::Cancelled
                | EndReason::Poisoned { .. },
            ) => leave,
            // What it decided may still have to be committed: another run is owed, whatever the bound.
            Leave::Restart(_) if self.is_fruitful() => leave,
            Leave::Restart(reason) => {
                self.fruitless = self.fruitless.saturating_add(1);
                if self.fruitless > self.config.restarts_max && self.is_cancelled() {
                    Leave::Cancelled { in_doubt: self.in_doubt() }
                } else if self.fruitless > self.config.restarts_max {
                    let times = self.fruitless;
                    Leave::Fail(format!("{reason} (run {times} in a row that ended without a checkpoint)"))
                } else {
                    Leave::Restart(reason)
                }
            }
            Leave::Fail(_)
            | Leave::Deposed
            | Leave::Finished
            | Leave::Suspended(_)
            | Leave::Cancelled { .. } => leave,
        }
    }

    /// Whether the run that works has decided a checkpoint.
    fn is_fruitful(&self) -> bool {
        match &self.phase {
            Phase::Running(running) => running.fruitful,
            Phase::Following
            | Phase::Campaigning(_)
            | Phase::Fencing { .. }
            | Phase::Loading { .. }
            | Phase::Restoring(_)
            | Phase::Resting { .. }
            | Phase::Over => false,
        }
    }

    /// Waits before the next run, ever longer; not after the first failure.
    fn rest(&mut self, now: Tick, term: Term, run: Run, effects: &mut Vec<CoordinatorEffect>) {
        match self.fruitless.checked_sub(2) {
            None => self.fence(term, run, effects),
            Some(times) => {
                let wait = doubled(self.config.restart_pause, times, self.config.back_off_max);
                self.phase = Phase::Resting { term, run, until: now.after(wait) };
            }
        }
    }

    /// The job is over under this coordinator.
    pub(super) fn close(
        &mut self,
        over: &Over,
        pointer: Option<&Pointer>,
        effects: &mut Vec<CoordinatorEffect>,
    ) {
        self.phase = Phase::Over;
        let (granted, reason) = match over {
            Over::Finished => (Some(Wish::Drain), "the job has finished".to_owned()),
            Over::Suspended(_) => (Some(Wish::Suspend), "the job is suspended".to_owned()),
            Over::Cancelled { in_doubt: None } => (Some(Wish::Cancel), "the job is cancelled".to_owned()),
            Over::Cancelled { in_doubt: Some(in_doubt) } => {
                (None, format!("the job has ended, and {in_doubt}"))
            }
            Over::Failed { reason } => (None, reason.clone()),
        };
        self.desk.close(granted, pointer, &reason, effects);
        effects.push(CoordinatorEffect::Report(Report::Over(over.clone())));
    }
}

fn lead(meta: &Meta) -> Swap {
    Swap { guard: Guard::of(meta), change: Change::Lead }
}

//! A run from its start to its end: one checkpoint after another.
//!
//! ```text
//!            wanted, ids left                    all votes, a consistent cut        durable
//!   Idle ----------------------> Collecting(n) ----------------------> Writing(n) ----------> Deciding(n)
//!   |  ^ ^ ^                        |                                    |                      |  |
//!   |  | | +-- decline, time-out ---+                 failed or unknown  |       refused: deposed  | done
//!   |  | +-- forget n, AbortNote(n) -------------------------------------+                         |
//!   |  +---- Commit(n) to the sinks; pipelined, up to `pending_max` of them outstanding <----------+
//!   |
//!   +-- no ids left --> Burning --done--> Idle
//!   +-- the last one is decided, all committed --> Finishing --done--> over
//! ```

use std::collections::{BTreeMap, BTreeSet};

use watershed_core::checkpoint::{Change, Guard, Manifest, Meta, Pointer};
use watershed_core::{Epoch, SubtaskId};

use super::asked::Asked;
use super::cancelling::InDoubt;
use super::collecting::Collection;
use super::commits::Commits;
use super::deciding::Draft;
use super::desk::Desk;
use super::effect::{CoordinatorEffect, EndReason, Intent, Report};
use super::event::{RequestId, Wish};
use super::schedule::Schedule;
use crate::checkpoint::certificate::Positions;
use crate::checkpoint::{Authority, CheckpointConfig, Roster, Swap};
use crate::{Outcome, Tick};

/// A run whose subtasks have been restored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Running {
    pub(super) authority: Authority,
    /// The newest decision.
    pub(super) completed: Option<Pointer>,
    /// What the newest decision asks for once all of it is committed.
    pub(super) closing: Closing,
    /// Whether a decision that was not there when it was read back may still come about.
    pub(super) doubt: bool,
    pub(super) positions: Positions,
    pub(super) commits: Commits,
    pub(super) schedule: Schedule,
    pub(super) activity: Activity,
    /// Epochs that are burnt and not yet handed out: from, to.
    pub(super) ids: (Epoch, Epoch),
    /// The subtasks whose input has ended.
    ended: BTreeSet<SubtaskId>,
    /// The decided checkpoints that are kept, oldest first.
    pub(super) kept: Vec<Epoch>,
    /// Whether the sources have been told to end.
    draining: bool,
    pub(super) degraded: bool,
    /// Whether this run has decided a checkpoint.
    pub(super) fruitful: bool,
}

/// What follows the newest decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Closing {
    /// Further checkpoints.
    Open,
    /// The end of the job: every subtask had come to its end.
    Finish,
    /// The end of the run, as somebody asked for.
    Suspend,
}

/// What the coordinator is at. One checkpoint at a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Activity {
    Idle,
    Burning(Asked),
    Collecting(Collection),
    Writing(Draft),
    Deciding(Draft, Asked),
    Finishing(Asked),
}

/// Why a run is left.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Leave {
    /// Another run is to follow.
    Restart(EndReason),
    /// The job cannot go on.
    Fail(String),
    Deposed,
    Finished,
    Suspended(Pointer),
    Cancelled {
        in_doubt: Option<InDoubt>,
    },
}

/// What surrounds the phases of a coordinator while it handles one event.
pub(super) struct Cx<'a> {
    pub(super) now: Tick,
    pub(super) job: &'a str,
    pub(super) config: &'a CheckpointConfig,
    pub(super) roster: &'a Roster,
    pub(super) desk: &'a mut Desk,
    /// How many runs in a row have ended without a checkpoint.
    pub(super) fruitless: &'a mut u32,
    pub(super) effects: &'a mut Vec<CoordinatorEffect>,
    /// Set where the event ends the run.
    pub(super) leave: Option<Leave>,
}

impl Cx<'_> {
    pub(super) fn report(&mut self, report: Report) {
        self.effects.push(CoordinatorEffect::Report(report));
    }
}

impl Running {
    /// Begins a run whose subtasks have been restored from `base`.
    pub(super) fn begin(authority: Authority, meta: &Meta, base: Option<&Manifest>, cx: &mut Cx<'_>) -> Self {
        // The last checkpoint of another history is no end of this one: it is worked through once more.
        let ended = base.is_some_and(|base| base.last && base.lineage == authority.lineage);
        let completed = meta.completed.clone();
        let epoch = completed.as_ref().map(|pointer| pointer.epoch);
        // A run that is there to commit what was decided before the job was cancelled does nothing else.
        if !ended && !cx.desk.wishes(Wish::Cancel) {
            for &subtask in cx.roster.subtasks.keys() {
                cx.effects.push(CoordinatorEffect::Start { authority, subtask });
            }
        }
        cx.report(Report::Running { authority, base: epoch });
        let mut running = Running {
            authority,
            completed,
            // What the last checkpoint had staged was committed by the restore.
            closing: if ended { Closing::Finish } else { Closing::Open },
            doubt: false,
            positions: base.map(|base| Positions::of(&base.votes)).unwrap_or_default(),
            commits: Commits::default(),
            schedule: Schedule::new(cx.now, cx.config),
            activity: Activity::Idle,
            ids: (meta.burnt, meta.burnt),
            ended: BTreeSet::new(),
            kept: epoch.into_iter().collect(),
            draining: false,
            degraded: false,
            fruitful: false,
        };
        running.advance(cx);
        running
    }

    /// Begins whatever can begin. Called after each event.
    pub(super) fn advance(&mut self, cx: &mut Cx<'_>) {
        if cx.leave.is_some() {
            return;
        }
        if !self.draining && self.closing == Closing::Open && cx.desk.wishes(Wish::Drain) {
            self.draining = true;
            cx.effects.push(CoordinatorEffect::Drain { authority: self.authority });
        }
        match &self.activity {
            Activity::Idle => {}
            Activity::Burning(_)
            | Activity::Collecting(_)
            | Activity::Writing(_)
            | Activity::Deciding(..)
            | Activity::Finishing(_) => return,
        }
        let is_cancelled = cx.desk.wishes(Wish::Cancel);
        match (self.closing, &self.completed) {
            (Closing::Open | Closing::Suspend, _) if is_cancelled => self.end_cancelled(cx),
            (Closing::Open, _) => self.trigger(cx),
            (Closing::Finish, _) if self.commits.len() == 0 => {
                self.activity = Activity::Finishing(self.ask(Change::Finish, cx));
            }
            (Closing::Suspend, Some(pointer)) if self.commits.len() == 0 => {
                cx.leave = Some(Leave::Suspended(pointer.clone()));
            }
            (Closing::Finish | Closing::Suspend, _) => {}
        }
    }

    pub(super) fn ask(&self, change: Change, cx: &mut Cx<'_>) -> Asked {
        let Authority { term, run, lineage: _ } = self.authority;
        Asked::new(Swap { guard: Guard { term, run }, change }, cx.effects)
    }

    /// Triggers a checkpoint if one is wanted and allowed.
    fn trigger(&mut self, cx: &mut Cx<'_>) {
        if self.wanted_at(cx.config, cx.roster, cx.desk).is_none_or(|at| cx.now < at) {
            return;
        }
        let (last, end) = self.ids;
        if last >= end {
            let up_to = Epoch(end.0.saturating_add(cx.config.block.max(1)));
            self.activity = Activity::Burning(self.ask(Change::Burn(up_to), cx));
            return;
        }
        let epoch = Epoch(last.0 + 1);
        self.ids.0 = epoch;
        let serves = cx.desk.serve();
        let suspend = cx.desk.wishes(Wish::Suspend);
        let intent = if suspend { Intent::Suspend } else { Intent::Checkpoint };
        let savepoint = suspend || serves.iter().any(|&(_, wish)| wish == Wish::Savepoint);
        let mut at: BTreeSet<SubtaskId> = cx.roster.sources().collect();
        at.extend(&self.ended);
        self.schedule.begin(cx.now);
        let at = at.into_iter().collect();
        cx.effects.push(self.call_for(epoch, intent, at));
        let begun = cx.now;
        let votes = BTreeMap::new();
        self.activity = Activity::Collecting(Collection { epoch, intent, savepoint, serves, begun, votes });
    }

    fn call_for(&self, epoch: Epoch, intent: Intent, at: Vec<SubtaskId>) -> CoordinatorEffect {
        let completed = self.completed.as_ref().map(|pointer| pointer.epoch);
        CoordinatorEffect::Trigger { authority: self.authority, epoch, completed, intent, at }
    }

    /// When the next checkpoint is to be triggered; `None` where nothing asks for one, too many commits are
    /// outstanding, or the job is cancelled.
    fn wanted_at(&self, config: &CheckpointConfig, roster: &Roster, desk: &Desk) -> Option<Tick> {
        if self.commits.len() >= config.pending_max.max(1) || desk.wishes(Wish::Cancel) {
            return None;
        }
        let at_once = desk.wishes(Wish::Checkpoint) || desk.wishes(Wish::Savepoint);
        let last = self.ended.len() == roster.subtasks.len() || desk.wishes(Wish::Suspend);
        let at_once = at_once.then_some(Tick(0));
        let last = last.then(|| self.schedule.not_before());
        [at_once, last, self.schedule.due()].into_iter().flatten().min()
    }

    /// Takes in that a subtask's input has ended.
    pub(super) fn ended(&mut self, subtask: SubtaskId, cx: &mut Cx<'_>) -> Outcome {
        let Some(role) = cx.roster.subtasks.get(&subtask) else { return Outcome::Unexpected };
        if !self.ended.insert(subtask) {
            return Outcome::Duplicate;
        }
        match &self.activity {
            // Its barrier may have been in none of the channels that have ended.
            Activity::Collecting(Collection { epoch, intent, votes, .. })
                if !role.source && !votes.contains_key(&subtask) =>
            {
                cx.effects.push(self.call_for(*epoch, *intent, vec![subtask]));
            }
            Activity::Idle
            | Activity::Burning(_)
            | Activity::Collecting(_)
            | Activity::Writing(_)
            | Activity::Deciding(..)
            | Activity::Finishing(_) => {}
        }
        self.advance(cx);
        Outcome::Applied
    }

    /// The requests that the checkpoint under way would have served.
    pub(super) fn serves(self) -> Vec<(RequestId, Wish)> {
        match self.activity {
            Activity::Collecting(collection) => collection.serves,
            Activity::Writing(draft) | Activity::Deciding(draft, _) => draft.serves,
            Activity::Idle | Activity::Burning(_) | Activity::Finishing(_) => Vec::new(),
        }
    }

    pub(super) fn time_passed(&mut self, cx: &mut Cx<'_>) {
        if self.commits.time_passed(cx.now, self.authority, cx.config, cx.effects)
            && self.commits.tries() >= cx.config.failures_tolerated
        {
            let reason = "a sink does not carry out its order to commit".to_owned();
            self.degrade(reason, cx);
        }
        match &mut self.activity {
            Activity::Collecting(collection) if cx.now >= collection.begun.after(cx.config.timeout) => {
                self.timed_out(cx);
            }
            Activity::Burning(asked) | Activity::Deciding(_, asked) | Activity::Finishing(asked) => {
                asked.time_passed(cx.now, cx.effects);
            }
            Activity::Idle | Activity::Collecting(_) | Activity::Writing(_) => self.advance(cx),
        }
    }

    pub(super) fn deadline(&self, config: &CheckpointConfig, roster: &Roster, desk: &Desk) -> Option<Tick> {
        let activity = match (&self.activity, self.closing) {
            (Activity::Idle, Closing::Open) => self.wanted_at(config, roster, desk),
            (Activity::Idle, Closing::Finish | Closing::Suspend) | (Activity::Writing(_), _) => None,
            (Activity::Collecting(collection), _) => Some(collection.begun.after(config.timeout)),
            (Activity::Burning(asked) | Activity::Deciding(_, asked) | Activity::Finishing(asked), _) => {
                asked.deadline()
            }
        };
        [activity, self.commits.deadline()].into_iter().flatten().min()
    }

    /// The newest epoch that was triggered, or handed out before this run.
    pub(super) fn newest_triggered(&self) -> Epoch {
        self.ids.0
    }
}

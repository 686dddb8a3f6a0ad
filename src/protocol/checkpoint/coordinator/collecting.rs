//! The first phase of two-phase commit: votes are collected until there is one of each subtask.

use std::collections::BTreeMap;

use watershed_core::checkpoint::{Manifest, Vote};
use watershed_core::{Epoch, SubtaskId};

use super::deciding::Draft;
use super::effect::{CoordinatorEffect, EndReason, Intent, Report};
use super::event::{RequestId, Wish};
use super::running::{Activity, Cx, Leave, Running};
use crate::checkpoint::certificate::{Moment, Positions, certify};
use crate::{Outcome, Tick};

/// A checkpoint that was triggered, and the votes on it so far.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Collection {
    pub(super) epoch: Epoch,
    pub(super) intent: Intent,
    pub(super) savepoint: bool,
    pub(super) serves: Vec<(RequestId, Wish)>,
    pub(super) begun: Tick,
    pub(super) votes: BTreeMap<SubtaskId, Vote>,
}

impl Running {
    /// Takes in a vote; after the last one, proves the cut.
    pub(super) fn voted(&mut self, epoch: Epoch, vote: Vote, cx: &mut Cx<'_>) -> Outcome {
        if !cx.roster.subtasks.contains_key(&vote.subtask) {
            return Outcome::Unexpected;
        }
        match &mut self.activity {
            Activity::Collecting(collection) if collection.epoch == epoch => {
                match collection.votes.get(&vote.subtask) {
                    Some(known) if *known == vote => return Outcome::Duplicate,
                    Some(_) => return Outcome::Unexpected,
                    None => collection.votes.insert(vote.subtask, vote),
                };
                if collection.votes.len() == cx.roster.subtasks.len() {
                    self.prove(cx);
                }
                Outcome::Applied
            }
            Activity::Idle
            | Activity::Burning(_)
            | Activity::Collecting(_)
            | Activity::Writing(_)
            | Activity::Deciding(..)
            | Activity::Finishing(_) => self.not_collected(epoch),
        }
    }

    /// A vote or a decline of an epoch that is not collected: over, or never triggered.
    fn not_collected(&self, epoch: Epoch) -> Outcome {
        if epoch <= self.newest_triggered() { Outcome::Stale } else { Outcome::Unexpected }
    }

    pub(super) fn declined(
        &mut self,
        epoch: Epoch,
        subtask: SubtaskId,
        reason: &str,
        cx: &mut Cx<'_>,
    ) -> Outcome {
        if !cx.roster.subtasks.contains_key(&subtask) {
            return Outcome::Unexpected;
        }
        match &mut self.activity {
            Activity::Collecting(collection) if collection.epoch == epoch => {
                let serves = std::mem::take(&mut collection.serves);
                self.give_up(epoch, &serves, format!("subtask {subtask} declined: {reason}"), cx);
                Outcome::Applied
            }
            Activity::Idle
            | Activity::Burning(_)
            | Activity::Collecting(_)
            | Activity::Writing(_)
            | Activity::Deciding(..)
            | Activity::Finishing(_) => self.not_collected(epoch),
        }
    }

    /// The votes have not come in time: names who is late.
    pub(super) fn timed_out(&mut self, cx: &mut Cx<'_>) {
        let Activity::Collecting(collection) = &mut self.activity else { return };
        let (epoch, serves) = (collection.epoch, std::mem::take(&mut collection.serves));
        let late = cx.roster.subtasks.keys().filter(|subtask| !collection.votes.contains_key(subtask));
        let late: Vec<String> = late.take(LATE_NAMED_MAX).map(ToString::to_string).collect();
        let missing = cx.roster.subtasks.len() - collection.votes.len();
        let reason = format!("{missing} subtasks have not voted in time, among them {}", late.join(", "));
        self.give_up(epoch, &serves, reason, cx);
    }

    /// All have voted: proves the cut, and has the manifest written.
    fn prove(&mut self, cx: &mut Cx<'_>) {
        let activity = std::mem::replace(&mut self.activity, Activity::Idle);
        let Activity::Collecting(collection) = activity else { unreachable!("votes are being collected") };
        let Collection { epoch, intent, savepoint, serves, begun: _, votes } = collection;
        let votes: Vec<Vote> = votes.into_values().collect();
        let base = self.completed.as_ref().map(|pointer| pointer.epoch);
        let moment = Moment { run: self.authority.run, epoch, base };
        if let Err(violation) = certify(cx.roster, moment, &self.positions, &votes) {
            let reason = violation.to_string();
            cx.report(Report::Violated(epoch, violation));
            // No later checkpoint of this run can be better where a channel has lost something: the run goes
            // back to the last one that was a cut.
            cx.leave = Some(if cx.config.halt_on_violation {
                Leave::Fail(format!("the votes of epoch {epoch} are no consistent cut: {reason}"))
            } else {
                Leave::Restart(EndReason::Violated)
            });
            self.give_up(epoch, &serves, reason, cx);
            return;
        }
        let last = votes.iter().all(|vote| vote.finished);
        let staged = votes.iter().filter(|vote| !vote.staged.is_empty());
        let orders = staged.map(|vote| {
            let xids = vote.staged.iter().map(|staged| staged.xid).collect();
            (vote.subtask, xids)
        });
        let draft =
            Draft { epoch, orders: orders.collect(), positions: Positions::of(&votes), intent, last, serves };
        let manifest = Manifest {
            job: cx.job.to_owned(),
            lineage: self.authority.lineage,
            epoch,
            run: self.authority.run,
            term: self.authority.term,
            base,
            plan: cx.roster.plan.clone(),
            key_groups: cx.roster.key_groups,
            taken_at: 0,
            savepoint,
            last,
            votes,
        };
        self.activity = Activity::Writing(draft);
        cx.effects.push(CoordinatorEffect::WriteManifest(Box::new(manifest)));
    }
}

/// How many late subtasks a message names.
const LATE_NAMED_MAX: usize = 8;

//! The decision: a manifest that is durable, and one swap of the pointer to it.
//!
//! Between the swap and its answer nothing is known, and nothing may be done that would be wrong in either
//! case: no commit, no abort, no further trigger. Where the answer does not come, the store is read back
//! (`UNCERTAIN`; FLINK-22494 and FLINK-25486 are what happens without).

use watershed_core::Epoch;
use watershed_core::checkpoint::{Change, Meta, ObjectRef, Pointer};

use super::asked::{Asked, Verdict};
use super::commits::Orders;
use super::effect::{Answer, CoordinatorEffect, Intent, Report};
use super::event::{RequestId, Wish};
use super::running::{Activity, Closing, Cx, Leave, Running};
use crate::Outcome;
use crate::checkpoint::Permit;
use crate::checkpoint::certificate::Positions;

/// What is left to know of a checkpoint once its manifest is on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Draft {
    pub(super) epoch: Epoch,
    pub(super) orders: Orders,
    pub(super) positions: Positions,
    pub(super) intent: Intent,
    pub(super) last: bool,
    pub(super) serves: Vec<(RequestId, Wish)>,
}

impl Running {
    /// The manifest is durable: asks for the decision.
    pub(super) fn written(&mut self, epoch: Epoch, object: ObjectRef, cx: &mut Cx<'_>) -> Outcome {
        match std::mem::replace(&mut self.activity, Activity::Idle) {
            Activity::Writing(draft) if draft.epoch == epoch => {
                let pointer = Pointer { lineage: self.authority.lineage, epoch, manifest: object };
                self.decide(draft, pointer, cx);
                Outcome::Applied
            }
            activity @ (Activity::Idle
            | Activity::Burning(_)
            | Activity::Collecting(_)
            | Activity::Writing(_)
            | Activity::Deciding(..)
            | Activity::Finishing(_)) => {
                self.activity = activity;
                Outcome::Stale
            }
        }
    }

    /// The manifest is not durable, or may not be. Without a pointer to it, it decides nothing.
    pub(super) fn not_written(&mut self, epoch: Epoch, reason: &str, cx: &mut Cx<'_>) -> Outcome {
        match &mut self.activity {
            Activity::Writing(draft) if draft.epoch == epoch => {
                let serves = std::mem::take(&mut draft.serves);
                self.give_up(epoch, &serves, format!("the manifest was not written: {reason}"), cx);
                Outcome::Applied
            }
            Activity::Idle
            | Activity::Burning(_)
            | Activity::Collecting(_)
            | Activity::Writing(_)
            | Activity::Deciding(..)
            | Activity::Finishing(_) => Outcome::Stale,
        }
    }

    /// The checkpoint is decided, as `meta` shows: orders its commits.
    pub(super) fn decided(&mut self, draft: Draft, meta: &Meta, cx: &mut Cx<'_>) {
        let permit = Permit::seen_in(meta).expect("the store shows the decision");
        assert_eq!(permit.epoch(), draft.epoch, "nobody else decides in this run");
        let pointer = meta.completed.clone().expect("the store shows the decision");
        self.completed = Some(pointer.clone());
        self.doubt = false;
        self.positions = draft.positions;
        self.closing = match (draft.last, draft.intent) {
            (true, Intent::Checkpoint | Intent::Suspend) => Closing::Finish,
            (false, Intent::Suspend) => Closing::Suspend,
            (false, Intent::Checkpoint) => Closing::Open,
        };
        self.schedule.succeed(cx.now, cx.config);
        *cx.fruitless = 0;
        self.fruitful = true;
        cx.report(Report::Completed(pointer.clone()));
        for (request, _) in draft.serves {
            let answer = Answer::Done(Some(pointer.clone()));
            cx.effects.push(CoordinatorEffect::Answer { request, answer });
        }
        self.commits.order(cx.now, self.authority, permit, draft.orders, cx.config, cx.effects);
        self.keep(draft.epoch);
        self.forget(cx);
        self.heal(cx);
        self.advance(cx);
    }

    /// Asks for the decision of a checkpoint.
    pub(super) fn decide(&mut self, draft: Draft, pointer: Pointer, cx: &mut Cx<'_>) {
        let asked = self.ask(Change::Complete(pointer), cx);
        self.activity = Activity::Deciding(draft, asked);
    }

    /// Takes in what is known of the swap under way.
    pub(super) fn judged(&mut self, verdict: Verdict, cx: &mut Cx<'_>) {
        let activity = std::mem::replace(&mut self.activity, Activity::Idle);
        match (activity, verdict) {
            (Activity::Idle | Activity::Collecting(_) | Activity::Writing(_), _) => {
                unreachable!("a verdict is on a swap under way")
            }
            (Activity::Burning(_), Verdict::Done(meta)) => {
                self.ids.1 = meta.burnt;
                self.advance(cx);
            }
            (Activity::Deciding(draft, _), Verdict::Done(meta)) => self.decided(draft, &meta, cx),
            (Activity::Deciding(draft, _), Verdict::Absent(_)) => {
                // SUBTLE: the swap may still be under way and come about later. That harms nobody: nothing of
                // the checkpoint is deleted, its staged output stays prepared and is carried by the next vote,
                // and a newer decision or run makes the late one fail. Only `take_back_after` must not claim
                // to know.
                self.doubt = true;
                let reason = "the meta store does not show the decision".to_owned();
                self.give_up(draft.epoch, &draft.serves, reason, cx);
            }
            (Activity::Finishing(_), Verdict::Done(_)) => cx.leave = Some(Leave::Finished),
            (Activity::Deciding(draft, _), Verdict::Failed) => {
                let reason = "the meta store did not take the decision".to_owned();
                self.give_up(draft.epoch, &draft.serves, reason, cx);
            }
            (Activity::Burning(asked), Verdict::Absent(_) | Verdict::Failed) => {
                self.activity = Activity::Burning(asked.again(cx.now, cx.config));
            }
            (Activity::Finishing(asked), Verdict::Absent(_) | Verdict::Failed) => {
                self.activity = Activity::Finishing(asked.again(cx.now, cx.config));
            }
            (Activity::Burning(_) | Activity::Deciding(..) | Activity::Finishing(_), Verdict::Refused(_)) => {
                cx.leave = Some(Leave::Deposed);
            }
        }
    }

    /// The swap under way.
    pub(super) fn asked(&mut self) -> Option<&mut Asked> {
        match &mut self.activity {
            Activity::Burning(asked) | Activity::Deciding(_, asked) | Activity::Finishing(asked) => {
                Some(asked)
            }
            Activity::Idle | Activity::Collecting(_) | Activity::Writing(_) => None,
        }
    }

    /// The checkpoint that may or may not have been decided.
    pub(super) fn uncertain(&self) -> Option<Epoch> {
        match &self.activity {
            Activity::Deciding(draft, asked) => asked.is_uncertain().then_some(draft.epoch),
            Activity::Idle
            | Activity::Burning(_)
            | Activity::Collecting(_)
            | Activity::Writing(_)
            | Activity::Finishing(_) => None,
        }
    }

    pub(super) fn is_uncertain(&self) -> bool {
        self.uncertain().is_some()
    }

    /// The newest decision, where it is certain that no other of this run can come about.
    pub(super) fn take_back_after(&self) -> Option<Option<Epoch>> {
        let settled = match &self.activity {
            Activity::Idle
            | Activity::Burning(_)
            | Activity::Collecting(_)
            | Activity::Writing(_)
            | Activity::Finishing(_) => !self.doubt,
            Activity::Deciding(..) => false,
        };
        settled.then(|| self.completed.as_ref().map(|pointer| pointer.epoch))
    }
}

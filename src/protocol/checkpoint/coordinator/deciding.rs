//! The decision: a manifest that is durable, and one swap of the pointer to it.
//!
//! Between the swap and its answer nothing is known, and nothing may be done that would be wrong in either
//! case: no commit, no abort, no further trigger. Where the answer does not come, the store is read back
//! (`UNCERTAIN`; FLINK-22494 and FLINK-25486 are what happens without).

use watershed_core::Epoch;
use watershed_core::checkpoint::{Meta, ObjectRef, Pointer};

use super::commits::Orders;
use super::effect::{Answer, CoordinatorEffect, Intent, Report};
use super::event::{RequestId, Wish};
use super::running::{Activity, Closing, Cx, Running};
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
}

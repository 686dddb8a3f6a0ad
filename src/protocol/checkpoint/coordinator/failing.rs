//! Checkpoints that are given up, and what that says of the job's health.

use watershed_core::Epoch;

use super::desk;
use super::effect::{CoordinatorEffect, Report};
use super::event::{RequestId, Wish};
use super::running::{Activity, Cx, Running};

impl Running {
    /// Gives the checkpoint under way up: presumed abort.
    pub(super) fn give_up(
        &mut self,
        epoch: Epoch,
        serves: &[(RequestId, Wish)],
        reason: String,
        cx: &mut Cx<'_>,
    ) {
        self.activity = Activity::Idle;
        self.schedule.fail(cx.now, cx.config);
        cx.effects.push(CoordinatorEffect::AbortNote { authority: self.authority, epoch });
        desk::refuse(serves, &reason, cx.effects);
        cx.report(Report::GivenUp { epoch, reason: reason.clone() });
        if self.schedule.failures() >= cx.config.failures_tolerated {
            self.degrade(reason, cx);
        }
        self.advance(cx);
    }

    pub(super) fn degrade(&mut self, reason: String, cx: &mut Cx<'_>) {
        if !self.degraded {
            self.degraded = true;
            cx.report(Report::Degraded { reason });
        }
    }

    /// The job is well where checkpoints are decided and commits carried out.
    pub(super) fn heal(&mut self, cx: &mut Cx<'_>) {
        let tolerated = cx.config.failures_tolerated;
        if self.degraded && self.schedule.failures() < tolerated && self.commits.tries() < tolerated {
            self.degraded = false;
            cx.report(Report::Healthy);
        }
    }
}

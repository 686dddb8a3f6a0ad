//! What is kept of the checkpoints that are decided: as many as the job asks for, and all that a commit needs.

use watershed_core::{Epoch, SubtaskId};

use super::effect::CoordinatorEffect;
use super::running::{Cx, Running};
use crate::Outcome;

impl Running {
    /// Counts a decided checkpoint among those that are kept, and lets older ones go.
    pub(super) fn keep(&mut self, epoch: Epoch) {
        self.kept.push(epoch);
    }

    /// Lets go of what is neither among the newest nor needed by an outstanding commit (D8).
    pub(super) fn forget(&mut self, cx: &mut Cx<'_>) {
        let newest = self.kept.len().saturating_sub(cx.config.retain.max(1));
        let before = self.kept.get(newest).map_or(Epoch(0), |&epoch| epoch);
        let before = self.commits.oldest().map_or(before, |oldest| before.min(oldest));
        if self.kept.first().is_some_and(|&oldest| oldest < before) {
            self.kept.retain(|&epoch| epoch >= before);
            cx.effects.push(CoordinatorEffect::Forget { before });
        }
    }

    /// Takes in that a sink has committed up to an epoch.
    pub(super) fn carried_out(&mut self, epoch: Epoch, subtask: SubtaskId, cx: &mut Cx<'_>) -> Outcome {
        let decided = self.completed.as_ref().is_some_and(|pointer| epoch <= pointer.epoch);
        if !decided || !cx.roster.subtasks.contains_key(&subtask) {
            return Outcome::Unexpected;
        }
        let outcome = self.commits.carried_out(epoch, subtask, cx.effects);
        self.heal(cx);
        self.forget(cx);
        self.advance(cx);
        outcome
    }
}

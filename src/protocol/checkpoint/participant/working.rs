//! A subtask at work: the snapshot under way, and what is staged and not yet committed.

use std::collections::BTreeMap;

use watershed_core::checkpoint::{Staged, Vote, Xid};
use watershed_core::{Epoch, SubtaskId};

use super::effect::ParticipantEffect;
use crate::Outcome;
use crate::checkpoint::Authority;

/// What a working subtask remembers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Working {
    subtask: SubtaskId,
    authority: Authority,
    /// The snapshot under way, at most one.
    snapshot: Snapshot,
    /// The newest epoch that was cut here, or handed out before this run.
    newest: Epoch,
    /// The newest epoch that was voted on here.
    voted: Option<Epoch>,
    /// What is staged and not known to be committed.
    pending: BTreeMap<Epoch, Staged>,
    /// Up to where all that was staged has been committed.
    committed: Option<Epoch>,
    /// The order to commit that is being carried out.
    committing: Option<Epoch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Snapshot {
    None,
    /// The output is being staged.
    Preparing(Epoch),
    /// The output is staged, and the state being saved.
    Saving(Epoch),
}

impl Working {
    pub(super) fn new(subtask: SubtaskId, authority: Authority, after: Epoch) -> Working {
        Working {
            subtask,
            authority,
            snapshot: Snapshot::None,
            newest: after,
            voted: None,
            pending: BTreeMap::new(),
            committed: None,
            committing: None,
        }
    }

    pub(super) fn cut(&mut self, epoch: Epoch, effects: &mut Vec<ParticipantEffect>) -> Outcome {
        if epoch <= self.newest {
            return if epoch == self.newest { Outcome::Duplicate } else { Outcome::Stale };
        }
        match self.snapshot {
            Snapshot::None => {}
            // The coordinator has given it up, or will.
            Snapshot::Saving(old) | Snapshot::Preparing(old) => {
                effects.push(ParticipantEffect::Abandon(old));
                self.decline(old, format!("epoch {epoch} came before it was saved"), effects);
            }
        }
        self.newest = epoch;
        self.snapshot = Snapshot::Preparing(epoch);
        effects.push(ParticipantEffect::Snapshot(epoch));
        Outcome::Applied
    }

    /// SUBTLE: what is staged counts even where its checkpoint has been given up meanwhile: it is the only place
    /// where these records are. Unless a later checkpoint has taken it along and was committed before this was heard:
    /// what a slow store takes twice is said twice.
    pub(super) fn prepared(&mut self, epoch: Epoch, staged: Option<Staged>) -> Outcome {
        if epoch > self.newest {
            return Outcome::Unexpected;
        }
        if self.committed.is_some_and(|committed| epoch <= committed) {
            return Outcome::Stale;
        }
        let known = self.pending.get(&epoch) == staged.as_ref();
        match self.snapshot {
            Snapshot::Preparing(under_way) if under_way == epoch => self.snapshot = Snapshot::Saving(epoch),
            Snapshot::None | Snapshot::Preparing(_) | Snapshot::Saving(_) if known => {
                return Outcome::Duplicate;
            }
            Snapshot::None | Snapshot::Preparing(_) | Snapshot::Saving(_) => {}
        }
        if let Some(staged) = staged {
            self.pending.insert(epoch, staged);
        }
        Outcome::Applied
    }

    pub(super) fn saved(
        &mut self,
        epoch: Epoch,
        mut vote: Vote,
        effects: &mut Vec<ParticipantEffect>,
    ) -> Outcome {
        match self.snapshot {
            Snapshot::Saving(under_way) if under_way == epoch => {
                self.snapshot = Snapshot::None;
                self.voted = Some(epoch);
                vote.staged = self.pending.values().cloned().collect();
                effects.push(ParticipantEffect::Vote { authority: self.authority, epoch, vote });
                Outcome::Applied
            }
            // It was not staged first, and the vote would be a lie.
            Snapshot::Preparing(under_way) if under_way == epoch => Outcome::Unexpected,
            Snapshot::None | Snapshot::Preparing(_) | Snapshot::Saving(_) => self.not_under_way(epoch),
        }
    }

    pub(super) fn failed(
        &mut self,
        epoch: Epoch,
        reason: String,
        effects: &mut Vec<ParticipantEffect>,
    ) -> Outcome {
        match self.snapshot {
            Snapshot::Preparing(under_way) | Snapshot::Saving(under_way) if under_way == epoch => {
                self.snapshot = Snapshot::None;
                self.decline(epoch, reason, effects);
                Outcome::Applied
            }
            Snapshot::None | Snapshot::Preparing(_) | Snapshot::Saving(_) => self.not_under_way(epoch),
        }
    }

    fn not_under_way(&self, epoch: Epoch) -> Outcome {
        if epoch <= self.newest { Outcome::Stale } else { Outcome::Unexpected }
    }

    fn decline(&self, epoch: Epoch, reason: String, effects: &mut Vec<ParticipantEffect>) {
        let (authority, subtask) = (self.authority, self.subtask);
        effects.push(ParticipantEffect::Decline { authority, epoch, subtask, reason });
    }

    pub(super) fn commit(
        &mut self,
        epoch: Epoch,
        xids: &[Xid],
        effects: &mut Vec<ParticipantEffect>,
    ) -> Outcome {
        // Nothing that this subtask has not voted on can be decided, nor anything that its vote did not list.
        let listed = |staged: &Staged| xids.contains(&staged.xid);
        if self.voted.is_none_or(|voted| epoch > voted) || !self.up_to(epoch).all(listed) {
            return Outcome::Unexpected;
        }
        let idle = self.committing.is_none();
        if self.up_to(epoch).next().is_none() {
            self.tell_committed(epoch, effects);
            return Outcome::Duplicate;
        }
        match self.committing {
            Some(under_way) if under_way >= epoch => return Outcome::Duplicate,
            Some(_) | None => self.committing = Some(epoch),
        }
        if idle {
            self.commit_next(effects);
        }
        Outcome::Applied
    }

    fn up_to(&self, epoch: Epoch) -> impl Iterator<Item = &Staged> {
        self.pending.range(..=epoch).map(|(_, staged)| staged)
    }

    fn commit_next(&mut self, effects: &mut Vec<ParticipantEffect>) {
        let Some(epoch) = self.committing else { return };
        let next = self.up_to(epoch).next().cloned();
        match next {
            Some(staged) => effects.push(ParticipantEffect::Commit(staged)),
            None => {
                self.committing = None;
                self.committed = self.committed.max(Some(epoch));
                self.tell_committed(epoch, effects);
            }
        }
    }

    fn tell_committed(&self, epoch: Epoch, effects: &mut Vec<ParticipantEffect>) {
        let (authority, subtask) = (self.authority, self.subtask);
        effects.push(ParticipantEffect::Committed { authority, epoch, subtask });
    }

    pub(super) fn commit_done(&mut self, xid: Xid, effects: &mut Vec<ParticipantEffect>) -> Outcome {
        if self.pending.get(&xid.epoch).is_none_or(|staged| staged.xid != xid) {
            return Outcome::Duplicate;
        }
        self.pending.remove(&xid.epoch);
        self.commit_next(effects);
        Outcome::Applied
    }

    pub(super) fn commit_failed(&mut self, xid: Xid) -> Outcome {
        let pending = self.pending.get(&xid.epoch).is_some_and(|staged| staged.xid == xid);
        match self.committing {
            Some(epoch) if pending && xid.epoch <= epoch => {
                self.committing = None;
                Outcome::Applied
            }
            Some(_) | None => Outcome::Stale,
        }
    }

    /// The state need not be saved any more. What is staged is left alone.
    pub(super) fn abort_note(&mut self, epoch: Epoch, effects: &mut Vec<ParticipantEffect>) -> Outcome {
        match self.snapshot {
            Snapshot::Saving(under_way) if under_way == epoch => {
                self.snapshot = Snapshot::None;
                effects.push(ParticipantEffect::Abandon(epoch));
                Outcome::Applied
            }
            // Staging goes on: the next vote lists it.
            Snapshot::Preparing(under_way) if under_way == epoch => Outcome::Stale,
            Snapshot::None | Snapshot::Preparing(_) | Snapshot::Saving(_) => Outcome::Stale,
        }
    }

    pub(super) fn take_back(
        &self,
        take_back_after: Option<Option<Epoch>>,
        effects: &mut Vec<ParticipantEffect>,
    ) {
        let Some(decided) = take_back_after else { return };
        let undecided =
            self.pending.iter().filter(|&(&epoch, _)| decided.is_none_or(|decided| epoch > decided));
        effects.extend(undecided.map(|(_, staged)| ParticipantEffect::TakeBack(staged.clone())));
    }
}

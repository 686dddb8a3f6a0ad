//! From the fence to the start of a run: the newest decision is read and dealt out to the subtasks.
//!
//! Every sink resolves what earlier runs have staged before anything else: what the manifest lists is committed,
//! all else taken back (rule R3'). A subtask starts only once all have been restored; letting sources start
//! earlier was checked and would be safe too, and gains little.

use std::collections::{BTreeMap, BTreeSet};

use watershed_core::SubtaskId;
use watershed_core::checkpoint::{Manifest, Meta, Pointer, Vote, Xid};

use super::cancelling::InDoubt;
use super::effect::{CoordinatorEffect, EndReason};
use super::event::Failure;
use super::running::{Cx, Leave, Running};
use super::{Coordinator, Phase};
use crate::checkpoint::recovery::deal;
use crate::checkpoint::{Authority, Part, Permit, Roster};
use crate::{Outcome, Tick};

/// A run whose subtasks are being restored.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Restoring {
    authority: Authority,
    meta: Meta,
    /// The checkpoint it goes on from.
    base: Option<Box<Manifest>>,
    waiting: BTreeSet<SubtaskId>,
    until: Tick,
}

impl Restoring {
    pub(super) fn authority(&self) -> Authority {
        self.authority
    }

    pub(super) fn until(&self) -> Tick {
        self.until
    }

    /// The newest decision.
    pub(super) fn completed(&self) -> Option<&Pointer> {
        self.meta.completed.as_ref()
    }

    /// What the restore is there to commit.
    pub(super) fn in_doubt(&self) -> Option<InDoubt> {
        let base = self.base.as_ref()?;
        let xids = staged(base).collect::<BTreeSet<_>>();
        (!xids.is_empty()).then_some(InDoubt { epoch: base.epoch, xids })
    }
}

fn staged(manifest: &Manifest) -> impl Iterator<Item = Xid> {
    manifest.votes.iter().flat_map(|vote| vote.staged.iter().map(|staged| staged.xid))
}

/// What is still needed of the newest decision of a history that a person leaves, or of a job that is cancelled: what it
/// staged, to be committed. Its state is not read, which may be damaged, or another program's: the reason to leave it.
fn left_behind(mut manifest: Manifest, roster: &Roster) -> Manifest {
    let has_place = |vote: &Vote| roster.parallelism(vote.subtask.vertex) > 0;
    manifest.votes.retain(|vote| has_place(vote) || !vote.staged.is_empty());
    for vote in &mut manifest.votes {
        vote.snapshot.clear();
        vote.in_flight.clear();
    }
    manifest
}

impl Coordinator {
    /// The run has begun from what `meta` says: asks for the manifest, or begins from nothing.
    pub(super) fn load(
        &mut self,
        now: Tick,
        authority: Authority,
        meta: Meta,
        effects: &mut Vec<CoordinatorEffect>,
    ) {
        match &meta.completed {
            None if self.is_cancelled() => self.leave(now, Leave::Cancelled { in_doubt: None }, effects),
            Some(pointer) => {
                effects.push(CoordinatorEffect::LoadManifest(pointer.clone()));
                self.phase = Phase::Loading { authority, meta };
            }
            None => {
                let nothing = |&subtask| (subtask, Part::default());
                let parts = self.roster.subtasks.keys().map(nothing).collect();
                self.restore(now, authority, meta, None, parts, effects);
            }
        }
    }

    pub(super) fn loaded(
        &mut self,
        now: Tick,
        manifest: Manifest,
        effects: &mut Vec<CoordinatorEffect>,
    ) -> Outcome {
        let (authority, meta) = match &self.phase {
            Phase::Loading { authority, meta } => (*authority, meta.clone()),
            Phase::Following
            | Phase::Campaigning(_)
            | Phase::Fencing { .. }
            | Phase::Restoring(_)
            | Phase::Running(_)
            | Phase::Resting { .. }
            | Phase::Over => return Outcome::Stale,
        };
        let pointer = meta.completed.as_ref().expect("a manifest was asked for");
        let (named, found) = ((pointer.lineage, pointer.epoch), (manifest.lineage, manifest.epoch));
        if named != found || manifest.job != *self.job {
            let (epoch, job) = (pointer.epoch, &self.job);
            let reason = format!(
                "the manifest of epoch {epoch} of job {job} is that of epoch {} of job {}: the checkpoint store \
                 belongs to another job",
                manifest.epoch, manifest.job
            );
            self.leave(now, Leave::Fail(reason), effects);
            return Outcome::Applied;
        }
        let is_cancelled = self.is_cancelled();
        // The last checkpoint of a job is its end, whoever cancels it.
        if is_cancelled && !manifest.last && staged(&manifest).next().is_none() {
            self.leave(now, Leave::Cancelled { in_doubt: None }, effects);
            return Outcome::Applied;
        }
        let is_left = is_cancelled || self.fork.is_some();
        let manifest = if is_left { left_behind(manifest, &self.roster) } else { manifest };
        match deal(&manifest, &self.roster) {
            Ok(parts) => self.restore(now, authority, meta, Some(Box::new(manifest)), parts, effects),
            Err(error) => self.leave(now, Leave::Fail(error.to_string()), effects),
        }
        Outcome::Applied
    }

    pub(super) fn load_failed(
        &mut self,
        now: Tick,
        failure: Failure,
        effects: &mut Vec<CoordinatorEffect>,
    ) -> Outcome {
        match &self.phase {
            Phase::Loading { .. } => {
                let leave = if failure.permanent {
                    Leave::Fail(failure.reason)
                } else {
                    Leave::Restart(EndReason::Lost { subtask: None, reason: failure.reason })
                };
                self.leave(now, leave, effects);
                Outcome::Applied
            }
            Phase::Following
            | Phase::Campaigning(_)
            | Phase::Fencing { .. }
            | Phase::Restoring(_)
            | Phase::Running(_)
            | Phase::Resting { .. }
            | Phase::Over => Outcome::Stale,
        }
    }

    fn restore(
        &mut self,
        now: Tick,
        authority: Authority,
        meta: Meta,
        base: Option<Box<Manifest>>,
        parts: BTreeMap<SubtaskId, Part>,
        effects: &mut Vec<CoordinatorEffect>,
    ) {
        let permit = Permit::seen_in(&meta);
        let waiting = parts.keys().copied().collect();
        for (subtask, part) in parts {
            let (after, permit) = (meta.burnt, permit.clone());
            effects.push(CoordinatorEffect::Restore { authority, subtask, after, permit, part });
        }
        let until = now.after(self.config.restore_timeout);
        self.phase = Phase::Restoring(Restoring { authority, meta, base, waiting, until });
    }

    pub(super) fn restored(
        &mut self,
        now: Tick,
        authority: Authority,
        subtask: SubtaskId,
        effects: &mut Vec<CoordinatorEffect>,
    ) -> Outcome {
        // A subtask of an older run may be no more since the job was rescaled.
        if self.authority() == Some(authority) && !self.roster.subtasks.contains_key(&subtask) {
            return Outcome::Unexpected;
        }
        match &mut self.phase {
            Phase::Restoring(restoring) if restoring.authority == authority => {
                if !restoring.waiting.remove(&subtask) {
                    return Outcome::Duplicate;
                }
                if restoring.waiting.is_empty() {
                    self.all_restored(now, effects);
                }
                Outcome::Applied
            }
            Phase::Running(running) if running.authority == authority => Outcome::Duplicate,
            Phase::Following
            | Phase::Campaigning(_)
            | Phase::Fencing { .. }
            | Phase::Loading { .. }
            | Phase::Restoring(_)
            | Phase::Running(_)
            | Phase::Resting { .. }
            | Phase::Over => Outcome::Stale,
        }
    }

    fn all_restored(&mut self, now: Tick, effects: &mut Vec<CoordinatorEffect>) {
        let phase = std::mem::replace(&mut self.phase, Phase::Over);
        let Phase::Restoring(restoring) = phase else { unreachable!("subtasks are being restored") };
        let Restoring { authority, meta, base, waiting: _, until: _ } = restoring;
        if let Some(fork) = self.fork.clone().filter(|_| !self.is_cancelled()) {
            // The newest decision is resolved, and may now be left behind.
            let reason = EndReason::Forked;
            effects.push(CoordinatorEffect::EndRun { authority, reason, take_back_after: None });
            self.begin_fork(authority.term, authority.run, fork, effects);
            return;
        }
        let Coordinator { job, config, roster, phase, desk, fork: _, fruitless, cancel_by: _ } = self;
        let mut cx = Cx { now, job, config, roster, desk, fruitless, effects, leave: None };
        let running = Running::begin(authority, &meta, base.as_deref(), &mut cx);
        let leave = cx.leave;
        *phase = Phase::Running(Box::new(running));
        if let Some(leave) = leave {
            self.leave(now, leave, effects);
        }
    }
}

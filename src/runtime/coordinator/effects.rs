//! What the coordinator machine wants, done.

use std::time::{SystemTime, UNIX_EPOCH};

use actix::prelude::*;
use watershed_core::checkpoint::{Change, Manifest, Meta};
use watershed_protocol::checkpoint::{
    self, Answer, CoordinatorEffect, CoordinatorEvent, EndReason, ParticipantEvent, Report, Swap, Swapped,
};
use watershed_state::{MetaError, StoreError};

use super::Coordinator;
use super::run::{Launching, Stopping};
use crate::element::{Barrier, Ending};
use crate::harm::{self, Point};
use crate::message::{Drain, Forget, Trigger, Word};

impl Coordinator {
    pub(super) fn perform(&mut self, effect: CoordinatorEffect, cx: &mut Context<Self>) {
        match effect {
            CoordinatorEffect::Swap(swap) => self.swap(swap, cx),
            CoordinatorEffect::ReadMeta => {
                let meta = self.storage.meta.clone();
                let read = async move { meta.read().await };
                cx.spawn(read.into_actor(self).map(|read, coordinator, cx| {
                    coordinator.note_roll_backs(read.as_ref().ok());
                    let event = read.map_or(CoordinatorEvent::MetaUnread, CoordinatorEvent::MetaRead);
                    coordinator.feed(event, cx);
                }));
            }
            CoordinatorEffect::LoadManifest(pointer) => {
                let store = self.storage.depot.store.clone();
                let load = async move { store.manifest(&pointer).await };
                cx.spawn(load.into_actor(self).map(|loaded, coordinator, cx| {
                    let event = match loaded {
                        Ok(manifest) => CoordinatorEvent::Loaded(manifest),
                        Err(error) => CoordinatorEvent::LoadFailed(failure(&error)),
                    };
                    coordinator.feed(event, cx);
                }));
            }
            CoordinatorEffect::Restore { authority, subtask, after, permit, part } => {
                let launching = self.launching.get_or_insert_with(|| Launching {
                    authority,
                    after,
                    base: permit.map(|permit| permit.epoch()),
                    parts: Default::default(),
                });
                launching.parts.insert(subtask, part);
            }
            CoordinatorEffect::Start { authority, subtask } => {
                self.tell(subtask, ParticipantEvent::Start { authority });
            }
            CoordinatorEffect::Trigger { authority, epoch, completed, intent, at } => {
                self.board.triggered(epoch);
                let barrier = Barrier { epoch, completed };
                for subtask in at {
                    self.pass(subtask, Word::Trigger(Trigger { authority, barrier, intent }));
                }
                harm::reach(Point::Triggered);
            }
            CoordinatorEffect::AbortNote { authority, epoch } => {
                for subtask in self.subtasks() {
                    self.tell(subtask, ParticipantEvent::AbortNote { authority, epoch });
                }
            }
            CoordinatorEffect::Drain { authority: _ } => {
                // Open windows of a job that somebody ends stay open, since their input was not over.
                let ending = if self.cancelled { Ending::Cancelled } else { Ending::Complete };
                self.drained |= !self.cancelled;
                for subtask in self.subtasks() {
                    self.pass(subtask, Word::Drain(Drain(ending)));
                }
            }
            CoordinatorEffect::WriteManifest(manifest) => self.write(*manifest, cx),
            CoordinatorEffect::Commit { authority, permit, subtask, xids } => {
                let epoch = permit.epoch();
                self.tell(subtask, ParticipantEvent::Commit { authority, epoch, xids });
            }
            CoordinatorEffect::Forget { before } => {
                for subtask in self.subtasks() {
                    self.pass(subtask, Word::Forget(Forget(before)));
                }
                self.forget(before, cx);
            }
            CoordinatorEffect::EndRun { authority, reason, take_back_after } => {
                tracing::info!(run = %authority.run, %reason, "the run ends");
                self.launching = None;
                self.stop(Stopping { authority, take_back_after }, cx);
            }
            CoordinatorEffect::Answer { request, answer } => match (self.asked.remove(&request), answer) {
                // Whoever asked may have given up.
                (Some(asked), answer) => drop(asked.send(answer)),
                (None, Answer::Done(_)) => {}
                (None, Answer::Refused { wish, reason }) => {
                    tracing::warn!(?wish, reason, "a request is refused");
                }
            },
            CoordinatorEffect::Report(report) => self.report(report, cx),
        }
    }

    fn tell(&self, subtask: watershed_core::SubtaskId, event: ParticipantEvent) {
        self.pass(subtask, Word::Hear(event));
    }

    fn swap(&mut self, Swap { guard, change }: Swap, cx: &mut Context<Self>) {
        let (meta, asked) = (self.storage.meta.clone(), change.clone());
        let decides = matches!(change, Change::Complete(_));
        if decides {
            harm::reach(Point::BeforeDecision);
        }
        let swap = async move { meta.cas(guard, asked).await };
        cx.spawn(swap.into_actor(self).map(move |swapped, coordinator, cx| {
            if decides && swapped.is_ok() {
                harm::reach(Point::AfterDecision);
            }
            // A refusal may show our own change, asked for twice by whoever carries it.
            let decided = match &swapped {
                Ok(meta) => Some(meta),
                Err(MetaError::Refused { current, .. }) => Some(&**current),
                Err(MetaError::Failed { .. } | MetaError::Unknown { .. }) => None,
            };
            coordinator.note_roll_backs(decided);
            let result = match swapped {
                Ok(meta) => Swapped::Done(meta),
                Err(MetaError::Refused { current, .. }) => Swapped::Refused(*current),
                Err(error) if error.is_fatal() => return coordinator.give_up(&error, cx),
                Err(error @ MetaError::Failed { .. }) => {
                    tracing::warn!(%error, "a decision was not made");
                    Swapped::Failed
                }
                Err(error @ MetaError::Unknown { .. }) => {
                    tracing::warn!(%error, "whether a decision was made is not known");
                    Swapped::Unknown
                }
            };
            coordinator.feed(CoordinatorEvent::Swapped { change, result }, cx);
        }));
    }

    /// Takes note of how often the job was set back, for the crews of the next run.
    fn note_roll_backs(&mut self, meta: Option<&Meta>) {
        if let Some(meta) = meta {
            self.roll_backs.clone_from(&meta.roll_backs);
        }
    }

    /// Ends the job, since its store cannot be trusted any more: what a failed sync has lost is not known, and no
    /// later one tells. The next process reads what is really there.
    fn give_up(&mut self, error: &dyn std::error::Error, cx: &mut Context<Self>) {
        let reason = error.to_string();
        tracing::error!(reason, "the job ends: its state directory cannot be trusted any more");
        // What failed before is not why.
        self.cause = None;
        self.feed(CoordinatorEvent::Broken { reason }, cx);
    }

    fn write(&mut self, mut manifest: Manifest, cx: &mut Context<Self>) {
        harm::reach(Point::BeforeManifest);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        manifest.taken_at = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        let (store, epoch) = (self.storage.depot.store.clone(), manifest.epoch);
        let write = async move { store.put_manifest(&manifest).await };
        cx.spawn(write.into_actor(self).map(move |written, coordinator, cx| {
            if written.is_ok() {
                harm::reach(Point::AfterManifest);
            }
            let event = match written {
                Err(error) if error.is_fatal() => return coordinator.give_up(&error, cx),
                Ok(pointer) => CoordinatorEvent::ManifestWritten { epoch, object: pointer.manifest },
                Err(error) => CoordinatorEvent::ManifestFailed { epoch, reason: error.to_string() },
            };
            coordinator.feed(event, cx);
        }));
    }

    fn report(&mut self, report: Report, cx: &mut Context<Self>) {
        match report {
            Report::Running { authority, base } => {
                tracing::info!(run = %authority.run, ?base, "the run has begun");
                self.board.began(base);
                self.tell_all_agreed(cx);
            }
            Report::Completed(pointer) => {
                tracing::debug!(epoch = %pointer.epoch, "a checkpoint is complete");
                self.board.completed(pointer.epoch);
                self.tell_complete(pointer.epoch);
                self.has_run = true;
                self.quarantine.completed(pointer.epoch);
            }
            Report::GivenUp { epoch, reason } => {
                tracing::warn!(%epoch, reason, "a checkpoint was given up");
            }
            Report::Uncertain(epoch) => {
                tracing::warn!(%epoch, "whether the checkpoint is complete is not known yet");
            }
            Report::Violated(epoch, violation) => {
                tracing::error!(%epoch, %violation, "the votes of a checkpoint were no consistent cut");
            }
            Report::Committed(epoch) => tracing::debug!(%epoch, "all output of a checkpoint is committed"),
            Report::Degraded { reason } => tracing::warn!(reason, "the job runs, but cannot checkpoint"),
            Report::Healthy => tracing::info!("the job checkpoints again"),
            // Somebody wanted it so: nothing has failed.
            Report::Restarting { reason: reason @ (EndReason::Rescaled | EndReason::Moved) } => {
                tracing::info!(%reason, "the job goes on from its last checkpoint");
            }
            Report::Restarting { reason: EndReason::Cancelled } => {
                tracing::info!("whether a checkpoint is decided is found out before the job ends");
            }
            Report::Restarting { reason } => {
                tracing::warn!(%reason, "the job goes back to its last checkpoint");
                // What the next run fails of has a reason of its own.
                self.cause = None;
                self.board.restarted();
            }
            Report::Following => self.tell_deposed(cx),
            Report::Over(over) => self.outcome = Some(over),
        }
    }
}

fn failure(error: &StoreError) -> checkpoint::Failure {
    let permanent = matches!(error, StoreError::Missing { .. } | StoreError::Damaged { .. });
    checkpoint::Failure { reason: error.to_string(), permanent }
}

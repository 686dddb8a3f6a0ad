//! Subtasks that fail: what the coordinator machine hears of it, and what becomes of records by which they panic.
//!
//! What [`Quarantine`] decides is told in three ways: the machine hears whether the end of the run counts, the next
//! run's subtasks hear what to be careful about and what to leave out, and whoever watches the job hears which record
//! it was. A job whose storage does not last has one run, and no use for any of it.

use std::collections::BTreeSet;

use actix::prelude::*;
use watershed_core::stage::{DEAD_LETTERS, Shunned};
use watershed_core::{Plan, PlanError, VertexId};
use watershed_protocol::checkpoint::{self, CoordinatorEvent};
use watershed_protocol::{Panicked, PoisonPolicy, Quarantine, Refusal, Verdict};

use super::Coordinator;
use crate::config::Config;
use crate::crew::CareOrder;
use crate::error::{Failure, JobError, quoted};
use crate::message::{Failed, LeftOut};

/// The quarantine of a job. Refused where records could be put there, and nobody would see them again.
pub(super) fn quarantine(plan: &Plan, config: &Config, lasts: bool) -> Result<Quarantine, JobError> {
    let letters = plan.edges.iter().filter(|edge| edge.output == DEAD_LETTERS.name());
    let takers: BTreeSet<VertexId> = letters.map(|edge| edge.from).collect();
    if lasts && config.poison.policy == PoisonPolicy::Quarantine && takers.is_empty() {
        let reason = "records that make an operator panic would go to the dead letters, which nobody takes: take \
                      them with Pipeline::dead_letters, or let such records fail the job";
        return Err(PlanError::Pipeline(reason.to_owned()).into());
    }
    Ok(Quarantine::new(config.poison.clone(), takers))
}

impl Coordinator {
    /// What the subtasks of a vertex are to be careful about in the run that begins.
    pub(super) fn care_of(&self, vertex: VertexId) -> Option<CareOrder> {
        let order = self.quarantine.care(vertex)?;
        let attempts = self.config.poison.max_attempts;
        let shunned = order.leave_out.into_iter().map(|one| {
            let record = quoted(&one.culprit.bytes);
            Shunned {
                number: one.number,
                times: one.times,
                time: one.culprit.time,
                stage: one.culprit.stage,
                reason: format!(
                    "{}, in each of {attempts} tries; the record, which is kept as MessagePack, was {record}",
                    one.culprit.reason
                ),
                bytes: one.culprit.bytes,
            }
        });
        Some(CareOrder { barriers: order.barriers, shunned: shunned.collect() })
    }

    /// Decides what follows a panic: what the machine is to hear of it.
    fn judge(&mut self, panicked: Panicked, failure: &mut Failure) -> Judgement {
        if !self.storage.depot.lasts {
            let advice = "keep checkpoints (--state-dir), and the record is looked for at which it does so";
            failure.advice = Some(advice.to_owned());
            return Judgement::Counts;
        }
        match self.quarantine.panicked(panicked) {
            Verdict::Unknown | Verdict::Struck { excused: false, .. } => Judgement::Counts,
            Verdict::Struck { excused: true, .. } => Judgement::Excused,
            Verdict::SetAside { attempts } => {
                tracing::warn!(%failure, attempts, "a record is put in quarantine, and becomes a dead letter");
                Judgement::Excused
            }
            Verdict::Fails { attempts, why } => {
                failure.advice = Some(match why {
                    Refusal::Policy => format!(
                        "it did so in each of {attempts} tries: [poison] policy = \"quarantine\" would make it a dead \
                         letter, and go on"
                    ),
                    Refusal::Full => format!(
                        "it did so in each of {attempts} tries, and {} records are in quarantine already, which is \
                         [poison] quarantine_max",
                        self.config.poison.quarantine_max
                    ),
                    Refusal::NoTaker => format!(
                        "it did so in each of {attempts} tries, and cannot be put in quarantine: nobody takes the dead \
                         letters of an operator that takes those of others"
                    ),
                });
                Judgement::Final
            }
        }
    }
}

/// What a panic means for the job.
enum Judgement {
    /// It counts as any failure.
    Counts,
    /// It does not count.
    Excused,
    /// It ends the job.
    Final,
}

impl Coordinator {
    /// Something failed in a run.
    pub(super) fn failed(&mut self, failed: Failed, cx: &mut Context<Self>) {
        let Failed { authority, mut failure, panicked } = failed;
        // What else fails in a run that is over already has its reason there.
        if self.machine.authority() != Some(authority) {
            return;
        }
        let subtask = failure.subtask;
        let judgement = match panicked {
            Some(panicked) => self.judge(panicked, &mut failure),
            None if failure.is_final() => Judgement::Final,
            None => Judgement::Counts,
        };
        let reason = failure.to_string();
        self.blame(authority, JobError::Failed(Box::new(failure)));
        let lost = |permanent| {
            let failure = checkpoint::Failure { reason: reason.clone(), permanent };
            CoordinatorEvent::Lost { authority, subtask, failure }
        };
        let event = match judgement {
            Judgement::Counts => lost(false),
            Judgement::Final => lost(true),
            Judgement::Excused => CoordinatorEvent::Poisoned { authority, subtask, reason },
        };
        self.feed(event, cx);
    }

    /// Records were left out before the barrier of a checkpoint.
    pub(super) fn left_out(&mut self, LeftOut { authority, epoch, records }: LeftOut) {
        if self.machine.authority() == Some(authority) {
            for number in records {
                self.quarantine.left_out(epoch, number, 1);
            }
        }
    }
}

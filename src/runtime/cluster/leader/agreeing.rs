//! What the nodes of a job agree on, asked of the leader.

use std::time::Duration;

use actix::prelude::*;
use futures_util::FutureExt;
use watershed_cluster::JobRecord;
use watershed_core::checkpoint::Register;
use watershed_protocol::agree::{Proposal, Refused};

use super::Leader;
use super::requests::Answering;
use crate::agree::WAIT_MAX;
use crate::cluster::request::{Answer, Problem, ProblemKind};
use crate::coordinator::{Agree, AskAgreed};

impl Leader {
    /// Has a proposal decided.
    pub(super) fn agree(&self, job: &str, proposal: Proposal, within: Duration) -> Answering {
        let led = match self.led(job) {
            Ok(led) => led,
            Err(problem) => return self.not_led(job, problem, |refused| Answer::Agreed(Err(refused))),
        };
        let asked = led.coordinator.send(Agree { proposal, within: within.min(WAIT_MAX) });
        let answered = asked.map(|asked| {
            let gone = |_| Err(Refused::Unknown(GONE.to_owned()));
            Ok(Answer::Agreed(asked.unwrap_or_else(gone)))
        });
        Box::pin(answered.into_actor(self))
    }

    /// Reads what is agreed on.
    pub(super) fn agreed(&self, job: &str, register: Register, within: Duration) -> Answering {
        let led = match self.led(job) {
            Ok(led) => led,
            Err(problem) => return self.not_led(job, problem, |refused| Answer::Register(Err(refused))),
        };
        let asked = led.coordinator.send(AskAgreed { register, within: within.min(WAIT_MAX) });
        let answered = asked.map(|asked| {
            let gone = |_| Err(Refused::Unavailable(GONE.to_owned()));
            Ok(Answer::Register(asked.unwrap_or_else(gone)))
        });
        Box::pin(answered.into_actor(self))
    }

    /// Says that there is no such job, or that it is not led yet.
    fn not_led(&self, job: &str, problem: Problem, absent: fn(Refused) -> Answer) -> Answering {
        let (cluster, job) = (self.cluster.clone(), job.to_owned());
        let again = |what: String| Err(Problem::new(ProblemKind::NotLeading, what));
        let view = async move { cluster.view().await };
        Box::pin(view.into_actor(self).map(move |view, _, _| match view {
            Ok(view) if view.state.jobs.get(&job).is_some_and(JobRecord::lives_on) => {
                again(format!("job {job} is not taken up yet, or is suspended"))
            }
            Ok(_) => Ok(absent(Refused::Absent(problem.what))),
            Err(error) => again(error.to_string()),
        }))
    }
}

/// A coordinator that is gone may have decided before.
const GONE: &str = "the job's coordinator is gone";

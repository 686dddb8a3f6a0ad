//! Carries what the subtasks of a crew report to the leader.

use actix::prelude::*;
use watershed_link::RemoteActor;

use super::message::Dispatch;
use super::told::ReportTold;
use crate::message::Report;

/// Carries what the subtasks of a crew report to the leader. What does not arrive is missed by it: a vote by its
/// time-out, all else with the link.
pub(crate) struct Envoy {
    pub(crate) job: u32,
    pub(crate) leader: RemoteActor<Dispatch>,
}

impl Actor for Envoy {
    type Context = Context<Self>;
}

impl Handler<Report> for Envoy {
    type Result = ();

    fn handle(&mut self, report: Report, _: &mut Self::Context) {
        let report = ReportTold::of(report).expect("a subtask says what subtasks say");
        if let Err(error) = self.leader.tell(Dispatch { job: self.job, report }) {
            tracing::debug!(job = self.job, %error, "a report does not reach the leader");
        }
    }
}

//! How a coordinator reaches a crew, wherever that is.

use actix::prelude::*;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use watershed_core::checkpoint::Agreement;
use watershed_core::{Epoch, SubtaskId};
use watershed_protocol::checkpoint::Authority;

use super::{Assignment, Completed, Crew, Deploy, Dismiss, Hindrance, Pass, TellAgreed};
use crate::message::{Report, Stop, Word};

/// How a coordinator reaches a crew. What is told first arrives first.
pub(crate) trait CrewLine: Send + Sync {
    /// Has the subtasks of a run brought to life; what hinders it.
    fn deploy(
        &self,
        assignment: Assignment,
        coordinator: Recipient<Report>,
    ) -> LocalBoxFuture<'static, Result<(), Hindrance>>;

    /// Passes a word on to a subtask of a run.
    fn pass(&self, authority: Authority, subtask: SubtaskId, word: Word);

    /// Says that a checkpoint of a run is complete.
    fn complete(&self, authority: Authority, epoch: Epoch);
    /// Says what was agreed on, for the tasks of a run to hear.
    fn agreed(&self, authority: Authority, agreements: Vec<Agreement>);

    /// Has subtasks stopped; ready when they have, or are out of reach.
    fn dismiss(&self, subtasks: Vec<SubtaskId>, stop: Stop) -> LocalBoxFuture<'static, ()>;
}

impl CrewLine for Addr<Crew> {
    fn deploy(
        &self,
        assignment: Assignment,
        coordinator: Recipient<Report>,
    ) -> LocalBoxFuture<'static, Result<(), Hindrance>> {
        let deployed = self.send(Deploy { assignment, coordinator, abandoned: None });
        deployed
            .map(|answer| answer.unwrap_or_else(|_| Err(Hindrance::passing("its crew is gone"))))
            .boxed_local()
    }

    fn pass(&self, _: Authority, subtask: SubtaskId, word: Word) {
        self.do_send(Pass { subtask, word });
    }

    fn complete(&self, authority: Authority, epoch: Epoch) {
        self.do_send(Completed { authority, epoch });
    }

    fn agreed(&self, authority: Authority, agreements: Vec<Agreement>) {
        self.do_send(TellAgreed { authority, agreements });
    }

    fn dismiss(&self, subtasks: Vec<SubtaskId>, stop: Stop) -> LocalBoxFuture<'static, ()> {
        self.send(Dismiss { subtasks: Some(subtasks), stop }).map(|_| ()).boxed_local()
    }
}

//! How a coordinator reaches a crew, wherever that is.

use actix::prelude::*;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use watershed_core::SubtaskId;
use watershed_protocol::checkpoint::Authority;

use super::{Assignment, Crew, Deploy, Dismiss, Hindrance, Pass};
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

    /// Has subtasks stopped; ready when they have, or are out of reach.
    fn dismiss(&self, subtasks: Vec<SubtaskId>, stop: Stop) -> LocalBoxFuture<'static, ()>;
}

impl CrewLine for Addr<Crew> {
    fn deploy(
        &self,
        assignment: Assignment,
        coordinator: Recipient<Report>,
    ) -> LocalBoxFuture<'static, Result<(), Hindrance>> {
        let deployed = self.send(Deploy { assignment, coordinator });
        deployed
            .map(|answer| answer.unwrap_or_else(|_| Err(Hindrance::passing("its crew is gone"))))
            .boxed_local()
    }

    fn pass(&self, _: Authority, subtask: SubtaskId, word: Word) {
        self.do_send(Pass { subtask, word });
    }

    fn dismiss(&self, subtasks: Vec<SubtaskId>, stop: Stop) -> LocalBoxFuture<'static, ()> {
        self.send(Dismiss { subtasks: Some(subtasks), stop }).map(|_| ()).boxed_local()
    }
}

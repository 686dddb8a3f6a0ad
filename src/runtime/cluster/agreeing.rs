//! What the nodes of a job agree on, proposed and read through any node.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use watershed_core::checkpoint::{Agreement, Register};
use watershed_link::{AskError, NodeName};
use watershed_protocol::agree::{Proposal, Refused};

use super::message::LEADER;
use super::node::NodeHandle;
use super::request::{Answer, Problem, ProblemKind, Request};
use crate::agree::{Reading, WAIT_MAX};

/// How long it is waited before it is looked again who leads.
const AGAIN: Duration = Duration::from_millis(50);

/// How much longer than the leader itself this node waits for its answer.
const GRACE: Duration = Duration::from_millis(200);

/// What became of one try.
enum Tried {
    Answered(Answer),
    /// Nothing can have been done.
    Undone(String),
    /// It may have been done.
    Unknown(String),
}

impl NodeHandle {
    /// Has a proposal decided by the nodes of a job, once at most, within a time of up to
    /// [`WAIT_MAX`](crate::agree::WAIT_MAX).
    ///
    /// # Errors
    ///
    /// Where it is not decided, or nobody knows whether it is: [`Refused::is_definite`] tells which.
    pub async fn agree(&self, job: &str, proposal: Proposal, within: Duration) -> Result<Agreement, Refused> {
        let until = Instant::now() + within.min(WAIT_MAX);
        loop {
            let proposal = proposal.clone();
            let request = |within| Request::Agree { job: job.to_owned(), proposal, within };
            let why = match self.ask_once(request, until).await {
                Tried::Answered(Answer::Agreed(answer)) => return answer,
                Tried::Answered(other) => return Err(Refused::Unknown(format!("another answer: {other:?}"))),
                Tried::Unknown(why) => return Err(Refused::Unknown(why)),
                Tried::Undone(why) => why,
            };
            if !pause(until).await {
                return Err(Refused::Unavailable(why));
            }
        }
    }

    /// What the nodes of a job have agreed on, as of an instant after the question: no older than any agreement that was
    /// answered before. The leader has a quorum confirm that it still leads before it answers.
    ///
    /// # Errors
    ///
    /// Where there is no such register, or no quorum is reached within a time of up to
    /// [`WAIT_MAX`](crate::agree::WAIT_MAX).
    pub async fn agreed(
        &self,
        job: &str,
        register: Register,
        within: Duration,
    ) -> Result<Option<Agreement>, Refused> {
        let reading = self.read_agreed(job, register, within).await?;
        Ok(reading.map(|reading| reading.agreement))
    }

    /// As [`NodeHandle::agreed`], with the value as a task reads it.
    pub(crate) async fn read_agreed(
        &self,
        job: &str,
        register: Register,
        within: Duration,
    ) -> Result<Option<Reading>, Refused> {
        let until = Instant::now() + within.min(WAIT_MAX);
        loop {
            let register = register.clone();
            let request = |within| Request::Agreed { job: job.to_owned(), register, within };
            let why = match self.ask_once(request, until).await {
                Tried::Answered(Answer::Register(answer)) => return answer,
                Tried::Answered(other) => format!("another answer: {other:?}"),
                // Whoever only reads may ask again.
                Tried::Undone(why) | Tried::Unknown(why) => why,
            };
            if !pause(until).await {
                return Err(Refused::Unavailable(why));
            }
        }
    }

    /// Asks whoever leads, once.
    async fn ask_once(&self, request: impl FnOnce(Duration) -> Request, until: Instant) -> Tried {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Tried::Undone("there is no time left".to_owned());
        }
        let Some(name) = self.leader().and_then(|leader| NodeName::new(&leader).ok()) else {
            return Tried::Undone("no node leads the cluster".to_owned());
        };
        let leader = self.links().actor::<Request>(&name, LEADER);
        match leader.ask_within(request(left), left + GRACE).await {
            Ok(Ok(answer)) => Tried::Answered(answer),
            Ok(Err(Problem { kind: ProblemKind::NotLeading, what })) => Tried::Undone(what),
            Ok(Err(Problem { what, .. })) => Tried::Unknown(what),
            Err(AskError::Unsent(error)) => {
                Tried::Undone(format!("node {name}, which leads, is not reached: {error}"))
            }
            Err(error) => Tried::Unknown(format!("node {name}, which leads, does not answer: {error}")),
        }
    }
}

/// Waits before the next try; `false` where there is no time for one.
async fn pause(until: Instant) -> bool {
    let left = until.saturating_duration_since(Instant::now());
    sleep(AGAIN.min(left)).await;
    left > AGAIN
}

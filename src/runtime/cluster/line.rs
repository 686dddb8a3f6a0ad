//! How the leader reaches the crew of a job on a node.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use watershed_core::checkpoint::Agreement;
use watershed_core::{Epoch, SubtaskId};
use watershed_link::{Links, NodeName, RemoteActor};
use watershed_protocol::checkpoint::Authority;

use super::message::{AgreedTold, CompletedTold, Discharge, Enlist, Relay, Ticket, WORKER};
use crate::crew::{Assignment, CrewLine, Hindrance};
use crate::message::{Report, Stop, Word};

/// How the leader reaches the crew of a job on a node, its own or another.
pub(crate) struct RemoteCrew {
    ticket: Arc<Ticket>,
    leader: NodeName,
    enlist: RemoteActor<Enlist>,
    relay: RemoteActor<Relay>,
    agreed: RemoteActor<AgreedTold>,
    discharge: RemoteActor<Discharge>,
    complete: RemoteActor<CompletedTold>,
    limits: LineLimits,
}

/// How long the leader waits for a worker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LineLimits {
    /// For a crew to be made, in place of the one before. Default: 30 s.
    pub(crate) enlist_within: Duration,
    /// For its subtasks to stop. Default: 6 s.
    pub(crate) discharge_within: Duration,
}

impl Default for LineLimits {
    fn default() -> Self {
        LineLimits { enlist_within: Duration::from_secs(30), discharge_within: Duration::from_secs(6) }
    }
}

impl RemoteCrew {
    pub(crate) fn new(links: &Links, node: &NodeName, ticket: Arc<Ticket>, limits: LineLimits) -> Self {
        RemoteCrew {
            ticket,
            leader: links.local().node.clone(),
            enlist: links.actor(node, WORKER),
            relay: links.actor(node, WORKER),
            agreed: links.actor(node, WORKER),
            discharge: links.actor(node, WORKER),
            complete: links.actor(node, WORKER),
            limits,
        }
    }
}

impl CrewLine for RemoteCrew {
    /// What it reports comes to the leader as a dispatch, so the coordinator's own address is of no use.
    fn deploy(
        &self,
        assignment: Assignment,
        _: Recipient<Report>,
    ) -> LocalBoxFuture<'static, Result<(), Hindrance>> {
        let enlist = Enlist { ticket: (*self.ticket).clone(), assignment, leader: self.leader.clone() };
        let (to, within) = (self.enlist.clone(), self.limits.enlist_within);
        async move {
            let answer = to.ask_within(enlist, within).await;
            answer.unwrap_or_else(|error| Err(Hindrance::passing(error)))
        }
        .boxed_local()
    }

    fn pass(&self, authority: Authority, subtask: SubtaskId, word: Word) {
        let (leader, job) = (self.leader.clone(), self.ticket.number);
        let relay = Relay { leader, job, authority, subtask, word: word.into() };
        if let Err(error) = self.relay.tell(relay) {
            // Whoever is out of reach is reported lost, by the link.
            tracing::debug!(job = self.ticket.name, %subtask, %error, "a word does not reach its subtask");
        }
    }

    fn complete(&self, authority: Authority, epoch: Epoch) {
        let (leader, job) = (self.leader.clone(), self.ticket.number);
        // Whoever is out of reach is reported lost, by the link.
        let _ = self.complete.tell(CompletedTold { leader, job, authority, epoch });
    }

    fn agreed(&self, authority: Authority, agreements: Vec<Agreement>) {
        let (leader, job) = (self.leader.clone(), self.ticket.number);
        if let Err(error) = self.agreed.tell(AgreedTold { leader, job, authority, agreements }) {
            // The run ends with the link, and the next one is told again.
            tracing::debug!(job = self.ticket.name, %error, "what was agreed on does not reach the job");
        }
    }

    fn dismiss(&self, subtasks: Vec<SubtaskId>, stop: Stop) -> LocalBoxFuture<'static, ()> {
        let Stop { authority, take_back_after, flushes } = stop;
        let job = self.ticket.number;
        let (knows, newest) = (take_back_after.is_some(), take_back_after.flatten());
        let leader = self.leader.clone();
        let discharge = Discharge { leader, job, authority, subtasks, knows, newest, flushes };
        let (to, within) = (self.discharge.clone(), self.limits.discharge_within);
        async move {
            if let Err(error) = to.ask_within(discharge, within).await {
                // It stops what it has of this run when it comes back.
                tracing::debug!(job, %error, "subtasks are out of reach and are left behind");
            }
        }
        .boxed_local()
    }
}

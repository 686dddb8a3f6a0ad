//! A job whose nodes change: they come, leave, are lost, and it gets more or fewer subtasks.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix::prelude::*;
use watershed_protocol::checkpoint::{self, Authority, CoordinatorEvent};

use super::{Coordinator, Site};
use crate::board::{Board, CheckpointReport, VertexReport};
use crate::deploy::Deployment;

/// To a coordinator: this is where subtasks can live from now on. A run that needs room looks for it again.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct SetSites {
    pub(crate) sites: Vec<Site>,
    /// Whether all nodes that are to be expected are there: a job that has run waits for that no longer than it must.
    pub(crate) settled: bool,
}

/// To a coordinator: a node is gone.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct NodeLost {
    pub(crate) node: String,
    pub(crate) reason: String,
}

/// To a coordinator: go on from the newest checkpoint on the nodes that there are now, with this many subtasks for each
/// vertex that does not say; with as many as before where it is not told.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Reshape {
    pub(crate) parallelism: Option<u32>,
}

/// To a coordinator: another one reigns, or will. It ends without a word to anybody, since all it could say is stale.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Retire;

/// To a coordinator: how does the job stand?
#[derive(Message)]
#[rtype(result = "Look")]
pub(crate) struct LookAt;

/// How a job stands.
#[derive(Clone, Debug, MessageResponse)]
pub(crate) struct Look {
    pub(crate) authority: Option<Authority>,
    /// How many of its slots each node has.
    pub(crate) slots: BTreeMap<String, u32>,
    pub(crate) waits_for: Option<String>,
    pub(crate) parallelism: u32,
    pub(crate) vertices: Vec<VertexReport>,
    pub(crate) checkpoints: CheckpointReport,
}

/// From a coordinator to whoever watches over its cluster: it has taken slots, or given them up.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Seated {
    pub(crate) job: String,
    pub(crate) authority: Authority,
    /// How many slots it has on each node.
    pub(crate) slots: BTreeMap<String, u32>,
}

/// From a coordinator to whoever watches over its cluster: another one reigns, and this one does nothing more.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Deposed {
    pub(crate) job: String,
    pub(crate) coordinator: Addr<Coordinator>,
}

/// Who watches over the jobs of a cluster.
pub(crate) struct Watch {
    pub(crate) seated: Recipient<Seated>,
    pub(crate) deposed: Recipient<Deposed>,
}

impl Coordinator {
    /// Makes the job one of a cluster, under a name there, whose leader hears where it is seated.
    #[must_use]
    pub(crate) fn watched_by(mut self, name: &str, leader: Watch) -> Self {
        name.clone_into(&mut self.name);
        self.settled = false;
        self.leader = Some(leader);
        self
    }

    /// Says where the job is seated.
    pub(super) fn tell_seats(&self, authority: Authority) {
        if let Some(leader) = &self.leader {
            leader.seated.do_send(Seated { job: self.name.clone(), authority, slots: self.slots() });
        }
    }

    /// Says that another coordinator reigns.
    pub(super) fn tell_deposed(&self, cx: &Context<Self>) {
        tracing::warn!("another coordinator reigns");
        if let Some(leader) = &self.leader {
            leader.deposed.do_send(Deposed { job: self.name.clone(), coordinator: cx.address() });
        }
    }
}

impl Handler<SetSites> for Coordinator {
    type Result = ();

    fn handle(&mut self, SetSites { sites, settled }: SetSites, cx: &mut Self::Context) {
        (self.sites, self.settled) = (sites, settled);
        self.launch(cx);
    }
}

impl Handler<NodeLost> for Coordinator {
    type Result = ();

    fn handle(&mut self, NodeLost { node, reason }: NodeLost, cx: &mut Self::Context) {
        let Some(authority) = self.machine.authority() else { return };
        let Some(subtask) = self.subtask_on(&node, authority) else { return };
        let failure =
            checkpoint::Failure { reason: format!("node {node} is lost: {reason}"), permanent: false };
        self.feed(CoordinatorEvent::Lost { authority, subtask, failure }, cx);
    }
}

impl Handler<Reshape> for Coordinator {
    type Result = ();

    fn handle(&mut self, Reshape { parallelism }: Reshape, cx: &mut Self::Context) {
        let Some(parallelism) = parallelism else { return self.feed(CoordinatorEvent::Move, cx) };
        self.config.parallelism = parallelism;
        self.config.arbiters = parallelism as usize;
        self.board = Arc::new(Board::new(&self.plan, parallelism));
        // What the run that ends still tells is of the board before.
        self.deployed = None;
        let (slots, batch_records) = (self.config.arbiters, self.config.batch_records);
        let layout = Deployment::of(&self.plan, parallelism, batch_records, slots, Authority::default());
        self.feed(CoordinatorEvent::Rescale(layout.roster(&self.plan)), cx);
    }
}

impl Handler<Retire> for Coordinator {
    type Result = ();

    fn handle(&mut self, _: Retire, cx: &mut Self::Context) {
        self.over = None;
        cx.stop();
    }
}

impl Handler<LookAt> for Coordinator {
    type Result = Look;

    fn handle(&mut self, _: LookAt, _: &mut Self::Context) -> Look {
        Look {
            authority: self.machine.authority(),
            slots: self.slots(),
            waits_for: self.waits_for.clone(),
            parallelism: self.config.parallelism,
            vertices: self.board.report(),
            checkpoints: self.board.checkpoints(),
        }
    }
}

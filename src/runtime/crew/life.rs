//! Brings subtasks to life on this process's arbiters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

use actix::prelude::*;
use actix_rt::ArbiterHandle;
use watershed_core::shared::Replica;
use watershed_core::stage::{Care, TaskContext, TaskInfo};
use watershed_core::task::AnyTask;
use watershed_core::{Epoch, SubtaskId, VertexId};

use super::Crew;
use crate::board::SubtaskBoard;
use crate::convoy::{Convoy, Place};
use crate::launch::Launch;
use crate::message::{Handle, Report};
use crate::pace;
use crate::participation::Membership;
use crate::source::SourceActor;
use crate::split::Assigned;
use crate::subtask::SubtaskActor;
use crate::vigil::{Post, Vigil};
use crate::wake::Bell;

/// A thread on which subtasks can live.
#[derive(Clone)]
pub(crate) struct Seat {
    pub(crate) arbiter: ArbiterHandle,
    pub(crate) vigil: Arc<Vigil>,
}

/// One subtask to be brought to life.
pub(crate) struct Order {
    pub(crate) info: TaskInfo,
    pub(crate) task: AnyTask,
    /// Its place among the seats of the process.
    pub(crate) seat: usize,
    pub(crate) board: Arc<SubtaskBoard>,
    /// What a source's subtask is to read.
    pub(crate) splits: Vec<Assigned>,
    pub(crate) membership: Membership,
    /// What it is to be careful about, if it is to be.
    pub(crate) care: Option<Box<Care>>,
}

impl Crew {
    /// Brings subtasks to life, and says how they are reached.
    pub(super) fn bring_to_life(
        &self,
        orders: Vec<Order>,
        coordinator: &Recipient<Report>,
    ) -> BTreeMap<SubtaskId, Handle> {
        // The subtasks of an earlier run have stopped, whatever was still on its way to them.
        self.seats.iter().for_each(|seat| seat.vigil.settle());
        let mut convoys: BTreeMap<VertexId, Arc<Convoy>> = BTreeMap::new();
        let bring = |order: Order| {
            let (subtask, parallelism) = (order.info.subtask, order.info.parallelism);
            let convoy = convoys.entry(subtask.vertex).or_insert_with(|| Arc::new(Convoy::new(parallelism)));
            (subtask, self.bring_one_to_life(order, convoy.clone(), coordinator.clone()))
        };
        orders.into_iter().map(bring).collect()
    }

    fn bring_one_to_life(&self, order: Order, convoy: Arc<Convoy>, coordinator: Recipient<Report>) -> Handle {
        let Seat { arbiter, vigil } = &self.seats[order.seat % self.seats.len()];
        let place = Place::new(convoy, order.info.subtask.index);
        let (bell, config, board) = (Arc::new(Bell::default()), self.config.clone(), order.board);
        let (splits, membership) = (order.splits, order.membership);
        let mut cx = TaskContext::new(Arc::new(order.info), Waker::from(bell.clone()));
        cx.care = order.care;
        cx.job_id = membership.depot.job_id.clone();
        cx.base = membership.base;
        cx.epoch = Epoch(membership.after.0 + 1);
        cx.shared = membership.shared.clone().map(|replica| replica as Arc<dyn Replica>);
        cx.backend = membership.depot.backend.clone();
        for edge in 0..cx.info.outputs.len() {
            cx.outbox.set_batch_records(edge, pace::first(config.batch_records));
        }
        match order.task {
            AnyTask::Chain(task) => {
                let launch = Launch { task, cx, config, bell, board, coordinator, membership, open: false };
                let address = SubtaskActor::start_in_arbiter(arbiter, move |_| SubtaskActor::new(launch));
                Handle {
                    connect: address.clone().recipient(),
                    give_back: Post::new(address.clone(), vigil),
                    hear: address.clone().recipient(),
                    trigger: address.clone().recipient(),
                    stop: address.clone().recipient(),
                    look: Some(address.clone().recipient()),
                    deliver: Some(Post::new(address, vigil)),
                    drain: None,
                    forget: None,
                }
            }
            AnyTask::Source(task) => {
                let launch = Launch { task, cx, config, bell, board, coordinator, membership, open: false };
                let address =
                    SourceActor::start_in_arbiter(arbiter, move |_| SourceActor::new(launch, place, splits));
                Handle {
                    connect: address.clone().recipient(),
                    give_back: Post::new(address.clone(), vigil),
                    hear: address.clone().recipient(),
                    trigger: address.clone().recipient(),
                    stop: address.clone().recipient(),
                    look: None,
                    deliver: None,
                    drain: Some(address.clone().recipient()),
                    forget: Some(address.recipient()),
                }
            }
        }
    }
}

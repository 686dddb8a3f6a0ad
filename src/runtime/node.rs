//! The node actor: keeps this process's arbiters, and brings subtasks to life on them.

use std::sync::Arc;
use std::task::Waker;

use actix::prelude::*;
use watershed_core::SubtaskId;
use watershed_core::stage::{TaskContext, TaskInfo};
use watershed_core::task::AnyTask;

use crate::board::SubtaskBoard;
use crate::config::Config;
use crate::coordinator::Coordinator;
use crate::launch::Launch;
use crate::message::{Handle, SourceHandle};
use crate::source::SourceActor;
use crate::subtask::SubtaskActor;
use crate::wake::Bell;

/// Keeps this process's arbiters.
pub(crate) struct Node {
    arbiters: Vec<Arbiter>,
    config: Config,
}

/// To a node: bring these subtasks to life. The answer names them in the same order.
#[derive(Message)]
#[rtype(result = "Vec<(SubtaskId, Handle)>")]
pub(crate) struct Deploy {
    pub(crate) orders: Vec<Order>,
    pub(crate) coordinator: Addr<Coordinator>,
}

/// One subtask to be brought to life.
pub(crate) struct Order {
    pub(crate) info: TaskInfo,
    pub(crate) task: AnyTask,
    pub(crate) arbiter: usize,
    pub(crate) board: Arc<SubtaskBoard>,
}

impl Node {
    /// Starts the arbiters.
    pub(crate) fn new(config: Config) -> Self {
        let arbiters = (0..config.arbiters.max(1)).map(|_| Arbiter::new()).collect();
        Node { arbiters, config }
    }

    fn bring_to_life(&self, order: Order, coordinator: Addr<Coordinator>) -> Handle {
        let arbiter = self.arbiters[order.arbiter % self.arbiters.len()].handle();
        let (bell, config, board) = (Arc::new(Bell::default()), self.config.clone(), order.board);
        let cx = TaskContext::new(Arc::new(order.info), Waker::from(bell.clone()));
        match order.task {
            AnyTask::Chain(task) => {
                let launch = Launch { task, cx, config, bell, board, coordinator };
                let address = SubtaskActor::start_in_arbiter(&arbiter, move |_| SubtaskActor::new(launch));
                Handle {
                    connect: address.clone().recipient(),
                    give_back: address.clone().recipient(),
                    commit: address.clone().recipient(),
                    stop: address.clone().recipient(),
                    deliver: Some(address),
                    source: None,
                }
            }
            AnyTask::Source(task) => {
                let launch = Launch { task, cx, config, bell, board, coordinator };
                let address = SourceActor::start_in_arbiter(&arbiter, move |_| SourceActor::new(launch));
                Handle {
                    connect: address.clone().recipient(),
                    give_back: address.clone().recipient(),
                    commit: address.clone().recipient(),
                    stop: address.clone().recipient(),
                    deliver: None,
                    source: Some(SourceHandle {
                        start: address.clone().recipient(),
                        cancel: address.recipient(),
                    }),
                }
            }
        }
    }
}

impl Actor for Node {
    type Context = Context<Self>;

    fn stopped(&mut self, _: &mut Self::Context) {
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
    }
}

impl Handler<Deploy> for Node {
    type Result = MessageResult<Deploy>;

    fn handle(&mut self, message: Deploy, _: &mut Self::Context) -> Self::Result {
        let Deploy { orders, coordinator } = message;
        MessageResult(
            orders
                .into_iter()
                .map(|order| (order.info.subtask, self.bring_to_life(order, coordinator.clone())))
                .collect(),
        )
    }
}

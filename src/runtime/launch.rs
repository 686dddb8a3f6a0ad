//! A subtask between its making and its connection.

use std::sync::Arc;

use actix::Recipient;
use watershed_core::stage::{TaskContext, TaskError};

use crate::board::SubtaskBoard;
use crate::config::Config;
use crate::error::{Cause, Failure, JobError};
use crate::guard::guarded;
use crate::message::{Refused, Report};
use crate::outbound::{Outbounds, Target};
use crate::participation::{Membership, Own, Participation};
use crate::shared::Sharing;
use crate::station::{Phase, Station};
use crate::wake::Bell;

/// What a subtask's actor begins with.
pub(crate) struct Launch<T: ?Sized> {
    pub(crate) task: Box<T>,
    pub(crate) cx: TaskContext,
    pub(crate) config: Config,
    pub(crate) bell: Arc<Bell>,
    pub(crate) board: Arc<SubtaskBoard>,
    pub(crate) coordinator: Recipient<Report>,
    pub(crate) membership: Membership,
    /// Whether it is open.
    pub(crate) open: bool,
}

impl<T: ?Sized> Launch<T> {
    /// The connected subtask. `uses_shared` is whether it reads or updates shared state itself.
    pub(crate) fn station(
        self,
        outbound: Vec<Vec<Option<Target>>>,
        own: Own,
        uses_shared: bool,
    ) -> (Station, Box<T>) {
        let outbounds = Outbounds::new(outbound, &self.config);
        let flush_after = self.config.flush_after;
        let Launch { task, cx, bell, board, coordinator, membership, open, .. } = self;
        let sharing = membership
            .shared
            .clone()
            .map(|replica| Sharing::new(replica, cx.info.subtask, uses_shared, cx.waker().clone()));
        let participation = Participation::new(membership, own, coordinator.clone(), &cx);
        let mut station =
            Station::new(cx, outbounds, board, coordinator, bell, flush_after, participation, sharing);
        if !open {
            station.phase = Phase::Stopped;
        }
        (station, task)
    }
}

/// Opens a subtask on its own arbiter, its sinks and its splits, and tells the coordinator where that fails.
pub(crate) fn open<T: ?Sized>(
    launch: &mut Launch<T>,
    open: impl FnOnce(&mut T, &mut TaskContext) -> Result<(), TaskError>,
) {
    let Launch { task, cx, coordinator, membership, .. } = launch;
    // The edges of the world are at the ends of a chain: a source is its first, a sink its last.
    let (first, last) = (cx.info.uids.first().cloned(), cx.info.uids.last().cloned().unwrap_or_default());
    let error = match guarded(|| open(task, cx)) {
        Ok(Ok(())) => return launch.open = true,
        Ok(Err(error @ TaskError::Sink(_))) => JobError::Start { operator: last, error },
        Ok(Err(error)) => JobError::Start { operator: first.unwrap_or(last), error },
        Err(caught) => JobError::Failed(Box::new(Failure {
            operator: last,
            subtask: cx.info.subtask,
            parallelism: cx.info.parallelism,
            key_group: None,
            key: None,
            timer: None,
            origin: None,
            record: None,
            advice: None,
            cause: Cause::Panic { message: caught.message, location: caught.location },
        })),
    };
    let (authority, subtask) = (membership.authority, cx.info.subtask);
    coordinator.do_send(Report::Refused(Refused { authority, subtask, error }));
}

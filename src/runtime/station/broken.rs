//! What goes wrong in a subtask, and what is told of it.

use std::sync::Arc;

use watershed_core::stage::{AtHand, Place, TaskError};
use watershed_protocol::{Culprit, Panicked};

use super::{Phase, Station};
use crate::error::{Cause, Failure, RecordAtHand, quoted};
use crate::guard::{Caught, guarded};
use crate::message::{Failed, Report};

/// What can go wrong in a call.
pub(crate) enum Broken {
    /// An operator panicked.
    Panicked(Caught),
    /// An edge of the pipeline failed.
    Failed(TaskError),
}

/// Works, and tells what went wrong, be it an error or a panic.
pub(crate) fn attempt(work: impl FnOnce() -> Result<(), TaskError>) -> Result<(), Broken> {
    match guarded(work) {
        Ok(done) => done.map_err(Broken::Failed),
        Err(Caught { raised: Some(error), .. }) => Err(Broken::Failed((*error).into())),
        Err(caught) => Err(Broken::Panicked(caught)),
    }
}

impl Station {
    /// Reports what made the subtask fail, and stops it.
    pub(crate) fn fail(&mut self, broken: Broken, origin: Option<String>) {
        self.phase = Phase::Stopped;
        let authority = self.authority();
        let at_hand = self.cx.care.as_mut().and_then(|care| care.take_at_hand());
        let info = &self.cx.info;
        let (place, cause, panicked, record) = match broken {
            Broken::Panicked(Caught { message, location, place, raised: _ }) => {
                let (record, time) = match at_hand {
                    Some(AtHand { time, keeps_time, bytes }) => {
                        (Some(RecordAtHand { time, bytes: bytes.into() }), keeps_time.then_some(time))
                    }
                    None => (None, None),
                };
                let culprit = record.as_ref().map(|RecordAtHand { bytes, .. }| Culprit {
                    time,
                    bytes: Arc::clone(bytes),
                    stage: place.stage.unwrap_or_default(),
                    reason: match &location {
                        Some(location) => format!("panicked at {location}: {message}"),
                        None => format!("panicked: {message}"),
                    },
                });
                let panicked = Panicked { vertex: info.subtask.vertex, barriers: self.barriers, culprit };
                (place, Cause::Panic { message, location }, Some(panicked), record)
            }
            // The edges of the world are at the ends of a chain: a source is its first, a sink its last.
            Broken::Failed(error) => {
                let last = info.uids.len().saturating_sub(1) as u16;
                let stage = if matches!(error, TaskError::Sink(_)) { last } else { 0 };
                let place = Place { stage: Some(stage), ..Place::default() };
                (place, Cause::Error(error), None, None)
            }
        };
        let Place { stage, key_hash, key, timer } = place;
        let operator = stage.and_then(|stage| info.uids.get(stage as usize)).cloned();
        let failure = Failure {
            operator: operator.unwrap_or_else(|| info.uids.join(" -> ")),
            subtask: info.subtask,
            parallelism: info.parallelism,
            key_group: key_hash.map(|hash| info.key_groups.of_hash(hash)),
            key: key.map(|key| quoted(&key)),
            timer,
            origin,
            record,
            cause,
            advice: None,
        };
        self.coordinator.do_send(Report::Failed(Failed { authority, failure, panicked }));
    }
}

//! What subtasks report to a coordinator on another node: a worker's verbs, and no others.

use serde::{Deserialize, Serialize};
use watershed_core::checkpoint::Vote;
use watershed_core::{Epoch, KeyGroup, SubtaskId};
use watershed_protocol::Panicked;
use watershed_protocol::checkpoint::{self, Authority, CoordinatorEvent};

use crate::board::Standing;
use crate::element::Ending;
use crate::error::{Cause, Failure, JobError, RecordAtHand};
use crate::message::{Ended, Failed, LeftOut, Progress, Refused, Report};

/// A [`Report`], as it travels.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ReportTold {
    Restored { authority: Authority, subtask: SubtaskId },
    Voted { authority: Authority, epoch: Epoch, vote: Vote },
    Declined { authority: Authority, epoch: Epoch, subtask: SubtaskId, reason: String },
    Committed { authority: Authority, epoch: Epoch, subtask: SubtaskId },
    Lost { authority: Authority, subtask: SubtaskId, failure: checkpoint::Failure },
    Refused { authority: Authority, subtask: SubtaskId, reason: String, is_lost: bool },
    Ended { authority: Authority, subtask: SubtaskId, ending: Ending },
    Failed { authority: Authority, failure: Box<FailureTold>, panicked: Option<Panicked> },
    LeftOut { authority: Authority, epoch: Epoch, records: Vec<u32> },
    Progress { authority: Authority, standings: Vec<(SubtaskId, Standing)> },
}

/// A [`Failure`], as it travels.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FailureTold {
    operator: String,
    subtask: SubtaskId,
    parallelism: u32,
    key_group: Option<KeyGroup>,
    key: Option<String>,
    timer: Option<String>,
    origin: Option<String>,
    record: Option<RecordAtHand>,
    cause: CauseTold,
    advice: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
enum CauseTold {
    Panic { message: String, location: Option<Box<str>> },
    Error { message: String, is_final: bool },
}

impl ReportTold {
    /// The report as it travels. `None` for what no subtask says.
    pub(crate) fn of(report: Report) -> Option<Self> {
        use CoordinatorEvent as Event;
        Some(match report {
            Report::Tell(Event::Restored { authority, subtask }) => {
                ReportTold::Restored { authority, subtask }
            }
            Report::Tell(Event::Voted { authority, epoch, vote }) => {
                ReportTold::Voted { authority, epoch, vote }
            }
            Report::Tell(Event::Declined { authority, epoch, subtask, reason }) => {
                ReportTold::Declined { authority, epoch, subtask, reason }
            }
            Report::Tell(Event::Committed { authority, epoch, subtask }) => {
                ReportTold::Committed { authority, epoch, subtask }
            }
            Report::Tell(Event::Lost { authority, subtask, failure }) => {
                ReportTold::Lost { authority, subtask, failure }
            }
            Report::Tell(_) => return None,
            Report::Refused(Refused { authority, subtask, error }) => {
                let is_lost = error.is_lost();
                ReportTold::Refused { authority, subtask, reason: error.to_string(), is_lost }
            }
            Report::Ended(Ended { authority, subtask, ending }) => {
                ReportTold::Ended { authority, subtask, ending }
            }
            Report::Failed(Failed { authority, failure, panicked }) => {
                ReportTold::Failed { authority, failure: Box::new(failure.into()), panicked }
            }
            Report::LeftOut(LeftOut { authority, epoch, records }) => {
                ReportTold::LeftOut { authority, epoch, records }
            }
            Report::Progress(Progress { authority, standings }) => {
                ReportTold::Progress { authority, standings }
            }
        })
    }
}

impl From<ReportTold> for Report {
    fn from(told: ReportTold) -> Self {
        use CoordinatorEvent as Event;
        match told {
            ReportTold::Restored { authority, subtask } => {
                Report::Tell(Event::Restored { authority, subtask })
            }
            ReportTold::Voted { authority, epoch, vote } => {
                Report::Tell(Event::Voted { authority, epoch, vote })
            }
            ReportTold::Declined { authority, epoch, subtask, reason } => {
                Report::Tell(Event::Declined { authority, epoch, subtask, reason })
            }
            ReportTold::Committed { authority, epoch, subtask } => {
                Report::Tell(Event::Committed { authority, epoch, subtask })
            }
            ReportTold::Lost { authority, subtask, failure } => {
                Report::Tell(Event::Lost { authority, subtask, failure })
            }
            ReportTold::Refused { authority, subtask, reason, is_lost } => {
                let error = JobError::Elsewhere { reason, is_lost };
                Report::Refused(Refused { authority, subtask, error })
            }
            ReportTold::Ended { authority, subtask, ending } => {
                Report::Ended(Ended { authority, subtask, ending })
            }
            ReportTold::Failed { authority, failure, panicked } => {
                Report::Failed(Failed { authority, failure: (*failure).into(), panicked })
            }
            ReportTold::LeftOut { authority, epoch, records } => {
                Report::LeftOut(LeftOut { authority, epoch, records })
            }
            ReportTold::Progress { authority, standings } => {
                Report::Progress(Progress { authority, standings })
            }
        }
    }
}

impl From<Failure> for FailureTold {
    fn from(failure: Failure) -> Self {
        let is_final = failure.is_final();
        let Failure { operator, subtask, parallelism, key_group, key, timer, origin, record, cause, advice } =
            failure;
        let cause = match cause {
            Cause::Panic { message, location } => CauseTold::Panic { message, location },
            Cause::Error(error) => CauseTold::Error { message: error.to_string(), is_final },
            Cause::Elsewhere { message, is_final } => CauseTold::Error { message, is_final },
        };
        FailureTold { operator, subtask, parallelism, key_group, key, timer, origin, record, cause, advice }
    }
}

impl From<FailureTold> for Failure {
    fn from(told: FailureTold) -> Self {
        let FailureTold {
            operator,
            subtask,
            parallelism,
            key_group,
            key,
            timer,
            origin,
            record,
            cause,
            advice,
        } = told;
        let cause = match cause {
            CauseTold::Panic { message, location } => Cause::Panic { message, location },
            CauseTold::Error { message, is_final } => Cause::Elsewhere { message, is_final },
        };
        Failure { operator, subtask, parallelism, key_group, key, timer, origin, record, cause, advice }
    }
}

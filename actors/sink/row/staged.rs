//! The rows of one epoch as they lie in a checkpoint.

use serde::{Deserialize, Serialize};
use watershed_core::checkpoint::Xid;
use watershed_core::{Data, Epoch};

use crate::sink::row::packed::Packed;

/// The rows of one subtask and epoch: enough for anybody to commit them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagedRows {
    /// Who staged them, and in which epoch.
    pub(crate) xid: Xid,
    /// The mark of the job that has staged them.
    pub(crate) owner: String,
    /// The last epoch that was known to be committed.
    pub(crate) after: Epoch,
    /// The columns that the cells belong to.
    pub(crate) columns: Vec<String>,
    /// The rows.
    pub(crate) rows: Packed,
}

impl StagedRows {
    /// What errors are about.
    pub(crate) fn about(&self, place: &str) -> String {
        let Xid { epoch, subtask, .. } = self.xid;
        format!("{place}, epoch {epoch} of subtask {} with {} rows", subtask.index, self.rows.count())
    }
}

impl Data for StagedRows {}

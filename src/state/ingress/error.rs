//! How an ingress log can fail.

use std::sync::Arc;

use watershed_core::SourceError;

use crate::StoreError;
use crate::error::Damage;

/// What an ingress log could not do, and what a person can do about it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngressError {
    /// A segment is not what was written.
    #[error(
        "{path} is damaged: {damage}; bring the file back from a copy. Without one, what it held of the input is lost: \
         to go on all the same, move the folder away and begin the job anew"
    )]
    Damaged {
        /// The segment.
        path: String,
        /// How it shows.
        damage: Damage,
    },
    /// The log no longer reaches back to where a checkpoint stands.
    #[error(
        "{folder} reaches back to position {oldest}, and the checkpoint goes on from position {asked}: what lies \
         between was let go of when newer checkpoints were complete; go on from a newer checkpoint"
    )]
    Gone {
        /// The log.
        folder: String,
        /// Where the checkpoint stands.
        asked: u64,
        /// The oldest position there is.
        oldest: u64,
    },
    /// The log ends before the position where a checkpoint stands.
    #[error(
        "{folder} ends at position {end}, and the checkpoint goes on from position {asked}: a part of the log is \
         gone, or the job has run without it in between. Bring the log back from a copy; or, where it ran without, \
         move the folder away and make an empty one in its place, which begins at that position"
    )]
    Short {
        /// The log.
        folder: String,
        /// Where the checkpoint stands.
        asked: u64,
        /// The position behind the newest entry.
        end: u64,
    },
    /// There is no log, though the job has read from one, or has run without.
    #[error(
        "{folder} is not there, and the checkpoint goes on from position {asked}: bring the log back from a copy; or, \
         where the job has run without one until now, make this an empty folder, and the log begins at that position"
    )]
    Missing {
        /// The log.
        folder: String,
        /// Where the checkpoint stands.
        asked: u64,
    },
    /// More was appended at once than an entry may hold.
    #[error(
        "{folder} was handed {found} bytes at once, and takes {max}; let the source refuse rows of more bytes"
    )]
    TooLarge {
        /// The log.
        folder: String,
        /// How much it was.
        found: usize,
        /// How much it may be.
        max: usize,
    },
    /// The file system failed, or somebody else has the log open.
    #[error("{0}")]
    Store(Arc<StoreError>),
}

impl From<StoreError> for IngressError {
    fn from(error: StoreError) -> Self {
        IngressError::Store(Arc::new(error))
    }
}

impl IngressError {
    /// Whether no repetition helps.
    pub fn is_permanent(&self) -> bool {
        match self {
            IngressError::Store(error) => error.is_fatal(),
            IngressError::Damaged { .. }
            | IngressError::Gone { .. }
            | IngressError::Short { .. }
            | IngressError::Missing { .. }
            | IngressError::TooLarge { .. } => true,
        }
    }
}

impl From<IngressError> for SourceError {
    fn from(error: IngressError) -> Self {
        let what = "ingress log";
        if error.is_permanent() { SourceError::lost(what, error) } else { SourceError::new(what, error) }
    }
}

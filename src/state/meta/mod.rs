//! The few facts that are decided: one record a job, changed only by compare-and-swap.
//!
//! A checkpoint exists once [`Change::Complete`] has been applied, and not before: no object in the
//! checkpoint store decides anything. So all the store's promise rests on two words here, *linearizable* and
//! *durable*.
//!
//! ```text
//!   cas(guard, change) ──► Ok(meta)             applied, and on the disk
//!                      ├─► Refused{current}     not applied: someone else decided first, or it breaks a rule
//!                      ├─► Failed               not applied: no room, not reachable, ...
//!                      └─► Unknown              applied or not: only read() may follow, never a guess
//! ```
//!
//! [`FileMetaStore`] keeps it in one file of one process, [`MemoryMetaStore`] for a job that keeps nothing.

mod file;
mod log;
mod memory;
#[cfg(test)]
mod tests;

pub(crate) use file::LOG;
pub use file::{FileMetaStore, Hold, TornTail};
pub use memory::MemoryMetaStore;

use async_trait::async_trait;
use watershed_core::checkpoint::Meta;
pub use watershed_core::checkpoint::{Change, Guard, Refusal};

use crate::StoreError;

/// Keeps what is decided of one job, linearizably: each call takes effect at one instant between its
/// beginning and its end, and all callers see the same order.
#[async_trait]
pub trait MetaStore: std::fmt::Debug + Send + Sync {
    /// Reads what is decided now. Never answers from a copy that may be old.
    ///
    /// # Errors
    ///
    /// [`MetaError::Failed`].
    async fn read(&self) -> Result<Meta, MetaError>;

    /// Applies a change where the guard still holds, durably, and returns what is decided from then on.
    ///
    /// # Errors
    ///
    /// Each of [`MetaError`]'s kinds; they call for different treatment.
    async fn cas(&self, guard: Guard, change: Change) -> Result<Meta, MetaError>;
}

/// Why a change is not, or may not be, decided.
#[derive(Debug, thiserror::Error)]
pub enum MetaError {
    /// It was not applied: the guard does not hold any more, or the change breaks a rule.
    #[error("the decision was refused: {refusal}")]
    Refused {
        /// What is decided instead.
        current: Box<Meta>,
        /// Why.
        refusal: Refusal,
    },
    /// It may or may not have been applied. Nothing may be committed or aborted before
    /// [`read`](MetaStore::read) has told; where that fails too, the process ends and the next one reads.
    #[error("whether the decision was made is not known, read it back before anything else: {source}")]
    Unknown {
        /// What failed.
        source: StoreError,
    },
    /// It was certainly not applied.
    #[error("the decision was not made: {source}")]
    Failed {
        /// What failed.
        source: StoreError,
    },
}

impl MetaError {
    /// Whether the process must end, see [`SyncFailure`](crate::SyncFailure).
    pub fn is_fatal(&self) -> bool {
        match self {
            MetaError::Refused { .. } => false,
            MetaError::Unknown { source } | MetaError::Failed { source } => source.is_fatal(),
        }
    }
}

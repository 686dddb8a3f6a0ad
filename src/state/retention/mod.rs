//! Which objects may go, and taking them.
//!
//! An object may go when no checkpoint that is kept names it. Kept are
//!
//! - the completed checkpoint, and those that it came from as far back as is asked for;
//! - every savepoint, until the person who asked for it takes it away;
//! - every checkpoint whose commits are outstanding: a sink may yet need what it staged, however old that is;
//! - whatever may be in the making: objects of the newest run that are newer than the completed checkpoint,
//!   and all that a later run or lineage has written, since then this meta record is an old one.
//!
//! What belonged to a decided checkpoint goes at once, and so does what belonged to one that certainly never
//! was decided. What no manifest names was left by a run that died or a checkpoint that was given up, and
//! goes after a grace. Where a manifest cannot be read, nothing goes at all: it may name anything.
//!
//! A decided checkpoint is told from one that was only written by going back from the completed one, from
//! each manifest to its [`base`](watershed_core::checkpoint::Manifest::base): whatever is not on that way was
//! not decided in this history. [`judge`] does that without touching the store, [`collect`] takes what it
//! says, manifests first, so that a checkpoint is gone before parts of it are.

mod history;
mod inventory;
mod lost;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use watershed_core::Epoch;
use watershed_core::checkpoint::Meta;

use crate::{CheckpointStore, StoreError};

pub(crate) use history::History;
pub use history::Standing;
pub use inventory::Inventory;
pub(crate) use inventory::is_manifest;
pub use lost::demand_decisions;
pub use verdict::{Reason, Taken, Verdict, judge};

/// Which decided checkpoints are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// So many, the completed one among them.
    Newest(usize),
    /// Those from this one on.
    From(Epoch),
}

/// What is needed besides the completed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Which of the decided checkpoints; at least the completed one is kept.
    pub keep: Keep,
    /// Checkpoints of which not every sink has said that it committed.
    pub outstanding: BTreeSet<Epoch>,
    /// Checkpoints that somebody reads or restores from right now.
    pub in_use: BTreeSet<Epoch>,
    /// How long an object that no manifest names is left alone.
    pub grace: Duration,
}

impl Default for Needs {
    fn default() -> Self {
        let none = BTreeSet::new;
        Needs { keep: Keep::Newest(3), outstanding: none(), in_use: none(), grace: Duration::from_secs(3600) }
    }
}

/// Why nothing was taken, or no more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RetentionError {
    /// A checkpoint that is needed has no manifest.
    #[error(
        "the manifest of checkpoint {epoch} is missing, which is needed; nothing is removed before it is back, \
         since nobody knows which objects it names"
    )]
    Needed {
        /// The checkpoint.
        epoch: Epoch,
    },
    /// A manifest is of another job.
    #[error("{path} is a manifest of job {found:?}, among those of job {expected:?}; nothing is removed")]
    Foreign {
        /// The manifest.
        path: String,
        /// The job of the newest checkpoint.
        expected: String,
        /// The manifest's job.
        found: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Looks at what is there, judges it and takes what may go. `known` is what the pass before has seen, and then what this
/// one has; nothing at first.
///
/// # Errors
///
/// Where a manifest is missing or cannot be read, and where the store fails.
pub async fn run(
    store: &CheckpointStore,
    meta: &Meta,
    needs: &Needs,
    now: SystemTime,
    known: &mut Inventory,
) -> Result<Verdict, RetentionError> {
    known.renew(store).await?;
    let verdict = judge(meta, known, needs, now)?;
    collect(store, &verdict).await?;
    let before = now.checked_sub(needs.grace).unwrap_or(SystemTime::UNIX_EPOCH);
    store.sweep(before).await?;
    Ok(verdict)
}

/// Takes what a verdict says may go. Doing it twice does no harm.
///
/// # Errors
///
/// Where the store fails; what comes later in the verdict is still there then.
pub async fn collect(store: &CheckpointStore, verdict: &Verdict) -> Result<(), StoreError> {
    for taken in &verdict.take {
        store.delete(&taken.path).await?;
    }
    Ok(())
}

//! A state directory that is only looked at.

use std::path::Path;

use watershed_core::Epoch;
use watershed_core::checkpoint::{Manifest, Meta, Pointer};

use crate::meta::FileMetaStore;
use crate::{CheckpointStore, Identity, Object, ObjectKey, StateDirectory, StoreError};

/// The file that says of a directory of checkpoints that what is decided about them is kept by a cluster, and not here.
pub const CLUSTER_MARK: &str = "cluster.json";

/// A state directory, opened for looking.
#[derive(Debug)]
pub struct Offline {
    pub(super) store: CheckpointStore,
    /// What is decided, where that can be read.
    pub(super) meta: Option<Meta>,
    /// Whose directory it is, where that can be read.
    pub(super) identity: Option<Identity>,
    /// What could not be read when it was opened.
    pub(super) unread: Vec<String>,
}

/// Which checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one that is decided last.
    Newest,
    /// The one of this number, decided or not.
    Epoch(Epoch),
}

/// Why there is nothing to look at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// There is no such checkpoint.
    #[error("there is no checkpoint {epoch}; those that there are: {present}")]
    NoSuch {
        /// Which was asked for.
        epoch: Epoch,
        /// Which there are.
        present: String,
    },
    /// No checkpoint is decided, or the decision log cannot be read.
    #[error("no checkpoint is known to be complete{why}; name one by its number")]
    NoneCompleted {
        /// What is known about it.
        why: String,
    },
    /// The store failed, or holds something damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was found could not be written where it was to go.
    #[error("cannot write what was found: {0}")]
    Output(#[from] std::io::Error),
}

impl Offline {
    /// Opens a state directory, or the directory in which a job of a cluster has its checkpoints. A decision log or an
    /// identity that cannot be read is noted, and no obstacle.
    ///
    /// # Errors
    ///
    /// Where the directory itself cannot be opened.
    pub fn open(path: &Path) -> Result<Offline, StoreError> {
        if path.join(CLUSTER_MARK).is_file() {
            return Ok(Offline::of(CheckpointStore::local(path)?, None));
        }
        let mut unread = Vec::new();
        let mut note = |error: StoreError| unread.push(error.to_string());
        let meta = FileMetaStore::peek(path).map_err(&mut note).ok();
        let identity = StateDirectory::identity_of(path).map_err(&mut note).ok().flatten();
        let store = identity.as_ref().and_then(|identity| identity.store.as_deref());
        let store = CheckpointStore::at(path, store)?;
        Ok(Offline { store, meta, identity, unread })
    }

    /// Looks at a store with what is decided about it, wherever both are.
    pub fn of(store: CheckpointStore, meta: Option<Meta>) -> Offline {
        Offline { store, meta, identity: None, unread: Vec::new() }
    }

    /// What is decided, where that can be read.
    pub fn meta(&self) -> Option<&Meta> {
        self.meta.as_ref()
    }

    /// The objects.
    pub fn store(&self) -> &CheckpointStore {
        &self.store
    }

    /// Whose directory it is, where that can be read.
    pub fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Finds a checkpoint and reads its manifest.
    ///
    /// # Errors
    ///
    /// Where there is none, or its manifest is damaged.
    pub async fn manifest(&self, which: Which) -> Result<(Pointer, Manifest), InspectError> {
        let pointer = self.find(which).await?;
        let manifest = self.store.manifest(&pointer).await?;
        Ok((pointer, manifest))
    }

    async fn find(&self, which: Which) -> Result<Pointer, InspectError> {
        let completed = self.meta.as_ref().and_then(|meta| meta.completed.as_ref());
        let epoch = match (which, completed) {
            (Which::Newest, Some(completed)) => return Ok(completed.clone()),
            (Which::Newest, None) => {
                let why = self.unread.first().map(|why| format!(" ({why})")).unwrap_or_default();
                return Err(InspectError::NoneCompleted { why });
            }
            (Which::Epoch(epoch), Some(completed)) if completed.epoch == epoch => {
                return Ok(completed.clone());
            }
            (Which::Epoch(epoch), _) => epoch,
        };
        let mut present = Vec::new();
        // Should two runs have written one number, the later one's is shown.
        let mut found: Option<(ObjectKey, String)> = None;
        for stored in self.store.list().await? {
            let Some(key) = ObjectKey::of_path(&stored.path).filter(|key| key.object == Object::Manifest)
            else {
                continue;
            };
            present.push(key.epoch.0);
            if key.epoch == epoch && found.as_ref().is_none_or(|(other, _)| other.run < key.run) {
                found = Some((key, stored.path));
            }
        }
        let Some((key, path)) = found else {
            present.sort_unstable();
            present.dedup();
            let numbers: Vec<_> = present.iter().rev().take(20).rev().map(u64::to_string).collect();
            let present = if numbers.is_empty() { "none".to_owned() } else { numbers.join(", ") };
            return Err(InspectError::NoSuch { epoch, present });
        };
        Ok(Pointer { lineage: key.lineage, epoch, manifest: self.store.identify(&path).await? })
    }
}

//! A state directory that is only looked at.

use std::collections::BTreeMap;
use std::path::Path;

use watershed_core::Epoch;
use watershed_core::checkpoint::{Manifest, Meta, Pointer};

use crate::meta::FileMetaStore;
use crate::{CheckpointStore, Identity, Object, ObjectKey, StateDirectory, StoreError, Stored};

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
        match (which, completed) {
            (Which::Newest, Some(completed)) => Ok(completed.clone()),
            (Which::Newest, None) => {
                let why = self.unread.first().map(|why| format!(" ({why})")).unwrap_or_default();
                Err(InspectError::NoneCompleted { why })
            }
            (Which::Epoch(epoch), _) => {
                let places = Places::of(&self.store.list().await?);
                self.pointer(epoch, &places).await
            }
        }
    }

    /// Finds a checkpoint where a listing has shown it.
    pub(super) async fn pointer(&self, epoch: Epoch, places: &Places) -> Result<Pointer, InspectError> {
        let completed = self.meta.as_ref().and_then(|meta| meta.completed.as_ref());
        if let Some(completed) = completed.filter(|completed| completed.epoch == epoch) {
            return Ok(completed.clone());
        }
        let Some((key, path)) = places.0.get(&epoch) else {
            return Err(InspectError::NoSuch { epoch, present: places.newest() });
        };
        Ok(Pointer { lineage: key.lineage, epoch, manifest: self.store.identify(path).await? })
    }
}

/// Where the manifest of each checkpoint is, as one listing of the store has shown it.
///
/// To list a store takes as long as there are objects in it. Who looks at one checkpoint after the other lists it once.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(BTreeMap<Epoch, (ObjectKey, String)>);

/// How many numbers of checkpoints are named where one is asked for that is not there.
const PRESENT_MAX: usize = 20;

impl Places {
    pub(super) fn of(objects: &[Stored]) -> Places {
        let mut places = BTreeMap::new();
        for stored in objects {
            let Some(key) = ObjectKey::of_path(&stored.path).filter(|key| key.object == Object::Manifest)
            else {
                continue;
            };
            // Should two runs have written one number, the later one's is shown.
            if places.get(&key.epoch).is_none_or(|(other, _): &(ObjectKey, String)| other.run < key.run) {
                places.insert(key.epoch, (key, stored.path.clone()));
            }
        }
        Places(places)
    }

    /// The manifest of a checkpoint.
    pub(super) fn path(&self, epoch: Epoch) -> Option<&str> {
        self.0.get(&epoch).map(|(_, path)| path.as_str())
    }

    /// The numbers of the newest, for people to read.
    fn newest(&self) -> String {
        let numbers: Vec<String> =
            self.0.keys().rev().take(PRESENT_MAX).rev().map(|epoch| epoch.0.to_string()).collect();
        if numbers.is_empty() { "none".to_owned() } else { numbers.join(", ") }
    }
}

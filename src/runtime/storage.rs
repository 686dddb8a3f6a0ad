//! Where a job keeps what must outlive it.

use std::sync::Arc;

use watershed_core::checkpoint::Meta;
use watershed_core::state::Backend;
use watershed_protocol::checkpoint::Fork;
use watershed_state::{
    CheckpointStore, IngressLimits, IngressLogs, MemoryMetaStore, MetaStore, StateDirectory,
};

/// A job's meta store and checkpoint store.
#[derive(Clone, Debug)]
pub struct Storage {
    pub(crate) meta: Arc<dyn MetaStore>,
    pub(crate) store: CheckpointStore,
    /// Whether anything outlives the process. Where nothing does, no state is saved.
    pub(crate) lasts: bool,
    /// Where sources log what arrives; `None` where they do without.
    pub(crate) ingress: Option<IngressLogs>,
    /// Where the job is to go back to before it goes on.
    pub(crate) fork: Option<Fork>,
    /// Where state lies that does not fit into memory.
    pub(crate) backend: Option<Arc<dyn Backend>>,
}

impl Storage {
    /// Storage that is gone with the process: the job takes one checkpoint, at its end, so that its sinks commit
    /// together.
    pub fn none() -> Self {
        let meta = Arc::new(MemoryMetaStore::new(Meta::default()));
        Storage {
            meta,
            store: CheckpointStore::memory(),
            lasts: false,
            ingress: None,
            fork: None,
            backend: None,
        }
    }

    /// Storage in a state directory.
    pub fn directory(directory: &StateDirectory) -> Self {
        if let Some(torn) = &directory.torn {
            let (path, bytes) = (torn.path.display(), torn.bytes);
            tracing::warn!(%path, bytes, "the decision log ended within a record, which was cut off");
        }
        let meta = Arc::new(directory.meta.clone());
        Storage {
            meta,
            store: directory.store.clone(),
            lasts: true,
            ingress: None,
            fork: None,
            backend: None,
        }
    }

    /// The same storage, with a place for state that does not fit into memory.
    #[must_use]
    pub fn with_backend(self, backend: Arc<dyn Backend>) -> Self {
        Storage { backend: Some(backend), ..self }
    }

    /// The same storage, with logs in the directory for sources that cannot ask for their input again.
    #[must_use]
    pub fn with_ingress_logs(self, directory: &StateDirectory, limits: IngressLimits) -> Self {
        Storage { ingress: Some(IngressLogs::new(directory.path(), limits)), ..self }
    }

    /// The same storage, for a job that goes back to where a person wants it and begins a new history there. What
    /// its newest checkpoint has staged is committed before.
    #[must_use]
    pub fn going_back_to(self, fork: Fork) -> Self {
        Storage { fork: Some(fork), ..self }
    }
}

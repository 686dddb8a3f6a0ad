//! Where a job keeps what must outlive it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use watershed_core::JobId;
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
    /// Where the job is to go back to before it goes on.
    pub(crate) fork: Option<Fork>,
    pub(crate) depot: Depot,
}

/// What of a job's storage its subtasks use, on each of its nodes.
#[derive(Clone, Debug)]
pub struct Depot {
    /// Which job of its name it is that keeps its checkpoints here.
    pub(crate) job_id: JobId,
    pub(crate) store: CheckpointStore,
    /// Whether anything outlives the process. Where nothing does, no state is saved.
    pub(crate) lasts: bool,
    /// Where sources log what arrives; `None` where they do without.
    pub(crate) ingress: Option<IngressLogs>,
    /// Where state lies that does not fit into memory.
    pub(crate) backend: Option<Arc<dyn Backend>>,
}

impl Depot {
    /// A depot that keeps a job's checkpoints in a store, which no other job has.
    pub fn new(job_id: JobId, store: CheckpointStore) -> Self {
        Depot { job_id, store, lasts: true, ingress: None, backend: None }
    }
}

impl Storage {
    /// Storage that is gone with the process: the job takes one checkpoint, at its end, so that its sinks commit
    /// together.
    pub fn none() -> Self {
        let meta = Arc::new(MemoryMetaStore::new(Meta::default()));
        let depot = Depot { lasts: false, ..Depot::new(passing(), CheckpointStore::memory()) };
        Storage { meta, fork: None, depot }
    }

    /// What is decided in a meta store, and the rest in a depot.
    pub fn new(meta: Arc<dyn MetaStore>, depot: Depot) -> Self {
        Storage { meta, fork: None, depot }
    }

    /// Storage in a state directory.
    pub fn directory(directory: &StateDirectory) -> Self {
        if let Some(torn) = &directory.torn {
            let (path, bytes) = (torn.path.display(), torn.bytes);
            tracing::warn!(%path, bytes, "the decision log ended within a record, which was cut off");
        }
        let path = std::path::absolute(directory.path());
        let path = path.as_deref().unwrap_or(directory.path());
        let job_id = JobId(path.display().to_string());
        Storage::new(Arc::new(directory.meta.clone()), Depot::new(job_id, directory.store.clone()))
    }

    /// The same storage, with a place for state that does not fit into memory.
    #[must_use]
    pub fn with_backend(mut self, backend: Arc<dyn Backend>) -> Self {
        self.depot.backend = Some(backend);
        self
    }

    /// The same storage, with logs in the directory for sources that cannot ask for their input again.
    #[must_use]
    pub fn with_ingress_logs(mut self, directory: &StateDirectory, limits: IngressLimits) -> Self {
        self.depot.ingress = Some(IngressLogs::new(directory.path(), limits));
        self
    }

    /// The same storage, for a job that goes back to where a person wants it and begins a new history there. What
    /// its newest checkpoint has staged is committed before.
    #[must_use]
    pub fn going_back_to(self, fork: Fork) -> Self {
        Storage { fork: Some(fork), ..self }
    }
}

/// Names a job that is gone with its process.
fn passing() -> JobId {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    JobId(format!("process-{}-{:x}", std::process::id(), time.as_nanos()))
}

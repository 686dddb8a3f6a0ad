//! What a site adds to a checkpoint.
//!
//! ```text
//!   site 0:   base (everything up to epoch B)  + log + log + ..     a new base when the logs have become long
//!   others:                                      log + log + ..     those up to B are dropped once a completed
//!                                                                   checkpoint has the base
//! ```
//!
//! A log holds the updates that the site's own tasks have made since the newest checkpoint that it knew to be complete. All
//! logs together with the base are what the sites had applied when the cut was taken, each update once or more.

use std::sync::Arc;

use watershed_core::causal::{HybridTime, VectorClock};
use watershed_core::checkpoint::{ObjectRef, SharedBase, SharedCut, SharedLog, SiteShare};
use watershed_core::shared::AnyTable;
use watershed_core::{Epoch, Lineage, Run, Site};
use watershed_protocol::causal::Update;
use watershed_state::{CheckpointStore, Object, ObjectKey, StoreError};

use super::saved::{Base, Log, SavedTable};
use super::{Operation, SiteReplica};

/// What a subtask says of shared state at its barrier, before it is written.
pub(crate) struct SharedDraft {
    pub(crate) site: Site,
    pub(crate) session: VectorClock,
    /// Only the last subtask of a site to pass the barrier has one.
    pub(crate) share: Option<ShareDraft>,
}

/// What a site adds to a checkpoint, before it is written.
pub(crate) struct ShareDraft {
    pub(super) replica: Arc<SiteReplica>,
    pub(super) epoch: Epoch,
    pub(super) finals: VectorClock,
    /// The updates of these lanes.
    pub(super) updates: Vec<Update<Arc<Operation>>>,
    pub(super) high_water: HybridTime,
    /// The base that there is.
    pub(super) base: Option<SharedBase>,
    /// The logs of completed checkpoints behind it.
    pub(super) logs: Vec<SharedLog>,
    /// Where a new base is to be written.
    pub(super) new_base: Option<NewBase>,
}

/// A base that is to be written. Tables settle nothing as long as there is one, also where it is never written: the
/// checkpoint may be given up before.
pub(super) struct NewBase {
    /// Up to which epoch it is to hold everything.
    pub(super) epoch: Epoch,
    pub(super) replica: Arc<SiteReplica>,
}

impl Drop for NewBase {
    fn drop(&mut self) {
        self.replica.base_is_written();
    }
}

impl SharedDraft {
    /// Writes what is to be written. What the vote says.
    pub(crate) async fn write(
        self,
        store: &CheckpointStore,
        (lineage, run): (Lineage, Run),
    ) -> Result<Box<SharedCut>, StoreError> {
        let SharedDraft { site, session, share } = self;
        let share = match share {
            Some(share) => Some(share.write(store, site, (lineage, run)).await?),
            None => None,
        };
        Ok(Box::new(SharedCut { site, session, share }))
    }
}

impl ShareDraft {
    async fn write(
        self,
        store: &CheckpointStore,
        site: Site,
        (lineage, run): (Lineage, Run),
    ) -> Result<SiteShare, StoreError> {
        let ShareDraft { replica, epoch, finals, updates, high_water, mut base, mut logs, new_base } = self;
        let key = |object| ObjectKey { lineage, epoch, run, object };
        let mut deps = VectorClock::new();
        updates.iter().for_each(|update| deps.merge(&update.deps));
        if let Some(new_base) = new_base {
            let at = new_base.epoch;
            let object = write_base(new_base, store, key(Object::SharedBase(site)), high_water).await?;
            base = Some(SharedBase { epoch: at, object });
            logs.retain(|log| log.epoch > at);
        }
        let mut log_bytes = 0;
        if !updates.is_empty() {
            let count = updates.len() as u64;
            let bytes = Log::new(high_water, replica.names(), updates).encode();
            log_bytes = bytes.len();
            let object = store.put(key(Object::SharedLog(site)), bytes).await?;
            logs.push(SharedLog { epoch, object, updates: count });
        }
        replica.written(epoch, base.clone(), &logs, log_bytes);
        Ok(SiteShare { finals, deps, base, logs })
    }
}

/// Writes everything up to an epoch, while the stream goes on.
async fn write_base(
    new_base: NewBase,
    store: &CheckpointStore,
    key: ObjectKey,
    high_water: HybridTime,
) -> Result<ObjectRef, StoreError> {
    let run = key.run;
    let save = move || {
        let at = new_base.epoch;
        let save =
            |table: &Arc<dyn AnyTable>| SavedTable { name: table.name().to_owned(), bytes: table.save(at) };
        Base::new(run, at, high_water, new_base.replica.tables().iter().map(save).collect()).encode()
    };
    let saved = tokio::task::spawn_blocking(save).await;
    let bytes = saved.map_err(|error| StoreError::Io {
        action: "encode",
        path: "shared state".to_owned(),
        source: std::io::Error::other(error),
    })?;
    store.put(key, bytes).await
}

//! What a site adds to a checkpoint, and how it is restored.
//!
//! ```text
//!   site 0:   base (everything up to epoch B)  + log + log + ..     a new base when the logs have become long
//!   others:                                      log + log + ..     those up to B are dropped once a completed
//!                                                                   checkpoint has the base
//! ```
//!
//! A log holds the updates that the site's own tasks have made since the newest checkpoint that it knew to be complete. All
//! logs together with the base are what the sites had applied when the cut was taken, each update once or more: joining
//! one twice changes nothing, but what the base has settled is left out (a counter has lost its lanes by then).

use std::collections::BTreeMap;
use std::sync::Arc;

use watershed_core::causal::{HybridTime, VectorClock};
use watershed_core::checkpoint::{ObjectRef, SharedBase, SharedCut, SharedLog, SiteShare};
use watershed_core::shared::{AnyShared, AnyTable, Settled, TableError};
use watershed_core::{Epoch, Lineage, Run, Site};
use watershed_protocol::causal::Update;
use watershed_state::{CheckpointStore, Object, ObjectKey, StoreError};

use super::saved::{Base, Log, SavedError, SavedTable};
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
    /// The epoch up to which a new base is to hold everything, where one is to be written.
    pub(super) new_base: Option<Epoch>,
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
        if let Some(at) = new_base {
            let written = write_base(&replica, store, key(Object::SharedBase(site)), at, high_water).await;
            replica.base_is_written();
            base = Some(SharedBase { epoch: at, object: written? });
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
    replica: &Arc<SiteReplica>,
    store: &CheckpointStore,
    key: ObjectKey,
    at: Epoch,
    high_water: HybridTime,
) -> Result<ObjectRef, StoreError> {
    let (tables, run) = (replica.tables(), key.run);
    let save = move || {
        let save =
            |table: &Arc<dyn AnyTable>| SavedTable { name: table.name().to_owned(), bytes: table.save(at) };
        Base::new(run, at, high_water, tables.iter().map(save).collect()).encode()
    };
    let saved = tokio::task::spawn_blocking(save).await;
    let bytes = saved.map_err(|error| StoreError::Io {
        action: "encode",
        path: "shared state".to_owned(),
        source: std::io::Error::other(error),
    })?;
    store.put(key, bytes).await
}

/// Why shared state cannot be restored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Saved(#[from] SavedErrorOf),
    #[error(transparent)]
    Table(#[from] TableError),
    /// What was saved would be lost.
    #[error(
        "the checkpoint has the shared state {0:?}, and the job has none of that name: go on with its plan"
    )]
    Gone(String),
    #[error("a saved update names the state {0}, which its log does not know")]
    Unnamed(u32),
}

/// Why an object of shared state cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {error}")]
pub(crate) struct SavedErrorOf {
    path: String,
    error: SavedError,
}

impl RestoreError {
    /// Whether it would be the same another time.
    pub(crate) fn is_lasting(&self) -> bool {
        match self {
            RestoreError::Store(error) => {
                matches!(error, StoreError::Missing { .. } | StoreError::Damaged { .. })
            }
            RestoreError::Saved(_)
            | RestoreError::Table(_)
            | RestoreError::Gone(_)
            | RestoreError::Unnamed(_) => true,
        }
    }
}

/// Tables with what the checkpoint of an epoch has of shared state.
pub(crate) async fn read_back(
    store: &CheckpointStore,
    shares: &[SiteShare],
    states: &[AnyShared],
    (run, epoch): (Run, Epoch),
) -> Result<Vec<Arc<dyn AnyTable>>, RestoreError> {
    let tables: Vec<_> = states.iter().map(AnyShared::table).collect();
    restore(store, shares, &tables, (run, epoch)).await?;
    Ok(tables)
}

/// Fills empty tables with what a checkpoint has of shared state, for a run before which epochs up to `after` were
/// handed out. The latest time that was ever given.
pub(super) async fn restore(
    store: &CheckpointStore,
    shares: &[SiteShare],
    tables: &[Arc<dyn AnyTable>],
    (run, after): (Run, Epoch),
) -> Result<HybridTime, RestoreError> {
    let named: BTreeMap<&str, &Arc<dyn AnyTable>> =
        tables.iter().map(|table| (table.name(), table)).collect();
    let find = |name: &str| named.get(name).copied().ok_or_else(|| RestoreError::Gone(name.to_owned()));
    let mut high_water = HybridTime::default();
    let mut held = None;
    // The newest base stands for all others.
    let newest = shares.iter().filter_map(|share| share.base.as_ref()).max_by_key(|base| base.epoch);
    if let Some(SharedBase { object, .. }) = newest {
        let base = Base::decode(&store.get(object).await?).map_err(of(object))?;
        for SavedTable { name, bytes } in &base.tables {
            find(name)?.load(bytes)?;
        }
        let settled = Settled { run: base.run, epoch: base.epoch, time: HybridTime::default() };
        tables.iter().for_each(|table| table.settle(settled));
        high_water = base.high_water;
        held = Some(settled);
    }
    let mut behind = Vec::new();
    for SharedLog { object, .. } in shares.iter().flat_map(|share| &share.logs) {
        let log = Log::decode(&store.get(object).await?).map_err(of(object))?;
        high_water = high_water.max(log.high_water);
        for update in log.updates {
            let number = update.delta.shared.0;
            let name = log.names.get(number as usize).ok_or(RestoreError::Unnamed(number))?;
            if held.is_none_or(|settled| !settled.has(update.stamp.dot.lane)) {
                behind.push((update.stamp, find(name)?, update.delta));
            }
        }
    }
    // Their times respect causes: what an update depends on comes before it.
    behind.sort_by_key(|(stamp, ..)| (stamp.time, stamp.dot));
    behind.dedup_by_key(|(stamp, ..)| stamp.dot);
    for (stamp, table, operation) in behind {
        high_water = high_water.max(stamp.time);
        table.apply(&stamp, &operation.key, &operation.delta)?;
    }
    // What comes in this run is later than all that was ever given.
    tables.iter().for_each(|table| table.settle(Settled { run, epoch: after, time: high_water }));
    Ok(high_water)
}

fn of(object: &ObjectRef) -> impl FnOnce(SavedError) -> SavedErrorOf {
    let path = object.path.clone();
    move |error| SavedErrorOf { path, error }
}

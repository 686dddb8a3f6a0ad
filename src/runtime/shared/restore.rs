//! How what a checkpoint has of shared state is restored.
//!
//! The newest base stands for all others, and behind it come the updates of the logs, once each: joining one twice changes
//! nothing, but what the base has settled is left out (a counter has lost its lanes by then).

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::runtime::Handle;
use watershed_core::causal::HybridTime;
use watershed_core::checkpoint::{ObjectRef, SharedBase, SharedLog, SiteShare};
use watershed_core::shared::{AnyShared, AnyTable, Settled, Stamp, TableError};
use watershed_core::{Epoch, Run};
use watershed_state::{CheckpointStore, Damage, StoreError};

use super::Operation;
use super::saved::{Base, Log, SavedError, SavedTable};
use crate::breakage::{Breakage, is_broken};

/// Why shared state cannot be restored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Table(#[from] TableError),
    /// What was saved would be lost.
    #[error(
        "the checkpoint has the shared state {0:?}, and the job has none of that name: go on with its plan"
    )]
    Gone(String),
    #[error("a resolver panics when it is given what was saved: {0}")]
    Panicked(String),
}

impl RestoreError {
    /// Whether it would be the same another time.
    pub(crate) fn is_lasting(&self) -> bool {
        match self {
            RestoreError::Store(error) => {
                matches!(error, StoreError::Missing { .. } | StoreError::Damaged { .. })
            }
            RestoreError::Table(_) | RestoreError::Gone(_) | RestoreError::Panicked(_) => true,
        }
    }
}

/// What a checkpoint has of all shared states, by their names.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) states: BTreeMap<String, Pieces>,
    /// The object of the base, where there is one.
    pub(super) base: Option<ObjectRef>,
    /// Of which lanes the bases have everything.
    held: Option<Settled>,
    /// The latest time that was ever given.
    high_water: HybridTime,
}

/// What a checkpoint has of one shared state.
#[derive(Default)]
pub(super) struct Pieces {
    /// What a table has saved.
    pub(super) base: Option<Vec<u8>>,
    /// What was updated since, each after all that it depends on.
    pub(super) behind: Vec<(Stamp, Arc<Operation>)>,
}

/// Tables of these states, in their order.
pub(crate) type Tables = Vec<Arc<dyn AnyTable>>;

/// Tables with what a checkpoint has of shared state, for a run before which epochs up to `after` were handed out, and
/// the latest time that was ever given.
pub(crate) async fn read_back(
    store: &CheckpointStore,
    shares: &[SiteShare],
    states: &[AnyShared],
    (run, after): (Run, Epoch),
) -> Result<(Tables, HybridTime), RestoreError> {
    let tables: Tables = states.iter().map(AnyShared::table).collect();
    let (store, shares, runtime) = (store.clone(), shares.to_vec(), Handle::current());
    // It may be much, and whoever asks has others to serve on its thread.
    let read = tokio::task::spawn_blocking(move || {
        let high_water = runtime.block_on(restore(&store, &shares, &tables, (run, after)))?;
        Ok((tables, high_water))
    });
    read.await.unwrap_or_else(|error| Err(RestoreError::Panicked(error.to_string())))
}

/// Fills empty tables.
async fn restore(
    store: &CheckpointStore,
    shares: &[SiteShare],
    tables: &[Arc<dyn AnyTable>],
    (run, after): (Run, Epoch),
) -> Result<HybridTime, RestoreError> {
    let mut gathered = Gathered::of(store, shares).await?;
    for table in tables {
        let pieces = gathered.states.remove(table.name()).unwrap_or_default();
        gathered.fill(table.as_ref(), &pieces, (run, after))?;
    }
    match gathered.states.pop_first() {
        Some((name, _)) => Err(RestoreError::Gone(name)),
        None => Ok(gathered.high_water),
    }
}

impl Gathered {
    /// Reads all that the shares name.
    pub(super) async fn of(store: &CheckpointStore, shares: &[SiteShare]) -> Result<Self, StoreError> {
        let mut gathered = Gathered::default();
        let newest = shares.iter().filter_map(|share| share.base.as_ref()).max_by_key(|base| base.epoch);
        if let Some(SharedBase { object, .. }) = newest {
            let base = Base::decode(&store.get(object).await?).map_err(of(object))?;
            for SavedTable { name, bytes } in base.tables {
                gathered.states.entry(name).or_default().base = Some(bytes);
            }
            gathered.held = Some(Settled { run: base.run, epoch: base.epoch, time: HybridTime::default() });
            (gathered.base, gathered.high_water) = (Some(object.clone()), base.high_water);
        }
        for SharedLog { object, .. } in shares.iter().flat_map(|share| &share.logs) {
            let log = Log::decode(&store.get(object).await?);
            log.and_then(|log| gathered.take(log)).map_err(of(object))?;
        }
        for pieces in gathered.states.values_mut() {
            // Their times respect causes: what an update depends on comes before it.
            pieces.behind.sort_by_key(|(stamp, _)| (stamp.time, stamp.dot));
            pieces.behind.dedup_by_key(|(stamp, _)| stamp.dot);
        }
        Ok(gathered)
    }

    fn take(&mut self, log: Log) -> Result<(), SavedError> {
        self.high_water = self.high_water.max(log.high_water);
        for update in log.updates {
            let number = update.delta.shared.0;
            let name = log.names.get(number as usize).ok_or(SavedError::Unnamed(number))?;
            self.high_water = self.high_water.max(update.stamp.time);
            if self.held.is_some_and(|settled| settled.has(update.stamp.dot.lane)) {
                continue;
            }
            let behind = (update.stamp, update.delta);
            match self.states.get_mut(name) {
                Some(pieces) => pieces.behind.push(behind),
                None => self.states.entry(name.clone()).or_default().behind.push(behind),
            }
        }
        Ok(())
    }

    /// Fills an empty table with what there is of its state.
    pub(super) fn fill(
        &self,
        table: &dyn AnyTable,
        pieces: &Pieces,
        (run, after): (Run, Epoch),
    ) -> Result<(), TableError> {
        if let Some(bytes) = &pieces.base {
            table.load(bytes)?;
        }
        if let Some(held) = self.held {
            table.settle(held);
        }
        for (stamp, operation) in &pieces.behind {
            table.apply(stamp, &operation.key, &operation.delta)?;
        }
        // What comes in this run is later than all that was ever given.
        if !is_broken(Breakage::Fence) {
            table.settle(Settled { run, epoch: after, time: self.high_water });
        }
        Ok(())
    }
}

/// It has arrived as it was written, since its hash was right: so whoever wrote it was another program, or wrong.
pub(super) fn of(object: &ObjectRef) -> impl FnOnce(SavedError) -> StoreError {
    let path = object.path.clone();
    move |error| StoreError::Damaged { path, damage: Damage::Content(error.to_string()) }
}

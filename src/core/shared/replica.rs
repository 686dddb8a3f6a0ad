//! What the runtime gives the subtasks of a site.

use crate::causal::VectorClock;
use crate::shared::{AnyTable, Refusal, Resolver, Shared, Stamp, Table, encode_key};
use crate::{Data, Epoch, Key, SharedId, SubtaskId};

/// A site's replica of all shared state of its job.
pub trait Replica: Send + Sync {
    /// The site's table of a shared state.
    ///
    /// # Panics
    ///
    /// Where the job has no such state.
    fn table(&self, shared: SharedId) -> &dyn AnyTable;

    /// Stamps an update of a key, and lets `make` apply it to the table and write its delta, all under one lock: no other
    /// update of the site comes between. `make` is called once at most, and makes the update known by what it returns.
    ///
    /// # Errors
    ///
    /// Where the update is refused, by `make` or before it is called. Its stamp was nobody's then.
    fn write(
        &self,
        shared: SharedId,
        writer: SubtaskId,
        epoch: Epoch,
        key: Vec<u8>,
        make: &mut dyn FnMut(&Stamp) -> Result<Vec<u8>, Refusal>,
    ) -> Result<(), Refusal>;

    /// What the site has applied in lanes up to an epoch.
    fn applied(&self, epoch: Epoch) -> VectorClock;
}

impl dyn Replica + '_ {
    /// The table of a shared state, with its types.
    ///
    /// # Panics
    ///
    /// Where the job has no such state, or another pipeline has made the handle.
    pub fn table_of<K: Key, V: Data, R: Resolver<V>>(&self, shared: &Shared<K, V, R>) -> &Table<K, V, R> {
        let table = self.table(shared.id()).as_any().downcast_ref();
        table.expect("a handle of shared state is used in the pipeline that has made it")
    }

    /// Updates a key of a shared state, for a writer in its epoch.
    ///
    /// # Errors
    ///
    /// Where the resolver refuses the update, or where it or the key is too large. Nothing changes then.
    ///
    /// # Panics
    ///
    /// Where the job has no such state, or another pipeline has made the handle.
    pub fn update<K: Key, V: Data, R: Resolver<V>>(
        &self,
        (writer, epoch): (SubtaskId, Epoch),
        shared: &Shared<K, V, R>,
        key: &K,
        update: R::Update,
    ) -> Result<(), Refusal> {
        let table = self.table_of(shared);
        let mut update = Some(update);
        self.write(shared.id(), writer, epoch, encode_key(key)?, &mut |stamp| {
            table.update(stamp, key, update.take().expect("an update is made once"))
        })
    }
}

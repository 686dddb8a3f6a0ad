//! What one site holds of one shared state.

use std::any::Any;
use std::collections::{BTreeMap, HashSet};
use std::marker::PhantomData;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering::Release};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dashmap::{DashMap, Entry};
use serde::Serialize;

use super::msgpack::{check_delta, check_key, decode, encode, encode_delta};
use super::saved;
use super::versions::{BASE, Versions};
use crate::key::KeyHashBuilder;
use crate::shared::{AGREED, AnyAgrees, AnyTable, Applied, Refusal, Resolver, Settled, Stamp, TableError};
use crate::{Data, Epoch, Key};

/// What one site holds of one shared state: for each key its state, as of each epoch that is not settled yet.
///
/// Read from many threads at once; a read waits at most for one join. Writes of a table are made one after the other.
pub struct Table<K, V, R: Resolver<V>> {
    name: Arc<str>,
    resolver: R,
    keys: DashMap<K, Versions<R::State>, KeyHashBuilder>,
    /// Held by whoever writes, so that an update and a settling never overlap.
    writing: Mutex<Writing<K>>,
    /// Higher each time something was written or has settled, when that is done.
    version: Arc<AtomicU64>,
    of: PhantomData<fn(V)>,
}

/// What writers know of a table.
struct Writing<K> {
    /// Of which lanes everything is there.
    settled: Option<Settled>,
    /// The keys that hold something which may go when more settles. So what settling costs depends on what has changed,
    /// and not on what is there.
    unsettled: HashSet<K, KeyHashBuilder>,
}

impl<K: Key, V: Data, R: Resolver<V>> Table<K, V, R> {
    /// An empty table.
    pub fn new(name: impl Into<Arc<str>>, resolver: R) -> Self {
        let writing = Writing { settled: None, unsettled: HashSet::default() };
        Table {
            name: name.into(),
            resolver,
            keys: DashMap::default(),
            writing: Mutex::new(writing),
            version: Arc::default(),
            of: PhantomData,
        }
    }

    /// The value of a key, as a task at this epoch sees it.
    pub fn read(&self, at: Epoch, key: &K) -> R::Value {
        self.with(at, key, |state| self.resolver.value(state))
    }

    /// Looks at the state of a key, as a task at this epoch sees it: the default where nobody has updated it. The key
    /// cannot be updated meanwhile, so `look` must not come back to the table.
    pub fn with<T>(&self, at: Epoch, key: &K, look: impl FnOnce(&R::State) -> T) -> T {
        match self.keys.get(key).as_ref().and_then(|versions| versions.at(at)) {
            Some(state) => look(state),
            None => look(&R::State::default()),
        }
    }

    /// Makes an update of a key, as a task at the stamp's epoch that sees what it sees, and applies it. The delta for the
    /// other sites, as MessagePack.
    ///
    /// # Errors
    ///
    /// Where the resolver refuses it, or where it is too large. Nothing changes then.
    ///
    /// # Panics
    ///
    /// Where the stamp's lane is settled: it has been said that nothing will come of it.
    pub fn update(&self, stamp: &Stamp, key: &K, update: R::Update) -> Result<Vec<u8>, Refusal> {
        let mut writing = self.writing();
        let (delta, bytes) = self.make(&writing, stamp, key, update)?;
        self.join(&mut writing, stamp, key.clone(), delta);
        Ok(bytes)
    }

    /// What an update comes to, also as bytes, before anything has changed.
    fn make(
        &self,
        writing: &Writing<K>,
        stamp: &Stamp,
        key: &K,
        update: R::Update,
    ) -> Result<(R::State, Vec<u8>), Refusal> {
        let lane = stamp.dot.lane;
        assert!(!writing.is_settled(stamp), "nothing was to come any more of {lane}");
        self.check_writer(stamp)?;
        let delta = self.with(lane.epoch, key, |state| {
            let delta = self.resolver.update(state, update, stamp)?;
            // What no other site would take is not made.
            self.resolver.check(state, &delta, stamp)?;
            Ok(delta)
        })?;
        let bytes = encode_delta(&delta)?;
        Ok((delta, bytes))
    }

    /// Lets the author's code look at what came from elsewhere. Where it panics nothing has changed, and it is refused: who
    /// has sent it harms nobody else.
    fn tried<T>(&self, look: impl FnOnce() -> T) -> Result<T, TableError> {
        panic::catch_unwind(AssertUnwindSafe(look))
            .map_err(|_| self.refused(Refusal::Update("the code that looks at it panics".to_owned())))
    }

    /// The keys of which there is something, and their values, as a task at this epoch sees them.
    pub fn entries(&self, at: Epoch) -> BTreeMap<K, R::Value> {
        let value = |versions: &Versions<R::State>| Some(self.resolver.value(held::<R, V>(versions, at)?));
        self.keys.iter().filter_map(|kept| Some((kept.key().clone(), value(kept.value())?))).collect()
    }

    /// Refuses an update of a task, where values are agreed on.
    fn check_writer(&self, stamp: &Stamp) -> Result<(), Refusal> {
        if self.resolver.agrees().is_none() || stamp.writer == AGREED {
            return Ok(());
        }
        let name = &self.name;
        Err(Refusal::Update(format!(
            "no task updates the shared state {name:?}: its values are agreed on by the nodes of the job"
        )))
    }

    /// How its values are made.
    pub(super) fn resolver(&self) -> &R {
        &self.resolver
    }

    /// Which version it is at: what was read is read again as long as that does not change.
    pub(super) fn version(&self) -> Arc<AtomicU64> {
        self.version.clone()
    }

    /// Says that something is written or has settled.
    fn changed(&self) {
        self.version.fetch_add(1, Release);
    }

    fn join(&self, writing: &mut Writing<K>, stamp: &Stamp, key: K, delta: R::State) {
        let epoch = stamp.dot.lane.epoch;
        if !writing.unsettled.contains(&key) {
            writing.unsettled.insert(key.clone());
        }
        match self.keys.entry(key) {
            Entry::Occupied(mut entry) => {
                entry.get_mut().join(epoch, |state| self.resolver.join(state, &delta));
            }
            Entry::Vacant(place) => {
                place.insert(Versions::new(epoch, delta));
            }
        }
        self.changed();
    }

    /// Settles one key; whether it holds something that may go when more settles.
    fn settle_key(&self, key: &K, settled: Settled) -> bool {
        let Some(mut versions) = self.keys.get_mut(key) else { return false };
        let mut is_unsettled = !versions.fold(settled.epoch);
        for state in versions.states_mut() {
            is_unsettled |= self.resolver.settle(state, settled);
        }
        let is_forgotten = !is_unsettled && versions.at(BASE) == Some(&R::State::default());
        drop(versions);
        if is_forgotten {
            self.keys.remove(key);
        }
        is_unsettled
    }

    /// The state that is saved of a key: the same on all sites that have settled the same, whether they have joined the
    /// newest updates before or after they did.
    fn saved_state(&self, settled: Option<Settled>, mut state: R::State) -> Option<Vec<u8>> {
        if let Some(settled) = settled {
            self.resolver.settle(&mut state, settled);
        }
        (state != R::State::default()).then(|| encode(&state))
    }

    /// The right to write. A writer that has panicked has ended the run, and with it the table.
    fn writing(&self) -> MutexGuard<'_, Writing<K>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn malformed(&self, part: &'static str) -> impl FnOnce(String) -> TableError {
        move |reason| TableError::malformed(&self.name, part, &reason)
    }

    pub(super) fn refused(&self, refusal: Refusal) -> TableError {
        TableError::refused(&self.name, refusal)
    }
}

/// The state that a task at an epoch sees, where it can tell it from that of a key without updates.
fn held<R: Resolver<V>, V>(versions: &Versions<R::State>, at: Epoch) -> Option<&R::State> {
    versions.at(at).filter(|state| **state != R::State::default())
}

impl<K> Writing<K> {
    fn is_settled(&self, stamp: &Stamp) -> bool {
        self.settled.is_some_and(|settled| settled.has(stamp.dot.lane))
    }
}

impl<K, V, R> AnyTable for Table<K, V, R>
where
    K: Key + Sync,
    V: Data,
    R: Resolver<V, State: Sync, Value: Serialize>,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn apply(&self, stamp: &Stamp, key: &[u8], delta: &[u8]) -> Result<Applied, TableError> {
        check_key(key).and_then(|()| check_delta(delta)).map_err(|refusal| self.refused(refusal))?;
        let key: K = self.tried(|| decode(key))?.map_err(self.malformed("a key"))?;
        let delta: R::State = self.tried(|| decode(delta))?.map_err(self.malformed("an update"))?;
        let mut writing = self.writing();
        if writing.is_settled(stamp) {
            return Ok(Applied::Settled);
        }
        let check = |state: &R::State| self.resolver.check(state, &delta, stamp);
        let check = || self.check_writer(stamp).and_then(|()| self.with(stamp.dot.lane.epoch, &key, check));
        self.tried(check)?.map_err(|refusal| self.refused(refusal))?;
        self.join(&mut writing, stamp, key, delta);
        Ok(Applied::Joined)
    }

    fn update_bytes(&self, stamp: &Stamp, key: &[u8], update: &[u8]) -> Result<Vec<u8>, TableError> {
        check_key(key).and_then(|()| check_delta(update)).map_err(|refusal| self.refused(refusal))?;
        let key: K = self.tried(|| decode(key))?.map_err(self.malformed("a key"))?;
        let update: R::Update = self.tried(|| decode(update))?.map_err(self.malformed("an update"))?;
        let mut writing = self.writing();
        let made = self.tried(|| self.make(&writing, stamp, &key, update))?;
        let (delta, bytes) = made.map_err(|refusal| self.refused(refusal))?;
        self.join(&mut writing, stamp, key, delta);
        Ok(bytes)
    }

    fn settle(&self, settled: Settled) {
        let mut writing = self.writing();
        let Writing { settled: before, unsettled } = &mut *writing;
        if before.is_some_and(|before| (settled.run, settled.epoch) <= (before.run, before.epoch)) {
            return;
        }
        *before = Some(settled);
        unsettled.retain(|key| self.settle_key(key, settled));
        self.changed();
    }

    fn save(&self, at: Epoch) -> Vec<u8> {
        let settled = self.writing().settled;
        // Key by key, so that whoever writes meanwhile waits for the copy of one state at most. A key that is not there yet
        // has nothing that is as old as what is saved.
        let keys: Vec<K> = self.keys.iter().map(|kept| kept.key().clone()).collect();
        let copy = |key: &K| held::<R, V>(&*self.keys.get(key)?, at).cloned();
        let entry = |key: K| {
            let state = copy(&key)?;
            Some((encode(&key), self.saved_state(settled, state)?))
        };
        saved::write(&self.name, keys.into_iter().filter_map(entry).collect())
    }

    fn load(&self, bytes: &[u8]) -> Result<(), TableError> {
        let mut writing = self.writing();
        assert!(self.keys.is_empty(), "the shared state {:?} is restored before it is used", self.name);
        let entry = |saved::Entry(key, state): &saved::Entry<'_>| -> Result<(K, R::State), TableError> {
            let key = decode(key).map_err(self.malformed("a saved key"))?;
            Ok((key, decode(state).map_err(self.malformed("a saved state"))?))
        };
        let entries: Vec<_> =
            saved::read(&self.name, bytes)?.iter().map(entry).collect::<Result<_, TableError>>()?;
        for (key, state) in entries {
            writing.unsettled.insert(key.clone());
            self.keys.insert(key, Versions::new(BASE, state));
        }
        self.changed();
        Ok(())
    }

    fn get(&self, at: Epoch, key: &[u8]) -> Result<Option<Vec<u8>>, TableError> {
        let key: K = self.tried(|| decode(key))?.map_err(self.malformed("a key"))?;
        let versions = self.keys.get(&key);
        let state = versions.as_ref().and_then(|versions| held::<R, V>(versions, at));
        let Some(state) = state else { return Ok(None) };
        let write = || rmp_serde::to_vec_named(&self.resolver.value(state));
        Ok(Some(self.tried(write)?.expect("a value can be written by serde")))
    }

    fn agrees(&self) -> Option<&dyn AnyAgrees> {
        self.resolver.agrees().map(|_| self as &dyn AnyAgrees)
    }

    fn len(&self) -> usize {
        self.keys.len()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests;

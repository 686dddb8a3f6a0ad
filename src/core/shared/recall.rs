//! What one subtask remembers of one table, so that reading a key again costs a comparison.
//!
//! A table has a version, which each write and each settling raises when it is done. What was found at a version is what would be found
//! again while the table is at it, by a task of the same epoch; so nothing has to be told of a change, and nothing is read
//! that the table would not have said at that moment.
//!
//! SUBTLE: the version is read *before* the table is, and raised *after* it was changed. So what is remembered under a version is at
//! least as new as that; and whoever has seen a change, by way of another key or of a subtask that has told of it, sees
//! the version that follows it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Acquire};

use crate::key::hash_key;
use crate::shared::{Resolver, Table};
use crate::{Data, Epoch, Key};

/// How many keys are remembered: each has one place, which it shares with others.
const PLACES: usize = 256;

/// What a subtask remembers of a table.
pub(crate) struct Recall<K, V, R: Resolver<V>> {
    resolver: R,
    version: Arc<AtomicU64>,
    /// When the table was last asked. Nothing is kept of a table that changes between any two reads: it would be a
    /// copy for nothing.
    asked_at: u64,
    places: Box<[Option<Remembered<K, R::State>>]>,
}

/// What was found of a key, in an epoch and at a version.
struct Remembered<K, S> {
    version: u64,
    epoch: Epoch,
    key: K,
    state: S,
}

impl<K: Key, V: Data, R: Resolver<V>> Recall<K, V, R> {
    /// Remembers nothing yet.
    pub(crate) fn of(table: &Table<K, V, R>) -> Self {
        let places = (0..PLACES).map(|_| None).collect();
        Recall { resolver: table.resolver().clone(), version: table.version(), asked_at: 0, places }
    }

    /// The value of a key, as a task at this epoch sees it now, where it is remembered.
    #[inline]
    pub(crate) fn find(&self, at: Epoch, key: &K) -> Option<R::Value> {
        let version = self.version.load(Acquire);
        let found = self.places[place(key)].as_ref();
        let found = found.filter(|found| found.version == version && found.epoch == at && found.key == *key);
        found.map(|found| self.resolver.value(&found.state))
    }

    /// The value of a key in the table, which is remembered if the table is at rest.
    pub(crate) fn ask(&mut self, table: &Table<K, V, R>, at: Epoch, key: &K) -> R::Value {
        let version = self.version.load(Acquire);
        let at_rest = std::mem::replace(&mut self.asked_at, version) == version;
        table.with(at, key, |state| {
            if at_rest {
                let remembered = Remembered { version, epoch: at, key: key.clone(), state: state.clone() };
                self.places[place(key)] = Some(remembered);
            }
            self.resolver.value(state)
        })
    }
}

fn place<K: Key>(key: &K) -> usize {
    hash_key(key) as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causal::{Dot, HybridTime, Lane};
    use crate::shared::doubles::Count;
    use crate::shared::{AnyTable, Settled, Stamp};
    use crate::{Counter, Run, Site, SubtaskId, VertexId};

    fn stamp(epoch: u64, counter: u64) -> Stamp {
        let lane = Lane { run: Run(1), epoch: Epoch(epoch), site: Site(0) };
        let writer = SubtaskId { vertex: VertexId(0), index: 0 };
        Stamp { dot: Dot { lane, counter: Counter(counter) }, time: HybridTime(counter), writer }
    }

    fn read(
        recall: &mut Recall<u64, u64, Count>,
        table: &Table<u64, u64, Count>,
        at: u64,
        key: u64,
    ) -> (u64, bool) {
        match recall.find(Epoch(at), &key) {
            Some(value) => (value, true),
            None => (recall.ask(table, Epoch(at), &key), false),
        }
    }

    #[test]
    fn what_is_remembered_is_what_the_table_says() {
        let table = Table::new("counts", Count);
        let mut recall = Recall::of(&table);
        let mut now = |at, key| read(&mut recall, &table, at, key);
        assert_eq!([now(1, 5), now(1, 5)], [(0, false), (0, true)], "also that there is nothing");
        table.update(&stamp(1, 1), &5, 3).unwrap();
        assert_eq!([now(1, 5), now(1, 5), now(1, 5)], [(3, false), (3, false), (3, true)]);
        assert_eq!(now(1, 6), (0, false), "another key");
    }

    #[test]
    fn a_task_is_told_what_its_own_epoch_sees() {
        let table = Table::new("counts", Count);
        let mut recall = Recall::of(&table);
        table.update(&stamp(2, 1), &5, 3).unwrap();
        let mut now = |at| read(&mut recall, &table, at, 5);
        assert_eq!([now(1), now(1), now(1)], [(0, false), (0, false), (0, true)]);
        assert_eq!([now(2), now(2)], [(3, false), (3, true)]);
    }

    #[test]
    fn what_another_site_has_done_and_what_has_settled_is_not_missed() {
        let (table, elsewhere) = (Table::new("counts", Count), Table::new("counts", Count));
        let delta = elsewhere.update(&stamp(2, 1), &5, 3).unwrap();
        let mut recall = Recall::of(&table);
        let mut now = |at| read(&mut recall, &table, at, 5);
        assert_eq!([now(2), now(2)], [(0, false), (0, true)]);
        table.apply(&stamp(2, 1), &crate::shared::encode_key(&5_u64).unwrap(), &delta).unwrap();
        assert_eq!([now(2), now(2), now(2)], [(3, false), (3, false), (3, true)]);
        table.settle(Settled { run: Run(1), epoch: Epoch(2), time: HybridTime(1) });
        assert_eq!([now(2), now(2), now(2)], [(3, false), (3, false), (3, true)]);
        assert_eq!(now(1), (3, false), "what has settled is seen by all");
    }

    #[test]
    fn keys_that_share_a_place_do_not_stand_for_each_other() {
        let table = Table::new("counts", Count);
        let mut recall = Recall::of(&table);
        for key in 0..4 * PLACES as u64 {
            table.update(&stamp(1, key + 1), &key, key).unwrap();
        }
        for _ in 0..3 {
            for key in 0..4 * PLACES as u64 {
                assert_eq!(read(&mut recall, &table, 1, key).0, key);
            }
        }
    }
}

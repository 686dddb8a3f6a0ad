//! The replica of a job that has one site only.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::causal::{Dot, HybridTime, Lane, VectorClock};
use crate::shared::{AnyShared, AnyTable, Refusal, Replica, Settled, Stamp, TableError};
use crate::{Counter, Epoch, Run, SharedId, Site, SubtaskId};

/// All shared state of a job that has nobody to tell of its updates: a job without links, or an operator under test.
pub struct LocalReplica {
    run: Run,
    /// By their ids; those that nobody uses are left out.
    tables: Vec<Option<Arc<dyn AnyTable>>>,
    written: Mutex<Written>,
}

/// What has been written so far.
#[derive(Default)]
struct Written {
    clock: VectorClock,
    /// The time of the last update.
    last: HybridTime,
    /// The wall clock.
    now: HybridTime,
}

/// What a replica has saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedReplica {
    /// The last epoch whose updates are there.
    pub epoch: Epoch,
    /// No update that is there is later.
    pub time: HybridTime,
    /// The bytes of each table.
    pub tables: BTreeMap<SharedId, Vec<u8>>,
}

impl LocalReplica {
    /// Empty tables of these states, for a run.
    pub fn new<'a>(run: Run, states: impl IntoIterator<Item = &'a AnyShared>) -> Self {
        let mut tables = Vec::new();
        for state in states {
            let place = state.id().0 as usize;
            if place >= tables.len() {
                tables.resize_with(place + 1, || None);
            }
            tables[place].get_or_insert_with(|| state.table());
        }
        LocalReplica { run, tables, written: Mutex::default() }
    }

    /// The run.
    pub fn run(&self) -> Run {
        self.run
    }

    /// Sets the wall clock; the times of updates follow it and never go back.
    pub fn set_now(&self, now: HybridTime) {
        let mut written = self.written();
        written.now = written.now.max(now);
    }

    /// Takes note that all tasks have passed the barrier of an epoch, and that its checkpoint is complete.
    pub fn settle(&self, epoch: Epoch) {
        let mut written = self.written();
        // No update of another site has an older time, since there is none.
        let settled = Settled { run: self.run, epoch, time: written.last };
        self.tables().for_each(|(_, table)| table.settle(settled));
        written.clock.forget(epoch);
    }

    /// What a task at an epoch would see of all tables.
    pub fn save(&self, epoch: Epoch) -> SavedReplica {
        let written = self.written();
        let tables = self.tables().map(|(id, table)| (id, table.save(epoch))).collect();
        SavedReplica { epoch, time: written.last, tables }
    }

    /// Takes in what a replica of an earlier run has saved.
    ///
    /// # Errors
    ///
    /// Where a table does not take its bytes.
    pub fn load(&self, saved: &SavedReplica) -> Result<(), TableError> {
        let mut written = self.written();
        written.last = written.last.max(saved.time);
        let settled = Settled { run: self.run, epoch: saved.epoch, time: saved.time };
        for (id, table) in self.tables() {
            if let Some(bytes) = saved.tables.get(&id) {
                table.load(bytes)?;
            }
            table.settle(settled);
        }
        Ok(())
    }

    fn tables(&self) -> impl Iterator<Item = (SharedId, &Arc<dyn AnyTable>)> {
        let numbered = self.tables.iter().enumerate();
        numbered.filter_map(|(number, table)| Some((SharedId(number as u32), table.as_ref()?)))
    }

    /// A writer that has panicked has not been noted, and the run ends.
    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Replica for LocalReplica {
    fn table(&self, shared: SharedId) -> &dyn AnyTable {
        let table = self.tables.get(shared.0 as usize).and_then(Option::as_deref);
        table.expect("the replica has all shared state that its tasks use")
    }

    fn write(
        &self,
        _shared: SharedId,
        writer: SubtaskId,
        epoch: Epoch,
        _key: Vec<u8>,
        make: &mut dyn FnMut(&Stamp) -> Result<Vec<u8>, Refusal>,
    ) -> Result<(), Refusal> {
        let mut written = self.written();
        let lane = Lane { run: self.run, epoch, site: Site(0) };
        let dot = Dot { lane, counter: Counter(written.clock.get(lane).0 + 1) };
        let time = written.now.max(written.last.next());
        make(&Stamp { dot, time, writer })?;
        written.clock.see(dot);
        written.last = time;
        Ok(())
    }

    fn applied(&self, epoch: Epoch) -> VectorClock {
        self.written().clock.up_to(epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VertexId;
    use crate::shared::Shared;
    use crate::shared::doubles::Count;

    const WRITER: SubtaskId = SubtaskId { vertex: VertexId(0), index: 0 };

    fn write(replica: &LocalReplica, epoch: u64, answer: Result<Vec<u8>, Refusal>) -> Option<Stamp> {
        let mut made = None;
        let _ = replica.write(SharedId(2), WRITER, Epoch(epoch), vec![7], &mut |stamp| {
            made = Some(*stamp);
            answer.clone()
        });
        made
    }

    fn stamped(stamp: Option<Stamp>) -> (u64, u64, HybridTime) {
        let stamp = stamp.unwrap();
        (stamp.dot.lane.epoch.0, stamp.dot.counter.0, stamp.time)
    }

    #[test]
    fn each_lane_counts_its_updates_and_a_refused_one_counts_for_nothing() {
        let replica = LocalReplica::new(Run(4), []);
        let refused = Err(Refusal::Update("no".to_owned()));
        assert_eq!(stamped(write(&replica, 1, refused.clone())), (1, 1, HybridTime(1)));
        assert!(replica.applied(Epoch(9)).is_empty());
        assert_eq!(stamped(write(&replica, 1, Ok(vec![]))), (1, 1, HybridTime(1)));
        assert_eq!(stamped(write(&replica, 2, Ok(vec![]))), (2, 1, HybridTime(2)));
        assert_eq!(stamped(write(&replica, 1, Ok(vec![]))), (1, 2, HybridTime(3)));
        let lane = |epoch| Lane { run: Run(4), epoch: Epoch(epoch), site: Site(0) };
        let seen = [Dot { lane: lane(1), counter: Counter(2) }].into_iter().collect();
        assert_eq!(replica.applied(Epoch(1)), seen);
        replica.settle(Epoch(1));
        assert_eq!(
            replica.applied(Epoch(2)),
            [Dot { lane: lane(2), counter: Counter(1) }].into_iter().collect()
        );
    }

    #[test]
    fn times_follow_the_wall_clock_and_never_go_back() {
        let replica = LocalReplica::new(Run(4), []);
        replica.set_now(HybridTime::at(70));
        let time = || stamped(write(&replica, 1, Ok(vec![]))).2;
        assert_eq!(time(), HybridTime::at(70));
        replica.set_now(HybridTime::at(60));
        assert_eq!(time(), HybridTime::at(70).next());
        replica.set_now(HybridTime::at(80));
        assert_eq!(time(), HybridTime::at(80));
    }

    #[test]
    fn a_replica_goes_on_from_what_another_has_saved() {
        let states = [1, 3].map(|id| Shared::<u8, u64, Count>::new(SharedId(id), "count", Count).any());
        let replica = LocalReplica::new(Run(1), &states);
        let count = |replica: &LocalReplica, id: u32| {
            let table = replica.table(SharedId(id)).as_any().downcast_ref();
            let table: &crate::shared::Table<u8, u64, Count> = table.unwrap();
            table.read(Epoch(5), &1)
        };
        let add = |replica: &LocalReplica, epoch| {
            let table = replica.table(SharedId(3)).as_any().downcast_ref();
            let table: &crate::shared::Table<u8, u64, Count> = table.unwrap();
            replica
                .write(SharedId(3), WRITER, Epoch(epoch), vec![1], &mut |stamp| table.update(stamp, &1, 10))
        };
        add(&replica, 1).unwrap();
        add(&replica, 2).unwrap();
        let next = LocalReplica::new(Run(2), &states);
        next.load(&replica.save(Epoch(1))).unwrap();
        add(&next, 2).unwrap();
        assert_eq!([count(&next, 1), count(&next, 3), count(&replica, 3)], [0, 20, 20]);
    }
}

//! Collects what comes into a vector, for tests and examples.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use watershed_core::{Data, Epoch, EventTime, Record, Sink, SinkError, SinkPlace, SubtaskId, Writer};

/// Collects every record, and shows those that have been committed.
///
/// It keeps what it promises to the letter, so that a test may demand exactly once: records ride in the
/// staged value, an epoch is shown once however often it is committed, and one that is aborted is never
/// shown. [`Collect::live`] shows each record at once and may show it again after a failure.
///
/// ```
/// use watershed_actors::sink::Collect;
/// use watershed_core::{KeyGroups, Pipeline, testing::Numbers};
///
/// let (sink, numbers) = Collect::new();
/// let pipeline = Pipeline::new("numbers", KeyGroups::default());
/// pipeline.source(Numbers::up_to(10)).sink(sink);
/// // .. and when the job is over:
/// let numbers: Vec<u64> = numbers.take();
/// ```
pub struct Collect<T> {
    shelf: Collected<T>,
    live: bool,
}

/// What the subtasks of a [`Collect`] have shown.
pub struct Collected<T>(Arc<Mutex<Shelf<T>>>);

struct Shelf<T> {
    records: Vec<Record<T>>,
    committed: BTreeSet<(SubtaskId, Epoch)>,
}

/// The records of one subtask and epoch.
#[derive(Clone, Serialize, Deserialize)]
pub struct CollectedEpoch<T> {
    subtask: SubtaskId,
    epoch: Epoch,
    records: Vec<Record<T>>,
}

impl<T: Data> Data for CollectedEpoch<T> {}

impl<T> Collect<T> {
    /// A sink that shows what has been committed, and where to see it.
    pub fn new() -> (Self, Collected<T>) {
        let shelf =
            Collected(Arc::new(Mutex::new(Shelf { records: Vec::new(), committed: BTreeSet::new() })));
        (Collect { shelf: shelf.clone(), live: false }, shelf)
    }

    /// A sink that shows each record as soon as it comes, at least once, and where to see it: for jobs that
    /// never end.
    pub fn live() -> (Self, Collected<T>) {
        let (sink, shelf) = Collect::new();
        (Collect { live: true, ..sink }, shelf)
    }
}

impl<T> Collected<T> {
    /// Takes the values that have been shown, in the order in which they were. Subtasks mix as they come.
    pub fn take(&self) -> Vec<T> {
        self.take_records().into_iter().map(|record| record.value).collect()
    }

    /// Takes the values that have been shown, with their times.
    pub fn take_records(&self) -> Vec<Record<T>> {
        std::mem::take(&mut self.lock().records)
    }

    /// How many values are there to be taken.
    pub fn len(&self) -> usize {
        self.lock().records.len()
    }

    /// Whether there is nothing to be taken.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, Shelf<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Collected<T> {
    fn clone(&self) -> Self {
        Collected(Arc::clone(&self.0))
    }
}

impl<T> Clone for Collect<T> {
    fn clone(&self) -> Self {
        Collect { shelf: self.shelf.clone(), live: self.live }
    }
}

impl<T: Data> Sink for Collect<T> {
    type In = T;
    type Staged = CollectedEpoch<T>;
    type Writer = CollectWriter<T>;

    fn open(&self, place: &SinkPlace) -> Result<CollectWriter<T>, SinkError> {
        let subtask = place.subtask;
        Ok(CollectWriter { subtask, shelf: self.shelf.clone(), live: self.live, records: Vec::new() })
    }
}

/// Collects for one subtask.
pub struct CollectWriter<T> {
    subtask: SubtaskId,
    shelf: Collected<T>,
    live: bool,
    records: Vec<Record<T>>,
}

impl<T: Data> Writer for CollectWriter<T> {
    type In = T;
    type Staged = CollectedEpoch<T>;

    fn write(&mut self, value: T, time: EventTime) -> Result<(), SinkError> {
        if self.live {
            self.shelf.lock().records.push(Record { value, time });
        } else {
            self.records.push(Record { value, time });
        }
        Ok(())
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<Option<CollectedEpoch<T>>, SinkError> {
        let records = std::mem::take(&mut self.records);
        Ok((!records.is_empty()).then_some(CollectedEpoch { subtask: self.subtask, epoch, records }))
    }

    fn commit(&mut self, staged: CollectedEpoch<T>) -> Result<(), SinkError> {
        let mut shelf = self.shelf.lock();
        if shelf.committed.insert((staged.subtask, staged.epoch)) {
            shelf.records.extend(staged.records);
        }
        Ok(())
    }

    fn abort(&mut self, _staged: CollectedEpoch<T>) -> Result<(), SinkError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use watershed_core::testing::{SinkHarness, verify_sink};

    #[test]
    fn it_keeps_the_contract_of_sinks() {
        let fresh = || {
            let (sink, collected) = Collect::new();
            (sink, move || collected.lock().records.iter().map(|record| record.value).collect::<Vec<u64>>())
        };
        let records: Vec<_> = (0..6).map(|n| Record::new(n, EventTime::from_millis(n as i64))).collect();
        verify_sink(fresh, &records);
    }

    #[test]
    fn a_live_one_shows_records_at_once() {
        let (sink, collected) = Collect::live();
        let mut harness = SinkHarness::new(sink);
        harness.write(7, 10);
        assert_eq!(collected.take_records(), [Record::new(7, EventTime::from_millis(10))]);
        assert!(harness.prepare().is_none());
        assert!(collected.is_empty());
    }
}

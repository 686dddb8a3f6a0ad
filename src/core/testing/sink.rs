//! One subtask of a sink, alone, under a test's control; and the contract of sinks, checked.

use std::fmt::Debug;

use crate::spi::{Sink, Writer};
use crate::{Epoch, EventTime, Record, SinkError, SinkPlace};

/// Runs one subtask of a sink: write records, prepare, commit, abort, crash.
///
/// Staged values pass through MessagePack, as they do in a checkpoint. Methods panic where the sink fails;
/// those that begin with `try` do not.
///
/// ```
/// use watershed_core::testing::SinkHarness;
/// # use watershed_core::{Epoch, EventTime, Sink, SinkError, SinkPlace, Writer};
/// # #[derive(Clone)] struct Standard;
/// # impl Sink for Standard {
/// #     type In = u64; type Staged = (); type Writer = Standard;
/// #     fn open(&self, _: &SinkPlace) -> Result<Standard, SinkError> { Ok(Standard) }
/// # }
/// # impl Writer for Standard {
/// #     type In = u64; type Staged = ();
/// #     fn write(&mut self, _: u64, _: EventTime) -> Result<(), SinkError> { Ok(()) }
/// #     fn prepare(&mut self, _: Epoch) -> Result<Option<()>, SinkError> { Ok(Some(())) }
/// #     fn commit(&mut self, _: ()) -> Result<(), SinkError> { Ok(()) }
/// #     fn abort(&mut self, _: ()) -> Result<(), SinkError> { Ok(()) }
/// # }
/// let mut harness = SinkHarness::new(Standard);
/// harness.write(7, 10);
/// let staged = harness.prepare();
/// harness.crash();
/// harness.commit(&staged);
/// ```
pub struct SinkHarness<S: Sink> {
    sink: S,
    place: SinkPlace,
    writer: Option<S::Writer>,
    epoch: Epoch,
}

/// What a sink has staged, as it lies in a checkpoint; nothing where there was nothing to stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedBytes(Option<Vec<u8>>);

impl StagedBytes {
    /// Whether nothing was staged.
    pub fn is_none(&self) -> bool {
        self.0.is_none()
    }
}

impl<S: Sink> SinkHarness<S> {
    /// Opens the only subtask of a sink.
    pub fn new(sink: S) -> Self {
        SinkHarness::subtask(sink, 0, 1)
    }

    /// Opens one of several subtasks of a sink.
    pub fn subtask(sink: S, index: u32, parallelism: u32) -> Self {
        SinkHarness::try_subtask(sink, index, parallelism).expect("the sink opens")
    }

    /// Opens one of several subtasks of a sink.
    ///
    /// # Errors
    ///
    /// Where the sink cannot be opened.
    pub fn try_subtask(sink: S, index: u32, parallelism: u32) -> Result<Self, SinkError> {
        let place = SinkPlace::alone("sink").of(index, parallelism);
        let writer = Some(sink.open(&place)?);
        Ok(SinkHarness { sink, place, writer, epoch: Epoch(0) })
    }

    /// Writes a record, at so many milliseconds.
    pub fn write(&mut self, value: S::In, millis: i64) {
        self.try_write(value, millis).expect("the record is written");
    }

    /// Writes a record, at so many milliseconds.
    ///
    /// # Errors
    ///
    /// Where the sink cannot write it.
    pub fn try_write(&mut self, value: S::In, millis: i64) -> Result<(), SinkError> {
        self.writer().write(value, EventTime::from_millis(millis))
    }

    /// Lets the stream pause.
    pub fn flush(&mut self) {
        self.try_flush().expect("the sink is flushed");
    }

    /// Lets the stream pause.
    ///
    /// # Errors
    ///
    /// Where the sink cannot hand on what it has.
    pub fn try_flush(&mut self) -> Result<(), SinkError> {
        self.writer().flush()
    }

    /// Prepares the next epoch.
    pub fn prepare(&mut self) -> StagedBytes {
        self.try_prepare().expect("the epoch is prepared")
    }

    /// Prepares the next epoch.
    ///
    /// # Errors
    ///
    /// Where what was written cannot be made durable.
    pub fn try_prepare(&mut self) -> Result<StagedBytes, SinkError> {
        self.epoch.0 += 1;
        let epoch = self.epoch;
        let staged = self.writer().prepare(epoch)?;
        let pack = |staged| rmp_serde::to_vec_named(&staged).expect("Data can be written by serde");
        Ok(StagedBytes(staged.map(pack)))
    }

    /// Commits what was staged.
    pub fn commit(&mut self, staged: &StagedBytes) {
        self.try_commit(staged).expect("the epoch is committed");
    }

    /// Commits what was staged.
    ///
    /// # Errors
    ///
    /// Where it is not certain that it is visible.
    pub fn try_commit(&mut self, staged: &StagedBytes) -> Result<(), SinkError> {
        staged.0.iter().try_for_each(|bytes| self.writer().commit(unpack(bytes)))
    }

    /// Takes back what was staged.
    pub fn abort(&mut self, staged: &StagedBytes) {
        self.try_abort(staged).expect("the epoch is aborted");
    }

    /// Takes back what was staged.
    ///
    /// # Errors
    ///
    /// Where it cannot be taken back.
    pub fn try_abort(&mut self, staged: &StagedBytes) -> Result<(), SinkError> {
        staged.0.iter().try_for_each(|bytes| self.writer().abort(unpack(bytes)))
    }

    /// Loses the writer with all that it knows and opens another. The lost writer is neither prepared nor
    /// dropped: a process that is killed cleans nothing up.
    pub fn crash(&mut self) {
        std::mem::forget(self.writer.take());
        self.place.run.0 += 1;
        self.writer = Some(self.sink.open(&self.place).expect("the sink opens again"));
    }

    /// Lets the writer go on from a checkpoint whose epochs have been committed.
    pub fn resume(&mut self) {
        self.try_resume().expect("the sink resumes");
    }

    /// Lets the writer go on from a checkpoint whose epochs have been committed.
    ///
    /// # Errors
    ///
    /// Where the place is not as the checkpoint left it.
    pub fn try_resume(&mut self) -> Result<(), SinkError> {
        self.writer().resume()
    }

    fn writer(&mut self) -> &mut S::Writer {
        self.writer.as_mut().expect("the sink is open")
    }
}

fn unpack<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> T {
    rmp_serde::from_slice(bytes).expect("what was staged can be read back")
}

/// Checks a sink against its contract: records are visible once they are committed, exactly once, whatever
/// is repeated and whoever crashes.
///
/// `fresh` makes a sink over an empty place, and a function that lists what a reader sees there: one entry
/// for each record. The records must be such that their entries tell them apart.
///
/// * Nothing is visible before the commit, and all of it behind it; committing twice changes nothing.
/// * The staged value is enough for another writer to commit, or to abort; twice, if need be.
/// * What is aborted never becomes visible, and the writer can go on.
/// * Epochs become visible one by one, also where the second is prepared before the first is committed, and
///   where the first is committed again behind the second.
/// * After a crash, what nobody will commit mixes with nothing, and a writer that is resumed adds to what is
///   there.
/// * A checkpoint can be gone back to twice: what a run behind it has staged, and nobody will commit, is not taken
///   for what the checkpoint names.
///
/// # Panics
///
/// Where one of these does not hold, naming it.
pub fn verify_sink<S, V, L>(fresh: impl Fn() -> (S, L), records: &[Record<S::In>])
where
    S: Sink,
    V: Ord + Debug,
    L: FnMut() -> Vec<V>,
{
    let half = records.len() / 2;
    let (first, second) = records.split_at(half);
    assert!(half > 0, "two records are the least that can tell epochs apart");
    let expected = |part: &[Record<S::In>]| {
        let mut trial = Trial::new(&fresh);
        trial.write(part);
        let staged = trial.harness.prepare();
        trial.harness.commit(&staged);
        let seen = trial.see();
        assert_eq!(seen.len(), part.len(), "a committed record is one entry, in {seen:?}");
        seen
    };
    let (all, of_first, of_second) = (expected(records), expected(first), expected(second));

    let mut trial = Trial::new(&fresh);
    let staged = trial.harness.prepare();
    trial.harness.commit(&staged);
    trial.expect(&[], "an epoch without records is committed");
    trial.write(first);
    trial.harness.flush();
    trial.expect(&[], "records are written and flushed");
    let staged = trial.harness.prepare();
    trial.expect(&[], "an epoch is prepared");
    trial.write(second);
    let next = trial.harness.prepare();
    trial.expect(&[], "two epochs are prepared");
    trial.harness.commit(&staged);
    trial.expect(&of_first, "the first of two is committed");
    trial.harness.commit(&staged);
    trial.expect(&of_first, "the first of two is committed again");
    trial.harness.commit(&next);
    trial.expect(&all, "both are committed");
    trial.harness.commit(&staged);
    trial.harness.commit(&next);
    trial.expect(&all, "both are committed again");
    let staged = trial.harness.prepare();
    trial.harness.commit(&staged);
    trial.expect(&all, "an epoch without records follows");

    let mut trial = Trial::new(&fresh);
    trial.write(first);
    let staged = trial.harness.prepare();
    trial.harness.crash();
    trial.harness.abort(&staged);
    trial.harness.abort(&staged);
    trial.expect(&[], "another writer aborts an epoch twice");
    trial.write(first);
    let staged = trial.harness.prepare();
    trial.harness.abort(&staged);
    trial.expect(&[], "an epoch is aborted");
    trial.write(second);
    let staged = trial.harness.prepare();
    trial.harness.commit(&staged);
    trial.expect(&of_second, "an epoch is committed behind one that was aborted");

    let mut trial = Trial::new(&fresh);
    trial.write(first);
    let staged = trial.harness.prepare();
    trial.write(second);
    trial.harness.flush();
    trial.harness.crash();
    trial.harness.commit(&staged);
    trial.expect(&of_first, "another writer commits");
    trial.harness.crash();
    trial.harness.commit(&staged);
    trial.harness.resume();
    trial.write(second);
    let next = trial.harness.prepare();
    trial.expect(&of_first, "a resumed writer prepares");
    trial.harness.commit(&next);
    trial.expect(&all, "a resumed writer commits");

    let mut trial = Trial::new(&fresh);
    trial.write(first);
    let staged = trial.harness.prepare();
    for _ in 0..2 {
        trial.harness.crash();
        trial.harness.commit(&staged);
        trial.expect(&of_first, "a checkpoint is gone back to, once and twice");
        trial.harness.resume();
        trial.write(second);
        let _lost = trial.harness.prepare();
    }
    trial.harness.crash();
    trial.harness.commit(&staged);
    trial.harness.resume();
    trial.write(second);
    let next = trial.harness.prepare();
    trial.harness.commit(&next);
    trial.expect(&all, "the third run from one checkpoint commits");

    let mut trial = Trial::new(&fresh);
    trial.write(records);
    trial.harness.flush();
    let _lost = trial.harness.prepare();
    trial.write(first);
    trial.harness.crash();
    trial.write(records);
    let staged = trial.harness.prepare();
    trial.harness.commit(&staged);
    trial.expect(&all, "a job begins anew behind one that crashed");
}

/// A sink over a place of its own, and what is seen there.
struct Trial<S: Sink, L> {
    harness: SinkHarness<S>,
    look: L,
}

impl<S: Sink, V: Ord + Debug, L: FnMut() -> Vec<V>> Trial<S, L> {
    fn new(fresh: impl Fn() -> (S, L)) -> Self {
        let (sink, look) = fresh();
        Trial { harness: SinkHarness::new(sink), look }
    }

    fn write(&mut self, records: &[Record<S::In>]) {
        for record in records {
            self.harness.write(record.value.clone(), record.time.as_millis());
        }
    }

    fn see(&mut self) -> Vec<V> {
        let mut seen = (self.look)();
        seen.sort_unstable();
        seen
    }

    fn expect(&mut self, expected: &[V], when: &str) {
        let seen = self.see();
        assert!(seen == expected, "when {when}, a reader sees {seen:?} and should see {expected:?}");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Keeps epochs in a shared map; with a fault, if asked.
    #[derive(Clone, Default)]
    struct Shelf {
        visible: Arc<Mutex<Vec<u64>>>,
        committed: Arc<Mutex<BTreeMap<u64, ()>>>,
        fault: Fault,
    }

    #[derive(Clone, Copy, Default, PartialEq)]
    enum Fault {
        #[default]
        None,
        ShowsAtOnce,
        CommitsTwice,
        CommitsWhatIsAborted,
        ForgetsWhatIsStaged,
    }

    struct ShelfWriter {
        shelf: Shelf,
        records: Vec<u64>,
        kept: Vec<u64>,
    }

    impl Sink for Shelf {
        type In = u64;
        type Staged = (u64, Vec<u64>);
        type Writer = ShelfWriter;

        fn open(&self, _: &SinkPlace) -> Result<ShelfWriter, SinkError> {
            Ok(ShelfWriter { shelf: self.clone(), records: Vec::new(), kept: Vec::new() })
        }
    }

    impl Writer for ShelfWriter {
        type In = u64;
        type Staged = (u64, Vec<u64>);

        fn write(&mut self, record: u64, _: EventTime) -> Result<(), SinkError> {
            if self.shelf.fault == Fault::ShowsAtOnce {
                self.shelf.visible.lock().unwrap().push(record);
            } else {
                self.records.push(record);
            }
            Ok(())
        }

        fn prepare(&mut self, _: Epoch) -> Result<Option<(u64, Vec<u64>)>, SinkError> {
            let mut records = std::mem::take(&mut self.records);
            if self.shelf.fault == Fault::ForgetsWhatIsStaged {
                self.kept.append(&mut records);
            }
            let number =
                self.shelf.committed.lock().unwrap().len() as u64 * 1000 + records.iter().sum::<u64>();
            Ok(Some((number, records)))
        }

        fn commit(&mut self, (number, mut records): (u64, Vec<u64>)) -> Result<(), SinkError> {
            records.append(&mut self.kept);
            let fresh = self.shelf.committed.lock().unwrap().insert(number, ()).is_none();
            if fresh || self.shelf.fault == Fault::CommitsTwice {
                self.shelf.visible.lock().unwrap().extend(records);
            }
            Ok(())
        }

        fn abort(&mut self, staged: (u64, Vec<u64>)) -> Result<(), SinkError> {
            if self.shelf.fault == Fault::CommitsWhatIsAborted { self.commit(staged) } else { Ok(()) }
        }
    }

    fn check(fault: Fault) {
        let records: Vec<_> = (1..=4).map(|n| Record::new(n, EventTime::from_millis(0))).collect();
        let fresh = || {
            let shelf = Shelf { fault, ..Shelf::default() };
            let visible = Arc::clone(&shelf.visible);
            (shelf, move || visible.lock().unwrap().clone())
        };
        verify_sink(fresh, &records);
    }

    #[test]
    fn a_sink_that_keeps_the_contract_passes() {
        check(Fault::None);
    }

    #[test]
    #[should_panic(expected = "when records are written and flushed")]
    fn a_sink_that_shows_records_before_the_commit_is_found() {
        check(Fault::ShowsAtOnce);
    }

    #[test]
    #[should_panic(expected = "when the first of two is committed again")]
    fn a_sink_that_commits_twice_is_found() {
        check(Fault::CommitsTwice);
    }

    #[test]
    #[should_panic(expected = "when another writer aborts an epoch twice")]
    fn a_sink_that_does_not_abort_is_found() {
        check(Fault::CommitsWhatIsAborted);
    }

    #[test]
    #[should_panic(expected = "when the first of two is committed, a reader sees [1, 2, 3, 4]")]
    fn a_sink_that_stages_nothing_is_found() {
        check(Fault::ForgetsWhatIsStaged);
    }
}

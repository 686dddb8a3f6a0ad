//! One source, alone, under a test's control.

use std::sync::{Arc, Condvar, Mutex};
use std::task::{Wake, Waker};
use std::time::Duration;

use crate::{
    DeadLetter, EventTime, Polled, Position, ProcessingTime, Reader, Record, Source, SourceError,
    SourceOutput,
};

/// How long a harness waits for a source that said [`Polled::Pending`] to wake it: longer than any machine is busy.
pub const WAKE_WAIT_MAX: Duration = Duration::from_secs(120);

const OPEN: &str = "a split is open unless opening it again has failed";

/// Runs a source: poll its splits, see what they emit, begin again at a position.
///
/// ```
/// use watershed_core::testing::{Numbers, SourceHarness};
///
/// let mut harness = SourceHarness::new(&Numbers::up_to(5), 1).unwrap().budget(2);
/// harness.poll(0).unwrap();
/// assert_eq!(harness.values(), [0, 1]);
/// let position = harness.position(0);
/// harness.poll(0).unwrap();
/// assert_eq!(harness.values(), [2, 3]);
/// harness.reopen(0, position).unwrap();
/// harness.run().unwrap();
/// assert_eq!(harness.values(), [2, 3, 4]);
/// ```
pub struct SourceHarness<S: Source> {
    source: S,
    splits: Vec<S::Split>,
    /// `None` only where one could not be opened again.
    readers: Vec<Option<S::Reader>>,
    collected: Collected<S::Out>,
    wakes: Arc<Wakes>,
}

/// What a source has emitted, and the means it is polled with.
struct Collected<T> {
    split_name: String,
    records: Vec<Record<T>>,
    letters: Vec<DeadLetter>,
    budget: usize,
    now: ProcessingTime,
    waker: Waker,
}

/// Counts the wake-ups that no poll has answered yet.
#[derive(Default)]
struct Wakes {
    pending: Mutex<bool>,
    woken: Condvar,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        *self.pending.lock().expect("nothing panics while it holds the lock") = true;
        self.woken.notify_all();
    }
}

impl<S: Source> SourceHarness<S> {
    /// Lists the splits of a source, as for so many subtasks, and opens them all.
    ///
    /// # Errors
    ///
    /// Where the source cannot list or open them.
    ///
    /// # Panics
    ///
    /// Where a split does not survive its encoding.
    pub fn new(source: &S, parallelism: u32) -> Result<Self, SourceError> {
        SourceHarness::of(source, &source.splits(parallelism)?)
    }

    /// Opens splits that were listed before, by a source that may have been set otherwise: as a job does that goes on from
    /// a checkpoint.
    ///
    /// # Errors
    ///
    /// Where the source cannot open them.
    ///
    /// # Panics
    ///
    /// Where a split does not survive its encoding.
    pub fn of(source: &S, splits: &[S::Split]) -> Result<Self, SourceError> {
        let wakes = Arc::new(Wakes::default());
        let splits: Vec<S::Split> = splits.iter().map(recoded).collect();
        let open = |split| source.open(split, None).map(Some);
        let readers = splits.iter().map(open).collect::<Result<_, _>>()?;
        let collected = Collected {
            split_name: String::new(),
            records: Vec::new(),
            letters: Vec::new(),
            budget: 1024,
            now: ProcessingTime::from_millis(0),
            waker: Waker::from(Arc::clone(&wakes)),
        };
        Ok(SourceHarness { source: source.clone(), splits, readers, collected, wakes })
    }

    /// Asks for about so many records a poll; 1024 unless told.
    #[must_use]
    pub fn budget(mut self, records: usize) -> Self {
        self.collected.budget = records;
        self
    }

    /// How many splits there are.
    pub fn split_count(&self) -> usize {
        self.splits.len()
    }

    /// The name of a split.
    pub fn describe(&self, split: usize) -> String {
        self.source.describe(&self.splits[split])
    }

    /// Sets the wall clock to so many milliseconds; it begins at 0.
    pub fn clock(&mut self, millis: i64) {
        self.collected.now = ProcessingTime::from_millis(millis);
    }

    /// The wall clock.
    pub fn now(&self) -> ProcessingTime {
        self.collected.now
    }

    /// Polls a split once.
    ///
    /// # Errors
    ///
    /// Where its reader fails.
    pub fn poll(&mut self, split: usize) -> Result<Polled, SourceError> {
        self.collected.split_name = self.source.describe(&self.splits[split]);
        self.readers[split].as_mut().expect(OPEN).poll(&mut self.collected)
    }

    /// Polls all splits in turn until all have ended. The clock jumps to where the source wants it.
    ///
    /// # Errors
    ///
    /// Where a reader fails.
    ///
    /// # Panics
    ///
    /// Where the source waits for longer than [`WAKE_WAIT_MAX`] without a wake-up.
    pub fn run(&mut self) -> Result<(), SourceError> {
        self.run_while(|_| true)
    }

    /// Polls all splits in turn until so many records have been collected, or all have ended.
    ///
    /// # Errors
    ///
    /// Where a reader fails.
    ///
    /// # Panics
    ///
    /// As [`SourceHarness::run`] does.
    pub fn run_until(&mut self, records: usize) -> Result<(), SourceError> {
        self.run_while(|harness| harness.collected.records.len() < records)
    }

    /// Polls all splits in turn until so many pieces of input have been set aside, or all have ended.
    ///
    /// # Errors
    ///
    /// Where a reader fails.
    ///
    /// # Panics
    ///
    /// As [`SourceHarness::run`] does.
    pub fn run_until_dead_letters(&mut self, letters: usize) -> Result<(), SourceError> {
        self.run_while(|harness| harness.collected.letters.len() < letters)
    }

    /// Waits for the source to wake its subtask, at most so long; says whether it did.
    pub fn woken_within(&self, limit: Duration) -> bool {
        let pending = self.wakes.pending.lock().expect("nothing panics while it holds the lock");
        let (mut pending, _) = self
            .wakes
            .woken
            .wait_timeout_while(pending, limit, |pending| !*pending)
            .expect("nothing panics while it holds the lock");
        std::mem::take(&mut *pending)
    }

    /// Where a reader of the split would go on.
    pub fn position(&self, split: usize) -> Position {
        self.readers[split].as_ref().expect(OPEN).position()
    }

    /// Tells the reader of a split that nothing before a position is needed any more.
    ///
    /// # Panics
    ///
    /// Where the split could not be opened again.
    pub fn forget(&mut self, split: usize, before: Position) {
        self.readers[split].as_mut().expect(OPEN).forget(before);
    }

    /// Drops the reader of a split and opens another at a position.
    ///
    /// # Errors
    ///
    /// Where it cannot be opened.
    pub fn reopen(&mut self, split: usize, from: Position) -> Result<(), SourceError> {
        // Whatever it holds alone (an address, a log) is free for the next one.
        self.readers[split] = None;
        self.readers[split] = Some(self.source.open(&self.splits[split], Some(from))?);
        Ok(())
    }

    /// Takes the emitted records; one emitted without a time has that of the clock.
    pub fn records(&mut self) -> Vec<Record<S::Out>> {
        std::mem::take(&mut self.collected.records)
    }

    /// Takes the emitted values.
    pub fn values(&mut self) -> Vec<S::Out> {
        self.records().into_iter().map(|record| record.value).collect()
    }

    /// Takes what was set aside.
    pub fn dead_letters(&mut self) -> Vec<DeadLetter> {
        std::mem::take(&mut self.collected.letters)
    }

    fn run_while(&mut self, wanted: impl Fn(&Self) -> bool) -> Result<(), SourceError> {
        let mut ended = vec![false; self.splits.len()];
        while wanted(self) && ended.contains(&false) {
            let (mut later, mut progress) = (None::<ProcessingTime>, false);
            for (split, ended) in ended.iter_mut().enumerate().filter(|(_, ended)| !**ended) {
                match self.poll(split)? {
                    Polled::More => progress = true,
                    Polled::Pending => {}
                    Polled::Later(time) => later = Some(later.map_or(time, |earlier| earlier.min(time))),
                    Polled::End => (progress, *ended) = (true, true),
                }
            }
            match later {
                _ if progress || !wanted(self) => {}
                Some(time) => self.collected.now = self.collected.now.max(time),
                None => assert!(self.woken_within(WAKE_WAIT_MAX), "the source waits and is never woken"),
            }
        }
        Ok(())
    }
}

impl<T> SourceOutput<T> for Collected<T> {
    fn emit(&mut self, value: T) {
        let time = EventTime::from_millis(self.now.as_millis());
        self.emit_at(value, time);
    }

    fn emit_at(&mut self, value: T, time: EventTime) {
        self.records.push(Record { value, time });
    }

    fn set_aside(&mut self, letter: DeadLetter) {
        let origin = format!("{} {}", self.split_name, letter.origin);
        self.letters.push(DeadLetter { origin, ..letter });
    }

    fn budget(&self) -> usize {
        self.budget
    }

    fn now(&self) -> ProcessingTime {
        self.now
    }

    fn waker(&self) -> &Waker {
        &self.waker
    }
}

/// Checks a bounded source that declares [exactly once](crate::Guarantee): what it emits must not depend on how much
/// is asked of a poll, nor on where a split was left and opened again. Each split is read whole, then once for every
/// cut between two polls of one record.
///
/// # Panics
///
/// Where records or dead letters differ, naming the split and the cut; where the source fails, or declares less.
pub fn verify_source<S>(source: &S, parallelism: u32)
where
    S: Source<Out: PartialEq + std::fmt::Debug>,
{
    let declared = source.guarantee();
    assert_eq!(declared, crate::Guarantee::ExactlyOnce, "only a source that can be read again is checked so");
    let open = || SourceHarness::new(source, parallelism).expect("the source opens");
    for split in 0..open().split_count() {
        let mut whole = open();
        read_split(&mut whole, split, usize::MAX);
        let (records, letters) = (whole.values(), whole.dead_letters());
        drop(whole);
        let mut cut = 0;
        loop {
            let mut harness = open().budget(1);
            let ended = read_split(&mut harness, split, cut) < cut;
            let position = harness.position(split);
            harness.reopen(split, position).expect("the split opens again");
            assert_eq!(harness.position(split), position, "split {split}: opening moves the position");
            read_split(&mut harness, split, usize::MAX);
            assert_eq!(harness.values(), records, "split {split}, left after {cut} polls");
            assert_eq!(harness.dead_letters(), letters, "split {split}, left after {cut} polls");
            if ended {
                break;
            }
            cut += 1;
        }
    }
}

/// Polls one split until it ends, or so many times; returns how many times.
fn read_split<S: Source>(harness: &mut SourceHarness<S>, split: usize, polls_max: usize) -> usize {
    for poll in 0..polls_max {
        match harness.poll(split).expect("the source can be read") {
            Polled::More => {}
            Polled::Later(time) => harness.collected.now = time,
            Polled::Pending => assert!(harness.woken_within(WAKE_WAIT_MAX), "the source is never woken"),
            Polled::End => return poll,
        }
    }
    polls_max
}

/// What becomes of a split that travels to its subtask.
fn recoded<T: crate::Data>(split: &T) -> T {
    let bytes = rmp_serde::to_vec_named(split).expect("a split can be written by serde");
    rmp_serde::from_slice(&bytes).expect("a split can be read back by serde")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Numbers;

    #[test]
    fn a_sound_source_passes() {
        verify_source(&Numbers::up_to(20), 2);
    }

    #[derive(Clone)]
    struct Forgetful;
    struct ForgetfulReader(u64);

    impl Source for Forgetful {
        type Out = u64;
        type Split = ();
        type Reader = ForgetfulReader;

        fn splits(&self, _: u32) -> Result<Vec<()>, SourceError> {
            Ok(vec![()])
        }

        fn open(&self, _: &(), _: Option<Position>) -> Result<ForgetfulReader, SourceError> {
            Ok(ForgetfulReader(0))
        }

        fn describe(&self, _: &()) -> String {
            "forgetful".to_owned()
        }
    }

    impl Reader for ForgetfulReader {
        type Out = u64;

        fn poll(&mut self, out: &mut impl SourceOutput<u64>) -> Result<Polled, SourceError> {
            out.emit(self.0);
            self.0 += 1;
            Ok(if self.0 == 5 { Polled::End } else { Polled::More })
        }

        fn position(&self) -> Position {
            Position(0)
        }
    }

    #[test]
    #[should_panic(expected = "left after 1 polls")]
    fn a_source_that_reads_again_what_it_has_emitted_is_found_out() {
        verify_source(&Forgetful, 1);
    }
}

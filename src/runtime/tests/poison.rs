//! Records by which operators panic: found, tried again, and put in quarantine or named.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use watershed_core::checkpoint::Meta;
use watershed_core::{DeadLetter, JobId, Polled, Position, Reader, Source, SourceError, SourceOutput};
use watershed_protocol::{PoisonConfig, PoisonPolicy};
use watershed_state::{CheckpointStore, MemoryMetaStore};

use super::reins::{Reined, Reins};
use super::*;
use crate::{CheckpointConfig, Failure};

/// Who wrote something: the epoch and the run, and which subtask.
type Part = (u64, u32, u32);

/// A table that has each committed part once, however often it is committed.
#[derive(Clone)]
pub(super) struct Table<T> {
    parts: Arc<Mutex<BTreeMap<Part, Vec<T>>>>,
    /// What a writer can bear.
    bears: fn(&T) -> bool,
}

impl<T: Data + Ord> Table<T> {
    pub(super) fn new() -> Self {
        Table { parts: Arc::default(), bears: |_| true }
    }

    pub(super) fn sorted(&self) -> Vec<T> {
        let mut all: Vec<T> = self.parts.lock().unwrap().values().flatten().cloned().collect();
        all.sort();
        all
    }
}

impl<T: Data> Sink for Table<T> {
    type In = T;
    type Staged = (Part, Vec<T>);
    type Writer = TableWriter<T>;

    fn open(&self, place: &SinkPlace) -> Result<TableWriter<T>, SinkError> {
        let (run, index) = (place.run.0, place.subtask.index);
        Ok(TableWriter { table: self.clone(), rows: Vec::new(), run, index })
    }
}

pub(super) struct TableWriter<T> {
    table: Table<T>,
    rows: Vec<T>,
    run: u32,
    index: u32,
}

impl<T: Data> Writer for TableWriter<T> {
    type In = T;
    type Staged = (Part, Vec<T>);

    fn write(&mut self, row: T, _: EventTime) -> Result<(), SinkError> {
        assert!((self.table.bears)(&row), "no such row in this table");
        self.rows.push(row);
        Ok(())
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<Option<Self::Staged>, SinkError> {
        Ok(Some(((epoch.0, self.run, self.index), std::mem::take(&mut self.rows))))
    }

    fn commit(&mut self, (part, rows): Self::Staged) -> Result<(), SinkError> {
        self.table.parts.lock().unwrap().insert(part, rows);
        Ok(())
    }

    fn abort(&mut self, _: Self::Staged) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Operator, bytes, origin and reason of a letter.
type Letter = (String, Vec<u8>, String, String);

const COUNT: u64 = 2000;

/// Some checkpoints while the numbers pass, and storage that lasts as long as the test.
pub(super) fn lasting(poison: PoisonConfig) -> (Config, Storage) {
    let checkpoints = CheckpointConfig {
        interval: Some(Duration::from_millis(5)),
        restart_pause: Duration::from_millis(1),
        // Runs may end before their first checkpoint where the machine is busy with something else.
        restarts_max: 8,
        ..CheckpointConfig::default()
    };
    let config = Config { checkpoints, poison, poll_records: 16, ..config(2, 16) };
    let meta = Arc::new(MemoryMetaStore::new(Meta::default()));
    (
        config,
        Storage::new(meta, crate::storage::Depot::new(JobId("test".to_owned()), CheckpointStore::memory())),
    )
}

fn quarantine() -> PoisonConfig {
    PoisonConfig { policy: PoisonPolicy::Quarantine, ..PoisonConfig::default() }
}

/// Runs a pipeline, and returns how that ended and the letters that were committed.
fn run_lasting(pipeline: &Pipeline, poison: PoisonConfig) -> (Result<Summary, JobError>, Vec<Letter>) {
    let table = Table::new();
    let letters = pipeline.dead_letters();
    letters
        .map(|DeadLetter { operator, origin, reason, bytes }| (operator, bytes, origin, reason))
        .sink(table.clone());
    let (config, storage) = lasting(poison);
    let ended = crate::run(&Rc::new(pipeline.plan().unwrap()), &config, storage, |_| {});
    (ended, table.sorted())
}

/// The numbers, of which those from one on are held back until a table has so many rows, as it has when a checkpoint is
/// complete.
fn held(at: u64, table: &Table<u64>, rows: usize) -> Reined {
    let (reins, table) = (Reins::held_at(at, COUNT), table.clone());
    let held = Reined(reins.clone());
    std::thread::spawn(move || {
        let until = Instant::now() + Duration::from_secs(120);
        // Where it is waited for in vain, the test finds out by itself.
        while table.sorted().len() < rows && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        reins.let_go();
    });
    held
}

fn failure(ended: Result<Summary, JobError>) -> Failure {
    match ended {
        Err(JobError::Failed(failure)) => *failure,
        other => panic!("the job ended otherwise: {other:?}"),
    }
}

/// Takes a while for some of the numbers, so that checkpoints come between.
pub(super) fn slowly(n: u64) -> u64 {
    if n.is_multiple_of(16) {
        std::thread::sleep(Duration::from_micros(400));
    }
    n
}

/// Cannot bear some numbers.
fn fragile(poison: &'static [u64]) -> impl Fn(u64) -> u64 + Clone + Send {
    move |n| {
        assert!(!poison.contains(&n), "cannot bear {n}");
        n
    }
}

fn all_but(poison: &[u64]) -> Vec<u64> {
    (0..COUNT).filter(|n| !poison.contains(n)).collect()
}

fn packed(n: u64) -> Vec<u8> {
    rmp_serde::to_vec_named(&n).unwrap()
}

#[test]
fn a_record_that_always_makes_its_operator_panic_becomes_one_letter_and_all_others_pass() {
    let (pipeline, table) = (pipeline(), Table::new());
    // Each run but the first begins shortly before it, and is careful for longer than until then.
    let numbers = pipeline.source(held(1770, &table, 1770)).map(slowly);
    numbers.map(fragile(&[1777])).uid("fragile").sink(table.clone());
    let (ended, letters) = run_lasting(&pipeline, quarantine());
    // One that was not seen coming, and three tries.
    assert_eq!(ended.unwrap().checkpoints.restarts, 4);
    assert_eq!(table.sorted(), all_but(&[1777]));
    let [(operator, bytes, origin, reason)] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!((operator.as_str(), bytes), ("fragile", &packed(1777)));
    assert_eq!(origin, "reined numbers position 1777");
    assert!(
        reason.starts_with("panicked at ") && reason.contains(": cannot bear 1777, in each of 3 tries; "),
        "{reason}"
    );
    assert!(reason.ends_with("the record, which is kept as MessagePack, was 1777"), "{reason}");
}

#[test]
fn the_job_fails_and_names_the_record_where_nobody_asked_for_a_quarantine() {
    let (pipeline, table) = (pipeline(), Table::new());
    let numbers = pipeline.source(Numbers::up_to(COUNT)).map(slowly);
    numbers.rebalance().map(fragile(&[1777])).uid("fragile").sink(table);
    let (ended, letters) = run_lasting(&pipeline, PoisonConfig::default());
    let failure = failure(ended);
    assert_eq!(failure.operator, "fragile");
    let record = failure.record.as_ref().unwrap();
    assert_eq!((&*record.bytes, record.time), (&packed(1777)[..], EventTime::from_millis(1777)));
    let told = failure.to_string();
    assert!(
        told.contains("panicked at ") && told.contains(": cannot bear 1777; the record was 1777 of 1777ms; "),
        "{told}"
    );
    assert!(told.contains("it did so in each of 3 tries: [poison] policy = \"quarantine\" would"), "{told}");
    assert_eq!(letters, []);
}

#[test]
fn a_weakness_that_passes_leaves_no_trace() {
    static PANICS: AtomicU32 = AtomicU32::new(0);
    let (pipeline, table) = (pipeline(), Table::new());
    let weak = |n| {
        assert!(n != 1777 || PANICS.fetch_add(1, Relaxed) >= 3, "not now");
        n
    };
    pipeline.source(held(1770, &table, 1770)).map(slowly).map(weak).sink(table.clone());
    let (ended, letters) = run_lasting(&pipeline, quarantine());
    assert_eq!(ended.unwrap().checkpoints.restarts, 3);
    assert_eq!(table.sorted(), all_but(&[]));
    assert_eq!(letters, []);
}

/// Counts the numbers of a key.
#[derive(Clone)]
struct Counting(&'static [u64]);

impl Operator for Counting {
    type Key = u64;
    type In = u64;
    type Out = (u64, u64);
    type State = u64;

    fn on_record(&self, n: u64, count: &mut u64, cx: &mut impl Context<Self>) {
        // The harm is done before the panic: what is left of it would be counted twice.
        *count += 1;
        assert!(!self.0.contains(&n), "cannot count {n}");
        cx.emit((*cx.key(), *count));
    }
}

#[test]
fn several_records_of_a_keyed_operator_behind_an_exchange_are_left_out_each_on_its_own() {
    let poison: &'static [u64] = &[300, 301, 1200, 1201, 1900];
    let (pipeline, table) = (pipeline(), Table::new());
    let numbers = pipeline.source(Numbers::up_to(COUNT)).map(slowly);
    numbers.key_by(|n| n % 10).process(Counting(poison)).uid("count").sink(table.clone());
    let (ended, letters) = run_lasting(&pipeline, quarantine());
    ended.unwrap();
    let mut expected: Vec<(u64, u64)> = Vec::new();
    for key in 0..10 {
        let left = all_but(poison).into_iter().filter(|n| n % 10 == key).count() as u64;
        expected.extend((1..=left).map(|count| (key, count)));
    }
    assert_eq!(table.sorted(), expected);
    let found: Vec<_> =
        letters.iter().map(|(operator, bytes, ..)| (operator.as_str(), bytes.clone())).collect();
    let mut wanted: Vec<_> = poison.iter().map(|n| ("count", packed(*n))).collect();
    wanted.sort();
    assert_eq!(found, wanted);
    assert!(letters[0].2.starts_with("split 0 of source vertex 0 near position "), "{letters:?}");
}

#[test]
fn a_sink_that_panics_at_a_row_loses_that_row_alone() {
    let (pipeline, table) = (pipeline(), Table { bears: |row| *row != 1777, ..Table::new() });
    let numbers = pipeline.source(Numbers::up_to(COUNT)).map(slowly).rebalance();
    numbers.sink(table.clone()).uid("table");
    let (ended, letters) = run_lasting(&pipeline, quarantine());
    ended.unwrap();
    assert_eq!(table.sorted(), all_but(&[1777]));
    assert_eq!((letters.len(), letters[0].0.as_str(), &letters[0].1), (1, "table", &packed(1777)));
}

#[test]
fn more_poison_than_the_quarantine_holds_fails_the_job() {
    let (pipeline, table) = (pipeline(), Table::new());
    // All before the second of them, the letter of the first included.
    let numbers = pipeline.source(held(1490, &table, 1489)).map(slowly);
    numbers.map(fragile(&[500, 1500])).sink(table.clone());
    let (ended, letters) = run_lasting(&pipeline, PoisonConfig { quarantine_max: 1, ..quarantine() });
    let told = failure(ended).to_string();
    assert!(
        told.contains("the record was 1500 of 1500ms; it did so in each of 3 tries, and 1 records are in"),
        "{told}"
    );
    assert_eq!(letters.len(), 1);
}

#[test]
fn a_panic_in_a_timer_names_key_and_time_and_is_bounded_as_any_other() {
    #[derive(Clone)]
    struct Alarmed;
    impl Operator for Alarmed {
        type Key = u64;
        type In = u64;
        type Out = u64;
        type State = u64;
        fn on_record(&self, n: u64, _: &mut u64, cx: &mut impl Context<Self>) {
            if n == 50 {
                cx.set_timer(cx.time().after(Duration::from_millis(10)));
            }
        }
        fn on_timer(&self, _: EventTime, _: &mut u64, _: &mut impl Context<Self>) {
            panic!("cannot bear the hour");
        }
    }
    let pipeline = pipeline();
    pipeline.source(Numbers::up_to(COUNT)).key_by(|n| n % 10).process(Alarmed).discard();
    let (ended, letters) = run_lasting(&pipeline, quarantine());
    let failure = failure(ended);
    assert_eq!(
        (failure.key.as_deref(), failure.timer.as_deref(), &failure.record),
        (Some("0"), Some("60ms"), &None)
    );
    assert!(failure.to_string().contains(", key 0, the timer at 60ms, "), "{failure}");
    assert_eq!(letters, []);
}

/// Words without times of their own.
#[derive(Clone)]
struct Words(u64);

struct WordsReader(u64, u64);

impl Source for Words {
    type Out = String;
    type Split = ();
    type Reader = WordsReader;

    fn splits(&self, _: u32) -> Result<Vec<()>, SourceError> {
        Ok(vec![()])
    }

    fn open(&self, _: &(), from: Option<Position>) -> Result<WordsReader, SourceError> {
        Ok(WordsReader(from.map_or(0, |from| from.0), self.0))
    }

    fn describe(&self, _: &()) -> String {
        "words".to_owned()
    }
}

impl Reader for WordsReader {
    type Out = String;

    fn poll(&mut self, out: &mut impl SourceOutput<String>) -> Result<Polled, SourceError> {
        for _ in 0..out.budget().min(16) {
            if self.0 == self.1 {
                return Ok(Polled::End);
            }
            out.emit(format!("word {}", slowly(self.0)));
            self.0 += 1;
        }
        Ok(Polled::More)
    }

    fn position(&self) -> Position {
        Position(self.0)
    }
}

#[test]
fn a_record_whose_time_is_the_wall_clocks_is_known_by_its_bytes() {
    for exchanged in [false, true] {
        let (pipeline, table) = (pipeline(), Table::new());
        let words = pipeline.source(Words(COUNT));
        let fragile = |word: String| {
            assert!(word != "word 1777", "cannot bear it");
            word
        };
        if exchanged {
            words.rebalance().map(fragile).sink(table.clone());
        } else {
            words.map(fragile).sink(table.clone());
        }
        let (ended, letters) = run_lasting(&pipeline, quarantine());
        ended.unwrap();
        assert_eq!(table.sorted().len() as u64, COUNT - 1, "exchanged: {exchanged}");
        let [(_, bytes, ..)] = &letters[..] else { panic!("{letters:?}") };
        assert_eq!(*bytes, rmp_serde::to_vec_named("word 1777").unwrap());
    }
}

#[test]
fn a_quarantine_whose_letters_nobody_takes_is_refused_at_the_start() {
    let pipeline = pipeline();
    pipeline.source(Numbers::up_to(10)).discard();
    let (config, storage) = lasting(quarantine());
    let refused = crate::run(&Rc::new(pipeline.plan().unwrap()), &config, storage, |_| {}).unwrap_err();
    assert!(matches!(&refused, JobError::Plan(_)), "{refused}");
    assert!(
        refused.to_string().contains("which nobody takes: take them with Pipeline::dead_letters"),
        "{refused}"
    );
}

#[test]
fn a_job_without_storage_that_lasts_fails_at_once_and_says_what_would_help() {
    let (pipeline, table) = (pipeline(), Table::new());
    pipeline.source(Numbers::up_to(COUNT)).map(fragile(&[1777])).sink(table.clone());
    let told = run(&pipeline, &Config { poison: quarantine(), ..config(1, 16) }).unwrap_err().to_string();
    assert!(
        told.contains("cannot bear 1777; keep checkpoints (--state-dir), and the record is looked for"),
        "{told}"
    );
    assert_eq!(table.sorted(), [] as [u64; 0]);
}

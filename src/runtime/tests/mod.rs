//! Jobs from end to end, with sources and sinks made for the purpose.

mod agree;
mod asked;
mod cluster;
mod played;
mod poison;
mod query;
mod reins;
mod shared;
mod uneven;
mod waiting;

use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use watershed_core::testing::Numbers;
use watershed_core::{
    Context, Data, Epoch, EventTime, KeyGroups, Operator, Pipeline, SideOutput, Sink, SinkError, SinkPlace,
    Watermark, Writer,
};

use crate::{Cause, Config, JobEnd, JobError, Storage, Summary};

/// Keeps what it is given in a list that the test shares.
#[derive(Clone)]
struct Keep<T>(Arc<Mutex<Vec<T>>>);

impl<T> Keep<T> {
    fn new() -> Self {
        Keep(Arc::default())
    }

    fn sorted(&self) -> Vec<T>
    where
        T: Ord + Clone,
    {
        let mut kept = self.0.lock().unwrap().clone();
        kept.sort();
        kept
    }
}

impl<T: Data> Sink for Keep<T> {
    type In = T;
    type Staged = Vec<T>;
    type Writer = KeepWriter<T>;

    fn open(&self, _: &SinkPlace) -> Result<KeepWriter<T>, SinkError> {
        Ok(KeepWriter { staged: Vec::new(), kept: self.0.clone() })
    }
}

struct KeepWriter<T> {
    staged: Vec<T>,
    kept: Arc<Mutex<Vec<T>>>,
}

impl<T: Data> Writer for KeepWriter<T> {
    type In = T;
    type Staged = Vec<T>;

    fn write(&mut self, record: T, _: EventTime) -> Result<(), SinkError> {
        self.staged.push(record);
        Ok(())
    }

    fn prepare(&mut self, _: Epoch) -> Result<Option<Vec<T>>, SinkError> {
        Ok(Some(std::mem::take(&mut self.staged)))
    }

    fn commit(&mut self, staged: Vec<T>) -> Result<(), SinkError> {
        self.kept.lock().unwrap().extend(staged);
        Ok(())
    }

    fn abort(&mut self, _: Vec<T>) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Emits a key's count when ten milliseconds of event time have passed since its first record.
#[derive(Clone)]
struct Burst;

impl Operator for Burst {
    type Key = u64;
    type In = u64;
    type Out = (u64, u64);
    type State = u64;

    fn on_record(&self, _: u64, count: &mut u64, cx: &mut impl Context<Self>) {
        if *count == 0 {
            cx.set_timer(cx.time().after(Duration::from_millis(10)));
        }
        *count += 1;
    }

    fn on_timer(&self, _: EventTime, count: &mut u64, cx: &mut impl Context<Self>) {
        cx.emit((*cx.key(), *count));
        cx.forget();
    }
}

fn config(parallelism: u32, batch_records: usize) -> Config {
    Config {
        arbiters: 2,
        parallelism,
        batch_records,
        credit_batches: 2,
        poll_records: 100,
        ..Config::default()
    }
}

fn run(pipeline: &Pipeline, config: &Config) -> Result<Summary, JobError> {
    crate::run(&Rc::new(pipeline.plan().unwrap()), config, Storage::none(), |_| {})
}

fn pipeline() -> Pipeline {
    Pipeline::new("test", KeyGroups::default())
}

#[test]
fn every_record_reaches_the_sink_once_at_every_parallelism_and_batch_size() {
    for (parallelism, batch_records) in [(1, 1), (1, 4096), (2, 1), (2, 7), (3, 64), (7, 3)] {
        let (pipeline, keep) = (pipeline(), Keep::new());
        let numbers = pipeline.source(Numbers::up_to(5000)).flat_map(|n| [n, n]).filter(|n| n % 3 == 0);
        numbers.rebalance().map(|n| n + 1).key_by(|n| *n).process(Burst).sink(keep.clone());
        let summary = run(&pipeline, &config(parallelism, batch_records)).unwrap();
        let expected: Vec<(u64, u64)> = (0..5000).filter(|n| n % 3 == 0).map(|n| (n + 1, 2)).collect();
        assert_eq!(keep.sorted(), expected, "parallelism {parallelism}, batches of {batch_records}");
        assert_eq!(summary.end, JobEnd::Complete);
        assert_eq!(summary.vertices[0].counters.records_in, 5000);
    }
}

#[test]
fn timers_fire_by_event_time_before_later_records_of_the_key() {
    let (pipeline, keep) = (pipeline(), Keep::new());
    pipeline.source(Numbers::up_to(1000)).key_by(|n| n % 2).process(Burst).sink(keep.clone());
    run(&pipeline, &config(2, 1)).unwrap();
    // A watermark passes between two batches at most, so a burst may hold a few records more than
    // the ten milliseconds say, but every record is counted once.
    let counted: u64 = keep.sorted().iter().map(|(_, count)| count).sum();
    assert_eq!(counted, 1000);
    assert!(keep.sorted().len() > 2, "timers fired before the end");
}

#[test]
fn branches_sides_unions_and_broadcasts_all_see_what_they_should() {
    const ODD: SideOutput<u64> = SideOutput::new("odd");

    #[derive(Clone)]
    struct Split;
    impl Operator for Split {
        type Key = u64;
        type In = u64;
        type Out = u64;
        type State = ();
        fn on_record(&self, n: u64, (): &mut (), cx: &mut impl Context<Self>) {
            if n % 2 == 1 { cx.side(&ODD, n) } else { cx.emit(n) }
        }
    }

    let (pipeline, all, odd, twice) = (pipeline(), Keep::new(), Keep::new(), Keep::new());
    let shared = pipeline.source(Numbers::up_to(300)).shared();
    let split = shared.branch().key_by(|n| *n).process(Split);
    split.side(&ODD).sink(odd.clone());
    // A side output that is asked for first must not be taken for the main one behind an exchange.
    let split = split.rebalance();
    split.union(shared.branch()).sink(all.clone());
    shared.branch().broadcast().parallelism(2).sink(twice.clone());
    run(&pipeline, &config(2, 5)).unwrap();

    let mut expected: Vec<u64> = (0..300).chain((0..300).filter(|n| n % 2 == 0)).collect();
    expected.sort_unstable();
    assert_eq!(all.sorted(), expected);
    assert_eq!(odd.sorted(), (0..300).filter(|n| n % 2 == 1).collect::<Vec<_>>());
    assert_eq!(twice.sorted(), (0..300).flat_map(|n| [n, n]).collect::<Vec<_>>());
}

#[test]
fn a_panic_is_named_and_shows_nothing_of_the_job() {
    let (pipeline, keep) = (pipeline(), Keep::new());
    let numbers = pipeline.source(Numbers::up_to(10_000));
    numbers
        .key_by(|n| *n)
        .process(Burst)
        .map(|(key, count)| if key == 777 { panic!("cannot bear {key}") } else { (key, count) })
        .uid("fragile")
        .sink(keep.clone());
    let error = run(&pipeline, &config(2, 16)).unwrap_err();
    let JobError::Failed(failure) = error else { panic!("the job failed otherwise: {error}") };
    assert_eq!(failure.operator, "fragile");
    assert!(matches!(&failure.cause, Cause::Panic { message, .. } if message == "cannot bear 777"));
    assert!(failure.origin.is_some());
    assert_eq!(keep.sorted(), []);
}

#[test]
fn a_panic_in_an_operator_names_the_key_group() {
    #[derive(Clone)]
    struct Fragile;
    impl Operator for Fragile {
        type Key = u64;
        type In = u64;
        type Out = u64;
        type State = u64;
        fn on_record(&self, n: u64, _: &mut u64, _: &mut impl Context<Self>) {
            assert!(n != 42, "cannot bear it");
        }
    }
    let pipeline = pipeline();
    pipeline.source(Numbers::up_to(100)).key_by(|n| *n).process(Fragile).discard();
    let error = run(&pipeline, &config(2, 16)).unwrap_err();
    let JobError::Failed(failure) = error else { panic!("the job failed otherwise: {error}") };
    assert_eq!(failure.key_group, Some(KeyGroups::default().of(&42_u64)));
    assert_eq!(failure.operator, "process-1");
}

#[test]
fn a_cancelled_job_finishes_what_it_has_read_and_fires_no_open_window() {
    let (pipeline, keep) = (pipeline(), Keep::new());
    pipeline.source(Numbers::up_to(u64::MAX)).filter(|n| n % 1000 == 0).sink(keep.clone());
    let summary = crate::run(&Rc::new(pipeline.plan().unwrap()), &config(1, 64), Storage::none(), |job| {
        std::thread::spawn(move || {
            while job.report()[0].counters.records_in < 100_000 {
                std::thread::sleep(Duration::from_millis(1));
            }
            job.cancel();
        });
    });
    let summary = summary.unwrap();
    assert_eq!(summary.end, JobEnd::Cancelled);
    let read = summary.vertices[0].counters.records_in;
    assert!(read >= 100_000);
    assert_eq!(keep.sorted().len() as u64, read.div_ceil(1000));
}

#[test]
fn a_cancelled_job_ends_soon_however_slow_its_operators_are() {
    // Behind an exchange, and in the chain of the source itself.
    for exchanged in [true, false] {
        let (pipeline, passed) = (pipeline(), Arc::new(AtomicU64::new(0)));
        let passing = passed.clone();
        let slow = move |n: u64| {
            std::thread::sleep(Duration::from_micros(200));
            passing.fetch_add(1, SeqCst);
            n
        };
        let numbers = pipeline.source(Numbers::up_to(u64::MAX));
        if exchanged {
            numbers.rebalance().map(slow).discard();
        } else {
            numbers.map(slow).discard();
        }
        let cancelled = Arc::new(AtomicU64::new(0));
        let (at, seen) = (cancelled.clone(), passed.clone());
        let config = Config { arbiters: 2, parallelism: 2, ..Config::default() };
        let summary = crate::run(&Rc::new(pipeline.plan().unwrap()), &config, Storage::none(), |job| {
            std::thread::spawn(move || {
                // By then it has shown how slow they are.
                while seen.load(SeqCst) < 5000 {
                    std::thread::sleep(Duration::from_millis(1));
                }
                at.store(seen.load(SeqCst), SeqCst);
                job.cancel();
                // This thread may have stood still before the word, and then the job has not gone on.
                at.store(seen.load(SeqCst), SeqCst);
            });
        });
        assert_eq!(summary.unwrap().end, JobEnd::Cancelled);
        // In records, as time is the machine's. Channels and polls that took no account of it would hold many more.
        let more = passed.load(SeqCst) - cancelled.load(SeqCst);
        assert!(more < 20_000, "exchanged: {exchanged}, it went on for {more} records");
    }
}

#[test]
fn a_slow_sink_bounds_what_is_under_way() {
    let pipeline = pipeline();
    let (read, worst) = (Arc::new(Mutex::new((0_u64, 0_u64))), Arc::new(Mutex::new(0_u64)));
    let (reading, written) = (read.clone(), read);
    let seen = worst.clone();
    pipeline
        .source(Numbers::up_to(4000))
        .inspect(move |_| reading.lock().unwrap().0 += 1)
        .rebalance()
        .inspect(move |_| {
            std::thread::sleep(Duration::from_micros(100));
            let mut counts = written.lock().unwrap();
            counts.1 += 1;
            let mut worst = seen.lock().unwrap();
            *worst = (*worst).max(counts.0 - counts.1);
        })
        .discard();
    let config = Config { poll_records: 64, ..config(2, 16) };
    run(&pipeline, &config).unwrap();
    // Two channels of two batches, one open batch each, one poll: that is all that may be under way.
    let worst = *worst.lock().unwrap();
    assert!(worst <= 2 * (2 + 2) * 16 + 64, "{worst} records were under way");
    assert!(worst >= 2 * 16, "{worst} records are less than a channel's credit: nobody had to wait");
}

#[test]
fn a_cancelled_job_fires_no_window_on_the_strength_of_the_other_subtasks() {
    /// Says how many of a hundred consecutive numbers came before their timer fired.
    #[derive(Clone)]
    struct Hundred;
    impl Operator for Hundred {
        type Key = u64;
        type In = u64;
        type Out = (u64, u64);
        type State = u64;
        fn on_record(&self, n: u64, count: &mut u64, cx: &mut impl Context<Self>) {
            *count += 1;
            cx.set_timer(EventTime::from_millis((n / 100 * 100 + 99) as i64));
        }
        fn on_timer(&self, _: EventTime, count: &mut u64, cx: &mut impl Context<Self>) {
            cx.emit((*cx.key(), *count));
            cx.forget();
        }
    }
    for _ in 0..20 {
        let (pipeline, keep) = (pipeline(), Keep::new());
        // Both streams bring all numbers, the second from an operator of its own: they are never level.
        let slow = pipeline.source(Numbers::up_to(u64::MAX)).rebalance();
        let both = slow.union(pipeline.source(Numbers::up_to(u64::MAX)));
        both.key_by(|n| n / 100).process(Hundred).sink(keep.clone());
        let summary =
            crate::run(&Rc::new(pipeline.plan().unwrap()), &config(2, 64), Storage::none(), |job| {
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(5));
                    job.cancel();
                });
            });
        assert_eq!(summary.unwrap().end, JobEnd::Cancelled);
        let short: Vec<_> = keep.sorted().into_iter().filter(|(_, count)| *count != 200).collect();
        assert_eq!(short, [], "these hundreds were said before all of their numbers had come");
    }
}

#[test]
fn a_timer_can_set_the_next_one_until_the_input_ends() {
    #[derive(Clone)]
    struct Ticking;
    impl Operator for Ticking {
        type Key = u64;
        type In = u64;
        type Out = EventTime;
        type State = u64;
        fn on_record(&self, _: u64, seen: &mut u64, cx: &mut impl Context<Self>) {
            if *seen == 0 {
                cx.set_timer(cx.time().after(Duration::from_millis(10)));
            }
            *seen += 1;
        }
        fn on_timer(&self, at: EventTime, _: &mut u64, cx: &mut impl Context<Self>) {
            cx.emit(at);
            if cx.watermark() < Watermark::MAX {
                cx.set_timer(at.after(Duration::from_millis(10)));
            }
        }
    }
    let (pipeline, keep) = (pipeline(), Keep::new());
    pipeline.source(Numbers::up_to(1000)).key_by(|_| 0).process(Ticking).sink(keep.clone());
    run(&pipeline, &config(1, 16)).unwrap();
    let ticks: Vec<i64> = keep.sorted().iter().map(|at| at.as_millis()).collect();
    // As far as the watermark came before the end of the input, and the one that was set then.
    let last = *ticks.last().unwrap();
    assert!((800..=1000).contains(&last), "the last tick was at {last} ms");
    assert_eq!(ticks, (1..=last / 10).map(|tick| tick * 10).collect::<Vec<_>>());
}

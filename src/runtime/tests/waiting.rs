//! Sources that fall silent, stages that hold their input, and what wakes them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::{Duration, Instant};

use watershed_core::{
    EventTime, EventTimes, Output, Polled, Position, ProcessingTime, Reader, Source, SourceError,
    SourceOutput, Step, Transform, Watermark,
};

use super::{Burst, Keep, config, pipeline, run};

/// Two splits: one emits 0 to 99 and ends, the other is silent until the gate opens, and ends then.
#[derive(Clone, Default)]
struct Gated(Arc<Gate>);

#[derive(Default)]
struct Gate {
    open: AtomicU64,
    waker: Mutex<Option<Waker>>,
}

impl Gate {
    fn open(&self) {
        self.open.store(1, SeqCst);
        if let Some(waker) = self.waker.lock().unwrap().take() {
            waker.wake();
        }
    }
}

enum GatedReader {
    Speaking(u64),
    Silent(Arc<Gate>),
}

impl Source for Gated {
    type Out = u64;
    type Split = bool;
    type Reader = GatedReader;

    fn splits(&self, _: u32) -> Result<Vec<bool>, SourceError> {
        Ok(vec![true, false])
    }

    fn open(&self, speaking: &bool, _: Option<Position>) -> Result<GatedReader, SourceError> {
        Ok(if *speaking { GatedReader::Speaking(0) } else { GatedReader::Silent(self.0.clone()) })
    }

    fn describe(&self, speaking: &bool) -> String {
        format!("speaking: {speaking}")
    }
}

impl Reader for GatedReader {
    type Out = u64;

    fn poll(&mut self, out: &mut impl SourceOutput<u64>) -> Result<Polled, SourceError> {
        match self {
            GatedReader::Speaking(100) => Ok(Polled::End),
            GatedReader::Speaking(next) => {
                out.emit(*next);
                *next += 1;
                Ok(Polled::More)
            }
            GatedReader::Silent(gate) => {
                *gate.waker.lock().unwrap() = Some(out.waker().clone());
                Ok(if gate.open.load(SeqCst) == 1 { Polled::End } else { Polled::Pending })
            }
        }
    }

    fn position(&self) -> Position {
        Position(0)
    }
}

/// Runs the gated source into bursts; the gate opens when a timer has fired, or after `patience`. Whether
/// a timer had fired before the gate was opened.
fn fires_while_a_split_is_silent(idle_after: Option<Duration>, parallelism: u32, patience: Duration) -> bool {
    let (pipeline, gated, fired) = (pipeline(), Gated::default(), Arc::new(AtomicU64::new(0)));
    let (gate, seen) = (gated.0.clone(), fired.clone());
    let times = EventTimes::by(|n: &u64| EventTime::from_millis(*n as i64));
    let times = match idle_after {
        Some(silence) => times.idle_after(silence),
        None => times,
    };
    let bursts = pipeline.source(gated).event_times(times).key_by(|_| 0).process(Burst);
    bursts
        .inspect(move |_| {
            seen.fetch_add(1, SeqCst);
        })
        .discard();
    let opener = std::thread::spawn(move || {
        let begun = Instant::now();
        while fired.load(SeqCst) == 0 && begun.elapsed() < patience {
            std::thread::sleep(Duration::from_millis(5));
        }
        let fired = fired.load(SeqCst) > 0;
        gate.open();
        fired
    });
    run(&pipeline, &config(parallelism, 16)).unwrap();
    opener.join().unwrap()
}

#[test]
fn a_silent_split_is_left_out_after_its_time_and_holds_windows_back_without_one() {
    let (idle, patience) = (Some(Duration::from_millis(20)), Duration::from_secs(60));
    assert!(fires_while_a_split_is_silent(idle, 1, patience), "in one subtask");
    assert!(fires_while_a_split_is_silent(idle, 2, patience), "in two subtasks");
    assert!(!fires_while_a_split_is_silent(None, 2, Duration::from_millis(300)), "without a limit");
}

/// Holds its input until a thread of its own wakes it, at every tenth record.
#[derive(Clone)]
struct Dozing;

#[derive(Default)]
struct Dozed(Vec<u64>);

impl watershed_core::state::State for Dozed {
    fn save(&mut self, _: &mut watershed_core::state::Saving) {}
    fn load(&mut self, _: &watershed_core::state::Sections) -> Result<(), watershed_core::StateError> {
        Ok(())
    }
}

impl Transform for Dozing {
    type In = u64;
    type Out = u64;
    type State = Dozed;

    fn on_record(&self, n: u64, _: EventTime, state: &mut Dozed, out: &mut impl Output<u64>) {
        state.0.push(n);
        if n.is_multiple_of(10) {
            out.hold();
            let waker = out.waker().clone();
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(1));
                waker.wake();
            });
        }
    }

    fn on_watermark(&self, watermark: Watermark, state: &mut Dozed, out: &mut impl Output<u64>) -> Step {
        // What has not been released by a wake-up keeps the watermark back.
        if watermark == Watermark::MAX {
            state.0.drain(..).for_each(|n| out.emit(n));
        }
        Step::Done
    }

    fn on_wake(&self, state: &mut Dozed, out: &mut impl Output<u64>) {
        state.0.drain(..).for_each(|n| out.emit(n));
    }
}

#[test]
fn a_stage_that_holds_its_input_goes_on_when_it_is_woken() {
    let (pipeline, keep) = (pipeline(), Keep::new());
    let numbers = pipeline.source(watershed_core::testing::Numbers::up_to(500));
    numbers.transform("dozing", Dozing).rebalance().transform("dozing", Dozing).sink(keep.clone());
    let config = crate::Config { poll_records: 20, ..config(2, 16) };
    run(&pipeline, &config).unwrap();
    assert_eq!(keep.sorted(), (0..500).collect::<Vec<_>>());
}

/// Holds the last watermark back until a thread of its own wakes it, which waits until the clock has gone on behind it; and
/// counts how often it is asked.
#[derive(Clone, Default)]
struct Stalling {
    asked: Arc<AtomicU64>,
    /// For how many milliseconds it has held the watermark back.
    held_ms: Arc<AtomicU64>,
    ticked: Ticked,
}

/// Whether a [`Tick`] has come.
type Ticked = Arc<AtomicBool>;

/// Whether a stage has done what it is here for.
#[derive(Default)]
struct Once {
    begun: Option<Instant>,
    done: bool,
}

impl watershed_core::state::State for Once {
    fn save(&mut self, _: &mut watershed_core::state::Saving) {}
    fn load(&mut self, _: &watershed_core::state::Sections) -> Result<(), watershed_core::StateError> {
        Ok(())
    }
}

impl Transform for Stalling {
    type In = u64;
    type Out = u64;
    type State = Once;

    fn on_record(&self, n: u64, _: EventTime, _: &mut Once, out: &mut impl Output<u64>) {
        out.emit(n);
    }

    fn on_watermark(&self, watermark: Watermark, state: &mut Once, out: &mut impl Output<u64>) -> Step {
        if watermark < Watermark::MAX || state.done {
            return Step::Done;
        }
        self.asked.fetch_add(1, SeqCst);
        if state.begun.is_none() {
            state.begun = Some(Instant::now());
            let (waker, ticked) = (out.waker().clone(), self.ticked.clone());
            std::thread::spawn(move || {
                let until = Instant::now() + Duration::from_secs(60);
                while !ticked.load(SeqCst) && Instant::now() < until {
                    std::thread::sleep(Duration::from_millis(1));
                }
                // Long enough to be asked very often.
                std::thread::sleep(Duration::from_millis(300));
                waker.wake();
            });
        }
        out.hold();
        Step::Again
    }

    fn on_wake(&self, state: &mut Once, _: &mut impl Output<u64>) {
        state.done = true;
        let held = state.begun.map_or(Duration::ZERO, |begun| begun.elapsed());
        self.held_ms.store(held.as_millis() as u64, SeqCst);
    }
}

/// Emits a 7 when ten milliseconds have passed since its first record.
#[derive(Clone)]
struct Tick(Ticked);

#[derive(Default)]
struct Due(Option<ProcessingTime>);

impl watershed_core::state::State for Due {
    fn save(&mut self, _: &mut watershed_core::state::Saving) {}
    fn load(&mut self, _: &watershed_core::state::Sections) -> Result<(), watershed_core::StateError> {
        Ok(())
    }
}

impl Transform for Tick {
    type In = u64;
    type Out = u64;
    type State = Due;

    fn on_record(&self, _: u64, _: EventTime, due: &mut Due, out: &mut impl Output<u64>) {
        due.0.get_or_insert(out.now().after(Duration::from_millis(10)));
    }

    fn on_processing_time(&self, _: ProcessingTime, due: &mut Due, out: &mut impl Output<u64>) -> Step {
        due.0 = None;
        self.0.store(true, SeqCst);
        out.emit(7);
        Step::Done
    }

    fn deadline(&self, due: &Due) -> Option<ProcessingTime> {
        due.0
    }
}

#[test]
fn a_stage_that_waits_at_a_watermark_neither_spins_nor_stops_the_clock_of_others() {
    for in_source in [true, false] {
        let (pipeline, keep, stalling) = (pipeline(), Keep::new(), Stalling::default());
        let tick = Tick(stalling.ticked.clone());
        let numbers = pipeline.source(watershed_core::testing::Numbers::up_to(5));
        if in_source {
            numbers.transform("stalling", stalling.clone()).transform("tick", tick).sink(keep.clone());
        } else {
            let numbers = numbers.rebalance().transform("stalling", stalling.clone());
            numbers.transform("tick", tick).sink(keep.clone());
        }
        run(&pipeline, &config(1, 16)).unwrap();
        assert_eq!(keep.sorted(), [7], "the clock went on while the watermark waited");
        let (asked, held_ms) = (stalling.asked.load(SeqCst), stalling.held_ms.load(SeqCst));
        assert!(asked < 20 * (1 + held_ms / 300), "asked {asked} times in {held_ms} milliseconds");
    }
}

/// Two splits of 20,000 numbers, of which one is slow to read; notes how far they come apart.
#[derive(Clone, Default)]
struct Uneven(Arc<[AtomicU64; 3]>);

struct UnevenReader {
    split: usize,
    next: u64,
    reached: Arc<[AtomicU64; 3]>,
}

impl Source for Uneven {
    type Out = u64;
    type Split = u32;
    type Reader = UnevenReader;

    fn splits(&self, _: u32) -> Result<Vec<u32>, SourceError> {
        Ok(vec![0, 1])
    }

    fn open(&self, split: &u32, _: Option<Position>) -> Result<UnevenReader, SourceError> {
        Ok(UnevenReader { split: *split as usize, next: 0, reached: self.0.clone() })
    }

    fn gives_times(&self) -> bool {
        true
    }

    fn describe(&self, split: &u32) -> String {
        format!("split {split}")
    }
}

impl Reader for UnevenReader {
    type Out = u64;

    fn poll(&mut self, out: &mut impl SourceOutput<u64>) -> Result<Polled, SourceError> {
        // As far as the job knows: what a poll has read it learns behind it.
        self.reached[self.split].store(self.next, SeqCst);
        let other = self.reached[1 - self.split].load(SeqCst);
        if self.split == 1 {
            std::thread::sleep(Duration::from_micros(50));
        } else if other == 0 {
            // Until both have begun there is nothing to keep together.
            return Ok(Polled::Later(out.now().after(Duration::from_millis(1))));
        }
        for _ in 0..out.budget() {
            out.emit_at(self.next, EventTime::from_millis(self.next as i64));
            self.next += 1;
        }
        if other > 0 {
            self.reached[2].fetch_max(self.next.abs_diff(other), SeqCst);
        }
        Ok(if self.next >= 20_000 { Polled::End } else { Polled::More })
    }

    fn position(&self) -> Position {
        Position(self.next)
    }
}

#[test]
fn subtasks_of_a_source_stay_close_together_in_event_time() {
    let (pipeline, uneven) = (pipeline(), Uneven::default());
    pipeline.source(uneven.clone()).discard();
    run(&pipeline, &crate::Config { poll_records: 10, ..config(2, 64) }).unwrap();
    let apart = uneven.0[2].load(SeqCst);
    assert!(apart < 20_000 / 4, "the splits came {apart} ms apart");
}

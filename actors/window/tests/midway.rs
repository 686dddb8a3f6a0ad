//! Windows that are saved in the midst of saying their results, and restored elsewhere.

use std::task::Waker;

use watershed_core::causal::VectorClock;
use watershed_core::shared::{Refusal, Resolver, Shared};
use watershed_core::state::{LayerKind, Saving, Sections, State};
use watershed_core::{
    Data, DeadLetter, EventTime, Key, KeyGroups, Output, ProcessingTime, SideOutput, Step, Watermark,
};

use super::*;

/// An output with room for one record.
struct Narrow<R> {
    emitted: Vec<Said<R>>,
    full: bool,
    watermark: Watermark,
}

impl<R> Output<Windowed<char, R>> for Narrow<R> {
    fn emit(&mut self, value: Windowed<char, R>) {
        let Windowed { key, window: Span { start, end }, firing, value } = value;
        self.emitted.push((key, start.as_millis(), end.as_millis(), firing, value));
        self.full = true;
    }
    fn emit_at(&mut self, value: Windowed<char, R>, _time: EventTime) {
        self.emit(value);
    }
    fn side<S: Data>(&mut self, _output: &SideOutput<S>, _value: S) {}
    fn dead_letter(&mut self, _letter: DeadLetter) {}
    fn count_late(&mut self) {}
    fn set_time(&mut self, _time: EventTime) {}
    fn time(&self) -> EventTime {
        self.watermark.0
    }
    fn watermark(&self) -> Watermark {
        self.watermark
    }
    fn now(&self) -> ProcessingTime {
        ProcessingTime::default()
    }
    fn key_groups(&self) -> KeyGroups {
        KeyGroups::default()
    }
    fn is_full(&self) -> bool {
        self.full
    }
    fn hold_until(&mut self, _until: ProcessingTime) {}
    fn hold(&mut self) {}
    fn waker(&self) -> &Waker {
        Waker::noop()
    }
    fn read<Q: Key, V: Data, S: Resolver<V>>(&self, _shared: &Shared<Q, V, S>, _key: &Q) -> S::Value {
        unreachable!("a window shares no state")
    }
    fn update<Q: Key, V: Data, S: Resolver<V>>(
        &mut self,
        _shared: &Shared<Q, V, S>,
        _key: &Q,
        _update: S::Update,
    ) -> Result<(), Refusal> {
        unreachable!("a window shares no state")
    }
    fn seen(&self) -> VectorClock {
        VectorClock::new()
    }
}

/// A step on its own, without the loop that calls it until it is done.
struct Subtask<'a, X: Transform, R> {
    transform: &'a X,
    state: X::State,
    out: Narrow<R>,
}

impl<'a, X, R> Subtask<'a, X, R>
where
    X: Transform<In = Keyed<char, i64>, Out = Windowed<char, R>>,
{
    fn new(transform: &'a X) -> Self {
        let out = Narrow { emitted: Vec::new(), full: false, watermark: Watermark::MIN };
        Subtask { transform, state: X::State::default(), out }
    }

    fn records(&mut self, records: impl IntoIterator<Item = (i64, char)>) {
        for (time, key) in records {
            let time = EventTime::from_millis(time);
            self.transform.on_record(Keyed { key, value: 1 }, time, &mut self.state, &mut self.out);
            self.out.full = false;
        }
    }

    /// Calls the step with a watermark, so often at most; whether it was done.
    fn watermark(&mut self, watermark: EventTime, calls: usize) -> bool {
        self.out.watermark = Watermark(watermark);
        (0..calls).any(|_| {
            self.out.full = false;
            self.transform.on_watermark(Watermark(watermark), &mut self.state, &mut self.out) == Step::Done
        })
    }

    /// What it emits until the end, after some more records.
    fn finish(mut self) -> Vec<Said<R>> {
        self.records([(43, 'a'), (50, 'b'), (36, 'c'), (33, 'd')]);
        assert!(self.watermark(EventTime::MAX, 1000));
        self.out.emitted
    }
}

const KEYS: [char; 6] = ['a', 'b', 'c', 'd', 'e', 'f'];
const MIDDLE: EventTime = EventTime::from_millis(34);

fn begin<X, R>(transform: &X, keys: impl Fn(char) -> bool) -> Subtask<'_, X, R>
where
    X: Transform<In = Keyed<char, i64>, Out = Windowed<char, R>>,
{
    let mut subtask = Subtask::new(transform);
    subtask.records((0..42).map(|time| (time, KEYS[time as usize % 5])).filter(|record| keys(record.1)));
    subtask
}

/// Cuts the saying of results short after every number of calls, in one subtask alone and in one of two
/// that are restored as one, and demands the results of a run that was let alone.
fn survives_a_restore_midway<X, R>(transform: &X)
where
    X: Transform<In = Keyed<char, i64>, Out = Windowed<char, R>>,
    R: Data + PartialOrd + std::fmt::Debug,
{
    let sorted = |mut said: Vec<Said<R>>| {
        said.sort_by(|a, b| a.partial_cmp(b).expect("results can be ordered"));
        said
    };
    let groups = KeyGroups::default();
    let mut undisturbed = begin(transform, |_| true);
    assert!(undisturbed.watermark(MIDDLE, 1000));
    let expected = sorted(undisturbed.finish());
    for calls in 0..40 {
        for other_calls in [None, Some(0), Some(1000)] {
            let mut saved = Sections::default();
            let mut emitted = Vec::new();
            let mut save = |mut subtask: Subtask<'_, X, R>, range, calls| {
                subtask.watermark(MIDDLE, calls);
                let mut saving = Saving::within(groups, range, LayerKind::Full);
                subtask.state.save(&mut saving);
                let sections = saving.encode();
                saved.merge(sections);
                emitted.extend(subtask.out.emitted);
            };
            let parallelism = if other_calls.is_none() { 1 } else { 2 };
            for (index, calls) in (0..).zip([Some(calls), other_calls]) {
                let Some(calls) = calls else { continue };
                let range = groups.range(index, parallelism);
                save(begin(transform, |key| range.contains(groups.of(&key))), range.clone(), calls);
            }
            let mut restored = Subtask::new(transform);
            restored.state.load(&saved).expect("what was saved can be read");
            restored.out.watermark = Watermark(MIDDLE);
            emitted.extend(restored.finish());
            assert_eq!(sorted(emitted), expected, "after {calls} calls, {other_calls:?} of another subtask");
        }
    }
}

#[test]
fn tumbling_windows_survive_a_restore_midway() {
    survives_a_restore_midway(&windows(Tumbling::of(ms(10)), Sum));
}

#[test]
fn sliding_windows_survive_a_restore_midway() {
    survives_a_restore_midway(&windows(Sliding::of(ms(20), ms(5)), Sum));
    survives_a_restore_midway(&windows(Sliding::of(ms(20), ms(5)), (Sum, Max)));
}

#[test]
fn sessions_survive_a_restore_midway() {
    survives_a_restore_midway(&windows(Session::with_gap(ms(5)), Sum));
}

#[test]
fn windows_that_are_kept_survive_a_restore_midway() {
    let rules = Rules { allowed_lateness: ms(7), ..Rules::default() };
    survives_a_restore_midway(&Tumbling::of(ms(10)).windows::<char, i64, _>(Max, rules.clone()));
    survives_a_restore_midway(&Sliding::of(ms(20), ms(5)).windows::<char, i64, _>(Max, rules.clone()));
    survives_a_restore_midway(&Sliding::of(ms(20), ms(5)).windows::<char, i64, _>(Sum, rules));
}

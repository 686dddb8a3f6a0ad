//! [`Operator`]s and [`CoOperator`]s as transforms: the state of a key is found, the author is called,
//! the state is kept or forgotten.

use crate::causal::VectorClock;
use crate::shared::{AnyShared, Refusal, Resolver, Shared};
use crate::spi::{CoOperator, KeyContext, Operator, Output, SideOutput, Step, Transform};
use crate::stage::key_values::{KeyValues, Occasion};
use crate::stage::{KeyTrace, TimerTrace};
use crate::state::Timers;
use crate::{Data, DeadLetter, Either, EventTime, Key, Keyed, ProcessingTime, Watermark};

/// An operator, called with the state of each record's key.
#[derive(Clone, Debug)]
pub struct Process<O>(pub(crate) O);

impl<O: Operator> Transform for Process<O> {
    type In = Keyed<O::Key, O::In>;
    type Out = O::Out;
    type State = KeyValues<O::Key, O::State>;

    fn open(&self, state: &mut Self::State) {
        state.expire_by(self.0.time_to_live());
    }

    fn shared(&self) -> Vec<AnyShared> {
        self.0.shared()
    }

    #[inline]
    fn on_record(
        &self,
        record: Self::In,
        time: EventTime,
        state: &mut Self::State,
        out: &mut impl Output<O::Out>,
    ) {
        let Keyed { key, value } = record;
        with_record(&key, time, state, out, |state, cx| self.0.on_record(value, state, cx));
    }

    fn on_watermark(
        &self,
        watermark: Watermark,
        state: &mut Self::State,
        out: &mut impl Output<O::Out>,
    ) -> Step {
        fire(watermark, state, out, |at, state, cx| self.0.on_timer(at, state, cx))
    }

    fn on_processing_time(
        &self,
        now: ProcessingTime,
        state: &mut Self::State,
        out: &mut impl Output<O::Out>,
    ) -> Step {
        fire_processing(now, state, out, |at, state, cx| self.0.on_processing_timer(at, state, cx))
    }

    fn deadline(&self, state: &Self::State) -> Option<ProcessingTime> {
        state.deadline()
    }
}

/// An operator of two inputs, called with the state of each record's key.
#[derive(Clone, Debug)]
pub struct CoProcess<O>(pub(crate) O);

impl<O: CoOperator> Transform for CoProcess<O> {
    type In = Either<Keyed<O::Key, O::Left>, Keyed<O::Key, O::Right>>;
    type Out = O::Out;
    type State = KeyValues<O::Key, O::State>;

    fn open(&self, state: &mut Self::State) {
        state.expire_by(self.0.time_to_live());
    }

    fn shared(&self) -> Vec<AnyShared> {
        self.0.shared()
    }

    #[inline]
    fn on_record(
        &self,
        record: Self::In,
        time: EventTime,
        state: &mut Self::State,
        out: &mut impl Output<O::Out>,
    ) {
        match record {
            Either::Left(Keyed { key, value }) => {
                with_record(&key, time, state, out, |state, cx| self.0.on_left(value, state, cx));
            }
            Either::Right(Keyed { key, value }) => {
                with_record(&key, time, state, out, |state, cx| self.0.on_right(value, state, cx));
            }
        }
    }

    fn on_watermark(
        &self,
        watermark: Watermark,
        state: &mut Self::State,
        out: &mut impl Output<O::Out>,
    ) -> Step {
        fire(watermark, state, out, |at, state, cx| self.0.on_timer(at, state, cx))
    }

    fn on_processing_time(
        &self,
        now: ProcessingTime,
        state: &mut Self::State,
        out: &mut impl Output<O::Out>,
    ) -> Step {
        fire_processing(now, state, out, |at, state, cx| self.0.on_processing_timer(at, state, cx))
    }

    fn deadline(&self, state: &Self::State) -> Option<ProcessingTime> {
        state.deadline()
    }
}

/// Calls `author` with the state of a key, and drops state and timers if it asks for that.
#[inline(always)]
fn with_state<K: Key, S: Data + Default, T, O: Output<T>>(
    key: &K,
    time: EventTime,
    state: &mut KeyValues<K, S>,
    out: &mut O,
    author: impl FnOnce(&mut S, &mut Scope<'_, K, O>),
) {
    let trace = KeyTrace::enter(key);
    let mut cx = Scope::new(key, time, &mut state.timers, out);
    // State without size needs no entry: every key has the only value there is.
    if size_of::<S>() == 0 {
        author(&mut S::default(), &mut cx);
    } else {
        author(state.values.get_or_insert_ref(key, S::default), &mut cx);
    }
    if cx.is_forgotten() {
        state.forget(key);
    }
    trace.leave();
}

/// As [`with_state`], for a record.
#[inline(always)]
fn with_record<K: Key, S: Data + Default, T, O: Output<T>>(
    key: &K,
    time: EventTime,
    state: &mut KeyValues<K, S>,
    out: &mut O,
    author: impl FnOnce(&mut S, &mut Scope<'_, K, O>),
) {
    state.age(key, time, out.watermark().0, Occasion::Record, out);
    with_state(key, time, state, out, author);
}

/// Calls `author` for each event-time timer that is due, as long as there is room for what it emits. Then what has
/// expired is dropped.
fn fire<K: Key, S: Data + Default, T, O: Output<T>>(
    watermark: Watermark,
    state: &mut KeyValues<K, S>,
    out: &mut O,
    author: impl Fn(EventTime, &mut S, &mut Scope<'_, K, O>),
) -> Step {
    while let Some((at, key)) = state.timers.pop_due(watermark) {
        let trace = TimerTrace::enter(at);
        state.age(&key, at, at, Occasion::Timer, out);
        with_state(&key, at, state, out, |state, cx| author(at, state, cx));
        trace.leave();
        if out.is_full() {
            return Step::Again;
        }
    }
    state.expire(watermark.0, out);
    Step::Done
}

/// Calls `author` for each processing-time timer that is due, as long as there is room. Then what has expired is
/// dropped.
fn fire_processing<K: Key, S: Data + Default, T, O: Output<T>>(
    now: ProcessingTime,
    state: &mut KeyValues<K, S>,
    out: &mut O,
    author: impl Fn(ProcessingTime, &mut S, &mut Scope<'_, K, O>),
) -> Step {
    while let Some((at, key)) = state.timers.pop_due_processing(now) {
        let (time, trace) = (out.time(), TimerTrace::enter(at));
        state.age(&key, time, out.watermark().0, Occasion::Timer, out);
        with_state(&key, time, state, out, |state, cx| author(at, state, cx));
        trace.leave();
        if out.is_full() {
            return Step::Again;
        }
    }
    state.expire(out.watermark().0, out);
    Step::Done
}

/// The context that stands on a step's output, its key and its timers.
pub(super) struct Scope<'a, K, O> {
    key: &'a K,
    time: EventTime,
    timers: &'a mut Timers<K>,
    out: &'a mut O,
    forgotten: bool,
}

impl<'a, K, O> Scope<'a, K, O> {
    pub(super) fn new(key: &'a K, time: EventTime, timers: &'a mut Timers<K>, out: &'a mut O) -> Self {
        Scope { key, time, timers, out, forgotten: false }
    }

    /// Whether the author has asked for the key to be forgotten.
    pub(super) fn is_forgotten(&self) -> bool {
        self.forgotten
    }
}

impl<K: Key, T, O: Output<T>> KeyContext<K, T> for Scope<'_, K, O> {
    #[inline]
    fn key(&self) -> &K {
        self.key
    }
    #[inline]
    fn time(&self) -> EventTime {
        self.time
    }
    #[inline]
    fn watermark(&self) -> Watermark {
        self.out.watermark()
    }
    #[inline]
    fn now(&self) -> ProcessingTime {
        self.out.now()
    }
    #[inline]
    fn emit(&mut self, value: T) {
        self.out.emit_at(value, self.time);
    }
    #[inline]
    fn emit_at(&mut self, value: T, time: EventTime) {
        self.out.emit_at(value, time);
    }
    fn side<S: Data>(&mut self, output: &SideOutput<S>, value: S) {
        self.out.side(output, value);
    }
    fn dead_letter(&mut self, letter: DeadLetter) {
        self.out.dead_letter(letter);
    }
    #[inline]
    fn count_late(&mut self) {
        self.out.count_late();
    }
    fn set_timer(&mut self, at: EventTime) {
        self.timers.set(at, self.key);
    }
    fn cancel_timer(&mut self, at: EventTime) {
        self.timers.cancel(at, self.key);
    }
    fn set_processing_timer(&mut self, at: ProcessingTime) {
        self.timers.set_processing(at, self.key);
    }
    fn cancel_processing_timer(&mut self, at: ProcessingTime) {
        self.timers.cancel_processing(at, self.key);
    }
    fn forget(&mut self) {
        self.forgotten = true;
    }
    fn read<Q: Key, V: Data, R: Resolver<V>>(&self, shared: &Shared<Q, V, R>, key: &Q) -> R::Value {
        self.out.read(shared, key)
    }
    fn update<Q: Key, V: Data, R: Resolver<V>>(
        &mut self,
        shared: &Shared<Q, V, R>,
        key: &Q,
        update: R::Update,
    ) -> Result<(), Refusal> {
        self.out.update(shared, key, update)
    }
    fn seen(&self) -> VectorClock {
        self.out.seen()
    }
}

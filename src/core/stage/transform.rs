//! A [`Transform`] as a stage.

use std::task::Waker;
use std::time::Duration;

use crate::causal::VectorClock;
use crate::shared::{Refusal, Resolver, Shared};
use crate::spi::{Output, SideOutput, Transform};
use crate::stage::{Downstream, Hold, SharedUse, Snapshot, Stage, StageTrace, Taken, TaskContext, TaskInfo};
use crate::state::{
    BackendError, Clock, Glance, LayerKind, LookError, Looked, Room, Saving, State, StateError,
};
use crate::{Data, DeadLetter, EventTime, Key, KeyGroup, KeyGroups, ProcessingTime, Record, Step, Watermark};

/// A transform with its state.
pub struct Transformed<X: Transform> {
    transform: X,
    state: X::State,
    watermark: Watermark,
    number: u16,
}

impl<X: Transform> Transformed<X> {
    pub(crate) fn new(transform: X) -> Self {
        Transformed { transform, state: X::State::default(), watermark: Watermark::MIN, number: 0 }
    }

    /// The time of what is emitted by the wall clock: the earliest that is not late downstream.
    fn on_time(&self, cx: &TaskContext) -> EventTime {
        match self.watermark {
            Watermark::MIN => EventTime::from_millis(cx.now().as_millis()),
            Watermark(time) => time.after(Duration::from_millis(1)),
        }
    }

    /// What a call of the transform writes to.
    #[inline(always)]
    fn output<'a, D>(
        number: u16,
        watermark: Watermark,
        time: EventTime,
        cx: &'a mut TaskContext,
        next: &'a mut D,
    ) -> StageOutput<'a, D> {
        StageOutput { number, watermark, time, cx, next }
    }
}

impl<X: Transform> Clone for Transformed<X> {
    /// A blueprint has no state yet, and a clone begins without any.
    fn clone(&self) -> Self {
        Transformed::new(self.transform.clone())
    }
}

impl<X: Transform> Stage for Transformed<X> {
    type In = X::In;
    type Out = X::Out;
    const EXPANDS: bool = true;

    fn open(&mut self, number: u16) -> u16 {
        self.number = number;
        self.transform.open(&mut self.state);
        number + 1
    }

    #[inline(always)]
    fn record<D: Downstream<X::Out>>(
        &mut self,
        value: X::In,
        time: EventTime,
        cx: &mut TaskContext,
        next: &mut D,
    ) {
        let trace = StageTrace::enter(self.number);
        let mut output = Self::output(self.number, self.watermark, time, cx, next);
        self.transform.on_record(value, time, &mut self.state, &mut output);
        trace.leave();
    }

    #[inline(always)]
    fn records<I: Iterator<Item = Record<X::In>>, D: Downstream<X::Out>>(
        &mut self,
        records: &mut I,
        cx: &mut TaskContext,
        next: &mut D,
    ) {
        let trace = StageTrace::enter(self.number);
        let mut output = Self::output(self.number, self.watermark, EventTime::MIN, cx, next);
        self.transform.on_records(records, &mut self.state, &mut output);
        trace.leave();
    }

    fn watermark<D: Downstream<X::Out>>(
        &mut self,
        watermark: Watermark,
        cx: &mut TaskContext,
        next: &mut D,
    ) -> Step {
        self.watermark = watermark;
        let trace = StageTrace::enter(self.number);
        let mut output = Self::output(self.number, watermark, watermark.0, cx, next);
        let step = self.transform.on_watermark(watermark, &mut self.state, &mut output);
        trace.leave();
        step
    }

    fn processing_time<D: Downstream<X::Out>>(&mut self, cx: &mut TaskContext, next: &mut D) -> Step {
        let trace = StageTrace::enter(self.number);
        let now = cx.now();
        let mut output = Self::output(self.number, self.watermark, self.on_time(cx), cx, next);
        let step = self.transform.on_processing_time(now, &mut self.state, &mut output);
        trace.leave();
        step
    }

    fn deadline(&self) -> Option<ProcessingTime> {
        self.transform.deadline(&self.state)
    }

    fn wake<D: Downstream<X::Out>>(&mut self, cx: &mut TaskContext, next: &mut D) {
        let trace = StageTrace::enter(self.number);
        let mut output = Self::output(self.number, self.watermark, self.on_time(cx), cx, next);
        self.transform.on_wake(&mut self.state, &mut output);
        trace.leave();
    }

    fn shared(&self, uses: &mut Vec<SharedUse>) {
        let stage = self.number;
        uses.extend(self.transform.shared().into_iter().map(|state| SharedUse { stage, state }));
    }

    fn open_state(&mut self, cx: &TaskContext) -> Result<(), BackendError> {
        self.state.open(&Room { key_groups: cx.info.key_groups, backend: cx.backend.clone() })
    }

    fn save(&mut self, kind: LayerKind, info: &TaskInfo, taken: &mut Taken) {
        let uid = info.uids[self.number as usize].clone();
        let (groups, range) = (info.key_groups, info.key_group_range());
        let saving = taken.entry(uid).or_insert_with(|| Saving::within(groups, range, kind));
        saving.part("watermark").put_whole(self.watermark);
        self.state.save(saving.part("state"));
    }

    /// The watermark of a restored stage is the least that was saved: a record is late after the restore
    /// where it was late before.
    fn load(&mut self, uids: &[String], snapshot: &Snapshot) -> Result<(), StateError> {
        let Some(sections) = snapshot.get(&uids[self.number as usize]) else { return Ok(()) };
        let saved: Result<Vec<Watermark>, _> = sections.get("watermark").whole().collect();
        self.watermark = saved?.into_iter().min().unwrap_or(Watermark::MIN);
        self.state.load(sections.get("state"))
    }

    fn group_of(&self, number: u16, key: &[u8], groups: KeyGroups) -> Option<Result<KeyGroup, LookError>> {
        if number == self.number { X::State::group_of(key, groups) } else { None }
    }

    /// Event time has come as far as the watermark.
    fn look(&mut self, number: u16, glance: Glance<'_>) -> Option<Looked> {
        let clock = Clock { time: self.watermark.0, reached: self.watermark.0, ..glance.clock };
        (number == self.number).then(|| self.state.look(Glance { clock, ..glance }))
    }
}

/// The [`Output`] of a stage: the rest of its chain.
struct StageOutput<'a, D> {
    number: u16,
    watermark: Watermark,
    time: EventTime,
    cx: &'a mut TaskContext,
    next: &'a mut D,
}

impl<T, D: Downstream<T>> Output<T> for StageOutput<'_, D> {
    #[inline(always)]
    fn emit(&mut self, value: T) {
        self.next.record(value, self.time, self.cx);
    }
    #[inline(always)]
    fn emit_at(&mut self, value: T, time: EventTime) {
        self.next.record(value, time, self.cx);
    }
    fn side<S: Data>(&mut self, output: &SideOutput<S>, value: S) {
        self.cx.side(output, value, self.time);
    }
    fn dead_letter(&mut self, letter: DeadLetter) {
        self.cx.dead_letter(self.number, letter, self.time);
    }
    #[inline]
    fn count_late(&mut self) {
        self.cx.counters.late += 1;
    }
    #[inline(always)]
    fn set_time(&mut self, time: EventTime) {
        self.time = time;
    }
    #[inline]
    fn time(&self) -> EventTime {
        self.time
    }
    #[inline]
    fn watermark(&self) -> Watermark {
        self.watermark
    }
    #[inline]
    fn now(&self) -> ProcessingTime {
        self.cx.now()
    }
    #[inline]
    fn key_groups(&self) -> KeyGroups {
        self.cx.info.key_groups
    }
    #[inline]
    fn is_full(&self) -> bool {
        self.cx.outbox.is_full()
    }
    fn hold_until(&mut self, until: ProcessingTime) {
        self.cx.hold(Hold::Until(until));
    }
    fn hold(&mut self) {
        self.cx.hold(Hold::Woken);
    }
    fn waker(&self) -> &Waker {
        self.cx.waker()
    }
    fn read<Q: Key, V: Data, R: Resolver<V>>(&self, shared: &Shared<Q, V, R>, key: &Q) -> R::Value {
        self.cx.read_shared(self.number, shared, key)
    }
    fn update<Q: Key, V: Data, R: Resolver<V>>(
        &mut self,
        shared: &Shared<Q, V, R>,
        key: &Q,
        update: R::Update,
    ) -> Result<(), Refusal> {
        self.cx.update_shared(self.number, shared, key, update)
    }
    fn seen(&self) -> VectorClock {
        self.cx.seen_shared()
    }
}

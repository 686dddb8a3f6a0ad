//! One operator, alone, under a test's control.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use serde::{Deserialize, Serialize};

use crate::causal::HybridTime;
use crate::shared::{LocalReplica, Replica, Resolver, Shared};
use crate::spi::{CoOperator, Operator, RoundRobin, StatefulOperator, Transform};
use crate::stage::{
    CoProcess, Counters, DEAD_LETTERS, Exchange, MAIN, OutputInfo, Process, SideFactory, SideOf, Snapshot,
    Stage, Stateful, Tail, Taken, TaskContext, TaskInfo, Transformed,
};
use crate::state::{Backend, BackendError, LayerKind};
use crate::testing::SharedView;
use crate::{
    Data, DeadLetter, Epoch, EventTime, Key, KeyGroups, Keyed, Lineage, ProcessingTime, Record, Run,
    SideOutput, StateError, Step, SubtaskId, VertexId, Watermark,
};

/// Something that happens to an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input<T> {
    /// A record comes, with its time.
    Record(T, EventTime),
    /// The watermark advances.
    Watermark(EventTime),
    /// The wall clock advances, and fires what it reaches.
    ProcessingTime(ProcessingTime),
}

impl<T> Input<T> {
    /// A record at so many milliseconds.
    pub fn at(millis: i64, value: T) -> Self {
        Input::Record(value, EventTime::from_millis(millis))
    }

    /// A watermark at so many milliseconds.
    pub fn watermark(millis: i64) -> Self {
        Input::Watermark(EventTime::from_millis(millis))
    }

    /// The watermark at the end of all input.
    pub fn end() -> Self {
        Input::Watermark(EventTime::MAX)
    }

    /// A wall clock at so many milliseconds.
    pub fn clock(millis: i64) -> Self {
        Input::ProcessingTime(ProcessingTime::from_millis(millis))
    }
}

/// Runs one operator: push records, watermarks and time; see what it emits.
///
/// Each emitted record fills a batch of its own, so the harness also tries every `Step::Again` of the operator.
///
/// ```
/// use watershed_core::testing::{Harness, Input};
/// # use watershed_core::{Context, Operator, EventTime, Record};
/// # #[derive(Clone)] struct RunningCount;
/// # impl Operator for RunningCount {
/// #     type Key = String; type In = f64; type Out = u64; type State = u64;
/// #     fn on_record(&self, _: f64, count: &mut u64, cx: &mut impl Context<Self>) { *count += 1; cx.emit(*count); }
/// # }
/// let mut harness = Harness::operator(RunningCount);
/// harness.push("a".to_owned(), 1.5, 10);
/// harness.push("a".to_owned(), 2.5, 20);
/// assert_eq!(harness.values(), [1, 2]);
/// ```
pub struct Harness<S: Stage<Out: Data>> {
    stage: S,
    tail: Exchange<S::Out, RoundRobin>,
    cx: TaskContext,
    emitted: Vec<Record<S::Out>>,
    parked: Vec<crate::stage::Outgoing>,
    alarm: Arc<Alarm>,
    /// A watermark for which the operator waits for a wake-up.
    stalled: Option<EventTime>,
    /// The shared state that the operator uses.
    replica: Option<Arc<LocalReplica>>,
}

/// The main output's number in a harness.
const EMITTED: usize = 0;
/// The dead letters' number in a harness.
const DEAD: usize = 1;

/// Notes that the operator asked to be woken.
#[derive(Default)]
struct Alarm(AtomicBool);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl<O: Operator> Harness<Transformed<Process<O>>> {
    /// Runs an operator.
    pub fn operator(operator: O) -> Self {
        Harness::transform(Process(operator))
    }

    /// Pushes a record of a key, at so many milliseconds.
    pub fn push(&mut self, key: O::Key, value: O::In, millis: i64) {
        self.apply(Input::at(millis, Keyed { key, value }));
    }
}

impl<O: StatefulOperator> Harness<Transformed<Stateful<O>>> {
    /// Runs an operator with several pieces of state.
    pub fn stateful(operator: O) -> Self {
        Harness::transform(Stateful(operator))
    }

    /// Pushes a record of a key, at so many milliseconds.
    pub fn push(&mut self, key: O::Key, value: O::In, millis: i64) {
        self.apply(Input::at(millis, Keyed { key, value }));
    }
}

impl<O: CoOperator> Harness<Transformed<CoProcess<O>>> {
    /// Runs an operator with two inputs.
    pub fn co_operator(operator: O) -> Self {
        Harness::transform(CoProcess(operator))
    }
}

impl<X: Transform> Harness<Transformed<X>> {
    /// Runs a transform.
    pub fn transform(transform: X) -> Self {
        Harness::stage(Transformed::new(transform))
    }

    /// Runs a transform as subtask `index` of `parallelism`.
    pub(super) fn transform_at(transform: X, index: u32, parallelism: u32) -> Self {
        Harness::placed(Transformed::new(transform), Self::outputs(parallelism), index, parallelism)
    }
}

impl<S: Stage<Out: Data>> Harness<S> {
    /// Runs a stage.
    fn stage(stage: S) -> Self {
        Harness::with_outputs(stage, Self::outputs(1))
    }

    /// The main output and the dead letters of a subtask of `parallelism`.
    fn outputs(parallelism: u32) -> Vec<OutputInfo> {
        let receivers = parallelism;
        let output = |name: &str, side| OutputInfo { name: name.to_owned(), receivers, forward: true, side };
        let dead: Arc<dyn SideFactory> = Arc::new(SideOf::<DeadLetter>::new());
        vec![output(MAIN, None), output(DEAD_LETTERS.name(), Some(dead))]
    }

    fn with_outputs(stage: S, outputs: Vec<OutputInfo>) -> Self {
        Harness::placed(stage, outputs, 0, 1)
    }

    /// An operator in subtask `index` of `parallelism`.
    fn placed(stage: S, outputs: Vec<OutputInfo>, index: u32, parallelism: u32) -> Self {
        let info = TaskInfo {
            job: "test".to_owned(),
            lineage: Lineage(0),
            run: Run(1),
            subtask: SubtaskId { vertex: VertexId(0), index },
            parallelism,
            key_groups: KeyGroups::default(),
            uids: vec!["operator".to_owned()],
            outputs,
            batch_records: 1,
        };
        let alarm = Arc::new(Alarm::default());
        let mut cx = TaskContext::new(Arc::new(info), Waker::from(alarm.clone()));
        let (mut stage, mut tail) = (stage, Exchange::new(RoundRobin::default()));
        let number = stage.open(0);
        tail.open(number, &cx).expect("an exchange opens without touching the world");
        let mut uses = Vec::new();
        stage.shared(&mut uses);
        cx.declare_shared(&uses);
        let states = uses.iter().map(|used| &used.state);
        let replica = (!uses.is_empty()).then(|| Arc::new(LocalReplica::new(cx.info.run, states)));
        let (emitted, parked) = (Vec::new(), Vec::new());
        let mut harness = Harness { stage, tail, cx, emitted, parked, alarm, stalled: None, replica: None };
        harness.share(replica, Epoch(1));
        harness
    }

    /// Lets the operator use the shared state of a replica, in an epoch.
    pub(super) fn share(&mut self, replica: Option<Arc<LocalReplica>>, epoch: Epoch) {
        self.cx.shared = replica.clone().map(|replica| -> Arc<dyn Replica> { replica });
        self.cx.forget_shared();
        self.cx.epoch = epoch;
        self.replica = replica;
    }

    /// The shared state that the operator uses.
    pub(super) fn replica(&self) -> Option<Arc<LocalReplica>> {
        self.replica.clone()
    }

    /// The epoch that the operator is in.
    pub(super) fn epoch(&self) -> Epoch {
        self.cx.epoch
    }

    /// A shared state that the operator uses, to be read and updated by the test.
    ///
    /// # Panics
    ///
    /// Where the operator does not declare it.
    pub fn shared<'a, K: Key, V: Data, R: Resolver<V>>(
        &'a self,
        shared: &'a Shared<K, V, R>,
    ) -> SharedView<'a, K, V, R> {
        let replica = self.replica.as_deref().expect("the operator declares a shared state");
        SharedView { replica, shared, epoch: self.cx.epoch }
    }

    /// Collects a side output too; without this, what goes there is dropped. To be called first.
    #[must_use]
    pub fn listening<T: Data>(self, output: &SideOutput<T>) -> Self {
        let mut outputs = self.cx.info.outputs.clone();
        let side: Arc<dyn SideFactory> = Arc::new(SideOf::<T>::new());
        outputs.push(OutputInfo {
            name: output.name().to_owned(),
            receivers: 1,
            forward: true,
            side: Some(side),
        });
        Harness::with_outputs(self.stage, outputs)
    }

    /// Keeps the operator's state in a backend. To be called first.
    ///
    /// # Errors
    ///
    /// Where the backend fails.
    pub fn kept_in(mut self, backend: Arc<dyn Backend>) -> Result<Self, BackendError> {
        self.cx.backend = Some(backend);
        self.stage.open_state(&self.cx)?;
        Ok(self)
    }

    /// Lets something happen.
    ///
    /// A watermark for which the operator waits, for a wake-up or the clock, stays until
    /// [`Harness::wake`] or [`Harness::clock`] has let it through, as it does in the runtime.
    ///
    /// # Panics
    ///
    /// Where a record or another watermark comes while one waits.
    pub fn apply(&mut self, input: Input<S::In>) {
        match input {
            Input::Record(value, time) => {
                assert!(self.stalled.is_none(), "no record comes while the operator waits at a watermark");
                self.stage.record(value, time, &mut self.cx, &mut self.tail);
                self.collect();
            }
            Input::Watermark(time) => {
                assert!(self.stalled.is_none(), "no watermark comes while the operator waits at another");
                self.advance(time);
            }
            Input::ProcessingTime(now) => {
                self.cx.set_now(now);
                if let Some(replica) = &self.replica {
                    replica.set_now(HybridTime::at(now.as_millis().unsigned_abs()));
                }
                while self.stage.deadline().is_some_and(|deadline| deadline <= now) {
                    let _ = self.stage.processing_time(&mut self.cx, &mut self.tail);
                    self.collect();
                }
                self.resume();
            }
        }
    }

    /// Lets several things happen, one after the other.
    pub fn run(&mut self, inputs: impl IntoIterator<Item = Input<S::In>>) {
        inputs.into_iter().for_each(|input| self.apply(input));
    }

    /// Advances the watermark to so many milliseconds.
    pub fn watermark(&mut self, millis: i64) {
        self.apply(Input::watermark(millis));
    }

    /// Ends the input: the watermark reaches its maximum.
    pub fn end(&mut self) {
        self.apply(Input::end());
    }

    /// Advances the wall clock to so many milliseconds.
    pub fn clock(&mut self, millis: i64) {
        self.apply(Input::clock(millis));
    }

    /// The wall clock.
    pub(super) fn now(&self) -> ProcessingTime {
        self.cx.now()
    }

    /// Sets the wall clock of an operator that begins in the midst of time, and fires nothing.
    pub(super) fn set_clock(&mut self, now: ProcessingTime) {
        self.cx.set_now(now);
    }

    /// Lets the operator look at what woke it, as the runtime does after a wake-up: its input may come again.
    pub fn wake(&mut self) {
        self.alarm.0.store(false, Ordering::Release);
        self.cx.hold = self.cx.hold.woken();
        self.stage.wake(&mut self.cx, &mut self.tail);
        self.collect();
        self.resume();
    }

    /// Whether the operator has asked to be woken since the last time that it was.
    pub fn wants_wake(&self) -> bool {
        self.alarm.0.load(Ordering::Acquire)
    }

    /// Whether the operator waits at a watermark.
    pub fn is_stalled(&self) -> bool {
        self.stalled.is_some()
    }

    /// Takes the emitted records.
    pub fn records(&mut self) -> Vec<Record<S::Out>> {
        std::mem::take(&mut self.emitted)
    }

    /// Takes the emitted values.
    pub fn values(&mut self) -> Vec<S::Out> {
        self.records().into_iter().map(|record| record.value).collect()
    }

    /// Takes what went to a side output that is [listened](Harness::listening) to.
    pub fn side<T: Data>(&mut self, output: &SideOutput<T>) -> Vec<T> {
        let edge = self.cx.info.outputs.iter().position(|info| info.name == output.name());
        let edge = edge.expect("the harness listens to the side output");
        self.take_parked(edge)
    }

    /// Takes what was set aside.
    pub fn dead_letters(&mut self) -> Vec<DeadLetter> {
        self.take_parked(DEAD)
    }

    /// What has been counted.
    pub fn counters(&self) -> Counters {
        self.cx.counters
    }

    /// Whether and how the operator has stopped its input.
    pub fn hold(&self) -> crate::stage::Hold {
        self.cx.hold
    }

    /// Lets input come again, as the runtime does when a hold is over.
    pub fn release(&mut self) {
        self.cx.hold = crate::stage::Hold::Free;
    }

    /// Saves the operator's state.
    pub fn snapshot(&mut self) -> Snapshot {
        self.save(LayerKind::Full)
    }

    /// Saves what has changed in the operator's state since it was saved the last time, as far as its state knows.
    pub fn changes(&mut self) -> Snapshot {
        self.save(LayerKind::Changes)
    }

    fn save(&mut self, kind: LayerKind) -> Snapshot {
        let mut taken = Taken::new();
        self.stage.save(kind, &self.cx.info, &mut taken);
        taken.into_iter().map(|(uid, saving)| (uid, saving.encode())).collect()
    }

    /// Adds saved state; to be called before the first record.
    ///
    /// # Errors
    ///
    /// Where the saved bytes do not fit the state's type.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), StateError> {
        self.stage.load(&self.cx.info.uids, snapshot)
    }

    /// Advances the watermark, as far as the operator lets it.
    fn advance(&mut self, time: EventTime) {
        loop {
            let step = self.stage.watermark(Watermark(time), &mut self.cx, &mut self.tail);
            let emitted = self.collect();
            match step {
                Step::Done => return,
                Step::Again if emitted => {}
                // There was room all the time: it is something else that the step waits for.
                Step::Again => return self.stalled = Some(time),
            }
        }
    }

    /// Tries the watermark again at which the operator waits.
    fn resume(&mut self) {
        if let Some(time) = self.stalled.take() {
            self.advance(time);
        }
    }

    /// Takes what is ready; whether anything was.
    fn collect(&mut self) -> bool {
        self.tail.flush(&mut self.cx);
        self.cx.flush_sides();
        let emitted = self.cx.outbox.is_full();
        while let Some(outgoing) = self.cx.outbox.ready.pop_front() {
            if outgoing.edge == EMITTED {
                let mut batch = outgoing.batch.downcast::<S::Out>();
                self.emitted.extend(batch.drain());
            } else {
                self.parked.push(outgoing);
            }
        }
        emitted
    }

    fn take_parked<T: Data>(&mut self, edge: usize) -> Vec<T> {
        let (wanted, rest) = std::mem::take(&mut self.parked).into_iter().partition(|out| out.edge == edge);
        self.parked = rest;
        let wanted: Vec<crate::stage::Outgoing> = wanted;
        wanted
            .into_iter()
            .flat_map(|outgoing| {
                let mut batch = outgoing.batch.downcast::<T>();
                batch.drain().map(|record| record.value).collect::<Vec<_>>()
            })
            .collect()
    }
}

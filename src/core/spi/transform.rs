//! The general step: a function of all records of a subtask, with its own state layout.

use std::task::Waker;

use crate::causal::VectorClock;
use crate::shared::{AnyShared, Refusal, Resolver, Shared};
use crate::state::State;
use crate::{Data, DeadLetter, EventTime, Key, KeyGroups, ProcessingTime, Record, Watermark};

/// Whether a step has done what it was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a step that says `Again` has to be called again"]
pub enum Step {
    /// All done.
    Done,
    /// Some is left: call again with the same argument once there is room, or after a wake-up.
    Again,
}

/// A step over all records of a subtask: windows, look-ups, whatever needs its own state layout.
///
/// Configuration lives in `self`, data in `State`: `&self` leaves nowhere to hide data that a restore
/// would lose. A step with one piece of state per key is easier written as an
/// [`Operator`](crate::Operator).
///
/// On a keyed stream `In` is [`Keyed<K, T>`](crate::Keyed), and every key of a subtask's key groups
/// comes to the same instance.
pub trait Transform: Clone + Send + 'static {
    /// What comes in.
    type In: Send + 'static;
    /// What goes out.
    type Out: Data;
    /// What is kept between records, and in checkpoints.
    type State: State;

    /// Called once on each subtask, before anything is restored: may tell the state how it is to be kept, such as its
    /// [time to live](crate::state::TimeToLive). The default does nothing.
    fn open(&self, state: &mut Self::State) {
        let _ = state;
    }

    /// Asked once for the plan and once on each subtask: the shared states that the step reads and updates. The default
    /// names none. A subtask that uses shared state works on a batch only when its node has applied all that the batch's
    /// sender had seen of it.
    fn shared(&self) -> Vec<AnyShared> {
        Vec::new()
    }

    /// Called for each record, in the order of its channel. Records of different channels interleave.
    fn on_record(
        &self,
        record: Self::In,
        time: EventTime,
        state: &mut Self::State,
        out: &mut impl Output<Self::Out>,
    );

    /// Called for records that come together. The default calls [`Transform::on_record`] for each, and leaves
    /// the rest in the iterator when the output is full.
    ///
    /// For steps in which what is done for each record can be done once for many (a window looks its pane up
    /// once as long as time stays in it). To each record belong a [`Output::set_time`] and, where anything
    /// was emitted, a look at [`Output::is_full`].
    #[inline(always)]
    fn on_records(
        &self,
        records: &mut impl Iterator<Item = Record<Self::In>>,
        state: &mut Self::State,
        out: &mut impl Output<Self::Out>,
    ) {
        for Record { value, time } in records {
            out.set_time(time);
            self.on_record(value, time, state, out);
            if out.is_full() {
                return;
            }
        }
    }

    /// Called each time the watermark advances; with [`Watermark::MAX`] once at the end of all input. A
    /// job that is cancelled calls it a last time with the watermark it had, for what a step holds back.
    ///
    /// The watermark goes on downstream when this returns [`Step::Done`]. A step with much to emit looks
    /// at [`Output::is_full`] between records and returns [`Step::Again`]: it is called again with the
    /// same watermark when there is room. A step that waits for something else [holds](Output::hold) the
    /// input and returns [`Step::Again`]: it is called again after a wake-up, or when its
    /// [deadline](Transform::deadline) has come; no record comes before that. The default does nothing.
    fn on_watermark(
        &self,
        watermark: Watermark,
        state: &mut Self::State,
        out: &mut impl Output<Self::Out>,
    ) -> Step {
        let _ = (watermark, state, out);
        Step::Done
    }

    /// Called when the wall clock has reached [`Transform::deadline`]. The default does nothing.
    fn on_processing_time(
        &self,
        now: ProcessingTime,
        state: &mut Self::State,
        out: &mut impl Output<Self::Out>,
    ) -> Step {
        let _ = (now, state, out);
        Step::Done
    }

    /// Called after each batch and timer: when to call [`Transform::on_processing_time`] next.
    fn deadline(&self, state: &Self::State) -> Option<ProcessingTime> {
        let _ = state;
        None
    }

    /// Called after the waker of [`Output::waker`] was woken. The default does nothing.
    fn on_wake(&self, state: &mut Self::State, out: &mut impl Output<Self::Out>) {
        let _ = (state, out);
    }
}

/// What a step can do to the world: emit, set aside, count, share state, and ask for a pause.
pub trait Output<T> {
    /// Emits a value with the time of the record being handled, or of the timer or watermark that fired.
    fn emit(&mut self, value: T);

    /// Emits a value with a time of its own.
    ///
    /// A time at or behind the watermark makes the record late for the steps that follow.
    fn emit_at(&mut self, value: T, time: EventTime);

    /// Emits a value to a named side output. Where nobody listens, it is dropped.
    fn side<S: Data>(&mut self, output: &SideOutput<S>, value: S);

    /// Sets a piece of unusable input aside, and counts it.
    fn dead_letter(&mut self, letter: DeadLetter);

    /// Counts a record that came too late to be used.
    fn count_late(&mut self);

    /// Says which record is being handled: the one of this time.
    fn set_time(&mut self, time: EventTime);

    /// The time of the record, timer or watermark being handled.
    fn time(&self) -> EventTime;

    /// The watermark up to which this step has been called.
    fn watermark(&self) -> Watermark;

    /// The wall clock, read once per batch.
    fn now(&self) -> ProcessingTime;

    /// Into how many groups the job's keys are divided.
    fn key_groups(&self) -> KeyGroups;

    /// Whether a batch is waiting to be handed over: the time to return [`Step::Again`].
    fn is_full(&self) -> bool;

    /// Stops the subtask's input until the wall clock reaches `until`. Records of the current batch
    /// still come.
    fn hold_until(&mut self, until: ProcessingTime);

    /// Stops the subtask's input until the waker is woken. Records of the current batch still come.
    fn hold(&mut self);

    /// Wakes this subtask, from any thread: [`Transform::on_wake`] follows.
    fn waker(&self) -> &Waker;

    /// Reads a shared state that the step [declares](Transform::shared), as it stands at this node, without the updates
    /// that were made behind a barrier which this subtask has not passed yet.
    ///
    /// # Panics
    ///
    /// Where the step does not declare the state.
    fn read<Q: Key, V: Data, R: Resolver<V>>(&self, shared: &Shared<Q, V, R>, key: &Q) -> R::Value;

    /// Updates a shared state that the step [declares](Transform::shared). It is so at once for all subtasks of this
    /// node in the same epoch, and soon on all nodes.
    ///
    /// # Errors
    ///
    /// Where the resolver refuses the update, or where it or the key is too large. Nothing changes then.
    ///
    /// # Panics
    ///
    /// Where the step does not declare the state.
    fn update<Q: Key, V: Data, R: Resolver<V>>(
        &mut self,
        shared: &Shared<Q, V, R>,
        key: &Q,
        update: R::Update,
    ) -> Result<(), Refusal>;

    /// All updates of shared state that this subtask may have seen.
    fn seen(&self) -> VectorClock;
}

/// The name and type of a side output: `const LATE: SideOutput<Reading> = SideOutput::new("late");`
#[derive(Debug)]
pub struct SideOutput<T> {
    name: &'static str,
    of: std::marker::PhantomData<fn(T)>,
}

impl<T> SideOutput<T> {
    /// A side output of this name; two of one vertex must not share it.
    pub const fn new(name: &'static str) -> Self {
        SideOutput { name, of: std::marker::PhantomData }
    }

    /// The name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<T> Clone for SideOutput<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for SideOutput<T> {}

//! The usual step: state per key, timers per key.

use crate::causal::VectorClock;
use crate::shared::{AnyShared, Refusal, Resolver, Shared};
use crate::spi::SideOutput;
use crate::state::TimeToLive;
use crate::{Data, DeadLetter, EventTime, Key, ProcessingTime, Watermark};

/// A step of a keyed stream with one piece of state per key.
///
/// ```
/// use watershed_core::{Context, EventTime, Operator};
///
/// /// Emits a key's count at each of its records.
/// #[derive(Clone)]
/// struct RunningCount;
///
/// impl Operator for RunningCount {
///     type Key = String;
///     type In = f64;
///     type Out = (String, u64);
///     type State = u64;
///
///     fn on_record(&self, _: f64, count: &mut u64, cx: &mut impl Context<Self>) {
///         *count += 1;
///         cx.emit((cx.key().clone(), *count));
///     }
/// }
/// ```
///
/// Configuration lives in `self`, data in `State`: `&self` leaves nowhere to hide data that a restore
/// would lose. `State` starts as its default; a key whose state is [forgotten](KeyContext::forget) starts
/// again from there.
pub trait Operator: Clone + Send + 'static {
    /// The stream's key.
    type Key: Key;
    /// What comes in.
    type In: Data;
    /// What goes out.
    type Out: Data;
    /// What is kept for each key; `()` keeps nothing and costs nothing.
    type State: Data + Default;

    /// For how long a key's state is kept that nobody comes for: asked once on each subtask. The default keeps it until
    /// it is [forgotten](KeyContext::forget).
    ///
    /// State is [written](crate::state::Since::Written) by each record of its key, and
    /// [touched](crate::state::Since::Touched) by each timer too. A key whose state has expired starts again from the
    /// default; its timers stay. Exactly when it expires is said [here](crate::state#time-to-live).
    fn time_to_live(&self) -> Option<TimeToLive> {
        None
    }

    /// Asked once for the plan and once on each subtask: the shared states that the step reads and updates. The default
    /// names none. A subtask that uses shared state works on a batch only when its node has applied all that the batch's
    /// sender had seen of it.
    fn shared(&self) -> Vec<AnyShared> {
        Vec::new()
    }

    /// Called for each record, with the state of its key.
    fn on_record(&self, record: Self::In, state: &mut Self::State, cx: &mut impl Context<Self>);

    /// Called when the watermark has reached a timer of the key, in the order of the timers' times.
    fn on_timer(&self, at: EventTime, state: &mut Self::State, cx: &mut impl Context<Self>) {
        let _ = (at, state, cx);
    }

    /// Called when the wall clock has reached a processing-time timer of the key.
    fn on_processing_timer(&self, at: ProcessingTime, state: &mut Self::State, cx: &mut impl Context<Self>) {
        let _ = (at, state, cx);
    }
}

/// What an [`Operator`] can do beside changing its state.
pub trait Context<O: Operator>: KeyContext<O::Key, O::Out> {}

impl<O: Operator, C: KeyContext<O::Key, O::Out>> Context<O> for C {}

/// What a step with state per key can do: emit, set timers, forget, share state.
pub trait KeyContext<K, T> {
    /// The key of the record or timer being handled.
    fn key(&self) -> &K;

    /// The time of the record or timer being handled.
    fn time(&self) -> EventTime;

    /// No record at or before this time will follow.
    fn watermark(&self) -> Watermark;

    /// The wall clock, read once per batch.
    fn now(&self) -> ProcessingTime;

    /// Emits a value with the time of the record or timer being handled.
    fn emit(&mut self, value: T);

    /// Emits a value with a time of its own.
    fn emit_at(&mut self, value: T, time: EventTime);

    /// Emits a value to a named side output. Where nobody listens, it is dropped.
    fn side<S: Data>(&mut self, output: &SideOutput<S>, value: S);

    /// Sets a piece of unusable input aside, and counts it.
    fn dead_letter(&mut self, letter: DeadLetter);

    /// Counts a record that came too late to be used.
    fn count_late(&mut self);

    /// Calls `on_timer` for this key once the watermark has reached `at`; setting it twice calls once.
    ///
    /// A time that the watermark has passed already fires with the next watermark, or in the same firing
    /// where a timer sets it. At the end of all input every timer is due: one that always sets the
    /// next must stop when [`watermark`](KeyContext::watermark) is [`Watermark::MAX`], or the job never ends.
    fn set_timer(&mut self, at: EventTime);

    /// Takes a timer of this key back. One that is not set is no error.
    fn cancel_timer(&mut self, at: EventTime);

    /// Calls `on_processing_timer` for this key once the wall clock has reached `at`.
    fn set_processing_timer(&mut self, at: ProcessingTime);

    /// Takes a processing-time timer of this key back.
    fn cancel_processing_timer(&mut self, at: ProcessingTime);

    /// Drops this key's state and timers when the call returns.
    fn forget(&mut self);

    /// Reads a shared state that the step [declares](Operator::shared), as it stands at this node, without the updates
    /// that were made behind a barrier which this subtask has not passed yet.
    ///
    /// # Panics
    ///
    /// Where the step does not declare the state.
    fn read<Q: Key, V: Data, R: Resolver<V>>(&self, shared: &Shared<Q, V, R>, key: &Q) -> R::Value;

    /// Updates a shared state that the step [declares](Operator::shared). It is so at once for all subtasks of this
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

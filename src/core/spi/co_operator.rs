//! A step with two inputs: joins and connected streams.

use crate::shared::AnyShared;
use crate::spi::KeyContext;
use crate::state::TimeToLive;
use crate::{Data, EventTime, Key, ProcessingTime};

/// A step of two streams that are keyed alike, with one piece of state per key.
///
/// Both inputs meet the same state: what the left brings, the right finds. The watermark is the lesser of
/// both. See [`Operator`](crate::Operator) for what is said of state and timers.
pub trait CoOperator: Clone + Send + 'static {
    /// The key of both streams.
    type Key: Key;
    /// What comes in on the left.
    type Left: Data;
    /// What comes in on the right.
    type Right: Data;
    /// What goes out.
    type Out: Data;
    /// What is kept for each key.
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

    /// Called for each record of the left input.
    fn on_left(
        &self,
        record: Self::Left,
        state: &mut Self::State,
        cx: &mut impl KeyContext<Self::Key, Self::Out>,
    );

    /// Called for each record of the right input.
    fn on_right(
        &self,
        record: Self::Right,
        state: &mut Self::State,
        cx: &mut impl KeyContext<Self::Key, Self::Out>,
    );

    /// Called when the watermark has reached a timer of the key, in the order of the timers' times.
    fn on_timer(
        &self,
        at: EventTime,
        state: &mut Self::State,
        cx: &mut impl KeyContext<Self::Key, Self::Out>,
    ) {
        let _ = (at, state, cx);
    }

    /// Called when the wall clock has reached a processing-time timer of the key.
    fn on_processing_timer(
        &self,
        at: ProcessingTime,
        state: &mut Self::State,
        cx: &mut impl KeyContext<Self::Key, Self::Out>,
    ) {
        let _ = (at, state, cx);
    }
}

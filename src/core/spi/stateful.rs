//! A step with several pieces of state per key.

use crate::shared::AnyShared;
use crate::spi::KeyContext;
use crate::{Current, Data, EventTime, Key, KeyedState, ProcessingTime};

/// A step of a keyed stream with several pieces of state per key, each of its own kind: values, maps, lists, reduced
/// values.
///
/// ```
/// use watershed_core::state::{MapState, ReducingState, TimeToLive};
/// use watershed_core::{Current, KeyContext, KeyedState, StatefulOperator};
/// # use std::time::Duration;
///
/// /// Emits what a customer has spent so far, whenever an order comes that has not come before.
/// #[derive(Clone)]
/// struct Spending;
///
/// #[derive(Default, KeyedState)]
/// struct Orders {
///     seen: MapState<u64, String, ()>,
///     spent: ReducingState<u64, u64>,
/// }
///
/// impl StatefulOperator for Spending {
///     type Key = u64;
///     type In = (String, u64);
///     type Out = u64;
///     type States = Orders;
///
///     fn open(&self, orders: &mut Orders) {
///         orders.seen.expire_by(TimeToLive::after(Duration::from_secs(86_400)));
///     }
///
///     fn on_record(
///         &self,
///         (order, cents): (String, u64),
///         customer: Current<'_, u64>,
///         orders: &mut Orders,
///         cx: &mut impl KeyContext<u64, u64>,
///     ) {
///         if !orders.seen.of(customer).contains(&order) {
///             orders.seen.of(customer).insert(order, ());
///             orders.spent.of(customer).add(cents, |sum, cents| *sum += cents);
///             cx.emit(*orders.spent.of(customer).get().expect("something was added"));
///         }
///     }
/// }
///
/// # use watershed_core::testing::Harness;
/// let mut harness = Harness::stateful(Spending);
/// for (order, cents) in [("tea", 5), ("tea", 5), ("cup", 9)] {
///     harness.push(7, (order.to_owned(), cents), 0);
/// }
/// assert_eq!(harness.values(), [5, 14]);
/// ```
///
/// Each piece is opened with the [current](Current) key and then works as the collection that it is. Where the job keeps
/// its state on disk, one element is read and written without the others, so a key may have more than fits into
/// memory. [`Operator`](crate::Operator) is for state that is small for each key, and faster for it.
///
/// Configuration lives in `self`, data in `States`: `&self` leaves nowhere to hide data that a restore would lose.
/// [`KeyContext::forget`] drops all pieces of the key.
pub trait StatefulOperator: Clone + Send + 'static {
    /// The stream's key.
    type Key: Key;
    /// What comes in.
    type In: Data;
    /// What goes out.
    type Out: Data;
    /// What is kept: a struct of kinds, or a single one.
    type States: KeyedState<Key = Self::Key>;

    /// Called once on each subtask, before anything is restored: the place to give pieces a
    /// [time to live](crate::state::TimeToLive). The default does nothing.
    fn open(&self, states: &mut Self::States) {
        let _ = states;
    }

    /// Asked once for the plan and once on each subtask: the shared states that the step reads and updates. The default
    /// names none. A subtask that uses shared state works on a batch only when its node has applied all that the batch's
    /// sender had seen of it.
    fn shared(&self) -> Vec<AnyShared> {
        Vec::new()
    }

    /// Called for each record.
    fn on_record(
        &self,
        record: Self::In,
        key: Current<'_, Self::Key>,
        states: &mut Self::States,
        cx: &mut impl KeyContext<Self::Key, Self::Out>,
    );

    /// Called when the watermark has reached a timer of the key, in the order of the timers' times. The default does
    /// nothing.
    fn on_timer(
        &self,
        at: EventTime,
        key: Current<'_, Self::Key>,
        states: &mut Self::States,
        cx: &mut impl KeyContext<Self::Key, Self::Out>,
    ) {
        let _ = (at, key, states, cx);
    }

    /// Called when the wall clock has reached a processing-time timer of the key. The default does nothing.
    fn on_processing_timer(
        &self,
        at: ProcessingTime,
        key: Current<'_, Self::Key>,
        states: &mut Self::States,
        cx: &mut impl KeyContext<Self::Key, Self::Out>,
    ) {
        let _ = (at, key, states, cx);
    }
}

//! The fluent names of the joins.

use watershed_core::{Data, Key, KeyedStream, SideOutput};

use crate::join::{Interval, Temporal};
use crate::window::{Grid, Session, Sliding, Tumbling};

/// Joins of a keyed stream, the left one, with another that is keyed alike, the right one.
///
/// ```
/// use std::time::Duration;
/// use watershed_actors::join::{Interval, Joins};
/// use watershed_core::{Pipeline, KeyGroups, testing::Numbers};
///
/// let pipeline = Pipeline::new("neighbours", KeyGroups::default());
/// let orders = pipeline.source(Numbers::up_to(100)).key_by(|n| n % 10);
/// let payments = pipeline.source(Numbers::up_to(90)).key_by(|n| n % 10);
/// orders
///     .interval_join(payments, Interval::after(Duration::ZERO, Duration::from_secs(60)))
///     .left(|customer, order, payment| (*customer, *order, payment.copied()))
///     .discard();
/// assert!(pipeline.plan().is_ok());
/// ```
pub trait Joins<K: Key, L: Data, F>: Sized {
    /// Joins each record with the right ones whose times lie in an interval around its own.
    /// See [`IntervalJoin`](crate::join::IntervalJoin).
    fn interval_join<R: Data, G>(
        self,
        right: KeyedStream<K, R, G>,
        interval: Interval,
    ) -> Joining<K, L, R, F, G, Interval>;

    /// Joins each record with the newest right one at or before its own time.
    /// See [`TemporalJoin`](crate::join::TemporalJoin).
    fn temporal_join<R: Data, G>(
        self,
        right: KeyedStream<K, R, G>,
        temporal: Temporal<R>,
    ) -> Joining<K, L, R, F, G, Temporal<R>>;

    /// Joins the records that share a window: tumbling or sliding, see [`WindowJoin`](crate::join::WindowJoin), or a
    /// session, see [`SessionJoin`](crate::join::SessionJoin).
    fn window_join<R: Data, G, W: JoinWindows>(
        self,
        right: KeyedStream<K, R, G>,
        windows: W,
    ) -> Joining<K, L, R, F, G, W::Rule>;
}

/// Windows in which two streams can be joined.
pub trait JoinWindows {
    /// What the join goes by: windows of one length by their [`Grid`], sessions by their gap.
    type Rule;

    /// The rule of these windows.
    fn rule(self) -> Self::Rule;
}

impl JoinWindows for Grid {
    type Rule = Grid;
    fn rule(self) -> Grid {
        self
    }
}

impl JoinWindows for Tumbling {
    type Rule = Grid;
    fn rule(self) -> Grid {
        self.into()
    }
}

impl JoinWindows for Sliding {
    type Rule = Grid;
    fn rule(self) -> Grid {
        self.into()
    }
}

impl JoinWindows for Session {
    type Rule = Session;
    fn rule(self) -> Session {
        self
    }
}

/// Two streams that are about to be joined by a rule: say [`inner`](Joining::inner) or
/// [`left`](Joining::left).
#[must_use = "a join does nothing until `.inner(..)` or `.left(..)` says what it emits"]
pub struct Joining<K, L, R, F, G, Rule> {
    pub(super) left: KeyedStream<K, L, F>,
    pub(super) right: KeyedStream<K, R, G>,
    pub(super) rule: Rule,
    pub(super) late: Option<SideOutput<L>>,
}

impl<K, L, R, F, G, Rule> Joining<K, L, R, F, G, Rule> {
    /// Sends records of the left stream that come late to a side output. They are counted wherever they go.
    pub fn late_to(mut self, output: &SideOutput<L>) -> Self {
        self.late = Some(*output);
        self
    }
}

impl<K, L, F> Joins<K, L, F> for KeyedStream<K, L, F>
where
    K: Key,
    L: Data,
    F: Fn(&L) -> K + Clone + Send + 'static,
{
    fn interval_join<R: Data, G>(
        self,
        right: KeyedStream<K, R, G>,
        interval: Interval,
    ) -> Joining<K, L, R, F, G, Interval> {
        Joining { left: self, right, rule: interval, late: None }
    }

    fn temporal_join<R: Data, G>(
        self,
        right: KeyedStream<K, R, G>,
        temporal: Temporal<R>,
    ) -> Joining<K, L, R, F, G, Temporal<R>> {
        Joining { left: self, right, rule: temporal, late: None }
    }

    fn window_join<R: Data, G, W: JoinWindows>(
        self,
        right: KeyedStream<K, R, G>,
        windows: W,
    ) -> Joining<K, L, R, F, G, W::Rule> {
        Joining { left: self, right, rule: windows.rule(), late: None }
    }
}

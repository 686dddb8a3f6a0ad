//! The fluent names of the steps.

use std::time::Duration;

use watershed_core::{Chain, Data, Key, KeyedStream, Stream, Transform};

use crate::operator::{Deduplicate, ExponentialMean, Lookup, MapWithState, RateLimit, RunningMean, TopK};

/// Steps of any stream.
///
/// ```
/// use watershed_actors::operator::Steps;
/// use watershed_core::{Pipeline, KeyGroups, testing::Numbers};
///
/// let pipeline = Pipeline::new("slow numbers", KeyGroups::default());
/// pipeline.source(Numbers::up_to(100)).rate_limit(50.0).discard();
/// assert!(pipeline.plan().is_ok());
/// ```
pub trait Steps<T: Data>: Sized {
    /// Lets at most so many records a second through each subtask. See [`RateLimit`].
    fn rate_limit(self, records_per_second: f64) -> Stream<impl Chain<Out = T>>;

    /// Turns each record into what an asynchronous service answers about it. See [`Lookup`].
    fn lookup<O: Data, S>(self, lookup: Lookup<T, O, S>) -> Stream<impl Chain<Out = O>>
    where
        Lookup<T, O, S>: Transform<In = T, Out = O>;
}

impl<T: Data, C: Chain<Out = T>> Steps<T> for Stream<C> {
    fn rate_limit(self, records_per_second: f64) -> Stream<impl Chain<Out = T>> {
        self.transform("rate-limit", RateLimit::per_second(records_per_second))
    }

    fn lookup<O: Data, S>(self, lookup: Lookup<T, O, S>) -> Stream<impl Chain<Out = O>>
    where
        Lookup<T, O, S>: Transform<In = T, Out = O>,
    {
        self.transform("lookup", lookup)
    }
}

/// Steps of a keyed stream.
///
/// ```
/// use watershed_actors::operator::KeyedSteps;
/// use watershed_core::{Pipeline, KeyGroups, testing::Numbers};
///
/// let pipeline = Pipeline::new("running sums", KeyGroups::default());
/// pipeline
///     .source(Numbers::up_to(100))
///     .key_by(|n| n % 10)
///     .map_with_state(|sum: &mut u64, n| {
///         *sum += n;
///         *sum
///     })
///     .discard();
/// assert!(pipeline.plan().is_ok());
/// ```
pub trait KeyedSteps<K: Key, T: Data>: Sized {
    /// Turns each record into another one with the help of its key's state. See [`MapWithState`].
    fn map_with_state<S, O, M>(self, map: M) -> Stream<impl Chain<Out = O>>
    where
        S: Data + Default,
        O: Data,
        M: Fn(&mut S, T) -> O + Clone + Send + 'static;

    /// Lets one record of each key pass within a horizon of event time. See [`Deduplicate`].
    fn deduplicate(self, horizon: Duration) -> Stream<impl Chain<Out = T>>;

    /// Lets one record of each id, within each key, pass within a horizon of event time.
    /// See [`Deduplicate`].
    fn deduplicate_by<I, D>(self, id: D, horizon: Duration) -> Stream<impl Chain<Out = T>>
    where
        I: Key,
        D: Fn(&T) -> I + Clone + Send + 'static;

    /// Emits, at each record, the mean of its key's values so far. See [`RunningMean`].
    fn running_mean<V>(self, value: V) -> Stream<impl Chain<Out = (K, f64)>>
    where
        V: Fn(&T) -> f64 + Clone + Send + 'static;

    /// Emits, at each record, the mean of its key's values so far, whose weights halve with each `half_life`
    /// of event time. See [`ExponentialMean`].
    fn exponential_mean<V>(self, half_life: Duration, value: V) -> Stream<impl Chain<Out = (K, f64)>>
    where
        V: Fn(&T) -> f64 + Clone + Send + 'static;

    /// Emits a key's `k` items with the greatest scores whenever they change. See [`TopK`].
    fn top_k<I, S, N, P>(self, k: usize, item: N, score: P) -> Stream<impl Chain<Out = (K, Vec<(I, S)>)>>
    where
        I: Key,
        S: Data + Ord,
        N: Fn(&T) -> I + Clone + Send + 'static,
        P: Fn(&T) -> S + Clone + Send + 'static;
}

impl<K, T, F> KeyedSteps<K, T> for KeyedStream<K, T, F>
where
    K: Key,
    T: Data,
    F: Fn(&T) -> K + Clone + Send + 'static,
{
    fn map_with_state<S, O, M>(self, map: M) -> Stream<impl Chain<Out = O>>
    where
        S: Data + Default,
        O: Data,
        M: Fn(&mut S, T) -> O + Clone + Send + 'static,
    {
        self.process(MapWithState::new(map)).named("map-with-state")
    }

    fn deduplicate(self, horizon: Duration) -> Stream<impl Chain<Out = T>> {
        self.process(Deduplicate::by_key(horizon)).named("deduplicate")
    }

    fn deduplicate_by<I, D>(self, id: D, horizon: Duration) -> Stream<impl Chain<Out = T>>
    where
        I: Key,
        D: Fn(&T) -> I + Clone + Send + 'static,
    {
        self.process(Deduplicate::by_id(id, horizon)).named("deduplicate")
    }

    fn running_mean<V>(self, value: V) -> Stream<impl Chain<Out = (K, f64)>>
    where
        V: Fn(&T) -> f64 + Clone + Send + 'static,
    {
        self.process(RunningMean::of(value)).named("running-mean")
    }

    fn exponential_mean<V>(self, half_life: Duration, value: V) -> Stream<impl Chain<Out = (K, f64)>>
    where
        V: Fn(&T) -> f64 + Clone + Send + 'static,
    {
        self.process(ExponentialMean::half_life(half_life, value)).named("exponential-mean")
    }

    fn top_k<I, S, N, P>(self, k: usize, item: N, score: P) -> Stream<impl Chain<Out = (K, Vec<(I, S)>)>>
    where
        I: Key,
        S: Data + Ord,
        N: Fn(&T) -> I + Clone + Send + 'static,
        P: Fn(&T) -> S + Clone + Send + 'static,
    {
        self.process(TopK::new(k, item, score)).named("top-k")
    }
}

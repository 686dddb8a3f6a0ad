//! The fluent names of the steps.

use watershed_core::{Chain, Data, Key, KeyedStream, Stream};

use crate::operator::MapWithState;

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
pub trait KeyedSteps<K: Key, T: Data> {
    /// Turns each record into another one with the help of its key's state. See [`MapWithState`].
    fn map_with_state<S, O, M>(self, map: M) -> Stream<impl Chain<Out = O>>
    where
        S: Data + Default,
        O: Data,
        M: Fn(&mut S, T) -> O + Clone + Send + 'static;
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
}

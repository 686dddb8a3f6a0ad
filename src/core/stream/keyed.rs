//! Streams that are partitioned by key.

use std::marker::PhantomData;

use crate::plan::Upstream;
use crate::stage::{
    CoProcess, Identity, Pair, Process, Stateful, Transformed, WithKey, WithKeys, WithLeftKey,
};
use crate::stream::{Chain, Flow, Inlet, Input, Pipeline, Stream};
use crate::task::{OnePort, TwoPorts};
use crate::{CoOperator, Data, Either, Key, Keyed, Operator, StatefulOperator, Transform};

/// A stream whose values meet by key: the place for state.
#[must_use = "a keyed stream does nothing until an operator takes it"]
pub struct KeyedStream<K, T, F> {
    pipeline: Pipeline,
    upstream: Upstream,
    key: F,
    of: PhantomData<fn(T) -> K>,
}

/// The chain of a keyed stream: its values with their keys beside them.
type KeyedInlet<K, T, F> = Flow<Input<OnePort<T>>, Pair<Identity<T>, WithKey<F, K, T>>>;

/// The chain of two streams that are keyed alike.
type ConnectedInlet<K, L, R, F, G> =
    Flow<Input<TwoPorts<L, R>>, Pair<Identity<Either<L, R>>, WithKeys<F, G, K, L, R>>>;

/// The chain of a keyed stream and one that comes to every subtask.
type BroadcastInlet<K, L, R, F> =
    Flow<Input<TwoPorts<L, R>>, Pair<Identity<Either<L, R>>, WithLeftKey<F, K, L, R>>>;

impl<K: Key, T: Data, F: Fn(&T) -> K + Clone + Send + 'static> KeyedStream<K, T, F> {
    pub(super) fn new(pipeline: Pipeline, upstream: Upstream, key: F) -> Self {
        KeyedStream { pipeline, upstream, key, of: PhantomData }
    }

    /// Adds an operator with state per key.
    pub fn process<O>(
        self,
        operator: O,
    ) -> Stream<<KeyedInlet<K, T, F> as Chain>::Then<Transformed<Process<O>>>>
    where
        O: Operator<Key = K, In = T>,
    {
        self.transform("process", Process(operator))
    }

    /// Adds an operator with several pieces of state per key.
    pub fn stateful<O>(
        self,
        operator: O,
    ) -> Stream<<KeyedInlet<K, T, F> as Chain>::Then<Transformed<Stateful<O>>>>
    where
        O: StatefulOperator<Key = K, In = T>,
    {
        self.transform("stateful", Stateful(operator))
    }

    /// Adds a step over all keys of a subtask; `kind` is what the plan calls it.
    pub fn transform<X>(
        self,
        kind: &str,
        transform: X,
    ) -> Stream<<KeyedInlet<K, T, F> as Chain>::Then<Transformed<X>>>
    where
        X: Transform<In = Keyed<K, T>>,
    {
        self.with_keys().then(kind, Transformed::new(transform))
    }

    /// Lets another stream, keyed alike, meet this one's keys.
    pub fn connect<R: Data, G>(self, other: KeyedStream<K, R, G>) -> Connected<K, T, R, F, G>
    where
        G: Fn(&R) -> K + Clone + Send + 'static,
    {
        Connected { left: self, right: other }
    }

    /// Lets every value of another stream come to every subtask of this one: rules, models, dimensions.
    ///
    /// Values of the two streams meet in no particular order.
    pub fn connect_broadcast<R: Data, D: Chain<Out = R>>(
        self,
        other: Stream<D>,
    ) -> BroadcastConnected<K, T, R, F> {
        let (_, right) = other.broadcast_outlet();
        BroadcastConnected { left: self, right, of: PhantomData }
    }

    /// The values, each with its key beside it.
    fn with_keys(self) -> Stream<KeyedInlet<K, T, F>> {
        let vertex = self.pipeline.edit(|plan| plan.vertex([self.upstream]));
        Stream::new(&self.pipeline, vertex, Inlet::<T>::begin()).then_unnamed(WithKey::new(self.key))
    }
}

/// Two streams that are keyed alike.
#[must_use = "connected streams do nothing until an operator takes them"]
pub struct Connected<K, L, R, F, G> {
    left: KeyedStream<K, L, F>,
    right: KeyedStream<K, R, G>,
}

impl<K: Key, L: Data, R: Data, F, G> Connected<K, L, R, F, G>
where
    F: Fn(&L) -> K + Clone + Send + 'static,
    G: Fn(&R) -> K + Clone + Send + 'static,
{
    /// Adds an operator with two inputs and state per key.
    pub fn process<O>(
        self,
        operator: O,
    ) -> Stream<<ConnectedInlet<K, L, R, F, G> as Chain>::Then<Transformed<CoProcess<O>>>>
    where
        O: CoOperator<Key = K, Left = L, Right = R>,
    {
        self.transform("co-process", CoProcess(operator))
    }

    /// Adds a step over all keys of a subtask; `kind` is what the plan calls it.
    pub fn transform<X>(
        self,
        kind: &str,
        transform: X,
    ) -> Stream<<ConnectedInlet<K, L, R, F, G> as Chain>::Then<Transformed<X>>>
    where
        X: Transform<In = Either<Keyed<K, L>, Keyed<K, R>>>,
    {
        let pipeline = self.left.pipeline;
        let vertex = pipeline.edit(|plan| plan.vertex([self.left.upstream, self.right.upstream]));
        let inlet = Flow { head: Input(TwoPorts::new()), stage: Identity::new() };
        Stream::new(&pipeline, vertex, inlet)
            .then_unnamed(WithKeys::new(self.left.key, self.right.key))
            .then(kind, Transformed::new(transform))
    }
}

/// A keyed stream, and one that comes to every subtask.
#[must_use = "connected streams do nothing until an operator takes them"]
pub struct BroadcastConnected<K, L, R, F> {
    left: KeyedStream<K, L, F>,
    right: Upstream,
    of: PhantomData<fn(R)>,
}

impl<K: Key, L: Data, R: Data, F> BroadcastConnected<K, L, R, F>
where
    F: Fn(&L) -> K + Clone + Send + 'static,
{
    /// Adds a step over all keys of a subtask; `kind` is what the plan calls it.
    pub fn transform<X>(
        self,
        kind: &str,
        transform: X,
    ) -> Stream<<BroadcastInlet<K, L, R, F> as Chain>::Then<Transformed<X>>>
    where
        X: Transform<In = Either<Keyed<K, L>, R>>,
    {
        let pipeline = self.left.pipeline;
        let vertex = pipeline.edit(|plan| plan.vertex([self.left.upstream, self.right]));
        let inlet = Flow { head: Input(TwoPorts::new()), stage: Identity::new() };
        Stream::new(&pipeline, vertex, inlet)
            .then_unnamed(WithLeftKey::new(self.left.key))
            .then(kind, Transformed::new(transform))
    }
}

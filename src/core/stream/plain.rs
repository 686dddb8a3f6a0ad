//! A stream of values.

use std::marker::PhantomData;

use crate::plan::{PlanError, Routing, Upstream};
use crate::spi::{ByKey, EventTimes, Partitioner, RoundRobin, WatermarkGenerator};
use crate::stage::{
    AssignTimes, Broadcast, Discard, Exchange, Filter, FlatMap, Identity, Inspect, Map, Shared, SinkTail,
    Stage, Tail, Transformed,
};
use crate::stream::{Chain, Flow, Inlet, Input, KeyedStream, Pipeline};
use crate::task::TwoPorts;
use crate::{Data, Either, EventTime, Key, SideOutput, Sink, Transform, VertexId};

/// A stream of values, and the chain of operators that makes them.
///
/// Operators are added to the chain one after the other and run as one loop, until an exchange
/// ([`key_by`](Stream::key_by), [`rebalance`](Stream::rebalance), ..) ends it and begins another. The
/// names, uids and parallelism that are given apply to the last operator, and to the chain that it is in.
#[must_use = "a stream does nothing until it ends in .sink(..) or .discard()"]
pub struct Stream<C> {
    pipeline: Pipeline,
    vertex: VertexId,
    chain: C,
}

impl<C: Chain> Stream<C> {
    pub(super) fn new(pipeline: &Pipeline, vertex: VertexId, chain: C) -> Self {
        Stream { pipeline: pipeline.clone(), vertex, chain }
    }

    /// Names the last operator for people: plan, progress, metrics.
    pub fn named(self, name: &str) -> Self {
        self.pipeline.edit(|plan| {
            if let Some(stage) = plan.last_stage(self.vertex) {
                name.clone_into(&mut stage.name);
            }
        });
        self
    }

    /// Names the last operator for ever: its state is saved under this, whatever the pipeline becomes.
    pub fn uid(self, uid: &str) -> Self {
        self.pipeline.edit(|plan| {
            if let Some(stage) = plan.last_stage(self.vertex) {
                uid.clone_into(&mut stage.uid);
            }
        });
        self
    }

    /// Sets the number of subtasks of the chain that this stream ends in, up to now and until the next
    /// exchange.
    pub fn parallelism(self, parallelism: u32) -> Self {
        self.pipeline.edit(|plan| plan.parallelism(self.vertex, parallelism));
        self
    }

    /// A named side output of the chain so far, as a stream of its own.
    pub fn side<S: Data>(&self, output: &SideOutput<S>) -> Stream<Inlet<S>> {
        let upstream = Upstream::side::<S>(self.vertex, output.name());
        let vertex = self.pipeline.edit(|plan| plan.vertex([upstream]));
        Stream::new(&self.pipeline, vertex, Inlet::begin())
    }

    /// Adds a stage. `emits` is what the plan says of it.
    pub(super) fn then<B: Stage<In = C::Out>>(self, kind: &str, stage: B) -> Stream<C::Then<B>>
    where
        B::Out: Data,
    {
        self.pipeline.edit(|plan| plan.stage(self.vertex, kind, B::Out::shape()));
        Stream { chain: self.chain.then(stage), pipeline: self.pipeline, vertex: self.vertex }
    }

    /// Adds a stage that is nobody's operator.
    pub(super) fn then_unnamed<B: Stage<In = C::Out>>(self, stage: B) -> Stream<C::Then<B>> {
        Stream { chain: self.chain.then(stage), pipeline: self.pipeline, vertex: self.vertex }
    }

    /// Adds a step over all records of a subtask; `kind` is what the plan calls it.
    pub fn transform<X: Transform<In = C::Out>>(
        self,
        kind: &str,
        transform: X,
    ) -> Stream<C::Then<Transformed<X>>> {
        self.then(kind, Transformed::new(transform))
    }

    /// Drops what the chain emits: the end of a stream of which only the side outputs are wanted.
    pub fn discard(self) {
        self.finish(Discard::new());
    }

    fn finish(self, tail: impl Tail<C::Out>) -> (Pipeline, VertexId) {
        let factory = self.chain.factory(tail);
        self.pipeline.edit(|plan| plan.finish(self.vertex, factory));
        (self.pipeline, self.vertex)
    }
}

impl<T: Data, C: Chain<Out = T>> Stream<C> {
    /// Gives each record its event time. Belongs before the first exchange: the watermark follows each
    /// split of the source on its own.
    pub fn event_times<F, G>(self, times: EventTimes<F, G>) -> Stream<C::Then<AssignTimes<F, G, T>>>
    where
        F: Fn(&T) -> EventTime + Clone + Send + 'static,
        G: WatermarkGenerator,
    {
        self.pipeline.edit(|plan| {
            if !plan.is_source(self.vertex) {
                plan.fail(PlanError::LateEventTimes { operator: "event-times".to_owned() });
            }
        });
        self.then("event-times", AssignTimes::new(times))
    }

    /// Turns each value into another.
    pub fn map<U: Data, F>(self, function: F) -> Stream<C::Then<Map<F, T, U>>>
    where
        F: Fn(T) -> U + Clone + Send + 'static,
    {
        self.then("map", Map::new(function))
    }

    /// Keeps the values for which a condition holds.
    pub fn filter<F>(self, condition: F) -> Stream<C::Then<Filter<F, T>>>
    where
        F: Fn(&T) -> bool + Clone + Send + 'static,
    {
        self.then("filter", Filter::new(condition))
    }

    /// Turns each value into any number of others, with the same time.
    pub fn flat_map<I, F>(self, function: F) -> Stream<C::Then<FlatMap<F, T, I>>>
    where
        I: IntoIterator<Item: Data> + 'static,
        F: Fn(T) -> I + Clone + Send + 'static,
    {
        self.then("flat-map", FlatMap::new(function))
    }

    /// Looks at each value and hands it on: for counters and logs, not for changing the world.
    pub fn inspect<F>(self, function: F) -> Stream<C::Then<Inspect<F, T>>>
    where
        F: Fn(&T) + Clone + Send + 'static,
    {
        self.then("inspect", Inspect::new(function))
    }

    /// Partitions the stream: all values of a key meet in one subtask, and have their state there.
    pub fn key_by<K: Key, F>(self, key: F) -> KeyedStream<K, T, F>
    where
        F: Fn(&T) -> K + Clone + Send + 'static,
    {
        let (pipeline, vertex) = self.finish(Exchange::new(ByKey::new(key.clone())));
        KeyedStream::new(pipeline, Upstream::main::<T>(vertex, Routing::Key), key)
    }

    /// Deals the values out in turn to the subtasks that follow.
    pub fn rebalance(self) -> Stream<Inlet<T>> {
        self.partition_by("round robin", RoundRobin::default())
    }

    /// Sends all values to a single subtask.
    pub fn gather(self) -> Stream<Inlet<T>> {
        self.partition_by("gather", RoundRobin::default()).parallelism(1)
    }

    /// Routes the values to the subtasks that follow by a rule; `name` is what the plan calls it.
    ///
    /// `watershed_core` has [`RoundRobin`], [`Random`](crate::Random), [`Weighted`](crate::Weighted) and
    /// [`Range`](crate::Range); a rule of your own is a [`Partitioner`].
    pub fn partition_by<P: Partitioner<T>>(self, name: &str, rule: P) -> Stream<Inlet<T>> {
        let routing = Routing::Rule(name.to_owned());
        self.exchange(routing, Exchange::new(rule))
    }

    /// Sends every value to every subtask that follows.
    pub fn broadcast(self) -> Stream<Inlet<T>> {
        self.exchange(Routing::Broadcast, Broadcast::new())
    }

    /// Lets several streams go on from here: each [`branch`](SharedStream::branch) sees every value.
    pub fn shared(self) -> SharedStream<T> {
        let (pipeline, vertex) = self.finish(Shared::new());
        SharedStream { pipeline, vertex, of: PhantomData }
    }

    /// The values of both streams, as they come. The watermark is the lesser of both.
    pub fn union<D: Chain<Out = T>>(self, other: Stream<D>) -> Stream<Inlet<T>> {
        let (left, right) = (self.outlet(), other.outlet());
        let vertex = left.0.edit(|plan| plan.vertex([left.1, right.1]));
        Stream::new(&left.0, vertex, Inlet::begin())
    }

    /// Joins another stream to this one: what follows sees the values of both, each with its side.
    pub fn connect<R: Data, D: Chain<Out = R>>(
        self,
        other: Stream<D>,
    ) -> Stream<Flow<Input<TwoPorts<T, R>>, Identity<Either<T, R>>>> {
        let (left, right) = (self.outlet(), other.outlet());
        let vertex = left.0.edit(|plan| plan.vertex([left.1, right.1]));
        Stream::new(&left.0, vertex, Flow { head: Input(TwoPorts::new()), stage: Identity::new() })
    }

    /// Ends the stream in a sink, in the same chain.
    pub fn sink<S: Sink<In = T>>(self, sink: S) -> SinkHandle {
        self.pipeline.edit(|plan| {
            plan.stage(self.vertex, "sink", T::shape());
            plan.mark_sink(self.vertex, S::PRINTS);
        });
        let (pipeline, vertex) = self.finish(SinkTail::new(sink));
        SinkHandle { pipeline, vertex }
    }

    /// Ends the chain and begins another behind an exchange.
    fn exchange(self, routing: Routing, tail: impl Tail<T>) -> Stream<Inlet<T>> {
        let (pipeline, vertex) = self.finish(tail);
        let next = pipeline.edit(|plan| plan.vertex([Upstream::main::<T>(vertex, routing)]));
        Stream::new(&pipeline, next, Inlet::begin())
    }

    /// Ends the chain in an output that goes forward.
    fn outlet(self) -> (Pipeline, Upstream) {
        let (pipeline, vertex) = self.finish(Shared::new());
        (pipeline, Upstream::main::<T>(vertex, Routing::Forward))
    }

    /// Ends the chain in an output to every subtask.
    pub(super) fn broadcast_outlet(self) -> (Pipeline, Upstream) {
        let (pipeline, vertex) = self.finish(Broadcast::new());
        (pipeline, Upstream::main::<T>(vertex, Routing::Broadcast))
    }
}

/// A stream that several others go on from.
#[derive(Clone)]
pub struct SharedStream<T> {
    pipeline: Pipeline,
    vertex: VertexId,
    of: PhantomData<fn(T)>,
}

impl<T: Data> SharedStream<T> {
    /// Another stream of all the values.
    pub fn branch(&self) -> Stream<Inlet<T>> {
        let upstream = Upstream::main::<T>(self.vertex, Routing::Forward);
        let vertex = self.pipeline.edit(|plan| plan.vertex([upstream]));
        Stream::new(&self.pipeline, vertex, Inlet::begin())
    }

    /// A named side output of the chain that is shared.
    pub fn side<S: Data>(&self, output: &SideOutput<S>) -> Stream<Inlet<S>> {
        let upstream = Upstream::side::<S>(self.vertex, output.name());
        let vertex = self.pipeline.edit(|plan| plan.vertex([upstream]));
        Stream::new(&self.pipeline, vertex, Inlet::begin())
    }
}

/// The end of a stream, to be named.
pub struct SinkHandle {
    pipeline: Pipeline,
    vertex: VertexId,
}

impl SinkHandle {
    /// Names the sink for people.
    pub fn named(self, name: &str) -> Self {
        self.pipeline.edit(|plan| {
            if let Some(stage) = plan.last_stage(self.vertex) {
                name.clone_into(&mut stage.name);
            }
        });
        self
    }

    /// Names the sink for ever: what it has staged is filed under this.
    pub fn uid(self, uid: &str) -> Self {
        self.pipeline.edit(|plan| {
            if let Some(stage) = plan.last_stage(self.vertex) {
                uid.clone_into(&mut stage.uid);
            }
        });
        self
    }
}

//! The head of a keyed chain: puts the key beside each value.

use std::marker::PhantomData;

use crate::stage::{Downstream, Stage, StageTrace, TaskContext};
use crate::{Either, EventTime, Keyed, Record, Step, Watermark};

/// Puts the key beside each value of a keyed stream.
///
/// The key was taken once already by the sender, to route; taking it again costs less than sending it.
#[derive(Debug)]
pub struct WithKey<F, K, T> {
    key: F,
    /// The keyed operator that follows: a key function that panics is reported with it.
    number: u16,
    of: PhantomData<fn(T) -> K>,
}

impl<F, K, T> WithKey<F, K, T> {
    pub(crate) fn new(key: F) -> Self {
        WithKey { key, number: 0, of: PhantomData }
    }
}

impl<F: Clone, K, T> Clone for WithKey<F, K, T> {
    fn clone(&self) -> Self {
        WithKey { key: self.key.clone(), number: self.number, of: PhantomData }
    }
}

impl<F, K, T> Stage for WithKey<F, K, T>
where
    F: Fn(&T) -> K + Clone + Send + 'static,
    K: 'static,
    T: 'static,
{
    type In = T;
    type Out = Keyed<K, T>;
    const EXPANDS: bool = false;

    fn open(&mut self, number: u16) -> u16 {
        self.number = number;
        number
    }

    #[inline(always)]
    fn record<D: Downstream<Self::Out>>(
        &mut self,
        value: T,
        time: EventTime,
        cx: &mut TaskContext,
        next: &mut D,
    ) {
        let trace = StageTrace::enter(self.number);
        let key = (self.key)(&value);
        trace.leave();
        next.record(Keyed { key, value }, time, cx);
    }

    #[inline(always)]
    fn records<I: Iterator<Item = Record<T>>, D: Downstream<Self::Out>>(
        &mut self,
        records: &mut I,
        cx: &mut TaskContext,
        next: &mut D,
    ) {
        let mut keyed = records.map(|Record { value, time }| {
            let trace = StageTrace::enter(self.number);
            let key = (self.key)(&value);
            trace.leave();
            Record { value: Keyed { key, value }, time }
        });
        next.records(&mut keyed, cx);
    }

    fn watermark<D: Downstream<Self::Out>>(&mut self, _: Watermark, _: &mut TaskContext, _: &mut D) -> Step {
        Step::Done
    }
}

/// Puts the key beside each value of two streams that are keyed alike.
#[derive(Debug)]
pub struct WithKeys<F, G, K, L, R> {
    left: F,
    right: G,
    of: PhantomData<fn(L, R) -> K>,
}

impl<F, G, K, L, R> WithKeys<F, G, K, L, R> {
    pub(crate) fn new(left: F, right: G) -> Self {
        WithKeys { left, right, of: PhantomData }
    }
}

impl<F: Clone, G: Clone, K, L, R> Clone for WithKeys<F, G, K, L, R> {
    fn clone(&self) -> Self {
        WithKeys { left: self.left.clone(), right: self.right.clone(), of: PhantomData }
    }
}

impl<F, G, K, L, R> Stage for WithKeys<F, G, K, L, R>
where
    F: Fn(&L) -> K + Clone + Send + 'static,
    G: Fn(&R) -> K + Clone + Send + 'static,
    K: 'static,
    L: 'static,
    R: 'static,
{
    type In = Either<L, R>;
    type Out = Either<Keyed<K, L>, Keyed<K, R>>;
    const EXPANDS: bool = false;

    fn open(&mut self, number: u16) -> u16 {
        number
    }

    #[inline(always)]
    fn record<D: Downstream<Self::Out>>(
        &mut self,
        value: Either<L, R>,
        time: EventTime,
        cx: &mut TaskContext,
        next: &mut D,
    ) {
        let keyed = match value {
            Either::Left(value) => Either::Left(Keyed { key: (self.left)(&value), value }),
            Either::Right(value) => Either::Right(Keyed { key: (self.right)(&value), value }),
        };
        next.record(keyed, time, cx);
    }

    fn watermark<D: Downstream<Self::Out>>(&mut self, _: Watermark, _: &mut TaskContext, _: &mut D) -> Step {
        Step::Done
    }
}

/// Puts the key beside the values of the left stream only; the right one comes to every subtask.
#[derive(Debug)]
pub struct WithLeftKey<F, K, L, R> {
    left: F,
    of: PhantomData<fn(L, R) -> K>,
}

impl<F, K, L, R> WithLeftKey<F, K, L, R> {
    pub(crate) fn new(left: F) -> Self {
        WithLeftKey { left, of: PhantomData }
    }
}

impl<F: Clone, K, L, R> Clone for WithLeftKey<F, K, L, R> {
    fn clone(&self) -> Self {
        WithLeftKey { left: self.left.clone(), of: PhantomData }
    }
}

impl<F, K, L, R> Stage for WithLeftKey<F, K, L, R>
where
    F: Fn(&L) -> K + Clone + Send + 'static,
    K: 'static,
    L: 'static,
    R: 'static,
{
    type In = Either<L, R>;
    type Out = Either<Keyed<K, L>, R>;
    const EXPANDS: bool = false;

    fn open(&mut self, number: u16) -> u16 {
        number
    }

    #[inline(always)]
    fn record<D: Downstream<Self::Out>>(
        &mut self,
        value: Either<L, R>,
        time: EventTime,
        cx: &mut TaskContext,
        next: &mut D,
    ) {
        let keyed = match value {
            Either::Left(value) => Either::Left(Keyed { key: (self.left)(&value), value }),
            Either::Right(value) => Either::Right(value),
        };
        next.record(keyed, time, cx);
    }

    fn watermark<D: Downstream<Self::Out>>(&mut self, _: Watermark, _: &mut TaskContext, _: &mut D) -> Step {
        Step::Done
    }
}

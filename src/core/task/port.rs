//! The inputs of a chain: which record type comes through which port.

use std::marker::PhantomData;

use crate::{AnyBatch, Data, Either, EventTime, PortId, Step};

/// The inputs of a chain, as one stream.
pub trait Ports: Clone + Send + 'static {
    /// What the chain sees.
    type Out: 'static;

    /// Takes the records out of a batch of one port. Where `each` returns false there is no room for
    /// more: the rest stays in the batch, and the answer is [`Step::Again`].
    fn feed(port: PortId, batch: &mut AnyBatch, each: impl FnMut(Self::Out, EventTime) -> bool) -> Step;
}

/// Ports that all bring the same type: one stream, or a union of several.
#[derive(Debug)]
pub struct OnePort<T>(PhantomData<fn(T)>);

impl<T> OnePort<T> {
    pub(crate) fn new() -> Self {
        OnePort(PhantomData)
    }
}

impl<T> Clone for OnePort<T> {
    fn clone(&self) -> Self {
        OnePort(PhantomData)
    }
}

impl<T: Data> Ports for OnePort<T> {
    type Out = T;

    #[inline]
    fn feed(_: PortId, batch: &mut AnyBatch, each: impl FnMut(T, EventTime) -> bool) -> Step {
        feed_as(batch, |value: T| value, each)
    }
}

/// A first port for the left stream, a second one for the right.
#[derive(Debug)]
pub struct TwoPorts<L, R>(PhantomData<fn(L, R)>);

impl<L, R> TwoPorts<L, R> {
    pub(crate) fn new() -> Self {
        TwoPorts(PhantomData)
    }
}

impl<L, R> Clone for TwoPorts<L, R> {
    fn clone(&self) -> Self {
        TwoPorts(PhantomData)
    }
}

impl<L: Data, R: Data> Ports for TwoPorts<L, R> {
    type Out = Either<L, R>;

    #[inline]
    fn feed(port: PortId, batch: &mut AnyBatch, each: impl FnMut(Either<L, R>, EventTime) -> bool) -> Step {
        match port {
            PortId(0) => feed_as(batch, Either::Left, each),
            _ => feed_as(batch, Either::Right, each),
        }
    }
}

#[inline]
fn feed_as<T: Data, U>(
    batch: &mut AnyBatch,
    wrap: impl Fn(T) -> U,
    mut each: impl FnMut(U, EventTime) -> bool,
) -> Step {
    let batch = batch.downcast_mut::<T>();
    let mut records = batch.drain();
    while let Some((value, time)) = records.next() {
        if !each(wrap(value), time) {
            // There is no room for more: the rest moves to the front. This happens at most once for
            // each batch that was filled meanwhile, so it costs a move per record emitted at most.
            let rest: crate::Batch<T> = records.collect();
            let left = !rest.is_empty();
            *batch = rest;
            return if left { Step::Again } else { Step::Done };
        }
    }
    Step::Done
}

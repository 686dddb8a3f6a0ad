//! The inputs of a chain: which record type comes through which port.

use std::marker::PhantomData;

use crate::{AnyBatch, Data, Either, PortId, Record, Step};

/// The inputs of a chain, as one stream.
pub trait Ports: Clone + Send + 'static {
    /// What the chain sees.
    type Out: Data;

    /// Hands the records of a batch of one port over. What is not taken stays in the batch, and the answer is
    /// [`Step::Again`].
    fn feed(port: PortId, batch: &mut AnyBatch, into: impl Takes<Self::Out>) -> Step;
}

/// What takes the records of a batch in, whatever port they come from.
pub trait Takes<T> {
    /// Takes records; leaves those in the iterator for which there is no room.
    fn take(self, records: &mut impl Iterator<Item = Record<T>>);
}

/// No ports: the chain is fed by the source before it.
#[derive(Debug)]
pub struct NoPorts<T>(PhantomData<fn(T)>);

impl<T> Clone for NoPorts<T> {
    fn clone(&self) -> Self {
        NoPorts(PhantomData)
    }
}

impl<T: Data> Ports for NoPorts<T> {
    type Out = T;

    /// # Panics
    ///
    /// Always: nothing sends to a source.
    fn feed(_: PortId, _: &mut AnyBatch, _: impl Takes<T>) -> Step {
        unreachable!("a source has no inputs")
    }
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
    fn feed(_: PortId, batch: &mut AnyBatch, into: impl Takes<T>) -> Step {
        feed_as(batch, |value: T| value, into)
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
    fn feed(port: PortId, batch: &mut AnyBatch, into: impl Takes<Either<L, R>>) -> Step {
        match port {
            PortId(0) => feed_as(batch, Either::Left, into),
            _ => feed_as(batch, Either::Right, into),
        }
    }
}

#[inline]
fn feed_as<T: Data, U>(batch: &mut AnyBatch, wrap: impl Fn(T) -> U, into: impl Takes<U>) -> Step {
    let batch = batch.downcast_mut::<T>();
    let mut records = batch.drain();
    into.take(&mut records.by_ref().map(|Record { value, time }| Record { value: wrap(value), time }));
    if records.len() == 0 {
        return Step::Done;
    }
    // There was no room for more: the rest moves to the front. This happens at most once for each batch
    // that was filled meanwhile, so it costs a move per record emitted at most.
    let rest: crate::Batch<T> = records.collect();
    *batch = rest;
    Step::Again
}

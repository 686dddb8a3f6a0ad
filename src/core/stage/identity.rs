//! The stage that changes nothing: where a chain begins.

use std::marker::PhantomData;

use crate::stage::{Downstream, Stage, TaskContext};
use crate::{EventTime, Record, Step, Watermark};

/// Hands everything on.
#[derive(Debug)]
pub struct Identity<T>(PhantomData<fn(T) -> T>);

impl<T> Identity<T> {
    pub(crate) fn new() -> Self {
        Identity(PhantomData)
    }
}

impl<T> Clone for Identity<T> {
    fn clone(&self) -> Self {
        Identity(PhantomData)
    }
}

impl<T: 'static> Stage for Identity<T> {
    type In = T;
    type Out = T;
    const EXPANDS: bool = false;

    /// Takes no number: it is nobody's operator.
    fn open(&mut self, number: u16) -> u16 {
        number
    }

    #[inline(always)]
    fn record<D: Downstream<T>>(&mut self, value: T, time: EventTime, cx: &mut TaskContext, next: &mut D) {
        next.record(value, time, cx);
    }

    #[inline(always)]
    fn records<I: Iterator<Item = Record<T>>, D: Downstream<T>>(
        &mut self,
        records: &mut I,
        cx: &mut TaskContext,
        next: &mut D,
    ) {
        next.records(records, cx);
    }

    fn watermark<D: Downstream<T>>(&mut self, _: Watermark, _: &mut TaskContext, _: &mut D) -> Step {
        Step::Done
    }
}

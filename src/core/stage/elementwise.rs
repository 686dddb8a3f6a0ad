//! Stages without state: one record in, some out.

use std::marker::PhantomData;

use crate::stage::{Downstream, Stage, StageTrace, TaskContext};
use crate::{EventTime, Record, Step, Watermark};

/// Declares a stage that calls one function of its author per record.
macro_rules! calling {
    ($(#[$doc:meta])* $name:ident<$($parameter:ident),*>) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name<F, $($parameter),*> {
            function: F,
            number: u16,
            of: PhantomData<fn() -> ($($parameter,)*)>,
        }

        impl<F, $($parameter),*> $name<F, $($parameter),*> {
            pub(crate) fn new(function: F) -> Self {
                $name { function, number: 0, of: PhantomData }
            }
        }

        impl<F: Clone, $($parameter),*> Clone for $name<F, $($parameter),*> {
            fn clone(&self) -> Self {
                $name { function: self.function.clone(), number: self.number, of: PhantomData }
            }
        }
    };
}

/// The parts of a stage that is numbered and keeps no watermark back.
macro_rules! numbered {
    () => {
        fn open(&mut self, number: u16) -> u16 {
            self.number = number;
            number + 1
        }

        fn watermark<D: Downstream<Self::Out>>(
            &mut self,
            _watermark: Watermark,
            _cx: &mut TaskContext,
            _next: &mut D,
        ) -> Step {
            Step::Done
        }
    };
}

calling! {
    /// Turns each value into another.
    Map<T, U>
}

impl<F, T, U> Stage for Map<F, T, U>
where
    F: Fn(T) -> U + Clone + Send + 'static,
    T: 'static,
    U: 'static,
{
    type In = T;
    type Out = U;
    const EXPANDS: bool = false;

    numbered!();

    #[inline(always)]
    fn record<D: Downstream<U>>(&mut self, value: T, time: EventTime, cx: &mut TaskContext, next: &mut D) {
        let trace = StageTrace::enter(self.number);
        let value = (self.function)(value);
        trace.leave();
        next.record(value, time, cx);
    }

    #[inline(always)]
    fn records<I: Iterator<Item = Record<T>>, D: Downstream<U>>(
        &mut self,
        records: &mut I,
        cx: &mut TaskContext,
        next: &mut D,
    ) {
        let mut mapped = records.map(|Record { value, time }| {
            let trace = StageTrace::enter(self.number);
            let value = (self.function)(value);
            trace.leave();
            Record { value, time }
        });
        next.records(&mut mapped, cx);
    }
}

calling! {
    /// Keeps the values for which a condition holds.
    Filter<T>
}

impl<F, T> Stage for Filter<F, T>
where
    F: Fn(&T) -> bool + Clone + Send + 'static,
    T: 'static,
{
    type In = T;
    type Out = T;
    const EXPANDS: bool = false;

    numbered!();

    #[inline(always)]
    fn record<D: Downstream<T>>(&mut self, value: T, time: EventTime, cx: &mut TaskContext, next: &mut D) {
        let trace = StageTrace::enter(self.number);
        let kept = (self.function)(&value);
        trace.leave();
        if kept {
            next.record(value, time, cx);
        }
    }
}

calling! {
    /// Looks at each value and hands it on.
    Inspect<T>
}

impl<F, T> Stage for Inspect<F, T>
where
    F: Fn(&T) + Clone + Send + 'static,
    T: 'static,
{
    type In = T;
    type Out = T;
    const EXPANDS: bool = false;

    numbered!();

    #[inline(always)]
    fn record<D: Downstream<T>>(&mut self, value: T, time: EventTime, cx: &mut TaskContext, next: &mut D) {
        let trace = StageTrace::enter(self.number);
        (self.function)(&value);
        trace.leave();
        next.record(value, time, cx);
    }
}

calling! {
    /// Turns each value into any number of others.
    FlatMap<T, I>
}

impl<F, T, I> Stage for FlatMap<F, T, I>
where
    F: Fn(T) -> I + Clone + Send + 'static,
    T: 'static,
    I: IntoIterator + 'static,
{
    type In = T;
    type Out = I::Item;
    const EXPANDS: bool = true;

    numbered!();

    #[inline]
    fn record<D: Downstream<I::Item>>(
        &mut self,
        value: T,
        time: EventTime,
        cx: &mut TaskContext,
        next: &mut D,
    ) {
        let trace = StageTrace::enter(self.number);
        for item in (self.function)(value) {
            next.record(item, time, cx);
        }
        trace.leave();
    }
}

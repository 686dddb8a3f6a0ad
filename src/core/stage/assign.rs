//! Gives records their event time, and follows how far each split has come.

use std::marker::PhantomData;
use std::time::Duration;

use crate::spi::{EventTimes, WatermarkGenerator};
use crate::stage::{Downstream, Stage, StageTrace, TaskContext};
use crate::{Data, EventTime, Step, Watermark};

/// Gives records the event time that [`EventTimes`] finds. Belongs to the chain of a source, since only
/// there a record's split is known.
#[derive(Debug)]
pub struct AssignTimes<F, G, T> {
    times: EventTimes<F, G>,
    /// By the number of the split within the subtask.
    splits: Vec<G>,
    number: u16,
    of: PhantomData<fn(T)>,
}

impl<F, G, T> AssignTimes<F, G, T> {
    pub(crate) fn new(times: EventTimes<F, G>) -> Self {
        AssignTimes { times, splits: Vec::new(), number: 0, of: PhantomData }
    }
}

impl<F: Clone, G: Clone, T> Clone for AssignTimes<F, G, T> {
    fn clone(&self) -> Self {
        AssignTimes {
            times: self.times.clone(),
            splits: self.splits.clone(),
            number: self.number,
            of: PhantomData,
        }
    }
}

impl<F, G, T> Stage for AssignTimes<F, G, T>
where
    F: Fn(&T) -> EventTime + Clone + Send + 'static,
    G: WatermarkGenerator,
    T: Data,
{
    type In = T;
    type Out = T;
    const EXPANDS: bool = false;

    fn open(&mut self, number: u16) -> u16 {
        self.number = number;
        number + 1
    }

    #[inline(always)]
    fn record<D: Downstream<T>>(&mut self, value: T, _: EventTime, cx: &mut TaskContext, next: &mut D) {
        let trace = StageTrace::enter(self.number);
        let time = (self.times.of)(&value);
        if !self.times.plausible.contains(&time) {
            trace.leave();
            return self.refuse(&value, time, cx);
        }
        let split = cx.split();
        if split >= self.splits.len() {
            self.splits.resize(split + 1, self.times.generator.clone());
        }
        self.splits[split].on_record(time);
        trace.leave();
        next.record(value, time, cx);
    }

    fn watermark<D: Downstream<T>>(&mut self, _: Watermark, _: &mut TaskContext, _: &mut D) -> Step {
        Step::Done
    }

    fn split_watermark(&self, split: usize) -> Option<Watermark> {
        Some(self.splits.get(split).map_or(Watermark::MIN, G::watermark))
    }

    fn split_idle_after(&self) -> Option<Duration> {
        self.times.idle_after
    }
}

impl<F, G, T: Data> AssignTimes<F, G, T> {
    #[cold]
    fn refuse(&self, value: &T, time: EventTime, cx: &mut TaskContext) {
        let bytes = rmp_serde::to_vec_named(value).expect("Data can be written by serde");
        let (from, to) = (self.times.plausible.start(), self.times.plausible.end());
        let reason = format!("event time {time} is not plausible: outside {from} to {to}");
        cx.refuse(self.number, reason, bytes, time);
    }
}

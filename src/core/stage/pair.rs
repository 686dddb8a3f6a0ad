//! Two stages, one after the other: how chains grow.

use std::time::Duration;

use crate::stage::{Downstream, SharedUse, Snapshot, Stage, Taken, TaskContext, TaskInfo};
use crate::state::{BackendError, Glance, LayerKind, LookError, Looked, StateError};
use crate::{EventTime, KeyGroup, KeyGroups, ProcessingTime, Record, Step, Watermark};

/// Two stages, the second fed by the first.
#[derive(Clone, Debug)]
pub struct Pair<A, B>(pub(crate) A, pub(crate) B);

/// The second stage and what follows it, as the first one sees them.
struct Feed<'a, B, D> {
    stage: &'a mut B,
    next: &'a mut D,
}

impl<T, B: Stage<In = T>, D: Downstream<B::Out>> Downstream<T> for Feed<'_, B, D> {
    const EXPANDS: bool = B::EXPANDS || D::EXPANDS;

    #[inline(always)]
    fn record(&mut self, value: T, time: EventTime, cx: &mut TaskContext) {
        self.stage.record(value, time, cx, self.next);
    }

    #[inline(always)]
    fn records<I: Iterator<Item = Record<T>>>(&mut self, records: &mut I, cx: &mut TaskContext) {
        self.stage.records(records, cx, self.next);
    }
}

impl<A: Stage, B: Stage<In = A::Out>> Stage for Pair<A, B> {
    type In = A::In;
    type Out = B::Out;
    const EXPANDS: bool = A::EXPANDS || B::EXPANDS;

    fn open(&mut self, number: u16) -> u16 {
        let number = self.0.open(number);
        self.1.open(number)
    }

    #[inline(always)]
    fn record<D: Downstream<B::Out>>(
        &mut self,
        value: A::In,
        time: EventTime,
        cx: &mut TaskContext,
        next: &mut D,
    ) {
        self.0.record(value, time, cx, &mut Feed { stage: &mut self.1, next });
    }

    #[inline(always)]
    fn records<I: Iterator<Item = Record<A::In>>, D: Downstream<B::Out>>(
        &mut self,
        records: &mut I,
        cx: &mut TaskContext,
        next: &mut D,
    ) {
        self.0.records(records, cx, &mut Feed { stage: &mut self.1, next });
    }

    /// A first stage that is done already has nothing more to do when it is called again with the same
    /// watermark, so "call again" needs no memory of how far the chain had come.
    fn watermark<D: Downstream<B::Out>>(
        &mut self,
        watermark: Watermark,
        cx: &mut TaskContext,
        next: &mut D,
    ) -> Step {
        match self.0.watermark(watermark, cx, &mut Feed { stage: &mut self.1, next }) {
            Step::Done => self.1.watermark(watermark, cx, next),
            Step::Again => Step::Again,
        }
    }

    fn processing_time<D: Downstream<B::Out>>(&mut self, cx: &mut TaskContext, next: &mut D) -> Step {
        match self.0.processing_time(cx, &mut Feed { stage: &mut self.1, next }) {
            Step::Done => self.1.processing_time(cx, next),
            Step::Again => Step::Again,
        }
    }

    fn deadline(&self) -> Option<ProcessingTime> {
        match (self.0.deadline(), self.1.deadline()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    fn wake<D: Downstream<B::Out>>(&mut self, cx: &mut TaskContext, next: &mut D) {
        self.0.wake(cx, &mut Feed { stage: &mut self.1, next });
        self.1.wake(cx, next);
    }

    fn split_watermark(&self, split: usize) -> Option<Watermark> {
        self.1.split_watermark(split).or_else(|| self.0.split_watermark(split))
    }

    fn split_idle_after(&self) -> Option<Duration> {
        self.1.split_idle_after().or_else(|| self.0.split_idle_after())
    }

    fn shared(&self, uses: &mut Vec<SharedUse>) {
        self.0.shared(uses);
        self.1.shared(uses);
    }

    fn open_state(&mut self, cx: &TaskContext) -> Result<(), BackendError> {
        self.0.open_state(cx)?;
        self.1.open_state(cx)
    }

    fn save(&mut self, kind: LayerKind, info: &TaskInfo, taken: &mut Taken) {
        self.0.save(kind, info, taken);
        self.1.save(kind, info, taken);
    }

    fn load(&mut self, uids: &[String], snapshot: &Snapshot) -> Result<(), StateError> {
        self.0.load(uids, snapshot)?;
        self.1.load(uids, snapshot)
    }

    fn group_of(&self, number: u16, key: &[u8], groups: KeyGroups) -> Option<Result<KeyGroup, LookError>> {
        self.0.group_of(number, key, groups).or_else(|| self.1.group_of(number, key, groups))
    }

    fn look(&mut self, number: u16, glance: Glance<'_>) -> Option<Looked> {
        self.0.look(number, glance).or_else(|| self.1.look(number, glance))
    }
}

//! The task of a subtask that takes batches from others.

use std::marker::PhantomData;

use crate::shared::AnyShared;
use crate::stage::{SharedUse, Snapshot, Stage, Tail, Taken, TaskContext, TaskError};
use crate::state::{Glance, LayerKind, LookError, Looked};
use crate::task::port::Takes;
use crate::task::{AnyTask, Ports, Split, Task, TaskFactory};
use crate::{
    AnyBatch, Data, Epoch, EventTime, KeyGroup, KeyGroups, PortId, ProcessingTime, Record, SourceError,
    StateError, Step, Watermark,
};

/// A chain between its ports and its tail.
pub struct ChainTask<P, S, T> {
    pub(super) stage: S,
    pub(super) tail: T,
    /// The number of the first stage: not 0 where a source comes before it.
    first: u16,
    ports: PhantomData<fn(P)>,
}

impl<P, S, T> ChainTask<P, S, T> {
    pub(crate) fn new(stage: S, tail: T) -> Self {
        ChainTask::from_number(0, stage, tail)
    }

    /// A chain whose first stage has this number.
    pub(super) fn from_number(first: u16, stage: S, tail: T) -> Self {
        ChainTask { stage, tail, first, ports: PhantomData }
    }
}

impl<P, S: Stage, T> ChainTask<P, S, T> {
    /// The shared states that the stages use.
    pub(super) fn shared_uses(&self) -> Vec<SharedUse> {
        let mut uses = Vec::new();
        self.stage.shared(&mut uses);
        uses
    }
}

impl<P, S: Clone, T: Clone> Clone for ChainTask<P, S, T> {
    fn clone(&self) -> Self {
        ChainTask::from_number(self.first, self.stage.clone(), self.tail.clone())
    }
}

/// A chain with all that it needs to take records in.
struct Intake<'a, S, T> {
    stage: &'a mut S,
    tail: &'a mut T,
    cx: &'a mut TaskContext,
}

impl<S: Stage, T: Tail<S::Out>> Takes<S::In> for Intake<'_, S, T> {
    #[inline(always)]
    fn take(self, records: &mut impl Iterator<Item = Record<S::In>>) {
        self.stage.records(records, self.cx, self.tail);
    }
}

impl<P, S: Stage<In: Data>, T: Tail<S::Out>> ChainTask<P, S, T> {
    /// Lets one record in, with care. `keeps_time` as in [`AtHand`](crate::stage::AtHand).
    ///
    /// Out of line, so that the loops of those who need no care are not the longer for it.
    #[inline(never)]
    pub(super) fn take_closely(
        &mut self,
        value: S::In,
        time: EventTime,
        keeps_time: bool,
        cx: &mut TaskContext,
    ) {
        if cx.admit(&value, time, keeps_time) {
            self.stage.record(value, time, cx, &mut self.tail);
            cx.passed();
        }
    }
}

/// A chain that takes records in one by one.
struct Closely<'a, P, S, T> {
    chain: &'a mut ChainTask<P, S, T>,
    cx: &'a mut TaskContext,
}

impl<P, S: Stage<In: Data>, T: Tail<S::Out>> Takes<S::In> for Closely<'_, P, S, T> {
    fn take(self, records: &mut impl Iterator<Item = Record<S::In>>) {
        for Record { value, time } in records {
            // A record that comes from another subtask brings its time with it.
            self.chain.take_closely(value, time, true, self.cx);
            if (S::EXPANDS || T::EXPANDS) && self.cx.outbox.is_full() {
                return;
            }
        }
    }
}

impl<P: Ports, S: Stage<In = P::Out>, T: Tail<S::Out>> Task for ChainTask<P, S, T> {
    fn open(&mut self, cx: &mut TaskContext) -> Result<(), TaskError> {
        let number = self.stage.open(self.first);
        cx.declare_shared(&self.shared_uses());
        self.stage.open_state(cx)?;
        self.tail.open(number, cx)
    }

    fn feed(&mut self, port: PortId, batch: &mut AnyBatch, cx: &mut TaskContext) -> Step {
        if cx.care.is_some() {
            return P::feed(port, batch, Closely { chain: self, cx });
        }
        let (stage, tail) = (&mut self.stage, &mut self.tail);
        P::feed(port, batch, Intake { stage, tail, cx })
    }

    fn uses_shared(&self) -> bool {
        !self.shared_uses().is_empty()
    }

    fn watermark(&mut self, watermark: Watermark, cx: &mut TaskContext) -> Step {
        let step = self.stage.watermark(watermark, cx, &mut self.tail);
        if step == Step::Done {
            cx.outbox.watermark = watermark;
        }
        step
    }

    fn processing_time(&mut self, cx: &mut TaskContext) -> Step {
        self.stage.processing_time(cx, &mut self.tail)
    }

    fn deadline(&self) -> Option<ProcessingTime> {
        self.stage.deadline()
    }

    fn wake(&mut self, cx: &mut TaskContext) {
        self.stage.wake(cx, &mut self.tail);
    }

    fn flush(&mut self, cx: &mut TaskContext) {
        self.tail.flush(cx);
        cx.flush_sides();
    }

    fn resume(&mut self) -> Result<(), TaskError> {
        self.tail.resume()
    }

    fn prepare(&mut self, epoch: Epoch) -> Result<Option<Vec<u8>>, TaskError> {
        self.tail.prepare(epoch)
    }

    fn commit(&mut self, staged: &[u8]) -> Result<(), TaskError> {
        self.tail.commit(staged)
    }

    fn abort(&mut self, staged: &[u8]) -> Result<(), TaskError> {
        self.tail.abort(staged)
    }

    fn save(&mut self, kind: LayerKind, cx: &TaskContext) -> Taken {
        let mut taken = Taken::new();
        self.stage.save(kind, &cx.info, &mut taken);
        taken
    }

    fn load(&mut self, snapshot: &Snapshot, cx: &TaskContext) -> Result<(), StateError> {
        self.stage.load(&cx.info.uids, snapshot)
    }

    fn look(&mut self, number: u16, glance: Glance<'_>) -> Looked {
        self.stage.look(number, glance).unwrap_or(Err(LookError::Opaque))
    }
}

impl<P, S: Stage, T> ChainTask<P, S, T> {
    /// The stages with empty state, and with their numbers.
    fn blank(&self) -> S {
        let mut stage = self.stage.clone();
        stage.open(self.first);
        stage
    }

    pub(super) fn group_of_key(
        &self,
        number: u16,
        key: &[u8],
        groups: KeyGroups,
    ) -> Option<Result<KeyGroup, LookError>> {
        self.blank().group_of(number, key, groups)
    }

    pub(super) fn look_back_at(
        &self,
        number: u16,
        uids: &[String],
        snapshot: &Snapshot,
        glance: Glance<'_>,
    ) -> Result<Looked, StateError> {
        let mut stage = self.blank();
        stage.load(uids, snapshot)?;
        Ok(stage.look(number, glance).unwrap_or(Err(LookError::Opaque)))
    }
}

impl<P: Ports, S: Stage<In = P::Out>, T: Tail<S::Out>> TaskFactory for ChainTask<P, S, T> {
    fn task(&self) -> AnyTask {
        AnyTask::Chain(Box::new(self.clone()))
    }

    fn splits(&self, _parallelism: u32) -> Result<Vec<Split>, SourceError> {
        Ok(Vec::new())
    }

    /// # Panics
    ///
    /// Always: it has no splits.
    fn describe(&self, _split: &[u8]) -> Result<String, TaskError> {
        unreachable!("only a source has splits")
    }

    fn shared(&self) -> Vec<AnyShared> {
        self.shared_uses().into_iter().map(|used| used.state).collect()
    }

    fn group_of(&self, number: u16, key: &[u8], groups: KeyGroups) -> Option<Result<KeyGroup, LookError>> {
        self.group_of_key(number, key, groups)
    }

    fn look_back(
        &self,
        number: u16,
        uids: &[String],
        snapshot: &Snapshot,
        glance: Glance<'_>,
    ) -> Result<Looked, StateError> {
        self.look_back_at(number, uids, snapshot, glance)
    }
}

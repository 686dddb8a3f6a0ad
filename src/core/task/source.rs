//! The task of a source's subtask: reads splits and feeds its own chain.

use std::task::Waker;
use std::time::Duration;

use crate::shared::AnyShared;
use crate::spi::{Guarantee, Polled, Reader, Source, SourceError, SourceOutput, SplitLog};
use crate::stage::{Downstream, Snapshot, Stage, StageTrace, Tail, TaskContext, TaskError};
use crate::state::{Glance, LookError, Looked};
use crate::task::{AnyTask, ChainTask, NoPorts, SourceTask, Split, Task, TaskFactory};
use crate::{
    Data, DeadLetter, EventTime, KeyGroup, KeyGroups, Position, ProcessingTime, StateError, Watermark,
};

/// The number of the source itself among the stages of its chain.
const SOURCE: u16 = 0;

/// A source, its open splits, its chain and its tail.
pub struct SplitTask<S: Source, C, T> {
    source: S,
    splits: Vec<OpenSplit<S::Reader>>,
    chain: ChainTask<NoPorts<S::Out>, C, T>,
}

/// The head of a chain that begins at a source.
#[derive(Clone, Debug)]
pub struct SourceHead<S>(pub(crate) S);

struct OpenSplit<R> {
    name: String,
    reader: R,
    clock: SplitClock,
}

/// How far a split has come whose stream names no event times.
#[derive(Clone, Copy, Debug)]
enum SplitClock {
    /// The source will give times, and has not yet.
    Unknown,
    /// Its records happen when they are read.
    Wall,
    /// The source gave times; this is the newest.
    Given(EventTime),
}

impl<S: Source, C, T> SplitTask<S, C, T> {
    pub(crate) fn new(source: S, stage: C, tail: T) -> Self {
        SplitTask { source, splits: Vec::new(), chain: ChainTask::from_number(SOURCE + 1, stage, tail) }
    }
}

impl<S: Source, C: Stage<In = S::Out>, T: Tail<C::Out>> SourceTask for SplitTask<S, C, T> {
    fn chain(&self) -> &dyn Task {
        &self.chain
    }

    fn chain_mut(&mut self) -> &mut dyn Task {
        &mut self.chain
    }

    fn open_split(
        &mut self,
        split: &Split,
        from: Option<Position>,
        log: Option<&dyn SplitLog>,
    ) -> Result<(), TaskError> {
        let description: S::Split = rmp_serde::from_slice(&split.bytes).map_err(StateError::from)?;
        let reader = match log.filter(|_| self.source.can_log()) {
            Some(log) => self.source.open_logged(&description, from, log)?,
            None => self.source.open(&description, from)?,
        };
        let clock = if self.source.gives_times() { SplitClock::Unknown } else { SplitClock::Wall };
        self.splits.push(OpenSplit { name: split.name.clone(), reader, clock });
        Ok(())
    }

    fn poll(&mut self, split: usize, budget: usize, cx: &mut TaskContext) -> Result<Polled, SourceError> {
        if cx.care.is_some() {
            return self.poll_closely(split, budget, cx);
        }
        let entry = Freely { stage: &mut self.chain.stage, tail: &mut self.chain.tail };
        self.splits[split].poll(split, budget, entry, cx)
    }

    fn split_watermark(&self, split: usize, cx: &TaskContext) -> Watermark {
        self.chain.stage.split_watermark(split).unwrap_or_else(|| match self.splits[split].clock {
            SplitClock::Given(newest) => Watermark(newest.previous()),
            SplitClock::Unknown => Watermark::MIN,
            SplitClock::Wall => Watermark(EventTime::from_millis(cx.now().as_millis()).previous()),
        })
    }

    fn split_idle_after(&self) -> Option<Duration> {
        self.chain.stage.split_idle_after()
    }

    fn position(&self, split: usize) -> Position {
        self.splits[split].reader.position()
    }

    fn forget(&mut self, split: usize, before: Position) {
        self.splits[split].reader.forget(before);
    }
}

impl<S: Source, C: Stage<In = S::Out>, T: Tail<C::Out>> SplitTask<S, C, T> {
    /// Reads record by record, so that each is known by its position.
    fn poll_closely(
        &mut self,
        split: usize,
        budget: usize,
        cx: &mut TaskContext,
    ) -> Result<Polled, SourceError> {
        let open = &mut self.splits[split];
        for _ in 0..budget.max(1) {
            let position = open.reader.position();
            if let Some(origin) = &mut cx.origin {
                origin.position = position;
            }
            if let Some(care) = &mut cx.care {
                care.set_place(format!("{} position {position}", open.name));
            }
            let polled = open.poll(split, 1, Closely(&mut self.chain), cx)?;
            if polled != Polled::More || cx.outbox.is_full() {
                return Ok(polled);
            }
        }
        Ok(Polled::More)
    }
}

impl<R: Reader> OpenSplit<R> {
    /// Reads some records.
    #[inline]
    fn poll(
        &mut self,
        split: usize,
        budget: usize,
        entry: impl Entry<R::Out>,
        cx: &mut TaskContext,
    ) -> Result<Polled, SourceError> {
        let OpenSplit { name, reader, clock } = self;
        let before = reader.position();
        cx.set_split(split);
        let trace = StageTrace::enter(SOURCE);
        let time = EventTime::from_millis(cx.now().as_millis());
        let mut emitter = Emitter { name, newest: EventTime::MIN, read: 0, time, budget, entry, cx };
        let polled = reader.poll(&mut emitter);
        let (newest, read) = (emitter.newest, emitter.read);
        trace.leave();
        cx.counters.records_in += read;
        if cx.has_refused() {
            cx.place_refused(&format!("{name} behind position {before}"), None);
        }
        if newest > EventTime::MIN {
            *clock = match *clock {
                SplitClock::Unknown | SplitClock::Wall => SplitClock::Given(newest),
                SplitClock::Given(before) => SplitClock::Given(newest.max(before)),
            };
        }
        polled
    }
}

impl<S: Source, C: Stage<In = S::Out>, T: Tail<C::Out>> TaskFactory for SplitTask<S, C, T> {
    fn task(&self) -> AnyTask {
        let (source, stage, tail) = (self.source.clone(), self.chain.stage.clone(), self.chain.tail.clone());
        AnyTask::Source(Box::new(SplitTask::new(source, stage, tail)))
    }

    fn splits(&self, parallelism: u32) -> Result<Vec<Split>, SourceError> {
        let splits = self.source.splits(parallelism)?;
        Ok(splits
            .iter()
            .map(|split| Split {
                name: self.source.describe(split),
                bytes: rmp_serde::to_vec_named(split).expect("Data can be written by serde"),
            })
            .collect())
    }

    fn describe(&self, split: &[u8]) -> Result<String, TaskError> {
        let split = rmp_serde::from_slice(split).map_err(StateError::from)?;
        Ok(self.source.describe(&split))
    }

    fn shared(&self) -> Vec<AnyShared> {
        self.chain.shared_uses().into_iter().map(|used| used.state).collect()
    }

    fn group_of(&self, number: u16, key: &[u8], groups: KeyGroups) -> Option<Result<KeyGroup, LookError>> {
        self.chain.group_of_key(number, key, groups)
    }

    fn look_back(
        &self,
        number: u16,
        uids: &[String],
        snapshot: &Snapshot,
        glance: Glance<'_>,
    ) -> Result<Looked, StateError> {
        self.chain.look_back_at(number, uids, snapshot, glance)
    }

    fn guarantee(&self, logged: bool) -> Guarantee {
        if logged && self.source.can_log() { Guarantee::ExactlyOnce } else { self.source.guarantee() }
    }
}

/// The way into a source's chain.
trait Entry<V> {
    /// Lets a record in. `keeps_time` as in [`AtHand`](crate::stage::AtHand).
    fn enter(&mut self, value: V, time: EventTime, keeps_time: bool, cx: &mut TaskContext);
}

/// The open way.
struct Freely<'a, C, T> {
    stage: &'a mut C,
    tail: &'a mut T,
}

impl<C: Stage, T: Downstream<C::Out>> Entry<C::In> for Freely<'_, C, T> {
    #[inline(always)]
    fn enter(&mut self, value: C::In, time: EventTime, _: bool, cx: &mut TaskContext) {
        self.stage.record(value, time, cx, self.tail);
    }
}

/// The way of a subtask that is careful.
struct Closely<'a, P, C, T>(&'a mut ChainTask<P, C, T>);

impl<P, C: Stage<In: Data>, T: Tail<C::Out>> Entry<C::In> for Closely<'_, P, C, T> {
    fn enter(&mut self, value: C::In, time: EventTime, keeps_time: bool, cx: &mut TaskContext) {
        self.0.take_closely(value, time, keeps_time, cx);
    }
}

/// The [`SourceOutput`] of a reader: the source's chain.
struct Emitter<'a, E> {
    name: &'a str,
    newest: EventTime,
    read: u64,
    time: EventTime,
    budget: usize,
    entry: E,
    cx: &'a mut TaskContext,
}

impl<V, E: Entry<V>> SourceOutput<V> for Emitter<'_, E> {
    #[inline(always)]
    fn emit(&mut self, value: V) {
        self.read += 1;
        self.entry.enter(value, self.time, false, self.cx);
    }

    #[inline(always)]
    fn emit_at(&mut self, value: V, time: EventTime) {
        self.read += 1;
        self.newest = self.newest.max(time);
        self.entry.enter(value, time, true, self.cx);
    }

    fn set_aside(&mut self, letter: DeadLetter) {
        let origin = format!("{} {}", self.name, letter.origin);
        self.cx.dead_letter(SOURCE, DeadLetter { origin, ..letter }, self.time);
    }

    #[inline(always)]
    fn has_refused(&self) -> bool {
        self.cx.has_refused()
    }

    fn place_refused(&mut self, place: &str, bytes: &[u8]) {
        self.cx.place_refused(&format!("{} {place}", self.name), Some(bytes));
    }

    fn budget(&self) -> usize {
        self.budget
    }

    fn now(&self) -> ProcessingTime {
        self.cx.now()
    }

    fn waker(&self) -> &Waker {
        self.cx.waker()
    }
}

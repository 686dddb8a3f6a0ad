//! Windows of one length at regular times, kept by slices.
//!
//! A record is added to its slice and to nothing else. A tumbling window is its slice: closing it drains
//! one map. A sliding window is several: when it closes, the slices that are new in it are merged into
//! what [`Rolling`] keeps for each key, the results are said, and the slices that no later window has are taken out.

use std::marker::PhantomData;

use watershed_core::state::{Glance, KeyedMap, LookError, Looked, Panes, Saving, Sections, State};
use watershed_core::{
    Data, EventTime, Key, KeyGroup, KeyGroups, KeyTrace, Keyed, Output, ProcessingTime, Record, StateError,
    Step, Transform, Watermark,
};

use super::backlog::Backlog;
use super::early::Early;
use super::grid::Grid;
use super::progress::Progress;
use super::rolling::Rolling;
use super::{Firing, Rules, Windowed};
use crate::aggregate::Aggregate;

/// The step behind [`Tumbling`](super::Tumbling) and [`Sliding`](super::Sliding): an aggregate for each
/// slice of time and key.
#[derive(Clone)]
pub struct Sliced<K, T, A> {
    grid: Grid,
    aggregate: A,
    rules: Rules<T>,
    of: PhantomData<fn(T) -> K>,
}

/// What is kept of sliced windows.
pub struct SlicedState<K, A, R> {
    /// The slices that records may still come to, or that are needed as they are.
    panes: Panes<K, A>,
    /// Slices in the midst of sliding windows.
    rolling: Rolling<K, A>,
    progress: Progress,
    early: Early<K>,
    backlog: Backlog<K, R>,
}

impl<K, A, R> Default for SlicedState<K, A, R> {
    fn default() -> Self {
        SlicedState {
            panes: Panes::default(),
            rolling: Rolling::default(),
            progress: Progress::default(),
            early: Early::default(),
            backlog: Backlog::default(),
        }
    }
}

impl<K: Key, A: Data, R: Data> State for SlicedState<K, A, R> {
    fn save(&mut self, saving: &mut Saving) {
        self.panes.save(saving.part("panes"));
        self.rolling.save(saving.part("rolling"));
        self.early.save(saving.part("early"));
        self.backlog.save(saving.part("backlog"));
        self.progress.save(saving);
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        self.panes.load(sections.get("panes"))?;
        self.rolling.load(sections.get("rolling"))?;
        self.early.load(sections.get("early"))?;
        self.backlog.load(sections.get("backlog"))?;
        self.progress.load(sections)
    }

    fn group_of(key: &[u8], groups: KeyGroups) -> Option<Result<KeyGroup, LookError>> {
        Panes::<K, A>::group_of(key, groups)
    }

    /// The slices that records may still come to; of sliding windows those that are not merged yet.
    fn look(&mut self, glance: Glance<'_>) -> Looked {
        self.panes.look(glance)
    }
}

impl<K: Key, T: Data, A: Aggregate<T>> Transform for Sliced<K, T, A> {
    type In = Keyed<K, T>;
    type Out = Windowed<K, A::Out>;
    type State = SlicedState<K, A::Accumulator, A::Out>;

    #[inline(always)]
    fn on_record(
        &self,
        record: Keyed<K, T>,
        time: EventTime,
        state: &mut Self::State,
        out: &mut impl Output<Self::Out>,
    ) {
        let Keyed { key, value } = record;
        let trace = KeyTrace::enter(&key);
        if let Some(pane) = state.panes.current(time) {
            let kept = pane.get_or_insert_ref(&key, || self.aggregate.empty());
            self.aggregate.add(kept, &value, time);
        } else {
            self.turn(&key, value, time, state, out);
        }
        trace.leave();
    }

    #[inline(always)]
    fn on_records(
        &self,
        records: &mut impl Iterator<Item = Record<Keyed<K, T>>>,
        state: &mut Self::State,
        out: &mut impl Output<Self::Out>,
    ) {
        let mut next = records.next();
        while let Some(record) = next {
            let Some((reach, pane)) = state.panes.current_with_reach(record.time) else {
                out.set_time(record.time);
                self.on_record(record.value, record.time, state, out);
                if out.is_full() {
                    return;
                }
                next = records.next();
                continue;
            };
            // As long as time stays in the slice, a record costs the look-up of its key and no more.
            let mut record = record;
            next = loop {
                let Record { value: Keyed { key, value }, time } = record;
                let trace = KeyTrace::enter(&key);
                let kept = pane.get_or_insert_ref(&key, || self.aggregate.empty());
                self.aggregate.add(kept, &value, time);
                trace.leave();
                match records.next() {
                    Some(following) if reach.contains(&following.time) => record = following,
                    other => break other,
                }
            };
        }
    }

    fn on_watermark(
        &self,
        watermark: Watermark,
        state: &mut Self::State,
        out: &mut impl Output<Self::Out>,
    ) -> Step {
        loop {
            if state.backlog.drain(out) == Step::Again {
                return Step::Again;
            }
            let Some(window) = self.due(watermark, state) else { break };
            self.close(window, state, out);
            self.drop_over(watermark, state);
        }
        state.progress.close(self.grid.next(watermark));
        self.drop_over(watermark, state);
        match self.rules.early {
            Some(every) if state.early.is_due(every, watermark) => self.say_early(watermark, state, out),
            _ => Step::Done,
        }
    }

    fn on_processing_time(
        &self,
        _now: ProcessingTime,
        state: &mut Self::State,
        out: &mut impl Output<Self::Out>,
    ) -> Step {
        let watermark = out.watermark();
        self.say_early(watermark, state, out)
    }

    fn deadline(&self, state: &Self::State) -> Option<ProcessingTime> {
        state.early.due()
    }
}

impl<K: Key, T: Data, A: Aggregate<T>> Sliced<K, T, A> {
    pub(super) fn new(grid: Grid, aggregate: A, rules: Rules<T>) -> Self {
        Sliced { grid, aggregate, rules, of: PhantomData }
    }

    /// Whether a slice stays as it is when it has been merged into what rolls.
    fn keeps_slices(&self) -> bool {
        A::INVERTIBLE || self.rules.keeps() || self.rules.early.is_some()
    }

    /// The beginning of the slices that no closed window has.
    fn unmerged(&self, state: &SlicedState<K, A::Accumulator, A::Out>) -> EventTime {
        state.progress.next().map_or(EventTime::MIN, |next| self.grid.span(next - 1).end)
    }

    /// Takes a record that is not of the current slice.
    #[inline(never)]
    fn turn(
        &self,
        key: &K,
        value: T,
        time: EventTime,
        state: &mut SlicedState<K, A::Accumulator, A::Out>,
        out: &mut impl Output<Windowed<K, A::Out>>,
    ) {
        let (first, last) = (self.grid.first(time), self.grid.last(time));
        if first > last {
            return;
        }
        let watermark = out.watermark();
        if self.rules.is_over(self.grid.span(last).last(), watermark) {
            return self.rules.late(value, out);
        }
        let (start, end) = self.grid.slice(time);
        if watermark.has_passed(self.grid.span(first).last()) {
            return self.add_belated(key, value, time, state, out);
        }
        let Some(every) = self.rules.early else {
            let kept = state.panes.turn_to(start, end).get_or_insert_ref(key, || self.aggregate.empty());
            return self.aggregate.add(kept, &value, time);
        };
        let kept = state.panes.pane(start).get_or_insert_ref(key, || self.aggregate.empty());
        self.aggregate.add(kept, &value, time);
        self.note_early(every, key, first..=last, state, out);
    }

    /// Takes a record of which at least one window is closed, and at least one not yet over.
    fn add_belated(
        &self,
        key: &K,
        value: T,
        time: EventTime,
        state: &mut SlicedState<K, A::Accumulator, A::Out>,
        out: &mut impl Output<Windowed<K, A::Out>>,
    ) {
        let (watermark, next) = (out.watermark(), self.grid.next(out.watermark()));
        // A restore may have come in the midst of closing windows: they were closed when this record came.
        while let Some(window) = self.due(watermark, state) {
            self.close(window, state, out);
        }
        state.backlog.flush(out);
        state.progress.close(next);
        let (start, _) = self.grid.slice(time);
        let merged = start < self.unmerged(state);
        if merged && !self.grid.is_tumbling() && start >= self.grid.span(next).start {
            let first = state.panes.get(start).is_none_or(|pane| pane.get(key).is_none());
            let mut own = self.aggregate.empty();
            self.aggregate.add(&mut own, &value, time);
            state.rolling.late(&self.aggregate, key, start, own, first);
        }
        if !merged || self.keeps_slices() {
            let kept = state.panes.pane(start).get_or_insert_ref(key, || self.aggregate.empty());
            self.aggregate.add(kept, &value, time);
        }
        let (first, last) = (self.grid.first(time), self.grid.last(time));
        if self.rules.keeps() {
            for window in first..=last.min(next - 1) {
                if !self.rules.is_over(self.grid.span(window).last(), watermark) {
                    self.say(key, window, Firing::Update, state, out);
                }
            }
        }
        if let Some(every) = self.rules.early {
            self.note_early(every, key, first.max(next)..=last, state, out);
        }
    }

    /// Notes a record for the early results of its open windows, and says those that it calls for.
    fn note_early(
        &self,
        every: super::Every,
        key: &K,
        windows: std::ops::RangeInclusive<i64>,
        state: &mut SlicedState<K, A::Accumulator, A::Out>,
        out: &mut impl Output<Windowed<K, A::Out>>,
    ) {
        for window in windows {
            if state.early.note(every, key, self.grid.span(window).start, out.now()) {
                self.say(key, window, Firing::Early, state, out);
            }
        }
    }

    /// Says a key's result of one window, from its slices.
    fn say(
        &self,
        key: &K,
        window: i64,
        firing: Firing,
        state: &SlicedState<K, A::Accumulator, A::Out>,
        out: &mut impl Output<Windowed<K, A::Out>>,
    ) {
        if let Some(value) = self.result(key, window, &state.panes) {
            let span = self.grid.span(window);
            out.emit_at(Windowed { key: key.clone(), window: span, firing, value }, span.last());
        }
    }

    fn result(&self, key: &K, window: i64, panes: &Panes<K, A::Accumulator>) -> Option<A::Out> {
        let span = self.grid.span(window);
        let mut slices = panes.between(span.start, span.end).filter_map(|(_, pane)| pane.get(key));
        let first = slices.next()?;
        let Some(second) = slices.next() else { return Some(self.aggregate.result(first)) };
        let mut whole = first.clone();
        self.aggregate.merge(&mut whole, second);
        slices.for_each(|slice| self.aggregate.merge(&mut whole, slice));
        Some(self.aggregate.finish(whole))
    }

    /// The window to close next, if the watermark has reached its last millisecond.
    fn due(&self, watermark: Watermark, state: &SlicedState<K, A::Accumulator, A::Out>) -> Option<i64> {
        let rolling = if state.rolling.is_empty() { None } else { state.progress.soonest() };
        let new = state.panes.between(self.unmerged(state), EventTime::MAX).next();
        let new = new.map(|(start, _)| self.grid.first(start));
        let window = rolling.into_iter().chain(new).min()?;
        watermark.has_passed(self.grid.span(window).last()).then_some(window)
    }

    /// Says the results of a window whose time has come.
    fn close(
        &self,
        window: i64,
        state: &mut SlicedState<K, A::Accumulator, A::Out>,
        out: &mut impl Output<Windowed<K, A::Out>>,
    ) {
        state.panes.leave();
        if self.grid.is_tumbling() {
            self.close_tumbling(window, state, out);
        } else {
            self.close_sliding(window, state, out);
        }
        state.early.close(self.grid.span(window).start);
        state.progress.close(window + 1);
    }

    fn close_tumbling(
        &self,
        window: i64,
        state: &mut SlicedState<K, A::Accumulator, A::Out>,
        out: &mut impl Output<Windowed<K, A::Out>>,
    ) {
        let groups = out.key_groups();
        let span = self.grid.span(window);
        let mut emitter = state.backlog.emitter(span, Firing::OnTime, out);
        if self.rules.keeps() {
            let kept = state.panes.get(span.start).into_iter().flat_map(KeyedMap::iter);
            for (key, kept) in kept.filter(|(key, _)| !state.progress.is_ahead(*key, window, groups)) {
                emitter.emit(key.clone(), self.aggregate.result(kept));
            }
        } else if let Some((_, mut pane)) = state.panes.pop_first() {
            for (key, kept) in pane.drain() {
                emitter.emit(key, self.aggregate.finish(kept));
            }
            state.panes.recycle(pane);
        }
    }

    fn close_sliding(
        &self,
        window: i64,
        state: &mut SlicedState<K, A::Accumulator, A::Out>,
        out: &mut impl Output<Windowed<K, A::Out>>,
    ) {
        let groups = out.key_groups();
        let (span, following) = (self.grid.span(window), self.grid.span(window + 1));
        let unmerged = self.unmerged(state).max(span.start);
        let SlicedState { panes, rolling, progress, backlog, .. } = state;
        let is_ahead = |key: &K| progress.is_ahead(key, window, groups);
        if A::INVERTIBLE {
            let new = panes.between(unmerged, span.end).flat_map(|(_, pane)| pane.iter());
            for (key, kept) in new.filter(|(key, _)| !is_ahead(key)) {
                rolling.total(&self.aggregate, key, kept);
            }
        } else if self.keeps_slices() {
            for (start, pane) in panes.between(unmerged, span.end) {
                for (key, kept) in pane.iter().filter(|(key, _)| !is_ahead(key)) {
                    rolling.stack(&self.aggregate, key, start, kept.clone());
                }
            }
        } else {
            while panes.first().is_some_and(|first| first < span.end) {
                let Some((start, mut pane)) = panes.pop_first() else { break };
                for (key, kept) in pane.drain() {
                    rolling.stack(&self.aggregate, &key, start, kept);
                }
                panes.recycle(pane);
            }
        }
        let mut emitter = backlog.emitter(span, Firing::OnTime, out);
        let gone = (span.start, following.start);
        rolling.say(&self.aggregate, panes, gone, is_ahead, |key, result| emitter.emit(key, result));
    }

    /// Drops the slices that no record and no firing will ask for again.
    fn drop_over(&self, watermark: Watermark, state: &mut SlicedState<K, A::Accumulator, A::Out>) {
        let Some(next) = state.progress.next() else { return };
        while let Some(start) = state.panes.first() {
            let last = self.grid.last(start);
            if last >= next || !self.rules.is_over(self.grid.span(last).last(), watermark) {
                return;
            }
            if let Some((_, pane)) = state.panes.pop_first() {
                state.panes.recycle(pane);
            }
        }
    }

    /// Says the results of all open windows that have changed since they were last said.
    fn say_early(
        &self,
        watermark: Watermark,
        state: &mut SlicedState<K, A::Accumulator, A::Out>,
        out: &mut impl Output<Windowed<K, A::Out>>,
    ) -> Step {
        loop {
            if state.backlog.drain(out) == Step::Again {
                return Step::Again;
            }
            let Some((start, keys)) = state.early.pop() else { break };
            let window = self.grid.last(start);
            let mut emitter = state.backlog.emitter(self.grid.span(window), Firing::Early, out);
            for (key, _) in keys.iter() {
                if let Some(value) = self.result(key, window, &state.panes) {
                    emitter.emit(key.clone(), value);
                }
            }
        }
        if let Some(every) = self.rules.early {
            state.early.said(every, watermark);
        }
        Step::Done
    }
}

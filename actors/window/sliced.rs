//! Windows of one length at regular times, kept by slices.

use std::marker::PhantomData;

use watershed_core::state::{Panes, Sections, State};
use watershed_core::{
    Data, EventTime, Key, KeyGroups, KeyTrace, Keyed, Output, StateError, Step, Transform, Watermark,
};

use super::backlog::Backlog;
use super::grid::Grid;
use super::{Firing, Rules, Windowed};
use crate::aggregate::Aggregate;

/// The step behind [`Tumbling`](super::Tumbling): an aggregate for each slice of time and key.
#[derive(Clone)]
pub struct Sliced<K, T, A> {
    grid: Grid,
    aggregate: A,
    rules: Rules<T>,
    of: PhantomData<fn(T) -> K>,
}

impl<K, T, A> Sliced<K, T, A> {
    pub(super) fn new(grid: Grid, aggregate: A, rules: Rules<T>) -> Self {
        Sliced { grid, aggregate, rules, of: PhantomData }
    }
}

/// What is kept of sliced windows.
pub struct SlicedState<K, A, R> {
    panes: Panes<K, A>,
    backlog: Backlog<K, R>,
}

impl<K, A, R> Default for SlicedState<K, A, R> {
    fn default() -> Self {
        SlicedState { panes: Panes::default(), backlog: Backlog::default() }
    }
}

impl<K: Key, A: Data, R: Data> State for SlicedState<K, A, R> {
    fn save(&self, groups: KeyGroups, sections: &mut Sections) {
        self.panes.save(groups, sections.part("panes"));
        self.backlog.save(groups, sections.part("backlog"));
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        self.panes.load(sections.get("panes"))?;
        self.backlog.load(sections.get("backlog"))
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
        let trace = KeyTrace::enter(&key, out.key_groups());
        if let Some(pane) = state.panes.current(time) {
            let kept = pane.get_or_insert_ref(&key, || self.aggregate.empty());
            self.aggregate.add(kept, &value, time);
        } else {
            self.turn(&key, value, time, state, out);
        }
        trace.leave();
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
            let Some(start) = state.panes.first() else { return Step::Done };
            let window = self.grid.span(self.grid.last(start));
            if !watermark.has_passed(window.last()) {
                return Step::Done;
            }
            let Some((_, mut pane)) = state.panes.pop_first() else { return Step::Done };
            let mut emitter = state.backlog.emitter(window, Firing::OnTime, out);
            for (key, kept) in pane.drain() {
                emitter.emit(key, self.aggregate.finish(kept));
            }
            state.panes.recycle(pane);
        }
    }
}

impl<K: Key, T: Data, A: Aggregate<T>> Sliced<K, T, A> {
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
        let window = self.grid.span(self.grid.last(time));
        if self.rules.is_over(window.last(), out.watermark()) {
            return self.rules.late(value, out);
        }
        let (start, last) = self.grid.slice(time);
        let kept = state.panes.turn_to(start, last).get_or_insert_ref(key, || self.aggregate.empty());
        self.aggregate.add(kept, &value, time);
    }
}

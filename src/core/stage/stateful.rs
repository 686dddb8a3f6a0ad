//! [`StatefulOperator`]s as transforms: the author is called with all pieces of state and the current key.

use crate::shared::AnyShared;
use crate::spi::{Output, StatefulOperator, Step, Transform};
use crate::stage::process::Scope;
use crate::stage::{KeyTrace, TimerTrace};
use crate::state::{
    self, BackendError, Clock, Current, Glance, KeyedState, LookError, Looked, Room, Saving, Sections, State,
    StateError, Timers,
};
use crate::{EventTime, KeyGroup, KeyGroups, Keyed, ProcessingTime, Watermark};

/// An operator with several pieces of state, called with each record.
#[derive(Clone, Debug)]
pub struct Stateful<O>(pub(crate) O);

impl<O: StatefulOperator> Transform for Stateful<O> {
    type In = Keyed<O::Key, O::In>;
    type Out = O::Out;
    type State = Pieces<O::States>;

    fn open(&self, state: &mut Self::State) {
        self.0.open(&mut state.pieces);
    }

    fn shared(&self) -> Vec<AnyShared> {
        self.0.shared()
    }

    #[inline]
    fn on_record(
        &self,
        Keyed { key, value }: Self::In,
        time: EventTime,
        state: &mut Self::State,
        out: &mut impl Output<O::Out>,
    ) {
        let clock = state.clock(out.watermark().0, time, out);
        state.call(&key, clock, out, |key, states, cx| self.0.on_record(value, key, states, cx));
    }

    fn on_watermark(
        &self,
        watermark: Watermark,
        state: &mut Self::State,
        out: &mut impl Output<O::Out>,
    ) -> Step {
        while let Some((at, key)) = state.timers.pop_due(watermark) {
            let trace = TimerTrace::enter(at);
            let clock = state.clock(at, at, out);
            state.call(&key, clock, out, |key, states, cx| self.0.on_timer(at, key, states, cx));
            trace.leave();
            if out.is_full() {
                return Step::Again;
            }
        }
        let clock = state.clock(watermark.0, watermark.0, out);
        state.pieces.expire(clock);
        Step::Done
    }

    fn on_processing_time(
        &self,
        now: ProcessingTime,
        state: &mut Self::State,
        out: &mut impl Output<O::Out>,
    ) -> Step {
        while let Some((at, key)) = state.timers.pop_due_processing(now) {
            let trace = TimerTrace::enter(at);
            let clock = state.clock(out.watermark().0, out.time(), out);
            state.call(&key, clock, out, |key, states, cx| self.0.on_processing_timer(at, key, states, cx));
            trace.leave();
            if out.is_full() {
                return Step::Again;
            }
        }
        let clock = state.clock(out.watermark().0, out.time(), out);
        state.pieces.expire(clock);
        Step::Done
    }

    fn deadline(&self, state: &Self::State) -> Option<ProcessingTime> {
        [state.timers.next_processing(), state.pieces.deadline()].into_iter().flatten().min()
    }
}

/// The pieces of state of an operator, and its timers.
#[derive(Debug)]
pub struct Pieces<S: KeyedState> {
    pieces: S,
    timers: Timers<S::Key>,
    /// How far event time had come at the last call. It never goes back, though a timer may be set in the past: what
    /// has expired does not come back for it.
    reached: EventTime,
}

impl<S: KeyedState> Default for Pieces<S> {
    fn default() -> Self {
        Pieces { pieces: S::default(), timers: Timers::default(), reached: EventTime::MIN }
    }
}

impl<S: KeyedState> Pieces<S> {
    /// The clock where event time has come to `reached`.
    #[inline]
    fn clock<T>(&mut self, reached: EventTime, time: EventTime, out: &impl Output<T>) -> Clock {
        self.reached = self.reached.max(reached);
        Clock { time, reached: self.reached, now: out.now() }
    }

    /// Calls `author` with a key, and drops all that the key has if it asks for that.
    #[inline(always)]
    fn call<T, O: Output<T>>(
        &mut self,
        key: &S::Key,
        clock: Clock,
        out: &mut O,
        author: impl FnOnce(Current<'_, S::Key>, &mut S, &mut Scope<'_, S::Key, O>),
    ) {
        let trace = KeyTrace::enter(key);
        let mut cx = Scope::new(key, clock.time, &mut self.timers, out);
        author(Current::new(key, clock), &mut self.pieces, &mut cx);
        if cx.is_forgotten() {
            self.timers.forget(key);
            self.pieces.clear_key(key);
        }
        trace.leave();
    }
}

impl<S: KeyedState> State for Pieces<S> {
    fn open(&mut self, room: &Room) -> Result<(), BackendError> {
        self.pieces.open(room)
    }

    fn save(&mut self, saving: &mut Saving) {
        self.pieces.save(saving.part("pieces"));
        self.timers.save(saving.part("timers"));
        saving.part("reached").put_whole(self.reached);
    }

    /// Event time has come as far as in the subtask in which it had come least far.
    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        let reached: Result<Vec<EventTime>, _> = sections.get("reached").whole().collect();
        self.reached = reached?.into_iter().min().unwrap_or(EventTime::MIN);
        self.pieces.load(sections.get("pieces"))?;
        self.timers.load(sections.get("timers"))
    }

    fn group_of(key: &[u8], groups: KeyGroups) -> Option<Result<KeyGroup, LookError>> {
        Some(state::group_of::<S::Key>(key, groups))
    }

    fn look(&mut self, glance: Glance<'_>) -> Looked {
        let reached = self.reached.max(glance.clock.reached);
        self.pieces.look(Glance { clock: Clock { reached, ..glance.clock }, ..glance })
    }
}

#[cfg(test)]
mod tests;

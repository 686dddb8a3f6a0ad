//! All of time as one window, whose results are said in a rhythm.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};
use watershed_core::state::{Glance, KeyedMap, LookError, Looked, Saving, Sections, State};
use watershed_core::{
    Data, EventTime, Key, KeyGroup, KeyGroups, KeyTrace, Keyed, Output, ProcessingTime, StateError, Step,
    Transform, Watermark,
};

use super::backlog::Backlog;
use super::early::Early;
use super::{Assigner, Every, Firing, Rules, Span, Windowed};
use crate::aggregate::Aggregate;

/// One window for each key that has no end in time.
///
/// `Global::every(Every::records(100))` says a result at every hundred records of a key, and begins anew
/// after each. `Global::new()` says its results when the input ends; with
/// [`early`](super::WindowedStream::early), also before that, each of all records so far. No record is late.
///
/// A result has the time of the record that called for it. One that a clock called for has the earliest
/// time that is not late for the steps that follow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Global {
    every: Option<Every>,
}

impl Global {
    /// Says results when the input ends.
    pub fn new() -> Self {
        Global { every: None }
    }

    /// Says results in a rhythm, each of the records since the last one.
    pub fn every(every: Every) -> Self {
        Global { every: Some(every) }
    }
}

impl Assigner for Global {
    type Windows<K: Key, T: Data, A: Aggregate<T>> = WholeStream<K, T, A>;
    const KIND: &'static str = "global";

    fn windows<K: Key, T: Data, A: Aggregate<T>>(
        self,
        aggregate: A,
        rules: Rules<T>,
    ) -> WholeStream<K, T, A> {
        let (every, begins_anew) = (self.every.or(rules.early), self.every.is_some());
        WholeStream { every, begins_anew, aggregate, of: PhantomData }
    }
}

/// The step behind [`Global`]: an aggregate for each key.
#[derive(Clone)]
pub struct WholeStream<K, T, A> {
    every: Option<Every>,
    begins_anew: bool,
    aggregate: A,
    of: PhantomData<fn(T) -> K>,
}

/// What is kept of a key.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub struct Whole<A> {
    /// How many records there have been since the last result.
    fresh: u64,
    kept: A,
}

/// What is kept of global windows.
pub struct GlobalState<K, A, R> {
    keys: KeyedMap<K, Whole<A>>,
    early: Early<K>,
    backlog: Backlog<K, R>,
}

impl<K, A, R> Default for GlobalState<K, A, R> {
    fn default() -> Self {
        GlobalState { keys: KeyedMap::default(), early: Early::default(), backlog: Backlog::default() }
    }
}

impl<K: Key, A: Data, R: Data> State for GlobalState<K, A, R> {
    fn save(&mut self, saving: &mut Saving) {
        self.keys.save(saving.part("keys"));
        self.early.save(saving.part("early"));
        self.backlog.save(saving.part("backlog"));
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        self.keys.load(sections.get("keys"))?;
        self.early.load(sections.get("early"))?;
        self.backlog.load(sections.get("backlog"))
    }

    fn group_of(key: &[u8], groups: KeyGroups) -> Option<Result<KeyGroup, LookError>> {
        KeyedMap::<K, Whole<A>>::group_of(key, groups)
    }

    /// What has come since the window began, or began anew.
    fn look(&mut self, glance: Glance<'_>) -> Looked {
        self.keys.look(glance)
    }
}

impl<K: Key, T: Data, A: Aggregate<T>> Transform for WholeStream<K, T, A> {
    type In = Keyed<K, T>;
    type Out = Windowed<K, A::Out>;
    type State = GlobalState<K, A::Accumulator, A::Out>;

    #[inline]
    fn on_record(
        &self,
        record: Keyed<K, T>,
        time: EventTime,
        state: &mut Self::State,
        out: &mut impl Output<Self::Out>,
    ) {
        let Keyed { key, value } = record;
        let trace = KeyTrace::enter(&key);
        let whole = state.keys.get_or_insert_ref(&key, || self.whole());
        self.aggregate.add(&mut whole.kept, &value, time);
        whole.fresh += 1;
        match self.every {
            Some(every) if every.count().is_some_and(|count| whole.fresh >= count) => {
                let value = self.take(whole);
                if self.begins_anew {
                    state.keys.remove(&key);
                }
                out.emit(Windowed { key: key.clone(), window: Span::ALWAYS, firing: Firing::Early, value });
            }
            Some(every) if every.count().is_none() => {
                state.early.note(every, &key, EventTime::MIN, out.now());
            }
            _ => {}
        }
        trace.leave();
    }

    fn on_watermark(
        &self,
        watermark: Watermark,
        state: &mut Self::State,
        out: &mut impl Output<Self::Out>,
    ) -> Step {
        if watermark == Watermark::MAX {
            return self.say_last(state, out);
        }
        match self.every {
            Some(every) if state.early.is_due(every, watermark) => {
                let time = watermark.0.after(std::time::Duration::from_millis(1));
                self.say_changed(every, watermark, time, state, out)
            }
            _ => state.backlog.drain(out),
        }
    }

    fn on_processing_time(
        &self,
        _now: ProcessingTime,
        state: &mut Self::State,
        out: &mut impl Output<Self::Out>,
    ) -> Step {
        let (watermark, time) = (out.watermark(), out.time());
        match self.every {
            Some(every) => self.say_changed(every, watermark, time, state, out),
            None => Step::Done,
        }
    }

    fn deadline(&self, state: &Self::State) -> Option<ProcessingTime> {
        state.early.due()
    }
}

impl<K: Key, T: Data, A: Aggregate<T>> WholeStream<K, T, A> {
    fn whole(&self) -> Whole<A::Accumulator> {
        Whole { fresh: 0, kept: self.aggregate.empty() }
    }

    /// The result of a key; nothing is kept of it where the window begins anew.
    fn take(&self, whole: &mut Whole<A::Accumulator>) -> A::Out {
        whole.fresh = 0;
        if self.begins_anew {
            self.aggregate.finish(std::mem::replace(&mut whole.kept, self.aggregate.empty()))
        } else {
            self.aggregate.result(&whole.kept)
        }
    }

    /// Says the results of all keys that have changed since they were last said.
    fn say_changed(
        &self,
        every: Every,
        watermark: Watermark,
        time: EventTime,
        state: &mut GlobalState<K, A::Accumulator, A::Out>,
        out: &mut impl Output<Windowed<K, A::Out>>,
    ) -> Step {
        loop {
            if state.backlog.drain(out) == Step::Again {
                return Step::Again;
            }
            let Some((_, changed)) = state.early.pop() else { break };
            let mut emitter = state.backlog.emitter_at(time, Span::ALWAYS, Firing::Early, out);
            for (key, _) in changed.iter() {
                if let Some(whole) = state.keys.get_mut(key) {
                    emitter.emit(key.clone(), self.take(whole));
                }
                if self.begins_anew {
                    state.keys.remove(key);
                }
            }
        }
        state.early.said(every, watermark);
        Step::Done
    }

    /// Says what has not been said when the input ends.
    fn say_last(
        &self,
        state: &mut GlobalState<K, A::Accumulator, A::Out>,
        out: &mut impl Output<Windowed<K, A::Out>>,
    ) -> Step {
        loop {
            if state.backlog.drain(out) == Step::Again {
                return Step::Again;
            }
            if state.keys.is_empty() {
                state.early = Early::default();
                return Step::Done;
            }
            let mut emitter = state.backlog.emitter(Span::ALWAYS, Firing::OnTime, out);
            for (key, whole) in state.keys.drain() {
                emitter.emit(key, self.aggregate.finish(whole.kept));
            }
        }
    }
}

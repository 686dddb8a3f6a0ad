//! Windows that last as long as a key is active.
//!
//! A session takes in every record that is less than the gap away from one it has, and two sessions
//! that a record bridges become one. It ends the gap after its last record, so that a silence of exactly the gap
//! begins a new one.
//!
//! A session has one timer, set when it begins: when that goes off and the session has grown since, it is
//! set anew. A record of a session that goes on touches no timer.

use std::marker::PhantomData;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watershed_core::state::{Glance, KeyedMap, LookError, Looked, Saving, Sections, State, Timers};
use watershed_core::{
    Data, EventTime, Key, KeyGroup, KeyGroups, KeyTrace, Keyed, Output, ProcessingTime, StateError, Step,
    Transform, Watermark, millis,
};

use super::backlog::Backlog;
use super::early::Early;
use super::{Assigner, Firing, Rules, Span, Windowed};
use crate::aggregate::Aggregate;

/// Windows of activity: records of a key that are less than a gap apart are in one.
#[derive(Clone, Copy, Debug)]
pub struct Session {
    gap: Duration,
}

impl Session {
    /// Sessions that end after a silence of `gap`.
    ///
    /// # Panics
    ///
    /// Where the gap is less than a millisecond.
    pub fn with_gap(gap: Duration) -> Self {
        assert!(millis(gap) > 0, "the gap between sessions lasts a millisecond or more");
        Session { gap }
    }

    /// The silence that ends a session.
    pub fn gap(self) -> Duration {
        self.gap
    }
}

impl Assigner for Session {
    type Windows<K: Key, T: Data, A: Aggregate<T>> = Sessions<K, T, A>;
    const KIND: &'static str = "session";

    fn windows<K: Key, T: Data, A: Aggregate<T>>(self, aggregate: A, rules: Rules<T>) -> Sessions<K, T, A> {
        Sessions { gap: self.gap, aggregate, rules, of: PhantomData }
    }
}

/// The step behind [`Session`]: an aggregate for each session of each key.
#[derive(Clone)]
pub struct Sessions<K, T, A> {
    gap: Duration,
    aggregate: A,
    rules: Rules<T>,
    of: PhantomData<fn(T) -> K>,
}

/// One session of a key.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
struct Open<A> {
    /// The time of its first record.
    first: EventTime,
    /// The time of its last record.
    latest: EventTime,
    /// Whether the watermark has reached its end, and its result was said.
    closed: bool,
    /// Whether it, or a part of it, has been closed before.
    said: bool,
    /// How many records it has had since it last said a result.
    fresh: u64,
    kept: A,
}

/// What is kept of sessions.
pub struct SessionState<K, A, R> {
    /// The sessions of each key, earliest first.
    sessions: KeyedMap<K, Vec<Open<A>>>,
    timers: Timers<K>,
    early: Early<K>,
    backlog: Backlog<K, R>,
}

impl<K, A, R> Default for SessionState<K, A, R> {
    fn default() -> Self {
        SessionState {
            sessions: KeyedMap::default(),
            timers: Timers::default(),
            early: Early::default(),
            backlog: Backlog::default(),
        }
    }
}

impl<K: Key, A: Data, R: Data> State for SessionState<K, A, R> {
    fn save(&mut self, saving: &mut Saving) {
        self.sessions.save(saving.part("sessions"));
        self.timers.save(saving.part("timers"));
        self.early.save(saving.part("early"));
        self.backlog.save(saving.part("backlog"));
    }

    fn load(&mut self, sections: &Sections) -> Result<(), StateError> {
        self.sessions.load(sections.get("sessions"))?;
        self.timers.load(sections.get("timers"))?;
        self.early.load(sections.get("early"))?;
        self.backlog.load(sections.get("backlog"))
    }

    fn group_of(key: &[u8], groups: KeyGroups) -> Option<Result<KeyGroup, LookError>> {
        KeyedMap::<K, Vec<Open<A>>>::group_of(key, groups)
    }

    /// The sessions that records may still come to, earliest first: those that go on, and those whose results were said and
    /// that late records may change.
    fn look(&mut self, glance: Glance<'_>) -> Looked {
        self.sessions.look(glance)
    }
}

impl<K: Key, T: Data, A: Aggregate<T>> Transform for Sessions<K, T, A> {
    type In = Keyed<K, T>;
    type Out = Windowed<K, A::Out>;
    type State = SessionState<K, A::Accumulator, A::Out>;

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
        self.add(&key, value, time, state, out);
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
            let Some((_, key)) = state.timers.pop_due(watermark) else { break };
            self.end(&key, watermark, state, out);
        }
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

impl<K: Key, T: Data, A: Aggregate<T>> Sessions<K, T, A> {
    /// Whether two times are a gap or more apart.
    #[inline]
    fn apart(&self, earlier: EventTime, later: EventTime) -> bool {
        later.as_millis().saturating_sub(earlier.as_millis()) >= millis(self.gap)
    }

    /// The last millisecond of a session whose last record is at `latest`.
    fn last(&self, latest: EventTime) -> EventTime {
        latest.after(self.gap).previous()
    }

    fn span(&self, session: &Open<A::Accumulator>) -> Span {
        Span { start: session.first, end: session.latest.after(self.gap) }
    }

    #[inline]
    fn add(
        &self,
        key: &K,
        value: T,
        time: EventTime,
        state: &mut SessionState<K, A::Accumulator, A::Out>,
        out: &mut impl Output<Windowed<K, A::Out>>,
    ) {
        let watermark = out.watermark();
        let sessions = state.sessions.get_or_insert_ref(key, Vec::new);
        // Those before `place` end before the record's time.
        let before = sessions.iter().rposition(|session| self.apart(session.latest, time));
        let place = before.map_or(0, |before| before + 1);
        match sessions.get(place) {
            Some(session) if !self.apart(time, session.first) => {
                if !session.closed && watermark.has_passed(self.last(session.latest)) {
                    // A restore came in the midst of closing sessions, and this one was still to come.
                    self.end(key, watermark, state, out);
                    return self.add(key, value, time, state, out);
                }
            }
            _ if self.rules.is_over(self.last(time), watermark) => {
                if sessions.is_empty() {
                    state.sessions.remove(key);
                }
                return self.rules.late(value, out);
            }
            _ => {
                let kept = self.aggregate.empty();
                let open = Open { first: time, latest: time, closed: false, said: false, fresh: 0, kept };
                sessions.insert(place, open);
                state.timers.set(self.last(time), key);
            }
        }
        if sessions.get(place + 1).is_some_and(|next| !self.apart(time, next.first)) {
            let bridged = sessions.remove(place + 1);
            let session = &mut sessions[place];
            session.latest = bridged.latest;
            session.said |= bridged.said;
            session.fresh += bridged.fresh;
            self.aggregate.merge(&mut session.kept, &bridged.kept);
        }
        let session = &mut sessions[place];
        session.first = session.first.min(time);
        session.latest = session.latest.max(time);
        session.fresh += 1;
        self.aggregate.add(&mut session.kept, &value, time);
        let last = self.last(session.latest);
        session.closed = watermark.has_passed(last);
        if session.closed {
            (session.said, session.fresh) = (true, 0);
            let (window, value) = (self.span(session), self.aggregate.result(&session.kept));
            // What is on its way was said before this record came.
            state.backlog.flush(out);
            let update = Windowed { key: key.clone(), window, firing: Firing::Update, value };
            return out.emit_at(update, last);
        }
        if session.said {
            // Its timer may be set for the day when it is dropped.
            state.timers.set(last, key);
        }
        let Some(every) = self.rules.early else { return };
        if every.count().is_some_and(|count| session.fresh >= count) {
            session.fresh = 0;
            let (window, value) = (self.span(session), self.aggregate.result(&session.kept));
            out.emit_at(Windowed { key: key.clone(), window, firing: Firing::Early, value }, last);
        } else if every.count().is_none() {
            state.early.note(every, key, EventTime::MIN, out.now());
        }
    }

    /// Says the results of a key's sessions that have ended, drops those that are over, and sets the
    /// timer for the rest.
    fn end(
        &self,
        key: &K,
        watermark: Watermark,
        state: &mut SessionState<K, A::Accumulator, A::Out>,
        out: &mut impl Output<Windowed<K, A::Out>>,
    ) {
        let Some(sessions) = state.sessions.get_mut(key) else { return };
        for session in sessions.iter_mut().filter(|session| !session.closed) {
            let last = self.last(session.latest);
            if watermark.has_passed(last) {
                let firing = if session.said { Firing::Update } else { Firing::OnTime };
                (session.closed, session.said, session.fresh) = (true, true, 0);
                let mut emitter = state.backlog.emitter_at(last, self.span(session), firing, out);
                emitter.emit(key.clone(), self.aggregate.result(&session.kept));
            }
        }
        sessions.retain(|session| !self.rules.is_over(self.last(session.latest), watermark));
        for session in sessions.iter() {
            let last = self.last(session.latest);
            let due = if session.closed { last.after(self.rules.allowed_lateness) } else { last };
            state.timers.set(due, key);
        }
        if sessions.is_empty() {
            state.sessions.remove(key);
        }
    }

    /// Says the results of all open sessions that have changed since they were last said.
    fn say_early(
        &self,
        watermark: Watermark,
        state: &mut SessionState<K, A::Accumulator, A::Out>,
        out: &mut impl Output<Windowed<K, A::Out>>,
    ) -> Step {
        loop {
            if state.backlog.drain(out) == Step::Again {
                return Step::Again;
            }
            let Some((_, keys)) = state.early.pop() else { break };
            for (key, _) in keys.iter() {
                let sessions = state.sessions.get_mut(key).into_iter().flatten();
                for session in sessions.filter(|session| !session.closed && session.fresh > 0) {
                    session.fresh = 0;
                    let mut emitter = state.backlog.emitter(self.span(session), Firing::Early, out);
                    emitter.emit(key.clone(), self.aggregate.result(&session.kept));
                }
            }
        }
        if let Some(every) = self.rules.early {
            state.early.said(every, watermark);
        }
        Step::Done
    }
}

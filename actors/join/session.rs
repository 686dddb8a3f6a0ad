//! Pairs that share a session.

use std::marker::PhantomData;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watershed_core::{
    Chain, CoOperator, Data, EventTime, Key, KeyContext, SideOutput, Stream, Watermark, millis,
};

use crate::join::Joining;
use crate::operator::alarm::Alarm;
use crate::window::{Session, Span};

/// Joins the left and the right records of a key that share a session.
///
/// A session lasts as long as the key is active on either side: it takes in every record of both inputs that is less
/// than the gap away from one it has, and two sessions that a record of either side bridges become one. Its pairs
/// are emitted when the watermark reaches its last millisecond, and have that time. A left join emits a record
/// whose session has nothing on the right, too. Equal records count each.
///
/// A record is late when its session would be over by the time it comes and none is open that it belongs to. It is
/// counted and takes no part; a left one goes to a [side output](SessionJoin::late_to) then.
///
/// ```
/// use std::time::Duration;
/// use watershed_actors::join::SessionJoin;
/// use watershed_actors::window::{Session, Span};
/// use watershed_core::testing::{Harness, Input};
/// use watershed_core::{Either, Keyed};
///
/// let visits = Session::with_gap(Duration::from_secs(1800));
/// let join = SessionJoin::inner(visits, |user: &String, _: Span, page: &u32, order: &u32| {
///     format!("{user} saw page {page} and placed order {order}")
/// });
/// let mut harness = Harness::co_operator(join);
/// let user = || "ada".to_owned();
/// harness.apply(Input::at(0, Either::Left(Keyed { key: user(), value: 7 })));
/// harness.apply(Input::at(600_000, Either::Right(Keyed { key: user(), value: 1 })));
/// harness.watermark(2_399_999);
/// assert_eq!(harness.values(), ["ada saw page 7 and placed order 1"]);
/// ```
#[derive(Debug)]
pub struct SessionJoin<K, L, R, O, J> {
    gap: Duration,
    outer: bool,
    late: Option<SideOutput<L>>,
    result: J,
    of: PhantomData<fn(K, L, R) -> O>,
}

impl<K, L, R, O> SessionJoin<K, L, R, O, ()> {
    /// Emits what `result` makes of each pair of a session.
    pub fn inner<J>(
        sessions: Session,
        result: J,
    ) -> SessionJoin<K, L, R, O, impl Fn(&K, Span, &L, Option<&R>) -> O + Clone + Send + 'static>
    where
        J: Fn(&K, Span, &L, &R) -> O + Clone + Send + 'static,
    {
        let result = move |key: &K, session: Span, left: &L, right: Option<&R>| {
            result(key, session, left, right.expect("an inner join emits pairs only"))
        };
        SessionJoin { gap: sessions.gap(), outer: false, late: None, result, of: PhantomData }
    }

    /// Emits what `result` makes of each pair of a session, and of each left record whose session has nothing on
    /// the right.
    pub fn left<J>(sessions: Session, result: J) -> SessionJoin<K, L, R, O, J>
    where
        J: Fn(&K, Span, &L, Option<&R>) -> O + Clone + Send + 'static,
    {
        SessionJoin { gap: sessions.gap(), outer: true, late: None, result, of: PhantomData }
    }
}

impl<K, L, R, O, J> SessionJoin<K, L, R, O, J> {
    /// Sends left records that come late to a side output. They are counted wherever they go.
    #[must_use]
    pub fn late_to(mut self, output: &SideOutput<L>) -> Self {
        self.late = Some(*output);
        self
    }
}

impl<K, L, R, O, J: Clone> Clone for SessionJoin<K, L, R, O, J> {
    fn clone(&self) -> Self {
        let SessionJoin { gap, outer, late, result, of } = self;
        SessionJoin { gap: *gap, outer: *outer, late: *late, result: result.clone(), of: *of }
    }
}

/// The open sessions of a key, earliest first.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub struct OpenSessions<L, R> {
    sessions: Vec<OpenSession<L, R>>,
    alarm: Alarm,
}

/// One session: its records in the order in which they came.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
struct OpenSession<L, R> {
    first: EventTime,
    latest: EventTime,
    left: Vec<L>,
    right: Vec<R>,
}

impl<L, R> Default for OpenSessions<L, R> {
    fn default() -> Self {
        OpenSessions { sessions: Vec::new(), alarm: Alarm::default() }
    }
}

impl<L, R> OpenSession<L, R> {
    fn at(time: EventTime) -> Self {
        OpenSession { first: time, latest: time, left: Vec::new(), right: Vec::new() }
    }

    /// The last millisecond.
    fn last(&self, gap: Duration) -> EventTime {
        self.latest.after(gap).previous()
    }
}

/// Whether two times are a gap or more apart.
fn apart(earlier: EventTime, later: EventTime, gap: Duration) -> bool {
    later.as_millis().saturating_sub(earlier.as_millis()) >= millis(gap)
}

impl<L, R> OpenSessions<L, R> {
    /// The session that a record of this time belongs to, grown and merged with the next one as it has to be. None
    /// where it would be over at the watermark.
    fn take_in(
        &mut self,
        time: EventTime,
        gap: Duration,
        watermark: Watermark,
    ) -> Option<&mut OpenSession<L, R>> {
        // Those before `place` end before the record's time.
        let before = self.sessions.iter().rposition(|session| apart(session.latest, time, gap));
        let place = before.map_or(0, |before| before + 1);
        if self.sessions.get(place).is_none_or(|session| apart(time, session.first, gap)) {
            let session = OpenSession::at(time);
            if watermark.has_passed(session.last(gap)) {
                return None;
            }
            self.sessions.insert(place, session);
        }
        if self.sessions.get(place + 1).is_some_and(|next| !apart(time, next.first, gap)) {
            let bridged = self.sessions.remove(place + 1);
            let session = &mut self.sessions[place];
            session.latest = bridged.latest;
            session.left.extend(bridged.left);
            session.right.extend(bridged.right);
        }
        let session = &mut self.sessions[place];
        session.first = session.first.min(time);
        session.latest = session.latest.max(time);
        Some(session)
    }
}

impl<K, L, R, O, J> SessionJoin<K, L, R, O, J>
where
    K: Key,
    L: Data,
    R: Data,
    O: Data,
    J: Fn(&K, Span, &L, Option<&R>) -> O + Clone + Send + 'static,
{
    /// Emits the pairs of the sessions that the watermark has passed, and drops them.
    fn close(&self, watermark: Watermark, state: &mut OpenSessions<L, R>, cx: &mut impl KeyContext<K, O>) {
        let over = |session: &OpenSession<L, R>| watermark.has_passed(session.last(self.gap));
        // The earlier of two sessions ends earlier.
        while state.sessions.first().is_some_and(over) {
            let session = state.sessions.remove(0);
            let span = Span { start: session.first, end: session.latest.after(self.gap) };
            let last = session.last(self.gap);
            for left in &session.left {
                for right in &session.right {
                    let result = (self.result)(cx.key(), span, left, Some(right));
                    cx.emit_at(result, last);
                }
                if self.outer && session.right.is_empty() {
                    let result = (self.result)(cx.key(), span, left, None);
                    cx.emit_at(result, last);
                }
            }
        }
    }

    /// Asks to be called when the first session may be over.
    fn wait(&self, state: &mut OpenSessions<L, R>, cx: &mut impl KeyContext<K, O>) {
        match state.sessions.first() {
            Some(session) => state.alarm.ring_by(session.last(self.gap), cx),
            None => cx.forget(),
        }
    }
}

impl<K, L, R, O, J> CoOperator for SessionJoin<K, L, R, O, J>
where
    K: Key,
    L: Data,
    R: Data,
    O: Data,
    J: Fn(&K, Span, &L, Option<&R>) -> O + Clone + Send + 'static,
{
    type Key = K;
    type Left = L;
    type Right = R;
    type Out = O;
    type State = OpenSessions<L, R>;

    fn on_left(&self, value: L, state: &mut OpenSessions<L, R>, cx: &mut impl KeyContext<K, O>) {
        // A restore may have come in the midst of closing sessions: they were closed when this record came.
        self.close(cx.watermark(), state, cx);
        match state.take_in(cx.time(), self.gap, cx.watermark()) {
            Some(session) => session.left.push(value),
            None => {
                cx.count_late();
                if let Some(late) = &self.late {
                    cx.side(late, value);
                }
            }
        }
        self.wait(state, cx);
    }

    fn on_right(&self, value: R, state: &mut OpenSessions<L, R>, cx: &mut impl KeyContext<K, O>) {
        self.close(cx.watermark(), state, cx);
        match state.take_in(cx.time(), self.gap, cx.watermark()) {
            Some(session) => session.right.push(value),
            None => cx.count_late(),
        }
        self.wait(state, cx);
    }

    fn on_timer(&self, _: EventTime, state: &mut OpenSessions<L, R>, cx: &mut impl KeyContext<K, O>) {
        state.alarm.rang();
        self.close(cx.watermark(), state, cx);
        self.wait(state, cx);
    }
}

impl<K, L, R, F, G> Joining<K, L, R, F, G, Session>
where
    K: Key,
    L: Data,
    R: Data,
    F: Fn(&L) -> K + Clone + Send + 'static,
    G: Fn(&R) -> K + Clone + Send + 'static,
{
    /// Emits what `result` makes of each pair of a session.
    pub fn inner<O: Data, J>(self, result: J) -> Stream<impl Chain<Out = O>>
    where
        J: Fn(&K, Span, &L, &R) -> O + Clone + Send + 'static,
    {
        let mut join = SessionJoin::inner(self.rule, result);
        join.late = self.late;
        self.left.connect(self.right).process(join).named("session-join")
    }

    /// Emits what `result` makes of each pair of a session, and of each left record whose session has nothing on
    /// the right.
    pub fn left<O: Data, J>(self, result: J) -> Stream<impl Chain<Out = O>>
    where
        J: Fn(&K, Span, &L, Option<&R>) -> O + Clone + Send + 'static,
    {
        let mut join = SessionJoin::left(self.rule, result);
        join.late = self.late;
        self.left.connect(self.right).process(join).named("session-join")
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::testing::{Harness, Input, Numbers, verify_co};
    use watershed_core::{KeyGroups, Pipeline};

    use super::*;
    use crate::join::Joins;
    use crate::join::model::{self, Event, Pair};
    use crate::window::Tumbling;

    type Result = fn(&u8, Span, &Event, Option<&Event>) -> Pair;

    fn join(gap: u64, outer: bool) -> SessionJoin<u8, Event, Event, Pair, Result> {
        let result: Result = |key, _, left, right| model::pair(key, left, right);
        SessionJoin { gap: Duration::from_millis(gap), outer, late: None, result, of: PhantomData }
    }

    /// Every pair, by sorting a key's events of both sides and cutting them at the gaps.
    fn expected(events: &model::Events, gap: i64, outer: bool) -> Vec<(i64, Pair)> {
        let mut pairs = Vec::new();
        for key in 0..3 {
            let lefts = events.left.iter().map(|event| (event, true));
            let both = lefts.chain(events.right.iter().map(|event| (event, false)));
            let mut both: Vec<_> = both.filter(|(event, _)| event.key == key).collect();
            both.sort_by_key(|(event, _)| event.time);
            for session in both.chunk_by(|(before, _), (after, _)| after.time - before.time < gap) {
                let last = session.last().map_or(0, |(event, _)| event.time) + gap - 1;
                let of = |left: bool| session.iter().filter(move |one| one.1 == left).map(|one| one.0);
                for left in of(true) {
                    pairs.extend(of(false).map(|right| (last, (key, left.number, Some(right.number)))));
                    pairs.extend(
                        (outer && of(false).count() == 0).then_some((last, (key, left.number, None))),
                    );
                }
            }
        }
        pairs.sort_unstable();
        pairs
    }

    #[test]
    fn all_interleavings_give_what_sorting_gives() {
        let mut alone = 0;
        for seed in 0..40 {
            let events = model::Events::draw(seed);
            for gap in [1, 2, 3, 5, 30] {
                for outer in [false, true] {
                    let wanted = expected(&events, gap, outer);
                    alone += wanted.iter().filter(|(_, (.., right))| right.is_none()).count();
                    let found = model::run(join(gap as u64, outer), &events.arrivals(seed));
                    assert_eq!(found, wanted, "seed {seed}, gap {gap}, {outer}");
                }
            }
        }
        assert!(alone > 100, "some left records meet nothing");
    }

    #[test]
    fn its_contract_holds_with_late_records_and_ties() {
        for (seed, gap) in [(0, 1), (1, 4), (2, 9), (3, 40)] {
            let mut inputs = model::Events::draw(seed).arrivals(seed);
            inputs.insert(inputs.len() / 3, Input::watermark(30));
            verify_co(&join(gap, true), &inputs);
        }
    }

    #[test]
    fn a_record_of_either_side_bridges_two_sessions() {
        let mut harness = Harness::co_operator(join(10, true));
        harness.run([model::left(1, 0, 1), model::left(1, 18, 2), model::right(1, 9, 3)]);
        harness.watermark(26);
        assert_eq!(harness.values(), [], "the last record of the session may still be followed");
        harness.watermark(27);
        let records: Vec<_> = harness.records().into_iter().map(|r| (r.time.as_millis(), r.value)).collect();
        assert_eq!(records, [(27, (1, 1, Some(3))), (27, (1, 2, Some(3)))]);
        harness.run([model::left(1, 28, 4), model::right(1, 38, 5)]);
        harness.end();
        assert_eq!(harness.values(), [(1, 4, None)], "a silence of exactly the gap parts two sessions");
    }

    #[test]
    fn a_record_is_late_when_its_session_would_be_over_and_none_is_open_for_it() {
        const LATE: SideOutput<Event> = SideOutput::new("late");
        let mut harness = Harness::co_operator(join(10, true).late_to(&LATE)).listening(&LATE);
        harness.run([model::left(1, 30, 1)]);
        harness.watermark(31);
        harness.run([
            model::left(1, 21, 2),
            model::left(1, 20, 3),
            model::left(2, 20, 4),
            model::right(2, 20, 5),
        ]);
        assert_eq!(harness.counters().late, 2);
        assert_eq!(harness.side(&LATE), [Event { key: 2, time: 20, number: 4 }]);
        harness.end();
        let mut met = harness.values();
        met.sort_unstable();
        assert_eq!(
            met,
            [(1, 1, None), (1, 2, None), (1, 3, None)],
            "an open session takes in what is near it"
        );
    }

    #[test]
    fn streams_are_joined_by_the_kind_of_their_windows() {
        let pipeline = Pipeline::new("visits", KeyGroups::default());
        let by_key = || pipeline.source(Numbers::up_to(10)).key_by(|n| n % 2);
        let sessions = Session::with_gap(Duration::from_secs(1));
        let joined =
            by_key().window_join(by_key(), sessions).left(|_, _, left, right| (*left, right.copied()));
        joined.uid("joined").discard();
        let hours = Tumbling::of(Duration::from_secs(3600));
        by_key().window_join(by_key(), hours).inner(|_, _, left, right| left + right).uid("hours").discard();
        let plan = pipeline.plan().unwrap();
        let named = |uid: &str| {
            let mut stages = plan.vertices.iter().flat_map(|vertex| &vertex.stages);
            stages.find(|stage| stage.uid == uid).map(|stage| stage.name.clone())
        };
        assert_eq!(named("joined").as_deref(), Some("session-join"));
        assert_eq!(named("hours").as_deref(), Some("window-join"));
    }

    #[test]
    fn nothing_is_kept_behind_the_watermark() {
        let state = |harness: &mut Harness<_>| harness.snapshot()["operator"].get("state").clone();
        let mut harness = Harness::co_operator(join(10, true));
        let empty = state(&mut harness);
        harness.run([model::left(1, 12, 1), model::right(1, 3, 1), model::left(2, 10, 1)]);
        harness.watermark(45);
        assert_eq!(state(&mut harness), empty);
        harness.run([model::left(1, 12, 1), model::right(1, 12, 1)]);
        assert_eq!(state(&mut harness), empty, "a late record leaves nothing behind");
    }

    #[test]
    fn times_at_the_ends_of_the_scale_are_joined() {
        let mut harness = Harness::co_operator(join(10, false));
        harness.run([model::left(1, i64::MAX, 1), model::right(1, i64::MIN, 1)]);
        harness.run([model::left(1, i64::MIN, 2), model::right(1, i64::MAX, 2)]);
        harness.end();
        let mut pairs = harness.values();
        pairs.sort_unstable();
        assert_eq!(pairs, [(1, 1, Some(2)), (1, 2, Some(1))]);
    }
}

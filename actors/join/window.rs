//! Pairs that share a window.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};
use watershed_core::{Chain, CoOperator, Data, EventTime, Key, KeyContext, SideOutput, Stream};

use crate::join::Joining;
use crate::operator::alarm::Alarm;
use crate::window::grid::told_time;
use crate::window::{Grid, Span};

/// Joins the left and the right records of a key that share a window.
///
/// The pairs of a window are emitted when the watermark reaches its last millisecond, and have that time;
/// two records that share several sliding windows are a pair in each. A left join emits a record for which
/// a window holds nothing on the right, too. Equal records count each.
///
/// A record is kept once, however many windows it is in, until the last of them has closed. One that comes
/// when all its windows are closed is counted as late and takes no part; a left one goes to a
/// [side output](WindowJoin::late_to) then.
///
/// ```
/// use std::time::Duration;
/// use watershed_actors::join::WindowJoin;
/// use watershed_actors::window::{Span, Tumbling};
/// use watershed_core::testing::{Harness, Input};
/// use watershed_core::{Either, Keyed};
///
/// let hourly = Tumbling::of(Duration::from_secs(3600));
/// let join = WindowJoin::inner(hourly, |airport: &String, _: Span, flight: &u32, sight: &f64| {
///     format!("{flight} left {airport} with {sight} miles of sight")
/// });
/// let mut harness = Harness::co_operator(join);
/// let airport = || "JFK".to_owned();
/// harness.apply(Input::at(1_800_000, Either::Left(Keyed { key: airport(), value: 11 })));
/// harness.apply(Input::at(0, Either::Right(Keyed { key: airport(), value: 9.5 })));
/// harness.watermark(3_599_999);
/// assert_eq!(harness.values(), ["11 left JFK with 9.5 miles of sight"]);
/// ```
#[derive(Debug)]
pub struct WindowJoin<K, L, R, O, J> {
    windows: Grid,
    outer: bool,
    late: Option<SideOutput<L>>,
    result: J,
    of: PhantomData<fn(K, L, R) -> O>,
}

impl<K, L, R, O> WindowJoin<K, L, R, O, ()> {
    /// Emits what `result` makes of each pair of a window.
    pub fn inner<J>(
        windows: impl Into<Grid>,
        result: J,
    ) -> WindowJoin<K, L, R, O, impl Fn(&K, Span, &L, Option<&R>) -> O + Clone + Send + 'static>
    where
        J: Fn(&K, Span, &L, &R) -> O + Clone + Send + 'static,
    {
        let result = move |key: &K, window: Span, left: &L, right: Option<&R>| {
            result(key, window, left, right.expect("an inner join emits pairs only"))
        };
        WindowJoin { windows: windows.into(), outer: false, late: None, result, of: PhantomData }
    }

    /// Emits what `result` makes of each pair of a window, and of each left record that met nothing in it.
    pub fn left<J>(windows: impl Into<Grid>, result: J) -> WindowJoin<K, L, R, O, J>
    where
        J: Fn(&K, Span, &L, Option<&R>) -> O + Clone + Send + 'static,
    {
        WindowJoin { windows: windows.into(), outer: true, late: None, result, of: PhantomData }
    }
}

impl<K, L, R, O, J> WindowJoin<K, L, R, O, J> {
    /// Sends left records that come late to a side output. They are counted wherever they go.
    #[must_use]
    pub fn late_to(mut self, output: &SideOutput<L>) -> Self {
        self.late = Some(*output);
        self
    }
}

impl<K, L, R, O, J: Clone> Clone for WindowJoin<K, L, R, O, J> {
    fn clone(&self) -> Self {
        let WindowJoin { windows, outer, late, result, of } = self;
        WindowJoin { windows: *windows, outer: *outer, late: *late, result: result.clone(), of: *of }
    }
}

/// The records of a key whose windows are open, by their times.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub struct Gathered<L, R> {
    left: BTreeMap<EventTime, Vec<L>>,
    right: BTreeMap<EventTime, Vec<R>>,
    alarm: Alarm,
}

impl<L, R> Default for Gathered<L, R> {
    fn default() -> Self {
        Gathered { left: BTreeMap::new(), right: BTreeMap::new(), alarm: Alarm::default() }
    }
}

impl<L, R> Gathered<L, R> {
    fn is_empty(&self) -> bool {
        self.left.is_empty() && self.right.is_empty()
    }

    /// The time of the earliest record.
    fn earliest(&self) -> Option<EventTime> {
        let left = self.left.first_key_value().map(|(time, _)| *time);
        let right = self.right.first_key_value().map(|(time, _)| *time);
        left.into_iter().chain(right).min()
    }
}

/// Drops the records that are in no window after a closed one.
fn drop_closed<T>(records: &mut BTreeMap<EventTime, Vec<T>>, windows: Grid, closed: i64) {
    while let Some(first) = records.first_entry()
        && windows.last(*first.key()) <= closed
    {
        first.remove();
    }
}

/// Keeps a record, if a window is open for it.
fn gather<T: Data, K, O>(
    record: T,
    windows: Grid,
    late: Option<&SideOutput<T>>,
    records: &mut BTreeMap<EventTime, Vec<T>>,
    alarm: &mut Alarm,
    cx: &mut impl KeyContext<K, O>,
) {
    let time = told_time(cx.time());
    let (first, last) = (windows.first(time), windows.last(time));
    let open = first.max(windows.next(cx.watermark()));
    if open <= last {
        records.entry(time).or_default().push(record);
        alarm.ring_by(windows.span(open).last(), cx);
    } else if first <= last {
        cx.count_late();
        if let Some(late) = late {
            cx.side(late, record);
        }
    }
    // A record in a gap between windows is in none, and neither late nor kept.
}

impl<K, L, R, O, J> CoOperator for WindowJoin<K, L, R, O, J>
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
    type State = Gathered<L, R>;

    fn on_left(&self, value: L, state: &mut Gathered<L, R>, cx: &mut impl KeyContext<K, O>) {
        gather(value, self.windows, self.late.as_ref(), &mut state.left, &mut state.alarm, cx);
        if state.is_empty() {
            cx.forget();
        }
    }

    fn on_right(&self, value: R, state: &mut Gathered<L, R>, cx: &mut impl KeyContext<K, O>) {
        gather(value, self.windows, None, &mut state.right, &mut state.alarm, cx);
        if state.is_empty() {
            cx.forget();
        }
    }

    fn on_timer(&self, at: EventTime, state: &mut Gathered<L, R>, cx: &mut impl KeyContext<K, O>) {
        state.alarm.rang();
        // The key's one timer stands at the last millisecond of the next window.
        let window = self.windows.closing(at);
        let span = self.windows.span(window);
        for left in state.left.range(span.start..span.end).flat_map(|(_, lefts)| lefts) {
            let mut met = false;
            for right in state.right.range(span.start..span.end).flat_map(|(_, rights)| rights) {
                met = true;
                let result = (self.result)(cx.key(), span, left, Some(right));
                cx.emit_at(result, span.last());
            }
            if self.outer && !met {
                let result = (self.result)(cx.key(), span, left, None);
                cx.emit_at(result, span.last());
            }
        }
        drop_closed(&mut state.left, self.windows, window);
        drop_closed(&mut state.right, self.windows, window);
        match state.earliest() {
            // Windows in which the key has no record are passed over.
            Some(time) => {
                let next = self.windows.first(time).max(window + 1);
                state.alarm.ring_by(self.windows.span(next).last(), cx);
            }
            None => cx.forget(),
        }
    }
}

impl<K, L, R, F, G> Joining<K, L, R, F, G, Grid>
where
    K: Key,
    L: Data,
    R: Data,
    F: Fn(&L) -> K + Clone + Send + 'static,
    G: Fn(&R) -> K + Clone + Send + 'static,
{
    /// Emits what `result` makes of each pair of a window.
    pub fn inner<O: Data, J>(self, result: J) -> Stream<impl Chain<Out = O>>
    where
        J: Fn(&K, Span, &L, &R) -> O + Clone + Send + 'static,
    {
        let mut join = WindowJoin::inner(self.rule, result);
        join.late = self.late;
        self.left.connect(self.right).process(join).named("window-join")
    }

    /// Emits what `result` makes of each pair of a window, and of each left record that met nothing in it.
    pub fn left<O: Data, J>(self, result: J) -> Stream<impl Chain<Out = O>>
    where
        J: Fn(&K, Span, &L, Option<&R>) -> O + Clone + Send + 'static,
    {
        let mut join = WindowJoin::left(self.rule, result);
        join.late = self.late;
        self.left.connect(self.right).process(join).named("window-join")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use watershed_core::testing::{Harness, Input, verify_co};

    use super::*;
    use crate::join::model::{self, Event, Pair};
    use crate::window::{Sliding, Tumbling};

    type Result = fn(&u8, Span, &Event, Option<&Event>) -> Pair;

    fn join(windows: Grid, outer: bool) -> WindowJoin<u8, Event, Event, Pair, Result> {
        let result: Result = |key, _, left, right| model::pair(key, left, right);
        WindowJoin { windows, outer, late: None, result, of: PhantomData }
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn windows() -> [(i64, i64, Grid); 4] {
        let sliding = |size, slide| (size, slide, Sliding::of(ms(size as u64), ms(slide as u64)).into());
        [(20, 20, Tumbling::of(ms(20)).into()), sliding(30, 10), sliding(25, 10), sliding(4, 10)]
    }

    /// Every pair of every window that there may be.
    fn expected(events: &model::Events, size: i64, slide: i64, outer: bool) -> Vec<(i64, Pair)> {
        let mut pairs = Vec::new();
        for start in (-200..200).filter(|start| start % slide == 0) {
            let within = |event: &&Event| (start..start + size).contains(&event.time);
            for left in events.left.iter().filter(within) {
                let before = pairs.len();
                for right in events.right.iter().filter(within).filter(|right| right.key == left.key) {
                    pairs.push((start + size - 1, (left.key, left.number, Some(right.number))));
                }
                if outer && pairs.len() == before {
                    pairs.push((start + size - 1, (left.key, left.number, None)));
                }
            }
        }
        pairs.sort_unstable();
        pairs
    }

    #[test]
    fn all_interleavings_give_what_nested_loops_give() {
        for seed in 0..40 {
            let events = model::Events::draw(seed);
            for (size, slide, windows) in windows() {
                for outer in [false, true] {
                    let found = model::run(join(windows, outer), &events.arrivals(seed));
                    assert_eq!(
                        found,
                        expected(&events, size, slide, outer),
                        "seed {seed}, {windows:?}, {outer}"
                    );
                }
            }
        }
    }

    #[test]
    fn its_contract_holds_with_late_records_and_ties() {
        for (seed, (_, _, windows)) in windows().into_iter().enumerate() {
            let mut inputs = model::Events::draw(seed as u64).arrivals(seed as u64);
            inputs.insert(inputs.len() / 3, Input::watermark(30));
            verify_co(&join(windows, true), &inputs);
        }
    }

    #[test]
    fn a_record_is_late_only_when_its_last_window_has_closed() {
        let sliding = Sliding::of(ms(20), ms(10)).into();
        const LATE: SideOutput<Event> = SideOutput::new("late");
        let mut harness = Harness::co_operator(join(sliding, true).late_to(&LATE)).listening(&LATE);
        harness.watermark(25);
        harness.run([model::left(1, 9, 1), model::left(1, 12, 2)]);
        assert_eq!(harness.counters().late, 1);
        assert_eq!(harness.side(&LATE), [Event { key: 1, time: 9, number: 1 }]);
        harness.end();
        let records: Vec<_> =
            harness.records().into_iter().map(|r| (r.time.as_millis(), r.value.1)).collect();
        assert_eq!(records, [(29, 2)], "not in the window that closed at 19");
    }

    #[test]
    fn nothing_is_kept_behind_the_watermark() {
        let state = |harness: &mut Harness<_>| harness.snapshot()["operator"].get("state").clone();
        for (_, _, windows) in windows() {
            let mut harness = Harness::co_operator(join(windows, true));
            let empty = state(&mut harness);
            harness.run([model::left(1, 12, 1), model::right(1, 3, 1), model::left(2, 10, 1)]);
            harness.watermark(45);
            assert_eq!(state(&mut harness), empty);
            harness.run([model::left(1, 12, 1), model::right(1, 12, 1)]);
            assert_eq!(state(&mut harness), empty, "a late record leaves nothing behind");
        }
    }

    #[test]
    fn times_at_the_ends_of_the_scale_are_joined_where_they_are_told_apart() {
        for (_, _, windows) in &windows()[..3] {
            let mut harness = Harness::co_operator(join(*windows, false));
            harness.run([model::left(1, i64::MAX, 1), model::right(1, i64::MIN, 1)]);
            harness.run([model::left(1, i64::MIN, 2), model::right(1, i64::MAX, 2)]);
            harness.end();
            let mut pairs = harness.values();
            pairs.sort_unstable();
            pairs.dedup();
            assert_eq!(pairs, [(1, 1, Some(2)), (1, 2, Some(1))]);
        }
    }
}

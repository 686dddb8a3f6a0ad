//! Pairs whose times lie close to each other.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watershed_core::{Chain, CoOperator, Data, EventTime, Key, KeyContext, SideOutput, Stream, millis};

use crate::join::Joining;
use crate::operator::alarm::Alarm;

/// Where the right records of a left one lie, relative to its time. Both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// In milliseconds after the left record, negative before it.
    lower: i64,
    /// In milliseconds after the left record; not below `lower`.
    upper: i64,
}

impl Interval {
    /// From `before` ahead of the left record until `after` behind it.
    pub const fn around(before: Duration, after: Duration) -> Self {
        Interval { lower: -millis(before), upper: millis(after) }
    }

    /// Behind the left record: no sooner than `nearest`, no later than `furthest`.
    ///
    /// # Panics
    ///
    /// Where `furthest` is less than `nearest`.
    pub const fn after(nearest: Duration, furthest: Duration) -> Self {
        assert!(millis(nearest) <= millis(furthest), "an interval must not end before it begins");
        Interval { lower: millis(nearest), upper: millis(furthest) }
    }

    /// Ahead of the left record: no further than `furthest`, no nearer than `nearest`.
    ///
    /// # Panics
    ///
    /// Where `furthest` is less than `nearest`.
    pub const fn before(furthest: Duration, nearest: Duration) -> Self {
        assert!(millis(nearest) <= millis(furthest), "an interval must not end before it begins");
        Interval { lower: -millis(furthest), upper: -millis(nearest) }
    }

    /// The times of the right records that meet a left one.
    fn rights_of(self, left: EventTime) -> Option<RangeInclusive<EventTime>> {
        clipped(left, i128::from(self.lower), i128::from(self.upper))
    }

    /// The times of the left records that meet a right one.
    fn lefts_of(self, right: EventTime) -> Option<RangeInclusive<EventTime>> {
        clipped(right, -i128::from(self.upper), -i128::from(self.lower))
    }

    /// The time of the last right record that a left one may meet.
    fn left_until(self, left: EventTime) -> EventTime {
        EventTime::from_millis(left.as_millis().saturating_add(self.upper))
    }

    /// The time of the last left record that a right one may meet.
    fn right_until(self, right: EventTime) -> EventTime {
        EventTime::from_millis(right.as_millis().saturating_sub(self.lower))
    }
}

/// The part of an interval around a time that can be told in event time; none where all of it lies outside.
///
/// Saturating at both ends instead would let an interval beyond the end of time meet its last millisecond.
fn clipped(time: EventTime, lower: i128, upper: i128) -> Option<RangeInclusive<EventTime>> {
    let time = i128::from(time.as_millis());
    let (least, most) = (i128::from(i64::MIN), i128::from(i64::MAX));
    let (from, to) = ((time + lower).max(least), (time + upper).min(most));
    let at = |time: i128| EventTime::from_millis(time as i64);
    (from <= to).then(|| at(from)..=at(to))
}

/// Joins each left record with every right record of its key whose time lies in an [`Interval`] around its
/// own, before or after.
///
/// A pair is emitted when its second record comes, with the greater of the two times. A left join emits a
/// record that met nothing once the watermark has passed all that it could have met, with the time at which
/// that was certain: its own, or the end of its interval if that is greater. Equal records count each.
///
/// A record is kept until the watermark says that it can meet nothing more. One that comes late, behind the
/// watermark, is counted and takes no part; a left one goes to a [side output](IntervalJoin::late_to) then.
///
/// ```
/// use std::time::Duration;
/// use watershed_actors::join::{Interval, IntervalJoin};
/// use watershed_core::testing::{Harness, Input};
/// use watershed_core::{Either, Keyed};
///
/// let minute = Interval::after(Duration::ZERO, Duration::from_secs(60));
/// let paid = IntervalJoin::inner(minute, |customer: &u32, order: &String, cents: &u64| {
///     format!("{customer}: {order} for {cents}")
/// });
/// let mut harness = Harness::co_operator(paid);
/// harness.apply(Input::at(0, Either::Left(Keyed { key: 7, value: "tea".to_owned() })));
/// harness.apply(Input::at(60_000, Either::Right(Keyed { key: 7, value: 250 })));
/// harness.apply(Input::at(60_001, Either::Right(Keyed { key: 7, value: 990 })));
/// assert_eq!(harness.values(), ["7: tea for 250"]);
/// ```
#[derive(Debug)]
pub struct IntervalJoin<K, L, R, O, J> {
    interval: Interval,
    outer: bool,
    late: Option<SideOutput<L>>,
    result: J,
    of: PhantomData<fn(K, L, R) -> O>,
}

impl<K, L, R, O> IntervalJoin<K, L, R, O, ()> {
    /// Emits what `result` makes of each pair.
    pub fn inner<J>(
        interval: Interval,
        result: J,
    ) -> IntervalJoin<K, L, R, O, impl Fn(&K, &L, Option<&R>) -> O + Clone + Send + 'static>
    where
        J: Fn(&K, &L, &R) -> O + Clone + Send + 'static,
    {
        let result = move |key: &K, left: &L, right: Option<&R>| {
            result(key, left, right.expect("an inner join emits pairs only"))
        };
        IntervalJoin { interval, outer: false, late: None, result, of: PhantomData }
    }

    /// Emits what `result` makes of each pair, and of each left record that met nothing.
    pub fn left<J>(interval: Interval, result: J) -> IntervalJoin<K, L, R, O, J>
    where
        J: Fn(&K, &L, Option<&R>) -> O + Clone + Send + 'static,
    {
        IntervalJoin { interval, outer: true, late: None, result, of: PhantomData }
    }
}

impl<K, L, R, O, J> IntervalJoin<K, L, R, O, J> {
    /// Sends left records that come late to a side output. They are counted wherever they go.
    #[must_use]
    pub fn late_to(mut self, output: &SideOutput<L>) -> Self {
        self.late = Some(*output);
        self
    }

    /// Until which watermark a left record is kept.
    fn left_until(&self, left: EventTime) -> EventTime {
        let until = self.interval.left_until(left);
        if self.outer { until.max(left) } else { until }
    }
}

impl<K, L, R, O, J: Clone> Clone for IntervalJoin<K, L, R, O, J> {
    fn clone(&self) -> Self {
        let IntervalJoin { interval, outer, late, result, of } = self;
        IntervalJoin { interval: *interval, outer: *outer, late: *late, result: result.clone(), of: *of }
    }
}

/// The records of a key that may still meet another, by their times.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub struct Meeting<L, R> {
    left: BTreeMap<EventTime, Vec<Waiting<L>>>,
    right: BTreeMap<EventTime, Vec<R>>,
    alarm: Alarm,
}

/// A left record, and whether it has met a right one.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
struct Waiting<L> {
    value: L,
    met: bool,
}

impl<L, R> Default for Meeting<L, R> {
    fn default() -> Self {
        Meeting { left: BTreeMap::new(), right: BTreeMap::new(), alarm: Alarm::default() }
    }
}

impl<L, R> Meeting<L, R> {
    fn is_empty(&self) -> bool {
        self.left.is_empty() && self.right.is_empty()
    }
}

/// The records of a time, each with the time.
fn each<T: IntoIterator>((at, records): (&EventTime, T)) -> impl Iterator<Item = (EventTime, T::Item)> {
    let at = *at;
    records.into_iter().map(move |record| (at, record))
}

impl<K, L, R, O, J> CoOperator for IntervalJoin<K, L, R, O, J>
where
    K: Key,
    L: Data,
    R: Data,
    O: Data,
    J: Fn(&K, &L, Option<&R>) -> O + Clone + Send + 'static,
{
    type Key = K;
    type Left = L;
    type Right = R;
    type Out = O;
    type State = Meeting<L, R>;

    fn on_left(&self, value: L, state: &mut Meeting<L, R>, cx: &mut impl KeyContext<K, O>) {
        let time = cx.time();
        if cx.watermark().has_passed(time) {
            cx.count_late();
            if let Some(late) = &self.late {
                cx.side(late, value);
            }
        } else {
            let mut met = false;
            if let Some(times) = self.interval.rights_of(time) {
                for (at, right) in state.right.range(times).flat_map(each) {
                    met = true;
                    let result = (self.result)(cx.key(), &value, Some(right));
                    cx.emit_at(result, time.max(at));
                }
            }
            let until = self.left_until(time);
            if !cx.watermark().has_passed(until) {
                state.left.entry(time).or_default().push(Waiting { value, met });
                state.alarm.ring_by(until, cx);
            }
        }
        if state.is_empty() {
            cx.forget();
        }
    }

    fn on_right(&self, value: R, state: &mut Meeting<L, R>, cx: &mut impl KeyContext<K, O>) {
        let time = cx.time();
        if cx.watermark().has_passed(time) {
            cx.count_late();
        } else {
            if let Some(times) = self.interval.lefts_of(time) {
                for (at, left) in state.left.range_mut(times).flat_map(each) {
                    left.met = true;
                    let result = (self.result)(cx.key(), &left.value, Some(&value));
                    cx.emit_at(result, time.max(at));
                }
            }
            let until = self.interval.right_until(time);
            if !cx.watermark().has_passed(until) {
                state.right.entry(time).or_default().push(value);
                state.alarm.ring_by(until, cx);
            }
        }
        if state.is_empty() {
            cx.forget();
        }
    }

    fn on_timer(&self, _at: EventTime, state: &mut Meeting<L, R>, cx: &mut impl KeyContext<K, O>) {
        state.alarm.rang();
        let watermark = cx.watermark();
        while let Some(first) = state.left.first_entry() {
            let until = self.left_until(*first.key());
            if !watermark.has_passed(until) {
                state.alarm.ring_by(until, cx);
                break;
            }
            for left in first.remove().iter().filter(|left| self.outer && !left.met) {
                let result = (self.result)(cx.key(), &left.value, None);
                cx.emit_at(result, until);
            }
        }
        while let Some(first) = state.right.first_entry() {
            let until = self.interval.right_until(*first.key());
            if !watermark.has_passed(until) {
                state.alarm.ring_by(until, cx);
                break;
            }
            first.remove();
        }
        if state.is_empty() {
            cx.forget();
        }
    }
}

impl<K, L, R, F, G> Joining<K, L, R, F, G, Interval>
where
    K: Key,
    L: Data,
    R: Data,
    F: Fn(&L) -> K + Clone + Send + 'static,
    G: Fn(&R) -> K + Clone + Send + 'static,
{
    /// Emits what `result` makes of each pair.
    pub fn inner<O: Data, J>(self, result: J) -> Stream<impl Chain<Out = O>>
    where
        J: Fn(&K, &L, &R) -> O + Clone + Send + 'static,
    {
        let mut join = IntervalJoin::inner(self.rule, result);
        join.late = self.late;
        self.left.connect(self.right).process(join).named("interval-join")
    }

    /// Emits what `result` makes of each pair, and of each left record that met nothing.
    pub fn left<O: Data, J>(self, result: J) -> Stream<impl Chain<Out = O>>
    where
        J: Fn(&K, &L, Option<&R>) -> O + Clone + Send + 'static,
    {
        let mut join = IntervalJoin::left(self.rule, result);
        join.late = self.late;
        self.left.connect(self.right).process(join).named("interval-join")
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::testing::{Harness, Input, verify_co};

    use super::*;
    use crate::join::model::{self, Event, Pair};

    fn join(interval: Interval, outer: bool) -> IntervalJoin<u8, Event, Event, Pair, model::Result> {
        IntervalJoin { interval, outer, late: None, result: model::pair, of: PhantomData }
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Every pair of both lists, looked at one by one.
    fn expected(events: &model::Events, interval: Interval, outer: bool) -> Vec<(i64, Pair)> {
        let mut pairs = Vec::new();
        for left in &events.left {
            let mut met = false;
            for right in events.right.iter().filter(|right| right.key == left.key) {
                if (interval.lower..=interval.upper).contains(&(right.time - left.time)) {
                    met = true;
                    pairs.push((left.time.max(right.time), (left.key, left.number, Some(right.number))));
                }
            }
            if outer && !met {
                pairs.push((left.time + interval.upper.max(0), (left.key, left.number, None)));
            }
        }
        pairs.sort_unstable();
        pairs
    }

    #[test]
    fn late_left_records_go_to_the_side_output_and_late_right_ones_nowhere() {
        const LATE: SideOutput<Event> = SideOutput::new("late");
        let mut harness =
            Harness::co_operator(join(Interval::around(ms(5), ms(9)), true).late_to(&LATE)).listening(&LATE);
        harness.run([Input::watermark(10), model::left(1, 10, 1), model::right(1, 10, 2), Input::end()]);
        assert_eq!(
            (harness.side(&LATE), harness.counters().late),
            (vec![Event { key: 1, time: 10, number: 1 }], 2)
        );
        assert_eq!(harness.values(), []);
    }

    #[test]
    fn all_interleavings_give_what_nested_loops_give() {
        let intervals = [
            Interval::around(ms(7), ms(12)),
            Interval::around(ms(0), ms(0)),
            Interval::after(ms(3), ms(20)),
            Interval::before(ms(20), ms(3)),
        ];
        for seed in 0..60 {
            let events = model::Events::draw(seed);
            for interval in intervals {
                for outer in [false, true] {
                    let found = model::run(join(interval, outer), &events.arrivals(seed));
                    assert_eq!(
                        found,
                        expected(&events, interval, outer),
                        "seed {seed}, {interval:?}, {outer}"
                    );
                }
            }
        }
    }

    #[test]
    fn its_contract_holds_with_late_records_and_ties() {
        for (seed, outer) in [(1, false), (2, true)] {
            let mut inputs = model::Events::draw(seed).arrivals(seed);
            inputs.insert(inputs.len() / 3, Input::watermark(30));
            verify_co(&join(Interval::around(ms(5), ms(9)), outer), &inputs);
        }
    }

    #[test]
    fn nothing_is_kept_behind_the_watermark_and_late_records_are_counted() {
        let mut harness = Harness::co_operator(join(Interval::around(ms(10), ms(10)), true));
        harness.run(model::Events::draw(3).arrivals(3));
        let mut empty = Harness::co_operator(join(Interval::around(ms(10), ms(10)), true));
        let size =
            |harness: &mut Harness<_>| format!("{:?}", harness.snapshot()["operator"].get("state")).len();
        assert_eq!(size(&mut harness), size(&mut empty), "the state is empty at the end");
        harness.apply(model::left(1, 50, 0));
        harness.apply(model::right(1, 50, 0));
        assert_eq!(harness.counters().late, 2);
        assert_eq!(size(&mut harness), size(&mut empty), "a late record leaves nothing behind");
    }

    #[test]
    fn an_unmatched_record_waits_until_nothing_can_meet_it() {
        let mut harness = Harness::co_operator(join(Interval::around(ms(10), ms(10)), true));
        harness.apply(model::left(1, 100, 0));
        harness.watermark(109);
        assert_eq!(harness.values(), []);
        harness.watermark(110);
        let records = harness.records();
        assert_eq!(records.len(), 1);
        assert_eq!((records[0].value, records[0].time), ((1, 0, None), EventTime::from_millis(110)));
    }

    #[test]
    fn the_ends_of_time_do_not_meet_each_other() {
        for interval in [Interval::around(Duration::MAX, ms(5)), Interval::after(ms(5), Duration::MAX)] {
            let mut harness = Harness::co_operator(join(interval, false));
            harness.apply(model::left(1, i64::MAX, 1));
            harness.apply(model::right(1, i64::MIN + 1, 1));
            harness.apply(model::left(1, i64::MIN + 1, 2));
            harness.apply(model::right(1, i64::MAX, 2));
            harness.end();
            let pairs = harness.values();
            let near = interval.lower <= 0;
            assert_eq!(pairs.contains(&(1, 1, Some(2))), near, "{interval:?}");
            assert!(!pairs.contains(&(1, 1, Some(1))), "{interval:?}");
        }
    }
}

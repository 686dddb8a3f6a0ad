//! Each record with what was valid at its time.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watershed_core::{Chain, CoOperator, Data, EventTime, Key, KeyContext, SideOutput, Stream, Watermark};

use crate::join::Joining;
use crate::operator::alarm::Alarm;

/// Which version of the right stream is valid at a time: the newest one at or before it.
#[derive(Debug)]
pub struct Temporal<R> {
    age_max: Option<Duration>,
    ties: fn(&R, &R) -> Ordering,
}

impl<R> Temporal<R> {
    /// A version is valid until the next one of its key. Of two with the same time, the one that came last
    /// counts.
    pub const fn newest() -> Self {
        Temporal { age_max: None, ties: |_, _| Ordering::Less }
    }

    /// A version is valid for no longer than `age_max`, this last millisecond included.
    ///
    /// Without this, the newest version of each key is kept for ever.
    #[must_use]
    pub const fn age_max(mut self, age_max: Duration) -> Self {
        self.age_max = Some(age_max);
        self
    }

    /// Of two versions with the same time, the greater one counts.
    ///
    /// Needed where versions of a key come by several ways, so that none is sure to come last.
    #[must_use]
    pub const fn ties_by(mut self, ties: fn(&R, &R) -> Ordering) -> Self {
        self.ties = ties;
        self
    }

    /// The last time at which a version may be valid.
    fn until(&self, version: EventTime) -> EventTime {
        self.age_max.map_or(EventTime::MAX, |age_max| version.after(age_max))
    }
}

impl<R> Clone for Temporal<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Temporal<R> {}

/// Joins each left record with the version of its key that was valid at its time: the newest right record
/// at or before it.
///
/// A left record waits until the watermark reaches it, so that no version can come in between any more; it
/// is then emitted with its own time. Versions that no record can ask for any more are dropped: those older
/// than the newest one at or before the watermark, and those beyond the [greatest age](Temporal::age_max).
/// A record of either side that comes late, behind the watermark, is counted and takes no part; a left one goes
/// to a [side output](TemporalJoin::late_to) then.
///
/// ```
/// use watershed_actors::join::{Temporal, TemporalJoin};
/// use watershed_core::testing::{Harness, Input};
/// use watershed_core::{Either, Keyed};
///
/// let priced = TemporalJoin::inner(Temporal::newest(), |_: &String, amount: &f64, rate: &f64| amount * rate);
/// let mut harness = Harness::co_operator(priced);
/// let euros = |value| Either::Left(Keyed { key: "EUR".to_owned(), value });
/// let rate = |value| Either::Right(Keyed { key: "EUR".to_owned(), value });
/// harness.run([Input::at(20, euros(3.0)), Input::at(10, euros(2.0))]);
/// harness.run([Input::at(5, rate(1.5)), Input::at(15, rate(2.5))]);
/// harness.watermark(30);
/// assert_eq!(harness.values(), [3.0, 7.5]);
/// ```
#[derive(Debug)]
pub struct TemporalJoin<K, L, R, O, J> {
    temporal: Temporal<R>,
    outer: bool,
    late: Option<SideOutput<L>>,
    result: J,
    of: PhantomData<fn(K, L) -> O>,
}

impl<K, L, R, O> TemporalJoin<K, L, R, O, ()> {
    /// Emits what `result` makes of each left record for which a version was valid.
    pub fn inner<J>(
        temporal: Temporal<R>,
        result: J,
    ) -> TemporalJoin<K, L, R, O, impl Fn(&K, &L, Option<&R>) -> O + Clone + Send + 'static>
    where
        J: Fn(&K, &L, &R) -> O + Clone + Send + 'static,
    {
        let result = move |key: &K, left: &L, right: Option<&R>| {
            result(key, left, right.expect("an inner join emits pairs only"))
        };
        TemporalJoin { temporal, outer: false, late: None, result, of: PhantomData }
    }

    /// Emits what `result` makes of each left record and of the version that was valid, if any.
    pub fn left<J>(temporal: Temporal<R>, result: J) -> TemporalJoin<K, L, R, O, J>
    where
        J: Fn(&K, &L, Option<&R>) -> O + Clone + Send + 'static,
    {
        TemporalJoin { temporal, outer: true, late: None, result, of: PhantomData }
    }
}

impl<K, L, R, O, J> TemporalJoin<K, L, R, O, J> {
    /// Sends left records that come late to a side output. They are counted wherever they go.
    #[must_use]
    pub fn late_to(mut self, output: &SideOutput<L>) -> Self {
        self.late = Some(*output);
        self
    }
}

impl<K, L, R, O, J: Clone> Clone for TemporalJoin<K, L, R, O, J> {
    fn clone(&self) -> Self {
        let TemporalJoin { temporal, outer, late, result, of } = self;
        TemporalJoin { temporal: *temporal, outer: *outer, late: *late, result: result.clone(), of: *of }
    }
}

/// The left records of a key that wait for the watermark, and the versions that may be asked for.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub struct Versions<L, R> {
    waiting: BTreeMap<EventTime, Vec<L>>,
    versions: BTreeMap<EventTime, R>,
    alarm: Alarm,
}

impl<L, R> Default for Versions<L, R> {
    fn default() -> Self {
        Versions { waiting: BTreeMap::new(), versions: BTreeMap::new(), alarm: Alarm::default() }
    }
}

impl<L, R> Versions<L, R> {
    /// Drops the versions that no record behind the watermark can ask for: all but the newest one that the
    /// watermark has reached, and that one too where it is too old.
    fn prune(&mut self, watermark: Watermark, temporal: &Temporal<R>) {
        while let Some((first, next)) = {
            let mut times = self.versions.keys();
            times.next().map(|first| (*first, times.next().copied()))
        } {
            let followed = next.is_some_and(|next| watermark.has_passed(next));
            if !followed && !watermark.has_passed(temporal.until(first)) {
                break;
            }
            self.versions.pop_first();
        }
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.versions.is_empty()
    }
}

impl<K, L, R, O, J> CoOperator for TemporalJoin<K, L, R, O, J>
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
    type State = Versions<L, R>;

    fn on_left(&self, value: L, state: &mut Versions<L, R>, cx: &mut impl KeyContext<K, O>) {
        let time = cx.time();
        if cx.watermark().has_passed(time) {
            cx.count_late();
            if let Some(late) = &self.late {
                cx.side(late, value);
            }
        } else {
            state.waiting.entry(time).or_default().push(value);
            state.alarm.ring_by(time, cx);
        }
        if state.is_empty() {
            cx.forget();
        }
    }

    fn on_right(&self, value: R, state: &mut Versions<L, R>, cx: &mut impl KeyContext<K, O>) {
        let time = cx.time();
        if cx.watermark().has_passed(time) {
            cx.count_late();
        } else {
            // A version is pruned when the next one comes, at the cost of a look; a timer for each would be dearer.
            state.prune(cx.watermark(), &self.temporal);
            match state.versions.get(&time) {
                Some(held) if (self.temporal.ties)(held, &value) == Ordering::Greater => {}
                _ => drop(state.versions.insert(time, value)),
            }
            if self.temporal.age_max.is_some() {
                state.alarm.ring_by(self.temporal.until(time), cx);
            }
        }
        if state.is_empty() {
            cx.forget();
        }
    }

    fn on_timer(&self, _at: EventTime, state: &mut Versions<L, R>, cx: &mut impl KeyContext<K, O>) {
        state.alarm.rang();
        let watermark = cx.watermark();
        while let Some(first) = state.waiting.first_entry() {
            let time = *first.key();
            if !watermark.has_passed(time) {
                state.alarm.ring_by(time, cx);
                break;
            }
            let valid = state.versions.range(..=time).next_back();
            let valid = valid.filter(|(at, _)| self.temporal.until(**at) >= time).map(|(_, version)| version);
            for left in first.remove().iter().filter(|_| self.outer || valid.is_some()) {
                let result = (self.result)(cx.key(), left, valid);
                cx.emit_at(result, time);
            }
        }
        state.prune(watermark, &self.temporal);
        if let Some((oldest, _)) = state.versions.first_key_value()
            && self.temporal.age_max.is_some()
        {
            state.alarm.ring_by(self.temporal.until(*oldest), cx);
        }
        if state.is_empty() {
            cx.forget();
        }
    }
}

impl<K, L, R, F, G> Joining<K, L, R, F, G, Temporal<R>>
where
    K: Key,
    L: Data,
    R: Data,
    F: Fn(&L) -> K + Clone + Send + 'static,
    G: Fn(&R) -> K + Clone + Send + 'static,
{
    /// Emits what `result` makes of each left record for which a version was valid.
    pub fn inner<O: Data, J>(self, result: J) -> Stream<impl Chain<Out = O>>
    where
        J: Fn(&K, &L, &R) -> O + Clone + Send + 'static,
    {
        let mut join = TemporalJoin::inner(self.rule, result);
        join.late = self.late;
        self.left.connect(self.right).process(join).named("temporal-join")
    }

    /// Emits what `result` makes of each left record and of the version that was valid, if any.
    pub fn left<O: Data, J>(self, result: J) -> Stream<impl Chain<Out = O>>
    where
        J: Fn(&K, &L, Option<&R>) -> O + Clone + Send + 'static,
    {
        let mut join = TemporalJoin::left(self.rule, result);
        join.late = self.late;
        self.left.connect(self.right).process(join).named("temporal-join")
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::testing::{Harness, Input, verify_co};

    use super::*;
    use crate::join::model::{self, Event, Pair};

    fn join(age_max: Option<u64>, outer: bool) -> TemporalJoin<u8, Event, Event, Pair, model::Result> {
        let newest = Temporal { age_max: age_max.map(Duration::from_millis), ..Temporal::newest() };
        let temporal = newest.ties_by(|a: &Event, b| a.number.cmp(&b.number));
        TemporalJoin { temporal, outer, late: None, result: model::pair, of: PhantomData }
    }

    /// For each left record, the greatest of all versions that were valid.
    fn expected(events: &model::Events, age_max: Option<u64>, outer: bool) -> Vec<(i64, Pair)> {
        let mut results: Vec<_> = events
            .left
            .iter()
            .filter_map(|left| {
                let versions = events.right.iter().filter(|right| right.key == left.key);
                let valid = versions
                    .filter(|right| right.time <= left.time)
                    .max_by_key(|right| (right.time, right.number))
                    .filter(|right| age_max.is_none_or(|age| left.time - right.time <= age as i64));
                (outer || valid.is_some())
                    .then(|| (left.time, (left.key, left.number, valid.map(|right| right.number))))
            })
            .collect();
        results.sort_unstable();
        results
    }

    #[test]
    fn late_left_records_go_to_the_side_output_and_late_right_ones_nowhere() {
        const LATE: SideOutput<Event> = SideOutput::new("late");
        let mut harness = Harness::co_operator(join(None, true).late_to(&LATE)).listening(&LATE);
        harness.run([Input::watermark(10), model::left(1, 10, 1), model::right(1, 10, 2), Input::end()]);
        assert_eq!(
            (harness.side(&LATE), harness.counters().late),
            (vec![Event { key: 1, time: 10, number: 1 }], 2)
        );
        assert_eq!(harness.values(), []);
    }

    #[test]
    fn all_interleavings_give_what_a_search_of_all_versions_gives() {
        for seed in 0..60 {
            let events = model::Events::draw(seed);
            for age_max in [None, Some(0), Some(15)] {
                for outer in [false, true] {
                    let found = model::run(join(age_max, outer), &events.arrivals(seed));
                    assert_eq!(found, expected(&events, age_max, outer), "seed {seed}, {age_max:?}, {outer}");
                }
            }
        }
    }

    #[test]
    fn its_contract_holds_with_late_records_and_ties() {
        for (seed, age_max) in [(1, None), (2, Some(9))] {
            let mut inputs = model::Events::draw(seed).arrivals(seed);
            inputs.insert(inputs.len() / 3, Input::watermark(30));
            verify_co(&join(age_max, true), &inputs);
        }
    }

    #[test]
    fn old_versions_are_dropped_as_the_watermark_passes() {
        let mut state = Versions::<(), &str>::default();
        for (time, version) in [(10, "a"), (20, "b"), (30, "c")] {
            state.versions.insert(EventTime::from_millis(time), version);
        }
        let watermark = |millis| Watermark(EventTime::from_millis(millis));
        state.prune(watermark(25), &Temporal::newest());
        assert_eq!(state.versions.values().copied().collect::<Vec<_>>(), ["b", "c"]);
        state.prune(watermark(29), &Temporal::newest().age_max(Duration::from_millis(9)));
        assert_eq!(state.versions.values().copied().collect::<Vec<_>>(), ["c"]);
    }

    #[test]
    fn of_two_versions_of_one_time_the_last_to_come_counts_unless_told_otherwise() {
        let last = TemporalJoin { temporal: Temporal::newest(), ..join(None, false) };
        for (join, valid) in [(last, 1), (join(None, false), 2)] {
            let mut harness = Harness::co_operator(join);
            harness.run([model::right(1, 10, 2), model::right(1, 10, 1), model::left(1, 10, 0)]);
            harness.end();
            assert_eq!(harness.values(), [(1, 0, Some(valid))]);
        }
    }

    #[test]
    fn late_records_of_both_sides_are_counted_and_take_no_part() {
        let mut harness = Harness::co_operator(join(None, true));
        harness.watermark(50);
        harness.run([model::right(1, 50, 1), model::left(1, 50, 1), model::left(1, 51, 2)]);
        harness.end();
        assert_eq!(harness.values(), [(1, 2, None)]);
        assert_eq!(harness.counters().late, 2);
    }

    #[test]
    fn the_ends_of_time_are_times_like_others() {
        let mut harness = Harness::co_operator(join(Some(u64::MAX), true));
        harness.run([model::right(1, i64::MIN + 1, 1), model::left(1, i64::MAX, 1)]);
        harness.end();
        assert_eq!(harness.values(), [(1, 1, None)], "older than any age that can be told");
    }
}

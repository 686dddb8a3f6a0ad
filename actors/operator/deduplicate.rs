//! Each thing once.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use watershed_core::{Context, Data, EventTime, Key, Operator};

use crate::operator::alarm::Alarm;

/// Drops a record where one of the same id has passed whose time lies at most a horizon away, before or
/// after.
///
/// Of equal records the first to come passes. The id is looked for within the key. What has passed is
/// remembered until the watermark is a horizon beyond it, so that the state is bounded by the ids of one
/// horizon; a record that comes later than the watermark allows might be a double of something forgotten
/// and is therefore counted as late and dropped. [`Deduplicate::lateness`] remembers for longer.
///
/// ```
/// use std::time::Duration;
/// use watershed_actors::operator::Deduplicate;
/// use watershed_core::testing::Harness;
///
/// let hour = Duration::from_secs(3600);
/// let once = Deduplicate::by_id(|order: &(u64, String)| order.0, hour);
/// let mut harness = Harness::operator(once);
/// harness.push("shop".to_owned(), (1, "tea".to_owned()), 0);
/// harness.push("shop".to_owned(), (1, "tea, sent again".to_owned()), 3_600_000);
/// harness.push("shop".to_owned(), (1, "another".to_owned()), 3_600_001);
/// assert_eq!(harness.values(), [(1, "tea".to_owned()), (1, "another".to_owned())]);
/// ```
#[derive(Debug)]
pub struct Deduplicate<K, T, I, D> {
    id: D,
    horizon: Duration,
    lateness: Duration,
    of: PhantomData<fn(K, T) -> I>,
}

impl<K, T> Deduplicate<K, T, (), fn(&T)> {
    /// Lets one record of each key pass within a horizon.
    pub fn by_key(horizon: Duration) -> Self {
        Deduplicate::by_id(|_| (), horizon)
    }
}

impl<K, T, I, D: Fn(&T) -> I> Deduplicate<K, T, I, D> {
    /// Lets one record of each id, within each key, pass within a horizon.
    pub const fn by_id(id: D, horizon: Duration) -> Self {
        Deduplicate { id, horizon, lateness: Duration::ZERO, of: PhantomData }
    }

    /// Remembers for so much longer, so that a record this far behind the watermark can still be told from
    /// a double.
    #[must_use]
    pub const fn lateness(mut self, lateness: Duration) -> Self {
        self.lateness = lateness;
        self
    }

    /// Until which watermark something that passed is remembered.
    const fn until(&self, passed: EventTime) -> EventTime {
        passed.after(self.horizon).after(self.lateness)
    }
}

impl<K, T, I, D: Clone> Clone for Deduplicate<K, T, I, D> {
    fn clone(&self) -> Self {
        let Deduplicate { id, horizon, lateness, of } = self;
        Deduplicate { id: id.clone(), horizon: *horizon, lateness: *lateness, of: *of }
    }
}

/// What has passed of a key, by id and by time.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub struct Seen<I: Ord> {
    /// Few times for an id: any two are more than a horizon apart.
    ids: BTreeMap<I, Vec<EventTime>>,
    passed: BTreeSet<(EventTime, I)>,
    alarm: Alarm,
}

impl<I: Ord> Default for Seen<I> {
    fn default() -> Self {
        Seen { ids: BTreeMap::new(), passed: BTreeSet::new(), alarm: Alarm::default() }
    }
}

impl<I: Key> Seen<I> {
    fn remember(&mut self, id: I, time: EventTime) {
        self.passed.insert((time, id.clone()));
        self.ids.entry(id).or_default().push(time);
    }

    fn forget_first(&mut self) {
        if let Some((time, id)) = self.passed.pop_first() {
            let times = self.ids.get_mut(&id).expect("what passed is listed under its id");
            times.retain(|passed| *passed != time);
            if times.is_empty() {
                self.ids.remove(&id);
            }
        }
    }
}

impl<K, T, I, D> Operator for Deduplicate<K, T, I, D>
where
    K: Key,
    T: Data,
    I: Key,
    D: Fn(&T) -> I + Clone + Send + 'static,
{
    type Key = K;
    type In = T;
    type Out = T;
    type State = Seen<I>;

    fn on_record(&self, record: T, seen: &mut Seen<I>, cx: &mut impl Context<Self>) {
        let time = cx.time();
        if cx.watermark().has_passed(time.after(self.lateness)) {
            cx.count_late();
        } else {
            let id = (self.id)(&record);
            let near = time.before(self.horizon)..=time.after(self.horizon);
            let passed = seen.ids.get(&id).is_some_and(|times| times.iter().any(|t| near.contains(t)));
            if !passed {
                seen.remember(id, time);
                seen.alarm.ring_by(self.until(time), cx);
                cx.emit(record);
            }
        }
        if seen.passed.is_empty() {
            cx.forget();
        }
    }

    fn on_timer(&self, _at: EventTime, seen: &mut Seen<I>, cx: &mut impl Context<Self>) {
        seen.alarm.rang();
        while let Some((first, _)) = seen.passed.first() {
            let until = self.until(*first);
            if !cx.watermark().has_passed(until) {
                return seen.alarm.ring_by(until, cx);
            }
            seen.forget_first();
        }
        cx.forget();
    }
}

#[cfg(test)]
mod tests {
    use watershed_core::testing::{Harness, Input, verify};

    use super::*;

    const TEN: Duration = Duration::from_millis(10);

    fn by_number() -> Deduplicate<u8, (u32, char), u32, impl Fn(&(u32, char)) -> u32 + Clone + Send + 'static>
    {
        Deduplicate::by_id(|record: &(u32, char)| record.0, TEN)
    }

    #[test]
    fn one_record_of_a_key_passes_within_the_horizon_on_either_side() {
        let mut harness = Harness::operator(Deduplicate::by_key(TEN));
        for (key, time, value) in
            [(1, 50, 'a'), (1, 60, 'b'), (1, 40, 'c'), (1, 61, 'd'), (1, 39, 'e'), (2, 50, 'f')]
        {
            harness.push(key, value, time);
        }
        assert_eq!(harness.values(), ['a', 'd', 'e', 'f']);
    }

    #[test]
    fn ids_are_told_apart_within_their_key_only() {
        let mut harness = Harness::operator(by_number());
        for (key, record) in [(1, (7, 'a')), (1, (7, 'b')), (1, (8, 'c')), (2, (7, 'd'))] {
            harness.push(key, record, 0);
        }
        assert_eq!(harness.values(), [(7, 'a'), (8, 'c'), (7, 'd')]);
    }

    #[test]
    fn what_the_watermark_has_left_behind_is_forgotten() {
        let mut harness = Harness::operator(by_number());
        let empty = harness.snapshot()["operator"].get("state").clone();
        harness.push(1, (7, 'a'), 50);
        harness.push(1, (8, 'b'), 55);
        harness.watermark(64);
        assert_ne!(*harness.snapshot()["operator"].get("state"), empty);
        harness.watermark(65);
        assert_eq!(*harness.snapshot()["operator"].get("state"), empty);
    }

    #[test]
    fn a_late_record_is_dropped_and_counted_as_far_as_it_cannot_be_judged() {
        let mut harness = Harness::operator(by_number().lateness(TEN));
        harness.push(1, (7, 'a'), 50);
        harness.watermark(65);
        for (record, time) in [((7, 'b'), 56), ((8, 'c'), 56), ((9, 'd'), 55)] {
            harness.push(1, record, time);
        }
        assert_eq!(harness.values(), [(7, 'a'), (8, 'c')]);
        assert_eq!(harness.counters().late, 1);
    }

    #[test]
    fn its_contract_holds_to_the_ends_of_time() {
        let mut inputs: Vec<_> =
            (0..80_u32).map(|n| Input::at(i64::from(n * 7 % 50), ((n % 5) as u8, (n % 3, 'x')))).collect();
        inputs.insert(20, Input::watermark(10));
        inputs.insert(50, Input::watermark(31));
        inputs.push(Input::at(i64::MAX, (1, (0, 'y'))));
        inputs.push(Input::at(i64::MIN, (1, (0, 'z'))));
        inputs.push(Input::end());
        verify(&by_number(), &inputs);
        verify(&Deduplicate::by_id(|record: &(u32, char)| record.0, Duration::MAX), &inputs);
    }
}

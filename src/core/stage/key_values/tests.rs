//! Values that expire, seen by an operator that counts.

use std::sync::Arc;
use std::time::Duration;

use crate::state::{By, Since, TimeToLive, Tiny};
use crate::testing::{Harness, Input, verify};
use crate::{Context, EventTime, Operator, ProcessingTime};

/// Counts the records of a key, and tells the count again when a timer fires that the record asks for.
#[derive(Clone)]
struct Count(Option<TimeToLive>);

/// How long after its record a timer fires, by the key's own time; by the wall clock where it is below 0.
type Later = i64;

impl Operator for Count {
    type Key = u8;
    type In = Option<Later>;
    type Out = (u8, u32);
    type State = u32;

    fn time_to_live(&self) -> Option<TimeToLive> {
        self.0
    }

    fn on_record(&self, later: Option<Later>, count: &mut u32, cx: &mut impl Context<Self>) {
        *count += 1;
        cx.emit((*cx.key(), *count));
        match later {
            Some(later @ 0..) => cx.set_timer(EventTime::from_millis(cx.time().as_millis() + later)),
            Some(later) => {
                let at = cx.now().as_millis() - later;
                cx.set_processing_timer(ProcessingTime::from_millis(at));
            }
            None => {}
        }
    }

    fn on_timer(&self, _: EventTime, count: &mut u32, cx: &mut impl Context<Self>) {
        cx.emit((*cx.key(), 100 + *count));
    }

    fn on_processing_timer(&self, _: ProcessingTime, count: &mut u32, cx: &mut impl Context<Self>) {
        cx.emit((*cx.key(), 200 + *count));
    }
}

const TEN: TimeToLive = TimeToLive::after(Duration::from_millis(10));

fn counts(harness: &mut Harness<impl crate::stage::Stage<Out = (u8, u32)>>) -> Vec<u32> {
    harness.values().into_iter().map(|(_, count)| count).collect()
}

/// Whether anything is kept of any key.
fn keeps_anything(harness: &mut Harness<impl crate::stage::Stage<Out = (u8, u32)>>) -> bool {
    !harness.snapshot()["operator"].get("state").groups().is_empty()
}

#[test]
fn a_value_lives_until_the_watermark_says_that_nobody_came_for_it() {
    let mut harness = Harness::operator(Count(Some(TEN)));
    harness.push(1, None, 0);
    harness.watermark(9);
    harness.push(1, None, 25);
    harness.push(1, None, 12);
    harness.watermark(34);
    harness.push(1, None, 30);
    assert_eq!(
        counts(&mut harness),
        [1, 2, 3, 4],
        "each record comes within ten milliseconds of the watermark"
    );
    let saved = harness.snapshot();
    let mut restored = Harness::operator(Count(Some(TEN)));
    restored.restore(&saved).unwrap();
    for harness in [&mut harness, &mut restored] {
        harness.watermark(39);
        assert!(keeps_anything(harness));
        harness.watermark(40);
        assert!(!keeps_anything(harness), "what has expired takes no room");
    }
    harness.push(1, None, 41);
    assert_eq!(counts(&mut harness), [1]);
}

#[test]
fn a_value_is_gone_just_before_a_timer_of_the_same_time_however_far_the_watermark_leaps() {
    for leap in [30, 1000, i64::MAX] {
        let mut harness = Harness::operator(Count(Some(TEN)));
        harness.push(1, Some(9), 20);
        harness.push(2, Some(10), 20);
        harness.watermark(leap);
        assert_eq!(harness.values(), [(1, 1), (2, 1), (1, 101), (2, 100)], "up to {leap}");
    }
}

#[test]
fn what_comes_too_late_to_live_is_not_seen_again() {
    let mut harness = Harness::operator(Count(Some(TEN)));
    harness.watermark(100);
    for time in [95, 90, 89] {
        harness.push(1, None, time);
    }
    assert_eq!(counts(&mut harness), [1, 2, 3], "the key's latest time is 95");
    for _ in 0..2 {
        harness.push(2, Some(2), 89);
    }
    assert_eq!(counts(&mut harness), [1, 1]);
    harness.watermark(101);
    assert_eq!(counts(&mut harness), [100], "a timer in the past does not bring it back");
}

#[test]
fn a_timer_touches_and_does_not_write() {
    let outputs = |since| {
        let mut harness = Harness::operator(Count(Some(TimeToLive { since, ..TEN })));
        harness.push(1, Some(8), 0);
        harness.watermark(12);
        harness.push(1, None, 15);
        counts(&mut harness)
    };
    assert_eq!(outputs(Since::Written), [1, 101, 1]);
    assert_eq!(outputs(Since::Touched), [1, 101, 2]);
}

#[test]
fn a_value_lives_by_the_wall_clock_and_goes_with_it() {
    let mut harness = Harness::operator(Count(Some(TEN.by_processing_time())));
    for (now, time) in [(1000, 0), (1009, 500), (1018, 3)] {
        harness.clock(now);
        harness.watermark(time);
        harness.push(1, None, time);
    }
    harness.push(1, Some(-9), 3);
    harness.push(2, Some(-10), 3);
    harness.clock(1027);
    harness.clock(1028);
    assert_eq!(counts(&mut harness), [1, 2, 3, 4, 1, 204, 200]);
    harness.clock(1038);
    assert!(!keeps_anything(&mut harness), "the clock alone removes it");
}

#[test]
fn many_touches_set_one_alarm() {
    let mut harness = Harness::operator(Count(Some(TEN.since_touched())));
    (0..1000).for_each(|time| harness.push(1, None, time));
    let alarms = |harness: &mut Harness<_>| {
        let saved =
            harness.snapshot()["operator"].get("state").get("life").get("alarms").get("event").clone();
        saved.pieces::<Vec<(EventTime, u8)>>().flat_map(Result::unwrap).collect::<Vec<_>>()
    };
    assert_eq!(alarms(&mut harness), [(EventTime::from_millis(10), 1)]);
    harness.watermark(500);
    assert_eq!(alarms(&mut harness), [(EventTime::from_millis(1009), 1)]);
}

#[test]
fn a_time_to_live_may_be_given_to_saved_state_and_taken_from_it() {
    let mut harness = Harness::operator(Count(None));
    harness.push(1, None, 0);
    harness.push(2, None, 0);
    let without = harness.snapshot();
    assert!(without["operator"].get("state").parts().all(|(name, _)| name != "life"));

    let mut harness = Harness::operator(Count(Some(TEN)));
    harness.restore(&without).unwrap();
    harness.watermark(50);
    harness.push(1, None, 51);
    assert_eq!(counts(&mut harness), [2], "what has no time has not expired");
    let with = harness.snapshot();
    harness.watermark(61);
    harness.push(1, None, 62);
    harness.push(2, None, 62);
    assert_eq!(counts(&mut harness), [1, 2]);

    let mut harness = Harness::operator(Count(None));
    harness.restore(&with).unwrap();
    harness.watermark(1000);
    harness.push(1, None, 1001);
    assert_eq!(counts(&mut harness), [3], "and what has no time to live does not expire");
    assert!(harness.snapshot()["operator"].get("state").parts().all(|(name, _)| name != "life"));
}

/// Records of some keys with timers of both kinds, watermarks and the clock.
fn inputs() -> Vec<Input<(u8, Option<Later>)>> {
    let mut inputs = Vec::new();
    for n in 0..90_i64 {
        let later = (n % 4 == 0).then_some(n * 5 % 27 - 9);
        inputs.push(Input::at(n * 3 + n * 7 % 11, ((n * n % 7) as u8, later)));
        if n % 7 == 6 {
            inputs.push(Input::watermark(n * 3 - 4));
            inputs.push(Input::clock(n * 2));
        }
    }
    inputs.push(Input::at(5, (1, None)));
    inputs.push(Input::at(i64::MAX, (2, None)));
    inputs.push(Input::end());
    inputs
}

fn lives() -> impl Iterator<Item = TimeToLive> {
    let of = |by| [Since::Written, Since::Touched].map(|since| TimeToLive { by, since, ..TEN });
    [By::EventTime, By::ProcessingTime].into_iter().flat_map(of)
}

#[test]
fn its_contract_holds_by_either_clock() {
    for limit in lives() {
        verify(&Count(Some(limit)), &inputs());
    }
}

#[test]
fn it_is_the_same_on_disk() {
    for limit in lives() {
        let mut memory = Harness::operator(Count(Some(limit)));
        let mut disk = Harness::operator(Count(Some(limit))).kept_in(Arc::new(Tiny)).unwrap();
        for input in inputs() {
            let input = match input {
                Input::Record((key, value), time) => Input::Record(crate::Keyed { key, value }, time),
                Input::Watermark(time) => Input::Watermark(time),
                Input::ProcessingTime(now) => Input::ProcessingTime(now),
            };
            memory.apply(input);
            disk.apply(input);
            assert_eq!(memory.values(), disk.values(), "{limit:?}");
        }
    }
}

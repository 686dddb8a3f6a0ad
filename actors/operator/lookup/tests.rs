//! A service whose answers the test gives, one by one.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use watershed_core::stage::Hold;
use watershed_core::testing::{Harness, Input, verify_whole};

use super::*;

/// Where calls wait until the test answers them.
#[derive(Clone, Default)]
struct Desk(Arc<Mutex<DeskState>>);

#[derive(Default)]
struct DeskState {
    /// The records asked about, in order, those asked about again included.
    asked: Vec<u32>,
    answers: BTreeMap<u32, Result<u32, String>>,
    wakers: BTreeMap<u32, Waker>,
    polls: usize,
}

impl Desk {
    fn service(&self) -> impl Fn(u32) -> Answer<u32> + Clone + Send + 'static {
        let desk = self.0.clone();
        move |record| {
            desk.lock().unwrap().asked.push(record);
            let desk = desk.clone();
            Box::pin(poll_fn(move |cx| {
                let mut desk = desk.lock().unwrap();
                desk.polls += 1;
                match desk.answers.remove(&record) {
                    Some(answer) => Poll::Ready(answer),
                    None => {
                        desk.wakers.insert(record, cx.waker().clone());
                        Poll::Pending
                    }
                }
            }))
        }
    }

    fn answer(&self, record: u32, answer: Result<u32, &str>) {
        let waker = {
            let mut desk = self.0.lock().unwrap();
            desk.answers.insert(record, answer.map_err(str::to_owned));
            desk.wakers.remove(&record)
        };
        waker.expect("the record is being asked about").wake();
    }

    fn asked(&self) -> Vec<u32> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }
}

fn harness<S>(lookup: Lookup<u32, u32, S>) -> Harness<watershed_core::stage::Transformed<Lookup<u32, u32, S>>>
where
    S: Fn(u32) -> Answer<u32> + Clone + Send + 'static,
{
    let mut harness = Harness::transform(lookup);
    harness.clock(1_000);
    harness
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn ordered_answers_leave_in_the_order_of_their_records_with_their_times() {
    let desk = Desk::default();
    let mut harness = harness(Lookup::ordered(desk.service()));
    harness.run([Input::at(30, 1), Input::at(10, 2), Input::at(20, 3)]);
    desk.answer(2, Ok(20));
    desk.answer(3, Ok(30));
    assert!(harness.wants_wake());
    harness.wake();
    assert!(harness.values().is_empty());
    desk.answer(1, Ok(10));
    harness.wake();
    let records: Vec<_> = harness.records().into_iter().map(|r| (r.value, r.time.as_millis())).collect();
    assert_eq!(records, [(10, 30), (20, 10), (30, 20)]);
}

#[test]
fn unordered_answers_leave_as_they_come() {
    let desk = Desk::default();
    let mut harness = harness(Lookup::unordered(desk.service()));
    harness.run([Input::at(1, 1), Input::at(2, 2), Input::at(3, 3)]);
    for record in [3, 1, 2] {
        desk.answer(record, Ok(record));
        harness.wake();
    }
    assert_eq!(harness.values(), [3, 1, 2]);
}

#[test]
fn the_watermark_waits_for_the_answers_to_all_records_before_it() {
    for ordered in [true, false] {
        let desk = Desk::default();
        let mut harness = harness(Lookup { ordered, ..Lookup::ordered(desk.service()) });
        harness.run([Input::at(1, 1), Input::at(2, 2), Input::watermark(5)]);
        assert_eq!(harness.hold(), Hold::Woken);
        desk.answer(2, Ok(2));
        harness.wake();
        assert!(harness.is_stalled());
        desk.answer(1, Ok(1));
        harness.wake();
        assert!(!harness.is_stalled());
        assert_eq!(harness.hold(), Hold::Free);
        assert_eq!(harness.values().len(), 2);
    }
}

#[test]
fn no_more_calls_are_in_flight_than_allowed_and_the_input_is_held_meanwhile() {
    let desk = Desk::default();
    let mut harness = harness(Lookup::ordered(desk.service()).in_flight(2));
    harness.apply(Input::at(1, 1));
    assert_eq!(harness.hold(), Hold::Free);
    harness.run([Input::at(2, 2), Input::at(3, 3), Input::at(4, 4)]);
    assert_eq!(harness.hold(), Hold::Woken);
    assert_eq!(desk.asked(), [1, 2]);
    desk.answer(2, Ok(2));
    harness.wake();
    assert!(desk.asked().is_empty(), "an answer that waits for another keeps its place");
    desk.answer(1, Ok(1));
    harness.wake();
    assert_eq!(desk.asked(), [3, 4]);
    assert_eq!(harness.hold(), Hold::Woken, "still full");
    desk.answer(4, Ok(4));
    desk.answer(3, Ok(3));
    harness.wake();
    assert_eq!(harness.hold(), Hold::Free);
    assert_eq!(harness.values(), [1, 2, 3, 4]);
}

#[test]
fn a_try_that_takes_too_long_is_repeated_after_a_pause_that_grows() {
    let desk = Desk::default();
    let lookup = Lookup::ordered(desk.service()).timeout(ms(50)).retries(3, ms(10), ms(15));
    let mut harness = harness(lookup);
    harness.apply(Input::at(7, 1));
    // Given up after 50, asked again 10 later, given up after 50, asked again 15 later: 20 would be too long.
    for (now, asked) in [(1_049, 1), (1_050, 0), (1_059, 0), (1_060, 1), (1_110, 0), (1_124, 0), (1_125, 1)] {
        harness.clock(now);
        assert_eq!(desk.asked().len(), asked, "at {now}");
    }
    desk.answer(1, Err("busy"));
    harness.wake();
    harness.clock(1_140);
    assert_eq!(desk.asked(), [1]);
    desk.answer(1, Ok(11));
    harness.wake();
    assert_eq!(harness.values(), [11]);
    harness.clock(9_999);
    assert!(desk.asked().is_empty());
}

#[test]
fn pauses_double_up_to_their_greatest_and_do_not_overflow() {
    let lookup = Lookup::ordered(Desk::default().service()).retries(99, ms(100), ms(500));
    let pauses = [1, 2, 3, 4, 40, 99].map(|tries| lookup.pause_after(tries).as_millis());
    assert_eq!(pauses, [100, 200, 400, 500, 500, 500]);
    let endless = Lookup::ordered(Desk::default().service()).retries(99, Duration::MAX, Duration::MAX);
    assert_eq!(endless.pause_after(99), Duration::MAX);
}

#[test]
fn a_record_without_an_answer_goes_where_it_was_told_and_blocks_nobody() {
    const FAILED: SideOutput<u32> = SideOutput::new("failed");
    let desk = Desk::default();
    let once = || Lookup::ordered(desk.service()).retries(0, ms(1), ms(1));
    let fail = |lookup| {
        let mut harness = Harness::transform(lookup).listening(&FAILED);
        harness.run([Input::at(1, 1), Input::at(2, 2), Input::watermark(5)]);
        desk.answer(2, Ok(22));
        desk.answer(1, Err("unknown"));
        harness.wake();
        assert!(!harness.is_stalled());
        assert_eq!(harness.values(), [22]);
        (harness.dead_letters(), harness.side(&FAILED))
    };
    let (letters, side) = fail(once());
    assert_eq!((letters.len(), side.len()), (1, 0));
    assert_eq!(letters[0].bytes, b"1");
    assert_eq!(letters[0].reason, "look-up failed 1 times, at last: unknown");
    assert_eq!(fail(once().failed_to(FAILED)), (vec![], vec![1]));
    assert_eq!(fail(once().drop_failed()), (vec![], vec![]));
}

#[test]
fn places_that_the_clock_frees_let_the_input_come_again() {
    let desk = Desk::default();
    let lookup = Lookup::ordered(desk.service()).in_flight(1).timeout(ms(10)).retries(0, ms(1), ms(1));
    let mut harness = harness(lookup);
    harness.apply(Input::at(1, 1));
    assert_eq!(harness.hold(), Hold::Woken);
    assert!(!harness.wants_wake());
    harness.clock(1_010);
    assert!(harness.wants_wake());
    harness.wake();
    assert_eq!(harness.hold(), Hold::Free);
    assert!(!harness.wants_wake());
}

#[test]
fn time_outs_are_noticed_while_the_watermark_waits() {
    let desk = Desk::default();
    let mut harness = harness(Lookup::ordered(desk.service()).timeout(ms(10)).retries(0, ms(1), ms(1)));
    harness.run([Input::at(1, 1), Input::watermark(5)]);
    harness.clock(1_010);
    assert!(!harness.is_stalled());
    assert_eq!(harness.dead_letters().len(), 1);
}

#[test]
fn only_calls_that_were_woken_are_looked_at() {
    let desk = Desk::default();
    let mut harness = harness(Lookup::unordered(desk.service()));
    (0..50).for_each(|record| harness.apply(Input::at(1, record)));
    desk.0.lock().unwrap().polls = 0;
    desk.answer(33, Ok(0));
    harness.wake();
    assert_eq!(desk.0.lock().unwrap().polls, 1);
}

#[test]
fn restored_records_are_asked_about_again_in_their_order_and_answered_once() {
    let desk = Desk::default();
    let lookup = || Lookup::ordered(desk.service()).in_flight(3);
    let mut before = harness(lookup());
    before.run((0..5).map(|record| Input::at(i64::from(record), record)));
    desk.answer(0, Ok(0));
    desk.answer(2, Ok(2));
    before.wake();
    assert_eq!(before.values(), [0]);
    assert_eq!(desk.asked(), [0, 1, 2, 3]);

    let mut after = Harness::transform(lookup());
    after.restore(&before.snapshot()).unwrap();
    after.clock(0);
    assert_eq!(desk.asked(), [1, 2, 3], "as soon as the clock is read");
    (1..4).for_each(|record| desk.answer(record, Ok(record)));
    after.wake();
    assert_eq!(desk.asked(), [4]);
    desk.answer(4, Ok(4));
    after.wake();
    let records: Vec<_> = after.records().into_iter().map(|r| (r.value, r.time.as_millis())).collect();
    assert_eq!(records, [(1, 1), (2, 2), (3, 3), (4, 4)]);
}

#[test]
fn the_contract_holds_where_answers_come_at_once() {
    let mut inputs: Vec<_> = (0..40_i64).map(|n| Input::at(100 - n * 7 % 50, n)).collect();
    inputs.insert(20, Input::watermark(60));
    inputs.push(Input::end());
    let at_once = |n: i64| async move { if n % 5 == 0 { Err("no fives") } else { Ok(n * n) } };
    verify_whole(&Lookup::ordered(at_once).retries(0, ms(1), ms(1)), &inputs);
    verify_whole(&Lookup::unordered(at_once).retries(0, ms(1), ms(1)), &inputs);
    verify_whole(&crate::operator::RateLimit::per_second(10.0), &inputs);
}

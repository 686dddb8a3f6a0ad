//! What windows promise, in literal records.

mod active;
mod midway;
mod model;

use std::time::Duration;

use watershed_core::testing::{Harness, Input, verify_transform};
use watershed_core::{Keyed, Record, Transform};

use super::*;
use crate::aggregate::{Aggregate, Count, Max, Mean, Sum};

type In = Input<Keyed<char, i64>>;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn at(millis: i64, key: char, value: i64) -> In {
    Input::at(millis, Keyed { key, value })
}

fn windows<W: Assigner, A: Aggregate<i64>>(assigner: W, aggregate: A) -> W::Windows<char, i64, A> {
    assigner.windows(aggregate, Rules::default())
}

/// A result, short: key, start and end of the window, the occasion, the value.
type Said<R> = (char, i64, i64, Firing, R);

/// What is released by some input, sorted; each result at its window's last millisecond.
fn run<X, R>(transform: &X, inputs: impl IntoIterator<Item = In>) -> Vec<Said<R>>
where
    X: Transform<In = Keyed<char, i64>, Out = Windowed<char, R>>,
    R: watershed_core::Data + PartialOrd,
{
    let mut harness = Harness::transform(transform.clone());
    harness.run(inputs);
    said(harness.records())
}

fn said<R: PartialOrd>(records: Vec<Record<Windowed<char, R>>>) -> Vec<Said<R>> {
    let mut said: Vec<_> = records
        .into_iter()
        .map(|Record { value, time }| {
            assert_eq!(time, value.window.last());
            let Span { start, end } = value.window;
            (value.key, start.as_millis(), end.as_millis(), value.firing, value.value)
        })
        .collect();
    said.sort_by(|a, b| a.partial_cmp(b).expect("results can be ordered"));
    said
}

/// A sequence of numbers that repeats.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as i64) % limit
    }
}

/// Records of several keys, in and out of order, some of them late, with watermarks that creep and jump,
/// and a wall clock.
fn rich() -> Vec<In> {
    let mut draw = Draw(7);
    let mut inputs = Vec::new();
    for i in 0..60_i64 {
        let jitter = draw.below(25);
        let key = char::from(b'a' + draw.below(7) as u8);
        inputs.push(at(i * 2 - jitter, key, jitter - 9));
        match i {
            9 | 10 | 20 | 26 | 27 => inputs.push(Input::watermark(i * 2 - 12)),
            40 => inputs.push(Input::watermark(i * 2 + 3)),
            5 | 12 | 13 | 22 | 50 => inputs.push(Input::clock(i * 3)),
            _ => {}
        }
    }
    inputs.push(Input::end());
    inputs
}

#[test]
fn tumbling_windows_say_each_keys_result_when_the_watermark_reaches_their_last_millisecond() {
    let counts = windows(Tumbling::of(ms(10)), (Count, Sum));
    let mut harness = Harness::transform(counts);
    harness.run([at(3, 'a', 5), at(9, 'b', 1), at(-1, 'a', 2), at(10, 'a', 4), at(4, 'a', 6)]);
    harness.watermark(-2);
    assert_eq!(said(harness.records()), []);
    harness.watermark(-1);
    assert_eq!(said(harness.records()), [('a', -10, 0, Firing::OnTime, (1, 2))]);
    harness.watermark(9);
    let results = [('a', 0, 10, Firing::OnTime, (2, 11)), ('b', 0, 10, Firing::OnTime, (1, 1))];
    assert_eq!(said(harness.records()), results);
    harness.end();
    assert_eq!(said(harness.records()), [('a', 10, 20, Firing::OnTime, (1, 4))]);
}

#[test]
fn an_offset_moves_where_windows_begin() {
    let maxima = windows(Tumbling::of(ms(10)).offset(-3), Max);
    let found = run(&maxima, [at(-4, 'a', 1), at(-3, 'a', 2), at(6, 'a', 3), at(7, 'a', 4), Input::end()]);
    let expected = [(-13, -3, Some(1)), (-3, 7, Some(3)), (7, 17, Some(4))];
    assert_eq!(found, expected.map(|(start, end, max)| ('a', start, end, Firing::OnTime, max)));
}

#[test]
fn a_record_of_a_closed_window_is_counted_and_set_aside() {
    const LATE: watershed_core::SideOutput<i64> = watershed_core::SideOutput::new("late");
    let rules = Rules { late: Some(LATE), ..Rules::default() };
    let counts = Tumbling::of(ms(10)).windows::<char, i64, _>(Count, rules);
    let mut harness = Harness::transform(counts).listening(&LATE);
    harness.run([at(3, 'a', 5), Input::watermark(8), at(2, 'a', 6), Input::watermark(9), at(9, 'a', 7)]);
    harness.run([at(10, 'a', 8), Input::end()]);
    let results = [('a', 0, 10, Firing::OnTime, 2), ('a', 10, 20, Firing::OnTime, 1)];
    assert_eq!(said(harness.records()), results);
    assert_eq!((harness.side(&LATE), harness.counters().late), (vec![7], 1));
}

#[test]
fn records_behind_a_watermark_at_the_end_of_time_are_late_whenever_they_are() {
    let mut harness = Harness::transform(windows(Tumbling::of(ms(10)), Count));
    let end = || Input::watermark(i64::MAX);
    harness.run([at(3, 'a', 5), end(), at(2, 'a', 6), at(i64::MIN, 'b', 7), at(i64::MAX, 'b', 8), end()]);
    harness.run([at(0, 'c', 9), Input::end()]);
    assert_eq!(said(harness.records()), [('a', 0, 10, Firing::OnTime, 1)]);
    assert_eq!(harness.counters().late, 4);
}

#[test]
fn the_ends_of_time_have_windows_too() {
    let counts = windows(Tumbling::of(ms(1000)).offset(7), Count);
    let found = run(&counts, [at(i64::MIN, 'a', 1), at(i64::MAX, 'b', 1), at(0, 'c', 1), Input::end()]);
    assert_eq!(found.iter().map(|said| (said.0, said.4)).collect::<Vec<_>>(), [('a', 1), ('b', 1), ('c', 1)]);
}

#[test]
fn a_sliding_window_has_the_slices_of_its_length() {
    let sums = windows(Sliding::of(ms(30), ms(10)), (Count, Sum));
    let mut harness = Harness::transform(sums);
    harness.run([at(5, 'a', 1), at(15, 'a', 2), at(-5, 'a', 4), at(35, 'b', 8), Input::watermark(19)]);
    let on_time = |start, result| ('a', start, start + 30, Firing::OnTime, result);
    let results = [on_time(-30, (1, 4)), on_time(-20, (2, 5)), on_time(-10, (3, 7))];
    assert_eq!(said(harness.records()), results);
    harness.end();
    let rest = [
        on_time(0, (2, 3)),
        on_time(10, (1, 2)),
        ('b', 10, 40, Firing::OnTime, (1, 8)),
        ('b', 20, 50, Firing::OnTime, (1, 8)),
        ('b', 30, 60, Firing::OnTime, (1, 8)),
    ];
    assert_eq!(said(harness.records()), rest);
}

#[test]
fn a_record_that_is_late_for_some_windows_is_in_the_others() {
    let maxima = windows(Sliding::of(ms(20), ms(10)), Max);
    let inputs = [at(5, 'a', 1), Input::watermark(9), at(6, 'a', 3), at(7, 'b', 4), Input::watermark(19)];
    let expected = [
        ('a', -10, 10, Firing::OnTime, Some(1)),
        ('a', 0, 20, Firing::OnTime, Some(3)),
        ('b', 0, 20, Firing::OnTime, Some(4)),
    ];
    assert_eq!(run(&maxima, inputs), expected);
}

#[test]
fn a_late_record_that_is_allowed_updates_its_window_at_once() {
    let rules = Rules { allowed_lateness: ms(5), ..Rules::default() };
    let mut harness = Harness::transform(Tumbling::of(ms(10)).windows::<char, i64, _>(Sum, rules));
    harness.run([at(3, 'a', 1), Input::watermark(13)]);
    assert_eq!(said(harness.records()), [('a', 0, 10, Firing::OnTime, 1)]);
    harness.apply(at(4, 'a', 2));
    assert_eq!(said(harness.records()), [('a', 0, 10, Firing::Update, 3)]);
    harness.apply(at(9, 'b', 7));
    assert_eq!(said(harness.records()), [('b', 0, 10, Firing::Update, 7)]);
    harness.run([Input::watermark(14), at(5, 'a', 1), Input::end()]);
    assert_eq!((harness.values().len(), harness.counters().late), (0, 1));
}

#[test]
fn early_results_come_every_so_many_records_of_a_window() {
    let rules = Rules { early: Some(Every::records(2)), ..Rules::default() };
    let mut harness = Harness::transform(Tumbling::of(ms(10)).windows::<char, i64, _>(Sum, rules));
    harness.run([at(1, 'a', 1), at(2, 'b', 10), at(11, 'a', 2)]);
    assert_eq!(said(harness.records()), []);
    harness.run([at(3, 'a', 3), at(4, 'a', 4), at(5, 'a', 5)]);
    let early = [('a', 0, 10, Firing::Early, 4), ('a', 0, 10, Firing::Early, 13)];
    assert_eq!(said(harness.records()), early);
    harness.watermark(9);
    let on_time = [('a', 0, 10, Firing::OnTime, 13), ('b', 0, 10, Firing::OnTime, 10)];
    assert_eq!(said(harness.records()), on_time);
}

#[test]
fn early_results_come_with_the_wall_clock_where_something_has_changed() {
    let rules = Rules { early: Some(Every::processing_time(ms(100))), ..Rules::default() };
    let sums = Sliding::of(ms(20), ms(10)).windows::<char, i64, _>(Sum, rules);
    let mut harness = Harness::transform(sums);
    harness.run([Input::clock(130), at(5, 'a', 1), Input::clock(199)]);
    assert_eq!(said(harness.records()), []);
    harness.clock(200);
    let early = |start, sum| ('a', start, start + 20, Firing::Early, sum);
    assert_eq!(said(harness.records()), [early(-10, 1), early(0, 1)]);
    harness.run([Input::clock(300), Input::watermark(9), at(12, 'a', 2), Input::clock(400)]);
    let results = [('a', -10, 10, Firing::OnTime, 1), early(0, 3), early(10, 2)];
    assert_eq!(said(harness.records()), results);
}

#[test]
fn early_results_come_when_the_watermark_passes_a_beat() {
    let rules = Rules { early: Some(Every::event_time(ms(10))), ..Rules::default() };
    let mut harness = Harness::transform(Tumbling::of(ms(100)).windows::<char, i64, _>(Max, rules));
    harness.run([Input::watermark(1), at(5, 'a', 1), Input::watermark(9)]);
    assert_eq!(said(harness.records()), []);
    harness.watermark(13);
    assert_eq!(said(harness.records()), [('a', 0, 100, Firing::Early, Some(1))]);
    harness.run([Input::watermark(25), at(26, 'a', 9), Input::watermark(99)]);
    assert_eq!(said(harness.records()), [('a', 0, 100, Firing::OnTime, Some(9))]);
}

/// Every combination of rules.
fn rules() -> Vec<Rules<i64>> {
    let early =
        [None, Some(Every::records(2)), Some(Every::processing_time(ms(25))), Some(Every::event_time(ms(8)))];
    let combine = |lateness| early.map(|early| Rules { allowed_lateness: ms(lateness), late: None, early });
    [0, 9].into_iter().flat_map(combine).collect()
}

#[test]
fn tumbling_windows_keep_the_contract() {
    for rules in rules() {
        let tumbling = Tumbling::of(ms(10)).offset(3);
        verify_transform(&tumbling.windows::<char, i64, _>((Count, Mean), rules.clone()), &rich());
        verify_transform(&tumbling.windows::<char, i64, _>(crate::aggregate::Collect, rules), &rich());
    }
}

#[test]
fn sliding_windows_keep_the_contract() {
    for rules in rules() {
        let sliding = Sliding::of(ms(25), ms(10));
        verify_transform(&sliding.windows::<char, i64, _>((Count, Mean), rules.clone()), &rich());
        verify_transform(&sliding.windows::<char, i64, _>(Max, rules), &rich());
    }
}

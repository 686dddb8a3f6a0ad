//! What windows promise, in literal records.

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

/// Records of several keys, in and out of order, some of them late, with watermarks that creep and jump.
fn rich() -> Vec<In> {
    let mut inputs = Vec::new();
    let mut state = 7_u64;
    for i in 0..60_i64 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let jitter = (state >> 33) as i64 % 25;
        let key = char::from(b'a' + ((state >> 40) % 7) as u8);
        inputs.push(at(i * 2 - jitter, key, jitter - 9));
        match i {
            9 | 10 | 20 | 26 | 27 => inputs.push(Input::watermark(i * 2 - 12)),
            40 => inputs.push(Input::watermark(i * 2 + 3)),
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
fn the_ends_of_time_have_windows_too() {
    let counts = windows(Tumbling::of(ms(1000)).offset(7), Count);
    let found = run(&counts, [at(i64::MIN, 'a', 1), at(i64::MAX, 'b', 1), at(0, 'c', 1), Input::end()]);
    assert_eq!(found.iter().map(|said| (said.0, said.4)).collect::<Vec<_>>(), [('a', 1), ('b', 1), ('c', 1)]);
}

#[test]
fn tumbling_windows_keep_the_contract() {
    verify_transform(&windows(Tumbling::of(ms(10)), (Count, Mean)), &rich());
    verify_transform(&windows(Tumbling::of(ms(7)).offset(3), crate::aggregate::Collect), &rich());
}

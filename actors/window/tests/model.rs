//! Windows as a model computes them that keeps every record: slow, and plain to see.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// What a model of windows of one length releases at each input, sorted.
pub(super) fn outputs(
    size: i64,
    slide: i64,
    offset: i64,
    lateness: i64,
    inputs: &[In],
) -> (Vec<Vec<Said<i64>>>, u64) {
    let mut windows = BTreeMap::<(i64, char), Vec<i64>>::new();
    let mut closed = BTreeSet::new();
    let (mut watermark, mut late) = (i64::MIN, 0);
    let over = |start: i64, lateness: i64, watermark| watermark >= start + size - 1 + lateness;
    let mut outputs = Vec::new();
    for input in inputs {
        let mut output = Vec::new();
        match input {
            Input::Record(Keyed { key, value }, time) => {
                let time = time.as_millis();
                let starts: Vec<i64> = (time - size + 1..=time)
                    .filter(|start| (start - offset).rem_euclid(slide) == 0)
                    .collect();
                let open: Vec<&i64> = starts.iter().filter(|s| !over(**s, lateness, watermark)).collect();
                late += u64::from(!starts.is_empty() && open.is_empty());
                for start in open {
                    let values = windows.entry((*start, *key)).or_default();
                    values.push(*value);
                    if over(*start, 0, watermark) {
                        closed.insert((*start, *key));
                        output.push((*key, *start, start + size, Firing::Update, values.iter().sum()));
                    }
                }
            }
            Input::Watermark(time) => {
                watermark = time.as_millis();
                for ((start, key), values) in &windows {
                    if over(*start, 0, watermark) && closed.insert((*start, *key)) {
                        output.push((*key, *start, start + size, Firing::OnTime, values.iter().sum()));
                    }
                }
            }
            Input::ProcessingTime(_) => {}
        }
        output.sort_unstable();
        outputs.push(output);
    }
    (outputs, late)
}

/// Sums as an aggregate that cannot be inverted.
#[derive(Clone)]
struct Rigid;

impl Aggregate<i64> for Rigid {
    type Accumulator = i64;
    type Out = i64;

    fn empty(&self) -> i64 {
        0
    }
    fn add(&self, sum: &mut i64, value: &i64, _time: watershed_core::EventTime) {
        *sum += value;
    }
    fn merge(&self, sum: &mut i64, other: &i64) {
        *sum += other;
    }
    fn result(&self, sum: &i64) -> i64 {
        *sum
    }
}

fn compare<A: Aggregate<i64, Out = i64>>(
    aggregate: A,
    (size, slide, offset, lateness): (i64, i64, i64, i64),
    inputs: &[In],
) {
    let (expected, late) = outputs(size, slide, offset, lateness, inputs);
    let rules = Rules { allowed_lateness: ms(lateness as u64), ..Rules::default() };
    let grid = grid::Grid::new(ms(size as u64), ms(slide as u64), offset);
    let mut harness = Harness::transform(Sliced::<char, i64, A>::new(grid, aggregate, rules));
    for (place, (input, expected)) in inputs.iter().zip(expected).enumerate() {
        harness.apply(*input);
        let found = said(harness.records());
        assert_eq!(found, expected, "{size}/{slide}+{offset}, lateness {lateness}, input {place}: {input:?}");
    }
    assert_eq!(harness.counters().late, late, "{size}/{slide}+{offset}, lateness {lateness}");
}

/// Random records of a few keys around a time that goes on, and watermarks that lag behind it by a
/// random amount.
fn random(seed: u64, records: usize) -> Vec<In> {
    let mut draw = crate::window::tests::Draw(seed);
    let (mut now, mut watermark) = (-50, i64::MIN);
    let mut inputs = Vec::new();
    for _ in 0..records {
        now += draw.below(4) * draw.below(3) + if draw.below(60) == 0 { 90 } else { 0 };
        let key = char::from(b'a' + draw.below(5) as u8);
        inputs.push(at(now - draw.below(25), key, draw.below(100) - 30));
        if draw.below(5) == 0 {
            let next = now - draw.below(20);
            if next > watermark {
                watermark = next;
                inputs.push(Input::watermark(watermark));
            }
        }
    }
    inputs.push(Input::end());
    inputs
}

#[test]
fn windows_say_what_a_model_says_that_keeps_every_record() {
    let shapes =
        [(10, 10, 0), (10, 10, 3), (30, 10, 0), (25, 10, -4), (12, 8, 1), (7, 3, 0), (4, 10, 0), (40, 1, 0)];
    for (seed, (size, slide, offset)) in shapes.into_iter().enumerate() {
        for lateness in [0, 6, 45] {
            for round in 0..6 {
                let inputs = random(100 * seed as u64 + round, 150);
                compare(Sum, (size, slide, offset, lateness), &inputs);
                compare(Rigid, (size, slide, offset, lateness), &inputs);
            }
        }
    }
}

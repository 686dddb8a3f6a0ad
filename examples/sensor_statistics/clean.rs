//! Sets aside what cannot be true.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use watershed::prelude::*;

use super::reading::{Reading, text};

/// Lets the readings of each sensor through in the order of their times, without values out of range and
/// without those of a sensor that is stuck.
///
/// Whether a sensor is stuck is seen from its readings in order, and they come out of order. So a reading waits
/// until the watermark has passed it; then all before it are there, and the verdict depends on the readings
/// alone: not on how they came, nor on how many subtasks read them.
#[derive(Clone)]
pub(crate) struct Clean {
    /// The values that are believed.
    pub(crate) range: RangeInclusive<f64>,
    /// How many times in a row a value is believed.
    pub(crate) repeats_max: u32,
}

/// What is known of a sensor.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Data)]
pub(crate) struct Sensor {
    /// Readings that the watermark has not passed; several where their times are equal.
    waiting: BTreeMap<EventTime, Vec<f64>>,
    /// The last value in range.
    last: Option<f64>,
    /// How many times in a row it came.
    repeats: u32,
}

impl Operator for Clean {
    type Key = u32;
    type In = Reading;
    type Out = Reading;
    type State = Sensor;

    fn on_record(&self, reading: Reading, sensor: &mut Sensor, cx: &mut impl Context<Self>) {
        if cx.watermark().has_passed(reading.time) {
            cx.count_late();
        } else if !self.range.contains(&reading.value) {
            let (low, high) = (self.range.start(), self.range.end());
            cx.dead_letter(letter(&reading, format!("{} is not within {low} and {high}", reading.value)));
        } else {
            let waiting = sensor.waiting.entry(reading.time).or_default();
            // Equal times must not make the verdict depend on the order of arrival.
            waiting.insert(waiting.partition_point(|value| *value < reading.value), reading.value);
            cx.set_timer(reading.time);
        }
    }

    fn on_timer(&self, at: EventTime, sensor: &mut Sensor, cx: &mut impl Context<Self>) {
        for value in sensor.waiting.remove(&at).unwrap_or_default() {
            let reading = Reading { sensor: *cx.key(), time: at, value };
            sensor.repeats = if sensor.last == Some(value) { sensor.repeats.saturating_add(1) } else { 1 };
            sensor.last = Some(value);
            if sensor.repeats > self.repeats_max {
                let repeats = sensor.repeats;
                cx.dead_letter(letter(
                    &reading,
                    format!("the sensor is stuck: {value} comes {repeats} times in a row"),
                ));
            } else {
                cx.emit(reading);
            }
        }
    }
}

fn letter(reading: &Reading, reason: String) -> DeadLetter {
    let origin = format!("sensor {} at {}", reading.sensor, text(reading.time));
    let bytes = serde_json::to_vec(reading).expect("a reading can be written as JSON");
    DeadLetter::new(origin, reason, &bytes)
}

#[cfg(test)]
mod tests {
    use watershed::core::testing::{Harness, Input, verify};

    use super::*;

    const CLEAN: Clean = Clean { range: -50.0..=60.0, repeats_max: 2 };

    fn reading(millis: i64, value: f64) -> Reading {
        Reading { sensor: 1, time: EventTime::from_millis(millis), value }
    }

    #[test]
    fn readings_pass_in_the_order_of_their_times() {
        let mut harness = Harness::operator(CLEAN);
        harness.push(1, reading(30, 3.0), 30);
        harness.push(1, reading(10, 1.0), 10);
        harness.push(1, reading(20, 99.0), 20);
        harness.watermark(29);
        assert_eq!(harness.values(), [reading(10, 1.0)]);
        harness.end();
        assert_eq!(harness.values(), [reading(30, 3.0)]);
        let letters = harness.dead_letters();
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0].reason, "99 is not within -50 and 60");
        assert_eq!(letters[0].origin, "sensor 1 at 1970-01-01T00:00:00.02Z");
    }

    #[test]
    fn a_value_that_comes_over_and_over_is_believed_twice() {
        let mut harness = Harness::operator(CLEAN);
        for (millis, value) in [(5, 7.0), (1, 7.0), (4, 7.0), (3, 7.0), (2, 8.0), (6, 9.0), (7, 7.0)] {
            harness.push(1, reading(millis, value), millis);
        }
        harness.end();
        let passed: Vec<_> = harness.values().iter().map(|reading| reading.time.as_millis()).collect();
        assert_eq!(passed, [1, 2, 3, 4, 6, 7]);
        assert_eq!(harness.dead_letters()[0].reason, "the sensor is stuck: 7 comes 3 times in a row");
    }

    #[test]
    fn it_keeps_the_contract_of_operators() {
        let mut inputs = Vec::new();
        for n in 0..60_i64 {
            let (time, value) = (n * 3 + (n * 11) % 7, [1.0, 1.0, 2.0, 70.0][(n * n % 7 % 4) as usize]);
            inputs.push(Input::at(time, ((n % 3) as u32, reading(time, value))));
            if n % 9 == 8 {
                inputs.push(Input::watermark(n * 3 - 8));
            }
        }
        inputs.push(Input::at(2, (1, reading(2, 1.0))));
        inputs.push(Input::end());
        verify(&CLEAN, &inputs);
    }
}

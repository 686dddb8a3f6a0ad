//! What a sensor sends, and sensors to try the pipeline with.

use jiff::Timestamp;
use watershed::prelude::*;

/// What a sensor sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
pub(crate) struct Reading {
    /// The sensor's number.
    pub(crate) sensor: u32,
    /// When it was read, in milliseconds since 1970 (UTC).
    pub(crate) time: EventTime,
    /// What was read, in degrees Celsius.
    pub(crate) value: f64,
}

/// Sensors that do not exist: a reading a minute of each, with faults.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Simulation {
    pub(crate) sensors: u32,
    /// How probable it is that a sensor is stuck for an hour; one reading in ten times as many is wild.
    pub(crate) faults: f64,
    pub(crate) seed: u64,
}

/// 2026-01-01T00:00:00Z.
const BEGIN: EventTime = EventTime::from_millis(1_767_225_600_000);
const MINUTE: u64 = 60_000;
/// Readings come out of order within so many minutes.
const SHUFFLED: u64 = 8;

impl Simulation {
    /// Reading number `n` in the order of arrival.
    pub(crate) fn reading(&self, n: u64, dice: &mut source::Dice) -> Reading {
        let (round, sensor) = (n / u64::from(self.sensors), (n % u64::from(self.sensors)) as u32);
        // The minutes of each stretch of eight are permuted, differently for each sensor.
        let minute = round ^ self.dice(1, sensor, round / SHUFFLED).below(SHUFFLED);
        let hour = minute / 60;
        let stuck = self.dice(2, sensor, hour).chance(self.faults);
        let wild = dice.chance(self.faults / 10.0);
        let value = match (wild, stuck) {
            (true, _) => 850.0 * dice.unit() + 100.0,
            (false, true) => self.temperature(sensor, hour * 60),
            (false, false) => self.temperature(sensor, minute),
        };
        let time = EventTime::from_millis(BEGIN.as_millis() + (minute * MINUTE) as i64);
        Reading { sensor, time, value: (value * 100.0).round() / 100.0 }
    }

    /// A day's curve, weather that all sensors share, and what each has for itself.
    fn temperature(&self, sensor: u32, minute: u64) -> f64 {
        let day = (minute as f64 / 1440.0 * std::f64::consts::TAU).sin();
        let weather = self.dice(3, 0, minute).normal();
        let own = self.dice(4, sensor, minute).normal();
        15.0 + f64::from(sensor % 5) + 6.0 * day + weather + 0.3 * own
    }

    fn dice(&self, purpose: u64, sensor: u32, index: u64) -> source::Dice {
        source::Dice::new(self.seed ^ (purpose << 60) ^ (u64::from(sensor) << 28), index)
    }
}

/// A time as people write it, RFC 3339 in UTC.
pub(crate) fn text(time: EventTime) -> String {
    Timestamp::from_millisecond(time.as_millis()).map_or_else(|_| time.to_string(), |time| time.to_string())
}

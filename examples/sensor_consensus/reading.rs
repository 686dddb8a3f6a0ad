//! What the sensors read: one temperature, each with a noise of its own, and sometimes nonsense.

use watershed::actors::source::Dice;
use watershed::prelude::*;

/// What a sensor reads in a round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
pub(crate) struct Reading {
    pub(crate) round: u64,
    pub(crate) sensor: u32,
    pub(crate) celsius: f64,
}

/// Sensors that take turns: one round after the other, and in each all sensors.
#[derive(Clone, Copy)]
pub(crate) struct Sensors {
    pub(crate) voters: u32,
    pub(crate) faults: f64,
}

/// How far a sensor is off, usually.
const NOISE: f64 = 0.5;

/// What a sensor says that has gone mad.
const MAD: f64 = 500.0;

/// How many rounds the temperature takes to go up and down.
const DAY: f64 = 96.0;

impl Sensors {
    /// Reading number `n`.
    pub(crate) fn reading(self, n: u64, dice: &mut Dice) -> Reading {
        let (round, sensor) = (n / u64::from(self.voters), (n % u64::from(self.voters)) as u32);
        let truth = 15.0 + 8.0 * (std::f64::consts::TAU * round as f64 / DAY).sin();
        let celsius = if dice.chance(self.faults) { MAD } else { truth + NOISE * dice.normal() };
        Reading { round, sensor, celsius }
    }
}

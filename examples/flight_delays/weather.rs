//! The weather at an airport: what the outputs need of a row of `weather.csv`.

use compact_str::CompactString;
use watershed::prelude::*;

use super::flight::Flight;
use super::utc::Utc;

/// The weather of an airport's hour as the file has it, each field named after its column.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub(super) struct Weather {
    /// The airport.
    pub(super) origin: CompactString,
    /// When it was observed: a full hour.
    pub(super) time_hour: Utc,
    /// How far one can see, in miles.
    pub(super) visib: Option<f64>,
}

impl Weather {
    /// The hour: a row's event time.
    pub(super) fn observed(&self) -> EventTime {
        self.time_hour.0
    }

    /// The band of visibility, where it was observed.
    pub(super) fn visibility(self) -> Option<Visibility> {
        let Weather { origin, time_hour, visib } = self;
        Some(Visibility { origin, time_hour, band: Band::of(visib?) })
    }
}

/// How far one could see from an airport in an hour.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub(super) struct Visibility {
    /// The airport.
    pub(super) origin: CompactString,
    /// The beginning of the hour.
    pub(super) time_hour: Utc,
    /// How far.
    pub(super) band: Band,
}

/// A flight, and how far one could see when it was to leave.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub(super) struct FlightInWeather {
    /// The airport it leaves.
    pub(super) origin: CompactString,
    /// How far one could see there.
    pub(super) band: Band,
    /// See [`Flight::dep_delay`].
    pub(super) dep_delay: Option<i32>,
}

impl FlightInWeather {
    /// Puts both together.
    pub(super) fn new(flight: &Flight, visibility: &Visibility) -> Self {
        let (origin, dep_delay) = (flight.origin.clone(), flight.dep_delay);
        FlightInWeather { origin, band: visibility.band, dep_delay }
    }
}

/// How far one can see, in miles; the upper bound belongs to a band.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Data)]
pub(super) enum Band {
    /// Up to 2.
    #[serde(rename = "0-2")]
    Poor,
    /// Up to 5.
    #[serde(rename = "2-5")]
    Fair,
    /// All above.
    #[serde(rename = "5-10")]
    Good,
}

impl Band {
    fn of(miles: f64) -> Self {
        match miles {
            ..=2.0 => Band::Poor,
            ..=5.0 => Band::Fair,
            _ => Band::Good,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upper_bound_of_a_band_belongs_to_it() {
        let bands = [0.0, 2.0, 2.01, 5.0, 5.01, 10.0].map(Band::of);
        assert_eq!(bands, [Band::Poor, Band::Poor, Band::Fair, Band::Fair, Band::Good, Band::Good]);
    }
}

//! The rows of the outputs, as their files have them.

use compact_str::CompactString;
use serde::Serializer;
use watershed::prelude::*;

use super::flight::Flight;
use super::utc::Utc;
use super::weather::Band;

/// A mean, in minutes; six decimals where it is written as text.
#[derive(Clone, Copy, Debug, Deserialize, Data)]
pub(super) struct Minutes(f64);

impl Serialize for Minutes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(&format_args!("{:.6}", self.0))
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

/// The flights that were to leave an airport in an hour: `hourly.csv`.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub(super) struct Hour {
    origin: CompactString,
    window_start: Utc,
    window_end: Utc,
    flights: u64,
    departed: u64,
    mean_dep_delay: Option<Minutes>,
}

impl From<Windowed<CompactString, (u64, u64, Option<f64>)>> for Hour {
    fn from(hour: Windowed<CompactString, (u64, u64, Option<f64>)>) -> Self {
        let (flights, departed, mean_dep_delay) = hour.value;
        Hour {
            origin: hour.key,
            window_start: Utc(hour.window.start),
            window_end: Utc(hour.window.end),
            flights,
            departed,
            mean_dep_delay: mean_dep_delay.map(Minutes),
        }
    }
}

/// An airline's flights of a day, any hour being the beginning of a day: `carriers.csv`.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub(super) struct CarrierDay {
    carrier: CompactString,
    window_start: Utc,
    window_end: Utc,
    flights: u64,
    mean_arr_delay: Option<Minutes>,
}

impl From<Windowed<CompactString, (u64, Option<f64>)>> for CarrierDay {
    fn from(day: Windowed<CompactString, (u64, Option<f64>)>) -> Self {
        let (flights, mean_arr_delay) = day.value;
        CarrierDay {
            carrier: day.key,
            window_start: Utc(day.window.start),
            window_end: Utc(day.window.end),
            flights,
            mean_arr_delay: mean_arr_delay.map(Minutes),
        }
    }
}

/// The flights of an aircraft with no long silence between them: `rotations.csv`.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub(super) struct Rotation {
    tailnum: Option<CompactString>,
    session_start: Utc,
    session_end: Utc,
    flights: u64,
    distance: u64,
}

impl From<Windowed<Option<CompactString>, (u64, u64)>> for Rotation {
    fn from(session: Windowed<Option<CompactString>, (u64, u64)>) -> Self {
        let (flights, distance) = session.value;
        Rotation {
            tailnum: session.key,
            session_start: Utc(session.window.start),
            session_end: Utc(session.window.end),
            flights,
            distance,
        }
    }
}

/// The flights that were to leave an airport on a day in some visibility: `weather.csv`.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub(super) struct WeatherDay {
    origin: CompactString,
    window_start: Utc,
    visibility_band: Band,
    flights: u64,
    mean_dep_delay: Option<Minutes>,
}

impl From<Windowed<(CompactString, Band), (u64, Option<f64>)>> for WeatherDay {
    fn from(day: Windowed<(CompactString, Band), (u64, Option<f64>)>) -> Self {
        let ((origin, visibility_band), (flights, mean_dep_delay)) = (day.key, day.value);
        WeatherDay {
            origin,
            window_start: Utc(day.window.start),
            visibility_band,
            flights,
            mean_dep_delay: mean_dep_delay.map(Minutes),
        }
    }
}

/// One of the busiest destinations of an airport's day: `top_routes.csv`.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub(super) struct TopRoute {
    origin: CompactString,
    window_start: Utc,
    rank: u32,
    dest: CompactString,
    flights: u64,
}

impl TopRoute {
    /// The rows of an airport's day: its destinations with their flights, the busiest first.
    pub(super) fn ranked(day: Windowed<CompactString, Vec<(CompactString, u64)>>) -> Vec<TopRoute> {
        let row = |(rank, (dest, flights))| TopRoute {
            origin: day.key.clone(),
            window_start: Utc(day.window.start),
            rank,
            dest,
            flights,
        };
        (1..).zip(day.value).map(row).collect()
    }
}

/// A flight that came too late for an output: `late.csv`.
#[derive(Clone, Debug, Serialize, Deserialize, Data)]
pub(super) struct Late {
    output: CompactString,
    event_time: Utc,
    carrier: CompactString,
    tailnum: Option<CompactString>,
    origin: CompactString,
    dest: CompactString,
    distance: u32,
    dep_delay: Option<i32>,
    arr_delay: Option<i32>,
}

impl Late {
    /// A flight that `output` is without.
    pub(super) fn for_output(output: &'static str) -> impl Fn(Flight) -> Late + Clone + Send + 'static {
        move |flight| Late {
            output: CompactString::const_new(output),
            event_time: Utc(flight.scheduled()),
            carrier: flight.carrier,
            tailnum: flight.tailnum,
            origin: flight.origin,
            dest: flight.dest,
            distance: flight.distance,
            dep_delay: flight.dep_delay,
            arr_delay: flight.arr_delay,
        }
    }
}

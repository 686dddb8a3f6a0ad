//! Delays of flights: tumbling, sliding and session windows, a join, a ranking, over real and disorderly data.
//!
//! ```text
//!             ┌─ by origin ──────── each hour ────────────────────────────── hourly.csv
//!             ├─ by carrier ─────── 24 hours, each hour ──────────────────── carriers.csv
//!  flights ───┼─ by aircraft ────── until a silence of 6 hours ──────────── rotations.csv
//!             ├─ by origin, hour ─┬ join ── by origin, band ── each day ──── weather.csv
//!  weather ───┼───────────────────┘
//!             └─ by origin ──────── each day, the 3 busiest destinations ── top_routes.csv
//! ```
//!
//! A flight's event time is its scheduled departure. The file has the flights in the order in which their departures
//! became known, so one that left a day late comes a day late: the bound of 24 hours waits for all of them. With
//! a smaller bound, the flights that an output had to do without are in `late.csv`, once for each such output. Which
//! ones these are depends on how far the others have come by then: a replay at a `rate` shows more of them than one at
//! full speed, where many flights are read between two looks at the time.

mod flight;
mod parameters;
mod report;
mod utc;
mod weather;

use aggregate::{AggregateOf, Count, Mean, MostFrequent, Sum};
use watershed::prelude::*;

use flight::Flight;
pub(crate) use parameters::FlightDelays;
use report::{CarrierDay, Hour, Late, Rotation, TopRoute, WeatherDay};
use weather::{FlightInWeather, Weather};

/// The hour of which a weather row tells.
const HOUR: Duration = Duration::from_secs(60 * 60);
/// Flights that came too late for a window.
const LATE: SideOutput<Flight> = SideOutput::new("late");

pub(crate) fn register(app: App) -> App {
    app.pipeline("flight-delays", "Tells when, where and why flights are late, over real data", flight_delays)
}

pub(crate) fn flight_delays(pipeline: &Pipeline, p: FlightDelays) -> Result<(), watershed::Error> {
    p.check()?;
    let mut flights = source::Csv::<Flight>::at(p.input()).missing("NA").rows_are_lines();
    if let Some(rate) = p.rate {
        flights = flights.per_second(rate);
    }
    let flights = pipeline
        .source(flights)
        .named("flights")
        .uid("flights")
        .event_times(EventTimes::by(Flight::scheduled).out_of_order_by(p.bound))
        .shared();
    let weather = pipeline
        .source(source::Csv::<Weather>::at(p.weather()).missing("NA").rows_are_lines())
        .named("weather")
        .uid("weather")
        .event_times(EventTimes::by(Weather::observed).out_of_order_by(p.bound));

    let late = hourly(flights.branch(), &p)
        .union(carriers(flights.branch(), &p))
        .union(rotations(flights.branch(), &p))
        .union(weather_days(flights.branch(), weather, &p))
        .union(top_routes(flights.branch(), &p));
    late.gather().sink(p.csv("late.csv").when_needed()).named("late.csv").uid("late-csv");
    Ok(())
}

/// Counts the flights of each airport and hour, and how late they left. Returns those that came too late.
fn hourly(flights: Stream<impl Chain<Out = Flight>>, p: &FlightDelays) -> Stream<impl Chain<Out = Late>> {
    let hours = flights
        .key_by(|flight| flight.origin.clone())
        .window(Tumbling::of(p.hourly_window))
        .late_to(&LATE)
        .aggregate((
            Count,
            Count.of_some(|flight: &Flight| flight.dep_delay),
            Mean.of_some(|flight: &Flight| flight.dep_delay),
        ))
        .named("hourly")
        .uid("hourly");
    let late = hours.side(&LATE).map(Late::for_output("hourly"));
    hours.map(Hour::from).gather().sink(p.csv("hourly.csv")).named("hourly.csv").uid("hourly-csv");
    late
}

/// Counts the flights of each airline over a day, anew for each hour, and how late they came.
fn carriers(flights: Stream<impl Chain<Out = Flight>>, p: &FlightDelays) -> Stream<impl Chain<Out = Late>> {
    let days = flights
        .key_by(|flight| flight.carrier.clone())
        .window(Sliding::of(p.carriers_size, p.carriers_slide))
        .late_to(&LATE)
        .aggregate((Count, Mean.of_some(|flight: &Flight| flight.arr_delay)))
        .named("carriers")
        .uid("carriers");
    let late = days.side(&LATE).map(Late::for_output("carriers"));
    days.map(CarrierDay::from).gather().sink(p.csv("carriers.csv")).named("carriers.csv").uid("carriers-csv");
    late
}

/// Follows each aircraft from flight to flight, as long as it does not rest.
fn rotations(flights: Stream<impl Chain<Out = Flight>>, p: &FlightDelays) -> Stream<impl Chain<Out = Late>> {
    let rotations = flights
        .filter(|flight| flight.tailnum.is_some())
        .key_by(|flight| flight.tailnum.clone())
        .window(Session::with_gap(p.gap))
        .late_to(&LATE)
        .aggregate((Count, Sum.of(|flight: &Flight| flight.distance)))
        .named("rotations")
        .uid("rotations");
    let late = rotations.side(&LATE).map(Late::for_output("rotations"));
    rotations
        .map(Rotation::from)
        .gather()
        .sink(p.csv("rotations.csv"))
        .named("rotations.csv")
        .uid("rotations-csv");
    late
}

/// Counts the flights of each airport and day by how far one could see when they were to leave.
fn weather_days(
    flights: Stream<impl Chain<Out = Flight>>,
    weather: Stream<impl Chain<Out = Weather>>,
    p: &FlightDelays,
) -> Stream<impl Chain<Out = Late>> {
    let visibilities = weather.flat_map(Weather::visibility);
    let joined = flights
        .key_by(|flight| (flight.origin.clone(), flight.time_hour))
        .interval_join(
            visibilities.key_by(|visibility| (visibility.origin.clone(), visibility.time_hour)),
            join::Interval::before(HOUR, Duration::ZERO),
        )
        .late_to(&LATE)
        .inner(|_, flight, visibility| FlightInWeather::new(flight, visibility))
        .uid("flights-in-weather");
    let late = joined.side(&LATE).map(Late::for_output("weather"));
    joined
        .key_by(|flight| (flight.origin.clone(), flight.band))
        .window(Tumbling::of(p.weather_window))
        .aggregate((Count, Mean.of_some(|flight: &FlightInWeather| flight.dep_delay)))
        .named("weather-days")
        .uid("weather-days")
        .map(WeatherDay::from)
        .gather()
        .sink(p.csv("weather.csv"))
        .named("weather.csv")
        .uid("weather-csv");
    late
}

/// Finds the busiest destinations of each airport and day.
fn top_routes(flights: Stream<impl Chain<Out = Flight>>, p: &FlightDelays) -> Stream<impl Chain<Out = Late>> {
    let days = flights
        .key_by(|flight| flight.origin.clone())
        .window(Tumbling::of(p.routes_window))
        .late_to(&LATE)
        .aggregate(MostFrequent::new(p.routes_top).of(|flight: &Flight| flight.dest.clone()))
        .named("top-routes")
        .uid("top-routes");
    let late = days.side(&LATE).map(Late::for_output("top_routes"));
    days.flat_map(TopRoute::ranked)
        .gather()
        .sink(p.csv("top_routes.csv"))
        .named("top_routes.csv")
        .uid("top-routes-csv");
    late
}

//! Readings of sensors: collected, cleaned, aggregated, stored, and analysed by a second pipeline.
//!
//! ```text
//!  simulation ─┐                        ┌─ by sensor ── window: count, sum, mean, ─┬─ sensors.sqlite
//!  file ───────┼─▶ by sensor ── clean ──┤               variance, extremes         └─ statistics.jsonl ─▶ sensor-analysis
//!  TCP ────────┤        │               │
//!  UDP ────────┘        │               └─ two sensors ── join ── window: ─────────┬─ sensors.sqlite
//!                       ▼                                 covariance               └─ relation.jsonl
//!                 rejected.jsonl
//! ```
//!
//! Without `input`, sensors are simulated, with faults: values out of range, and sensors that are stuck. `input` is
//! a file (`.csv` with a header, else JSON lines), `tcp://HOST:PORT` or `udp://HOST:PORT` to listen for JSON
//! lines: `{"sensor":3,"time":1767225600000,"value":17.25}`. A socket has no end: Ctrl-C ends the job, and shows
//! what the windows said that were closed by then.
//!
//! A reading that cannot be true is a dead letter, with the reason, and so is a line that cannot be read; both
//! are in `rejected.jsonl`, and the rest goes on.

mod analysis;
mod clean;
mod reading;
mod row;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use aggregate::{AggregateOf, Count, Covariance, Max, Mean, Min, Sum, Variance};
use watershed::prelude::*;

use clean::Clean;
use reading::{Reading, Simulation, text};
use row::{Relation, Statistics};

/// What can be set.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Parameters {
    /// Where readings come from; simulated where there is nothing.
    input: Option<String>,
    /// The directory for the outputs.
    output: PathBuf,
    /// Readings to simulate.
    readings: u64,
    /// Sensors to simulate.
    sensors: u32,
    /// How probable it is that a simulated sensor is stuck for an hour.
    faults: f64,
    /// What else decides about the simulation.
    seed: u64,
    /// How many readings to simulate a second; as many as possible where there is none.
    rate: Option<f64>,
    /// By how much a reading may come behind a later one.
    bound: Duration,
    /// The lowest value that is believed.
    low: f64,
    /// The highest value that is believed.
    high: f64,
    /// How many times in a row a value is believed.
    repeats: u32,
    /// The length of a window.
    window: Duration,
    /// One of the sensors that are compared.
    left: u32,
    /// The other one.
    right: u32,
    /// How far apart two readings may be and still be compared.
    apart: Duration,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters {
            input: None,
            output: "out/sensors".into(),
            readings: 10 * 3 * 24 * 60,
            sensors: 10,
            faults: 0.02,
            seed: 7,
            rate: None,
            bound: Duration::from_secs(10 * 60),
            low: -50.0,
            high: 60.0,
            repeats: 5,
            window: Duration::from_secs(60 * 60),
            left: 0,
            right: 1,
            apart: Duration::ZERO,
        }
    }
}

/// Registers both pipelines.
pub(crate) fn register(app: App) -> App {
    app.pipeline(
        "sensor-statistics",
        "Cleans and aggregates sensor readings, and stores them",
        sensor_statistics,
    )
    .pipeline(
        "sensor-analysis",
        "Tells the extremes of each day from stored statistics",
        analysis::sensor_analysis,
    )
}

pub(crate) fn sensor_statistics(pipeline: &Pipeline, p: Parameters) -> Result<(), watershed::Error> {
    if p.low.is_nan() || p.high.is_nan() || p.low > p.high {
        return Err("low must not be above high".into());
    }
    if p.window < Duration::from_millis(1) {
        return Err("the window must last a millisecond or more".into());
    }
    if p.rate.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
        return Err("the rate must be a number above 0".into());
    }
    pipeline
        .dead_letters()
        .sink(sink::DeadLetterFile::at(p.output.join("rejected.jsonl")))
        .named("rejected.jsonl")
        .uid("rejected");
    match p.input.as_deref() {
        None => statistics(pipeline.source(simulated(&p)?), &p),
        Some(input) => match input.split_once("://") {
            Some(("tcp", address)) => {
                statistics(pipeline.source(source::TcpListen::lines(address).decode(json())), &p);
            }
            Some(("udp", address)) => {
                statistics(pipeline.source(source::Udp::text(address).decode(json())), &p);
            }
            Some((other, _)) => {
                return Err(format!("{other}:// is no input; use tcp://, udp:// or a file").into());
            }
            None if input.trim_end_matches(".gz").ends_with(".csv") => {
                statistics(pipeline.source(source::Csv::<Reading>::at(input)), &p);
            }
            None => statistics(pipeline.source(source::JsonLines::<Reading>::at(input)), &p),
        },
    }
    Ok(())
}

fn json() -> source::Json<Reading> {
    source::Json::default()
}

fn simulated(p: &Parameters) -> Result<impl Source<Out = Reading>, watershed::Error> {
    if p.sensors == 0 || !(0.0..=1.0).contains(&p.faults) {
        return Err("there must be a sensor, and faults must be a probability".into());
    }
    let simulation = Simulation { sensors: p.sensors, faults: p.faults, seed: p.seed };
    let source = Generator::new(p.seed, move |n, dice| simulation.reading(n, dice)).take(p.readings);
    Ok(match p.rate {
        Some(rate) => source.per_second(rate),
        None => source,
    })
}

/// What is done with readings, wherever they come from.
fn statistics(readings: Stream<impl Chain<Out = Reading>>, p: &Parameters) {
    // One clock that is a thousand years ahead must not make everybody else late.
    let plausible = EventTime::from_millis(0)..=EventTime::from_millis(4_102_444_800_000);
    let times = EventTimes::by(|reading: &Reading| reading.time).out_of_order_by(p.bound);
    let clean = readings
        .named("readings")
        .uid("readings")
        .event_times(times.plausible(plausible))
        .key_by(|reading| reading.sensor)
        .process(Clean { range: p.low..=p.high, repeats_max: p.repeats })
        .uid("clean")
        .named("clean")
        .shared();
    store(by_sensor(clean.branch(), p.window), "statistics", ["sensor", "window_start"], p);
    store(between_sensors(&clean, p), "relation", ["left", "right", "window_start"], p);
}

/// The statistics of each sensor and window.
fn by_sensor(
    readings: Stream<impl Chain<Out = Reading>>,
    window: Duration,
) -> Stream<impl Chain<Out = Statistics>> {
    let value = |reading: &Reading| reading.value;
    readings
        .key_by(|reading| reading.sensor)
        .window(Tumbling::of(window))
        .aggregate((
            Count,
            Sum.of(value),
            Mean.of(value),
            Variance::population().of(value),
            Min.of(value),
            Max.of(value),
        ))
        .uid("statistics")
        .flat_map(|row| {
            // A window that says something has had a reading, so nothing is missing here.
            let (readings, sum, mean, variance, lowest, highest) = row.value;
            Some(Statistics {
                sensor: row.key,
                window_start: text(row.window.start),
                window_end: text(row.window.end),
                readings,
                sum,
                mean: mean?,
                variance: variance?,
                lowest: lowest?,
                highest: highest?,
            })
        })
}

/// The covariance of two sensors in each window, over readings of the same time.
fn between_sensors(
    clean: &watershed::core::SharedStream<Reading>,
    p: &Parameters,
) -> Stream<impl Chain<Out = Relation>> {
    let (left, right) = (p.left, p.right);
    let of = move |sensor| {
        clean.branch().filter(move |reading| reading.sensor == sensor).key_by(move |_| (left, right))
    };
    of(left)
        .interval_join(of(right), join::Interval::around(p.apart, p.apart))
        .inner(|pair, left, right| (*pair, left.value, right.value))
        .uid("pairs")
        .key_by(|(pair, _, _)| *pair)
        .window(Tumbling::of(p.window))
        .aggregate((
            Count,
            Covariance::population().of(|(_, left, right): &((u32, u32), f64, f64)| (*left, *right)),
        ))
        .uid("relation")
        .flat_map(|row| {
            let (pairs, covariance) = row.value;
            Some(Relation {
                left: row.key.0,
                right: row.key.1,
                window_start: text(row.window.start),
                window_end: text(row.window.end),
                pairs,
                covariance: covariance?,
            })
        })
}

/// Stores rows as JSON lines and in a table; a repeated job replaces its rows.
fn store<T: Data, const N: usize>(
    rows: Stream<impl Chain<Out = T>>,
    name: &str,
    key: [&str; N],
    p: &Parameters,
) {
    let rows = rows.gather().shared();
    let lines = format!("{name}.jsonl");
    let file = sink::Files::json_lines(p.output.join(&lines));
    rows.branch().parallelism(1).sink(file).named(&lines).uid(&format!("{name}-lines"));
    let table = sink::SqliteTable::new(p.output.join("sensors.sqlite"), name).primary_key(key);
    rows.branch()
        .parallelism(1)
        .sink(table)
        .named(&format!("sensors.sqlite, {name}"))
        .uid(&format!("{name}-table"));
}

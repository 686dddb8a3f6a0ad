//! Reads the statistics back and says what the days were like.

use std::path::PathBuf;

use watershed::prelude::*;

use super::row::Statistics;

/// What can be set.
#[derive(Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Parameters {
    /// Where `sensor-statistics` has left its lines.
    input: PathBuf,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { input: "out/sensors/statistics.jsonl".into() }
    }
}

/// Prints each sensor's lowest and highest value of each day, with the windows in which they were.
///
/// The lines are of the past and all there: a day's rows meet by key, whatever their order, and no time is
/// needed.
pub(crate) fn sensor_analysis(pipeline: &Pipeline, parameters: Parameters) -> Result<(), watershed::Error> {
    pipeline
        .source(source::JsonLines::<Statistics>::at(parameters.input))
        .uid("statistics")
        .key_by(|row| (row.sensor, day(row).to_owned()))
        .window(Global::new())
        .aggregate(aggregate::Collect)
        .uid("days")
        .flat_map(|Windowed { key: (sensor, day), value: rows, .. }| extremes(sensor, &day, &rows))
        .sink(Print::display())
        .uid("extremes");
    Ok(())
}

/// The day in which a window begins: the date of an RFC 3339 time.
fn day(row: &Statistics) -> &str {
    row.window_start.split('T').next().unwrap_or_default()
}

fn extremes(sensor: u32, day: &str, rows: &[Statistics]) -> Option<String> {
    // Of equal ones the earliest.
    let order = |a: f64, b: f64, x: &Statistics, y: &Statistics| {
        a.total_cmp(&b).then_with(|| x.window_start.cmp(&y.window_start))
    };
    let lowest = rows.iter().min_by(|x, y| order(x.lowest, y.lowest, x, y))?;
    let highest = rows.iter().min_by(|x, y| order(y.highest, x.highest, x, y))?;
    let (sum, readings) =
        rows.iter().fold((0.0, 0), |(sum, readings), row| (sum + row.sum, readings + row.readings));
    Some(format!(
        "sensor {sensor}, {day}: lowest {:.2} in {}, highest {:.2} in {}, mean {:.2} of {readings} readings",
        lowest.lowest,
        lowest.window_start,
        highest.highest,
        highest.window_start,
        sum / readings as f64,
    ))
}

//! What can be set of the pipeline, and what it is where nobody sets it.

use std::path::{Path, PathBuf};

use watershed::prelude::*;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest window that can be set.
const SPAN_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// What can be set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(crate) struct FlightDelays {
    /// The directory for the outputs.
    pub(crate) output: PathBuf,
    /// The flights.
    pub(crate) input: PathBuf,
    /// The weather.
    pub(crate) weather: PathBuf,
    /// How many flights to read a second; as many as possible where there is none.
    pub(crate) rate: Option<f64>,
    /// By how much a flight may come behind a later one.
    pub(crate) bound: Duration,
    /// The length of a window of `hourly`.
    pub(crate) hourly_window: Duration,
    /// The length of a window of `carriers`.
    pub(crate) carriers_size: Duration,
    /// From the beginning of a window of `carriers` to that of the next.
    pub(crate) carriers_slide: Duration,
    /// A silence that ends a rotation.
    pub(crate) gap: Duration,
    /// The length of a window of `weather`.
    pub(crate) weather_window: Duration,
    /// The length of a window of `top_routes`.
    pub(crate) routes_window: Duration,
    /// How many destinations are ranked.
    pub(crate) routes_top: usize,
}

impl Default for FlightDelays {
    fn default() -> Self {
        FlightDelays {
            output: "out/flight-delays".into(),
            input: "examples/data/flights-2013-01.csv.gz".into(),
            weather: "examples/data/weather-2013-01.csv.gz".into(),
            rate: None,
            bound: DAY,
            hourly_window: HOUR,
            carriers_size: DAY,
            carriers_slide: HOUR,
            gap: 6 * HOUR,
            weather_window: DAY,
            routes_window: DAY,
            routes_top: 3,
        }
    }
}

impl FlightDelays {
    /// Refuses what makes no sense.
    pub(super) fn check(&self) -> Result<(), watershed::Error> {
        let spans = [
            ("hourly-window", self.hourly_window),
            ("carriers-size", self.carriers_size),
            ("carriers-slide", self.carriers_slide),
            ("gap", self.gap),
            ("weather-window", self.weather_window),
            ("routes-window", self.routes_window),
        ];
        let least = Duration::from_millis(1);
        if let Some((name, span)) = spans.iter().find(|(_, span)| !(least..=SPAN_MAX).contains(span)) {
            return Err(
                format!("{name} is {span:?}, and has to be between a millisecond and 100 years").into()
            );
        }
        match self.rate {
            Some(rate) if !(rate.is_finite() && rate > 0.0) => {
                Err(format!("rate is {rate}, and has to be a number above 0; leave it out for no limit")
                    .into())
            }
            _ => Ok(()),
        }
    }

    /// Where the flights are.
    pub(super) fn input(&self) -> PathBuf {
        found(&self.input)
    }

    /// Where the weather is.
    pub(super) fn weather(&self) -> PathBuf {
        found(&self.weather)
    }

    /// A file in the output directory.
    pub(super) fn csv<T: Data>(&self, name: &str) -> sink::Files<T, sink::Csv> {
        sink::Files::csv(self.output.join(name))
    }
}

/// Finds the data that comes with the project wherever that was built, whatever the working directory is.
fn found(path: &Path) -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if path.starts_with("examples/data") && !path.exists() && built.exists() {
        built
    } else {
        path.to_owned()
    }
}

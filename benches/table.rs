//! The closing table: medians over the runs of each system, and how they stand to the two baselines.

use std::fmt;

use serde::Serialize;

use crate::latency::Latency;
use crate::measure::Measurement;
use crate::system::System;

/// One line for each system.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

/// Medians of one system's runs, each figure by itself.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    system: System,
    runs: usize,
    m_events_per_second: f64,
    cpu_seconds_per_million: f64,
    peak_mb: f64,
    /// Events per second as a multiple of the hand-written program's, if that ran.
    to_handwritten: Option<f64>,
    /// Events per second as a multiple of timely's, if that ran; in two processes where this one was, too.
    to_timely: Option<f64>,
    /// Events per second as a multiple of Watershed's without checkpoints, if that ran.
    to_watershed: Option<f64>,
    latency: Option<Latency>,
}

impl Table {
    /// Sums up the runs of the systems.
    pub(crate) fn of(systems: &[System], measurements: &[Measurement]) -> Self {
        let rate = |system: System| {
            let rates: Vec<f64> = of_system(system, measurements).map(Measurement::rate_m).collect();
            (!rates.is_empty()).then(|| median(rates))
        };
        let (handwritten, timely) = (rate(System::Handwritten), rate(System::Timely));
        let (watershed, timely_remote) = (rate(System::Watershed), rate(System::TimelyRemote));
        let row = |system: &System| {
            let figures = |figure: fn(&Measurement) -> f64| {
                median(of_system(*system, measurements).map(figure).collect())
            };
            let m_events_per_second = figures(Measurement::rate_m);
            Row {
                system: *system,
                runs: of_system(*system, measurements).count(),
                m_events_per_second,
                cpu_seconds_per_million: figures(Measurement::cpu_per_million),
                peak_mb: figures(Measurement::peak_mb),
                to_handwritten: handwritten.map(|rate| m_events_per_second / rate),
                to_timely: timely_remote
                    .filter(|_| *system == System::WatershedRemote)
                    .or(timely)
                    .map(|rate| m_events_per_second / rate),
                to_watershed: watershed.map(|rate| m_events_per_second / rate),
                latency: median_latency(of_system(*system, measurements)),
            }
        };
        Self { rows: systems.iter().map(row).collect() }
    }

    /// The lines, in the order of the systems.
    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }
}

impl Row {
    /// One JSON object.
    pub(crate) fn to_json(&self) -> String {
        let mut object = serde_json::to_value(self).expect("a row is numbers and names");
        object["kind"] = "medians".into();
        object.to_string()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:22} {:>4} {:>12} {:>10} {:>8}", "system", "runs", "M events/s", "CPU-s/M", "MB")?;
        if self.rows.iter().any(|row| row.latency.is_some()) {
            write!(f, " {:>8} {:>8} {:>8} {:>8}", "p50 ms", "p99", "p99.9", "max")?;
        }
        write!(f, " {:>14} {:>9} {:>12}", "x handwritten", "x timely", "x watershed")?;
        for row in &self.rows {
            let Row { system, runs, m_events_per_second, cpu_seconds_per_million, peak_mb, .. } = row;
            write!(f, "\n{system:22} {runs:>4} {m_events_per_second:>12.2} {cpu_seconds_per_million:>10.5}")?;
            write!(f, " {peak_mb:>8.1}")?;
            if let Some(Latency { p50_ms, p99_ms, p99_9_ms, max_ms }) = &row.latency {
                write!(f, " {p50_ms:>8.2} {p99_ms:>8.2} {p99_9_ms:>8.2} {max_ms:>8.2}")?;
            }
            let (handwritten, timely) = (ratio(row.to_handwritten), ratio(row.to_timely));
            write!(f, " {handwritten:>14} {timely:>9} {:>12}", ratio(row.to_watershed))?;
        }
        Ok(())
    }
}

fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(|| "-".into(), |ratio| format!("{ratio:.2}"))
}

fn of_system(system: System, measurements: &[Measurement]) -> impl Iterator<Item = &Measurement> + Clone {
    measurements.iter().filter(move |measurement| measurement.system == system)
}

fn median_latency<'a>(measurements: impl Iterator<Item = &'a Measurement>) -> Option<Latency> {
    let latencies: Vec<Latency> = measurements.filter_map(|measurement| measurement.latency).collect();
    let figures = |figure: fn(&Latency) -> f64| median(latencies.iter().map(figure).collect());
    (!latencies.is_empty()).then(|| Latency {
        p50_ms: figures(|latency| latency.p50_ms),
        p99_ms: figures(|latency| latency.p99_ms),
        p99_9_ms: figures(|latency| latency.p99_9_ms),
        max_ms: figures(|latency| latency.max_ms),
    })
}

/// The middle of the figures, or the mean of the two in the middle; they are not empty.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    let middle = figures.len() / 2;
    if figures.len() % 2 == 1 { figures[middle] } else { f64::midpoint(figures[middle - 1], figures[middle]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Tally;
    use crate::workload::Workload;

    fn run_of(system: System, seconds: f64) -> Measurement {
        Measurement {
            system,
            workload: Workload::MapFilter,
            events: 6_000_000,
            seconds,
            cpu_seconds: 3.0,
            peak_bytes: 2_000_000,
            tally: Tally::default(),
            latency: None,
            checkpoints: None,
        }
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![9.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn rates_are_set_against_both_baselines() {
        let runs =
            [run_of(System::Handwritten, 1.0), run_of(System::Timely, 2.0), run_of(System::Timely, 2.0)];
        let table = Table::of(&[System::Handwritten, System::Timely], &runs);
        let [handwritten, timely] = table.rows() else { panic!("two systems ran") };
        assert_eq!((handwritten.to_handwritten, handwritten.to_timely), (Some(1.0), Some(2.0)));
        assert_eq!((timely.to_handwritten, timely.to_timely), (Some(0.5), Some(1.0)));
        assert_eq!((timely.runs, timely.cpu_seconds_per_million, timely.peak_mb), (2, 0.5, 2.0));
    }

    #[test]
    fn a_baseline_that_did_not_run_leaves_a_dash() {
        let table = Table::of(&[System::Timely], &[run_of(System::Timely, 2.0)]);
        // Last come the multiples of hand-written, timely and Watershed.
        assert_eq!(
            table.to_string().split_whitespace().rev().take(3).collect::<Vec<_>>(),
            ["-", "1.00", "-"]
        );
    }
}

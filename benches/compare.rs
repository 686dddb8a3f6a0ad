//! Runs the systems in turn, each run in a fresh process, and compares what they found and used.

use std::env;
use std::io::{self, Write};
use std::process::{Command, Stdio};

use crate::error::Error;
use crate::measure::{self, Measurement};
use crate::system::System;
use crate::table::Table;
use crate::text;
use crate::workload::{Parameters, Workload};

/// Load average of the last minute above which a comparison warns.
const LOAD_MAX: f64 = 0.5;

/// Arguments of a comparison.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    parameters: Parameters,
    /// Number of runs of each system; the table shows medians
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    runs: u32,
    /// The systems, in the order in which they take turns (default: handwritten, timely and watershed)
    #[arg(long, value_enum, value_delimiter = ',')]
    systems: Vec<System>,
    /// Print one JSON object a line: one for each run, then one for each system
    #[arg(long)]
    json: bool,
}

/// Compares the systems on one workload. An error if a run fails or the results of any run are wrong.
pub(crate) fn compare(arguments: &Arguments) -> Result<(), Error> {
    let parameters = with_text(&arguments.parameters)?;
    let systems = if arguments.systems.is_empty() { &System::USUAL[..] } else { &arguments.systems };
    if let Some(load) = measure::load().filter(|load| *load > LOAD_MAX) {
        eprintln!("watershed-bench: load average {load}: something else is running, and figures will vary");
    }
    let mut measurements: Vec<Measurement> = Vec::new();
    let mut wrong = Vec::new();
    for run in 1..=arguments.runs {
        for system in systems {
            let measurement = measure_run(*system, &parameters)?;
            let verdict = verdict(&parameters, measurements.first(), &measurement);
            if arguments.json {
                print(&run_as_json(run, &measurement, verdict.is_ok()))?;
            } else {
                print(&run_as_text(run, &measurement, &verdict))?;
            }
            wrong.extend(verdict.err());
            measurements.push(measurement);
        }
    }
    let table = Table::of(systems, &measurements);
    if arguments.json {
        table.rows().iter().try_for_each(|row| print(&row.to_json()))?;
    } else {
        print(&format!("\n{table}"))?;
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::Wrong(wrong.join("; "))) }
}

/// Makes the word file if the workload needs it, so that no run pays for it.
fn with_text(parameters: &Parameters) -> Result<Parameters, Error> {
    let mut parameters = parameters.clone();
    if parameters.workload == Workload::WordCount {
        parameters.text = Some(text::path(&parameters)?);
    }
    Ok(parameters)
}

/// Runs one system in a process of its own.
fn measure_run(system: System, parameters: &Parameters) -> Result<Measurement, Error> {
    let start = |source| Error::Start { system, source };
    let output = Command::new(env::current_exe().map_err(start)?)
        .arg("run")
        .arg(format!("--system={system}"))
        .args(parameters.to_arguments())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(start)?;
    if !output.status.success() {
        return Err(Error::Run { system, status: output.status.to_string() });
    }
    // Some systems say on standard output what they wait for.
    let said = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(said.lines().last().unwrap_or_default())
        .map_err(|error| Error::Run { system, status: format!("no measurement: {error}") })
}

/// Says whether the results of a run are right, and if not, why.
fn verdict(parameters: &Parameters, first: Option<&Measurement>, run: &Measurement) -> Result<(), String> {
    let sum = parameters.sum_expected(run.events);
    if run.tally.sum != sum {
        return Err(format!("{} counted {} where there are {sum}", run.system, run.tally.sum));
    }
    match first {
        Some(first) if first.tally != run.tally || first.events != run.events => Err(format!(
            "{} found {} results of {} events with checksum {:016x}, {} found {} of {} with {:016x}",
            run.system,
            run.tally.results,
            run.events,
            run.tally.checksum,
            first.system,
            first.tally.results,
            first.events,
            first.tally.checksum,
        )),
        Some(_) | None => Ok(()),
    }
}

fn run_as_text(run: u32, measurement: &Measurement, verdict: &Result<(), String>) -> String {
    let Measurement { system, seconds, tally, .. } = measurement;
    let mut line = format!(
        "{:13} {system:22} run {run}: {:9.2} M events/s  {:8.5} CPU-s/M  {:7.1} MB  {seconds:6.2} s  sum {} results {} checksum {:016x}",
        measurement.workload.name(),
        measurement.rate_m(),
        measurement.cpu_per_million(),
        measurement.peak_mb(),
        tally.sum,
        tally.results,
        tally.checksum,
    );
    if let Some(late) = &measurement.latency {
        line += &format!(
            "  p50 {:.2} p99 {:.2} p99.9 {:.2} max {:.2} ms",
            late.p50_ms, late.p99_ms, late.p99_9_ms, late.max_ms
        );
    }
    if let Some(of) = &measurement.checkpoints {
        line += &format!(
            "  {} checkpoints, pause p50 {:.2} p99 {:.2} max {:.2} ms",
            of.completed, of.pause_p50_ms, of.pause_p99_ms, of.pause_max_ms
        );
    }
    line + if verdict.is_ok() { "  right" } else { "  WRONG" }
}

fn run_as_json(run: u32, measurement: &Measurement, right: bool) -> String {
    let mut object = serde_json::to_value(measurement).expect("a measurement is numbers and names");
    object["kind"] = "run".into();
    object["run"] = run.into();
    object["right"] = right.into();
    object["events_per_second"] = (measurement.rate_m() * 1e6).into();
    object["cpu_seconds_per_million"] = measurement.cpu_per_million().into();
    object.to_string()
}

fn print(line: &str) -> Result<(), Error> {
    writeln!(io::stdout(), "{line}").map_err(Error::Write)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::tally::Tally;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        parameters: Parameters,
    }

    fn run_of(system: System, sum: u64, checksum: u64) -> Measurement {
        let tally = Tally { sum, results: 1, checksum };
        let (seconds, cpu_seconds) = (1.0, 1.0);
        let workload = Workload::KeyedCount;
        Measurement {
            system,
            workload,
            events: 10,
            seconds,
            cpu_seconds,
            peak_bytes: 1,
            tally,
            latency: None,
            checkpoints: None,
        }
    }

    #[test]
    fn a_child_gets_the_parameters_of_its_parent() {
        let line = "x --workload word-count --events 7 --keys 3 --rate 5 --bytes 9 --combine --text f";
        let given = Line::parse_from(line.split(' ')).parameters;
        let got = Line::parse_from([vec!["x".into()], given.to_arguments()].concat()).parameters;
        assert_eq!(format!("{given:?}"), format!("{got:?}"));
    }

    #[test]
    fn a_sum_that_is_not_the_number_of_events_is_wrong() {
        let parameters = Line::parse_from(["x", "--workload=keyed-count"]).parameters;
        assert!(verdict(&parameters, None, &run_of(System::Timely, 10, 1)).is_ok());
        assert!(verdict(&parameters, None, &run_of(System::Timely, 9, 1)).is_err());
    }

    #[test]
    fn two_systems_with_different_checksums_are_wrong() {
        let parameters = Line::parse_from(["x", "--workload=keyed-count"]).parameters;
        let first = run_of(System::Handwritten, 10, 1);
        assert!(verdict(&parameters, Some(&first), &run_of(System::Timely, 10, 1)).is_ok());
        assert!(verdict(&parameters, Some(&first), &run_of(System::Timely, 10, 2)).is_err());
    }
}

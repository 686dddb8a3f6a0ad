//! Two processes that do one workload together over loopback, each with one subtask or worker.
//!
//! The first process starts the second, tells it its place in the pair, and takes what it found from its standard
//! output. The clock runs while events do: starting processes and founding a cluster is left out, for all systems.

mod timely;
mod watershed;

use std::env;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::{Finished, System};
use crate::error::Error;
use crate::tally::Tally;
use crate::workload::{Parameters, Workload};

/// Arguments of the second process.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long, value_enum)]
    system: System,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    parameters: Parameters,
}

/// The place of a process in the pair.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Place {
    /// 0 for the first process, 1 for the second.
    #[arg(long)]
    index: usize,
    /// The ports of both on loopback.
    #[arg(long, value_delimiter = ',')]
    ports: Vec<u16>,
    /// A directory that both have.
    #[arg(long)]
    directory: std::path::PathBuf,
}

/// What the second process found.
#[derive(Debug, Serialize, Deserialize)]
struct Half {
    tally: Tally,
    peak_bytes: u64,
}

/// Runs a workload in two processes, of which this is the first.
pub(crate) fn run(system: System, parameters: &Parameters) -> Result<Finished, Error> {
    if parameters.workload != Workload::KeyedCount {
        return Err(Error::NoSuchPair { system, workload: parameters.workload });
    }
    let place = env::current_exe().map_err(|source| Error::Start { system, source })?;
    let folder = place.parent().map_or_else(TempDir::new, tempfile::tempdir_in);
    let folder = folder.map_err(|source| Error::Start { system, source })?;
    let ports = free_ports().map_err(|source| Error::Start { system, source })?;
    let place = Place { index: 0, ports, directory: folder.path().to_owned() };
    let second = second(system, &place, parameters)?;
    let (seconds, tally) = work(system, &place, parameters);
    let half = finish(system, second)?;
    Ok(Finished {
        events: parameters.events,
        tally: tally.merge(half.tally),
        latency: None,
        checkpoints: None,
        seconds: Some(seconds),
        others_peak_bytes: half.peak_bytes,
    })
}

/// Runs the second half of a workload, and prints what it found.
pub(crate) fn run_second(arguments: &Arguments) -> Result<(), Error> {
    let (_, tally) = work(arguments.system, &arguments.place, &arguments.parameters);
    let half = Half { tally, peak_bytes: crate::measure::peak_bytes()? };
    let line = serde_json::to_string(&half).expect("numbers can be written");
    writeln!(io::stdout(), "{line}").map_err(Error::Write)
}

/// How long the events took, and what this half has found.
fn work(system: System, place: &Place, parameters: &Parameters) -> (f64, Tally) {
    if system == System::TimelyRemote {
        timely::work(place, parameters)
    } else {
        watershed::work(place, parameters)
    }
}

fn second(system: System, place: &Place, parameters: &Parameters) -> Result<Child, Error> {
    let start = |source| Error::Start { system, source };
    let ports: Vec<String> = place.ports.iter().map(u16::to_string).collect();
    Command::new(env::current_exe().map_err(start)?)
        .arg("second")
        .arg(format!("--system={system}"))
        .arg("--index=1")
        .arg(format!("--ports={}", ports.join(",")))
        .arg(format!("--directory={}", place.directory.display()))
        .args(parameters.to_arguments())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(start)
}

/// Lets the second process end, whose standard input ends with the work, and reads what it found.
fn finish(system: System, mut second: Child) -> Result<Half, Error> {
    drop(second.stdin.take());
    let mut output = String::new();
    let mut stdout = second.stdout.take().expect("it was piped");
    stdout.read_to_string(&mut output).map_err(|source| Error::Start { system, source })?;
    let status = second.wait().map_err(|source| Error::Start { system, source })?;
    let half = serde_json::from_str(output.lines().last().unwrap_or_default());
    half.map_err(|error| Error::Run { system, status: format!("{status}, {error}") })
}

fn free_ports() -> io::Result<Vec<u16>> {
    let listeners = [TcpListener::bind("127.0.0.1:0")?, TcpListener::bind("127.0.0.1:0")?];
    listeners.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

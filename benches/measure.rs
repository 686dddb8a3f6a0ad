//! One run, alone in its process, and what it used: the peak memory and CPU seconds of a process cannot be set
//! back to zero, so each run gets a new one.

use std::fs;
use std::io::{self, Write};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::latency::Latency;
use crate::system::{Checkpoints, System};
use crate::tally::Tally;
use crate::workload::{Parameters, Workload};

/// Arguments of a single run.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[arg(long, value_enum)]
    system: System,
    #[command(flatten)]
    parameters: Parameters,
}

/// What one run did and used.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Measurement {
    /// The system.
    pub(crate) system: System,
    /// The job.
    pub(crate) workload: Workload,
    /// Number of events read.
    pub(crate) events: u64,
    /// Wall time from before the first thread starts until after the last result, in s.
    pub(crate) seconds: f64,
    /// User and system time of all processes that took part, in s.
    pub(crate) cpu_seconds: f64,
    /// The most memory that was resident at one time, in bytes; of the largest process.
    pub(crate) peak_bytes: u64,
    /// The results.
    pub(crate) tally: Tally,
    /// How late the results were, in the `latency` workload.
    pub(crate) latency: Option<Latency>,
    /// What checkpoints cost, where there were any.
    pub(crate) checkpoints: Option<Checkpoints>,
}

impl Measurement {
    /// Million events per second of wall time.
    pub(crate) fn rate_m(&self) -> f64 {
        self.millions() / self.seconds
    }

    /// CPU seconds per million events.
    pub(crate) fn cpu_per_million(&self) -> f64 {
        self.cpu_seconds / self.millions()
    }

    /// Peak memory in MB.
    pub(crate) fn peak_mb(&self) -> f64 {
        self.peak_bytes as f64 / 1e6
    }

    fn millions(&self) -> f64 {
        self.events as f64 / 1e6
    }
}

/// Runs a workload in this process and prints its measurement as one line of JSON.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Error> {
    let (system, parameters) = (arguments.system, &arguments.parameters);
    let begun = Instant::now();
    let finished = system.run(parameters)?;
    let measurement = Measurement {
        system,
        workload: parameters.workload,
        events: finished.events,
        seconds: finished.seconds.unwrap_or_else(|| begun.elapsed().as_secs_f64()),
        cpu_seconds: cpu_seconds()?,
        peak_bytes: peak_bytes()?.max(finished.others_peak_bytes),
        tally: finished.tally,
        latency: finished.latency,
        checkpoints: finished.checkpoints,
    };
    let line = serde_json::to_string(&measurement).expect("a measurement is numbers and names");
    writeln!(io::stdout(), "{line}").map_err(Error::Write)
}

/// Load average of the last minute, if the kernel tells.
pub(crate) fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// CPU seconds of this process and of those that it has started, in user mode and in the kernel, over all threads.
fn cpu_seconds() -> Result<f64, Error> {
    let seconds = |who| -> Result<f64, Error> {
        let usage = getrusage(who).map_err(|errno| Error::Usage(errno.into()))?;
        Ok((usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6)
    };
    Ok(seconds(UsageWho::RUSAGE_SELF)? + seconds(UsageWho::RUSAGE_CHILDREN)?)
}

/// The most memory that was ever resident in this process, in bytes: the `VmHWM` of `/proc/self/status`.
pub(crate) fn peak_bytes() -> Result<u64, Error> {
    let status = fs::read_to_string("/proc/self/status").map_err(Error::Usage)?;
    peak_bytes_of(&status).ok_or_else(|| Error::Usage(io::Error::other("no VmHWM in /proc/self/status")))
}

fn peak_bytes_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_memory_is_read_in_kib() {
        assert_eq!(peak_bytes_of("Name:\tx\nVmPeak:\t  9 kB\nVmHWM:\t    1234 kB\n"), Some(1_263_616));
    }

    #[test]
    fn a_status_without_peak_memory_is_none() {
        assert_eq!(peak_bytes_of("Name:\tx\n"), None);
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(peak_bytes().unwrap() > 100_000);
    }
}

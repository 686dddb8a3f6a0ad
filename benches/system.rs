//! The systems that are compared. Each does every workload with [`crate::workload::SUBTASKS`] threads.

mod handwritten;
pub(crate) mod pair;
mod timely;
mod watershed;

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::latency::Latency;
use crate::tally::Tally;
use crate::workload::Parameters;

/// Names a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum System {
    /// A program for the one job, on two threads.
    Handwritten,
    /// timely-dataflow with two workers.
    Timely,
    /// The same with a distributor in place of timely's exchange, where events are exchanged by key and windowed.
    TimelyTuned,
    /// Watershed with two subtasks.
    Watershed,
    /// The same with a state directory and a checkpoint now and then.
    WatershedCheckpointed,
    /// timely-dataflow in two processes with a worker each.
    TimelyRemote,
    /// Watershed in two processes with a subtask each.
    WatershedRemote,
}

impl System {
    /// The systems that are compared unless others are named, in the order in which they take turns.
    pub(crate) const USUAL: [Self; 3] = [Self::Handwritten, Self::Timely, Self::Watershed];

    /// The name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Handwritten => "handwritten",
            Self::Timely => "timely",
            Self::TimelyTuned => "timely-tuned",
            Self::Watershed => "watershed",
            Self::WatershedCheckpointed => "watershed-checkpointed",
            Self::TimelyRemote => "timely-remote",
            Self::WatershedRemote => "watershed-remote",
        }
    }

    /// Runs a workload to its end.
    pub(crate) fn run(self, parameters: &Parameters) -> Result<Finished, Error> {
        match self {
            Self::Handwritten => handwritten::run(parameters),
            Self::Timely => timely::run(parameters, timely::Distribution::Stock),
            Self::TimelyTuned => timely::run(parameters, timely::Distribution::Tuned),
            Self::Watershed => watershed::run(parameters, None),
            Self::WatershedCheckpointed => {
                watershed::run(parameters, Some(Duration::from_millis(parameters.interval_ms)))
            }
            Self::TimelyRemote | Self::WatershedRemote => pair::run(self, parameters),
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a system found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Finished {
    /// Number of events read.
    pub(crate) events: u64,
    /// The results.
    pub(crate) tally: Tally,
    /// How late the results were, in the `latency` workload.
    pub(crate) latency: Option<Latency>,
    /// What checkpoints cost, where there were any.
    pub(crate) checkpoints: Option<Checkpoints>,
    /// How long the events took, where other things came before them.
    pub(crate) seconds: Option<f64>,
    /// The most memory that another process had which took part.
    pub(crate) others_peak_bytes: u64,
}

/// The checkpoints of a run, and how long their barriers held subtasks up.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Checkpoints {
    /// How many were completed.
    pub(crate) completed: u64,
    /// The longest pause of 50 in 100 barriers, in ms.
    pub(crate) pause_p50_ms: f64,
    /// The longest of 99 in 100.
    pub(crate) pause_p99_ms: f64,
    /// The longest.
    pub(crate) pause_max_ms: f64,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        parameters: Parameters,
    }

    /// Runs a workload on all systems; the sum must be right and the results the same.
    fn found_by_all(arguments: &str) -> Finished {
        let parameters = Line::parse_from(arguments.split(' ')).parameters;
        // Pairs of processes need the benchmark's own binary, and run there.
        let alone = |system: &&System| !matches!(system, System::TimelyRemote | System::WatershedRemote);
        let run = |system: &System| (*system, system.run(&parameters).unwrap());
        let mut found = System::value_variants().iter().filter(alone).map(run);
        let (_, first) = found.next().unwrap();
        assert_eq!(first.tally.sum, parameters.sum_expected(first.events), "{arguments}");
        for (system, other) in found {
            assert_eq!((other.events, other.tally), (first.events, first.tally), "{system:?}: {arguments}");
        }
        first
    }

    #[test]
    fn all_systems_keep_the_same_numbers() {
        for events in [1, 2, 1_023, 100_001] {
            found_by_all(&format!("x --workload map-filter --events {events}"));
        }
    }

    #[test]
    fn all_systems_count_the_same_in_tumbling_windows() {
        assert_eq!(found_by_all("x --workload keyed-count --events 350000 --keys 10").tally.results, 40);
        assert_eq!(found_by_all("x --workload keyed-count --events 1 --keys 10").tally.results, 1);
        // Enough keys for the second and third window to be partitioned.
        found_by_all("x --workload keyed-count --events 300000 --keys 300000");
    }

    #[test]
    fn all_systems_count_the_same_in_sliding_windows() {
        assert_eq!(found_by_all("x --workload sliding-count --events 1200000 --keys 10").tally.results, 210);
        found_by_all("x --workload sliding-count --events 1 --keys 1");
        found_by_all("x --workload sliding-count --events 200000 --keys 300000");
    }

    #[test]
    fn all_systems_count_the_same_words() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let words: String =
            (0..60_000).map(|i| format!("w{}{}", i % 1_000, if i % 7 == 0 { "\n" } else { " " })).collect();
        std::fs::write(file.path(), words + "incomprehensibilities x").unwrap();
        for how in ["", " --combine"] {
            let line = format!("x --workload word-count --text {}{how}", file.path().display());
            assert_eq!(found_by_all(&line).tally.results, 1_002);
        }
    }

    #[test]
    fn all_systems_find_the_same_as_the_wall_clock_goes() {
        let found = found_by_all("x --workload latency --events 110000 --rate 100000 --keys 10");
        assert_eq!(found.tally.results, 20);
        assert!(found.latency.is_some_and(|latency| latency.max_ms > 0.0));
    }
}

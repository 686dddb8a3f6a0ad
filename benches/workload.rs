//! The workloads: what every system is given and what it must find.
//!
//! | workload | job |
//! | --- | --- |
//! | `map-filter` | `u64` `i` -> `i * 3 + 1` -> keep even -> discard (count and sum what is kept) |
//! | `keyed-count` | key `splitmix64(i) % keys`, event time `i / 1000` ms; exchange by key between two subtasks; tumbling windows of 1 s; count per key and window |
//! | `sliding-count` | the same with windows of 10 s every 1 s |
//! | `word-count` | count per word of a text file |
//! | `latency` | `keyed-count` at a steady rate, event time = wall clock; from window end to result at the sink |
//!
//! Rules, so that systems do the same job: keys are opaque (nobody may index an array with them); a record
//! crosses the exchange as its key and event time; the window is found where the state is; each result
//! goes to the sink by itself. [`key_of`] is the same function for all.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

/// Number of subtasks, workers or threads that each system gets.
pub(crate) const SUBTASKS: usize = 2;
/// Size of the tumbling windows, in ms of event time.
pub(crate) const WINDOW_MS: i64 = 1_000;
/// Number of slides in one sliding window; the slide is [`WINDOW_MS`].
pub(crate) const SLIDES: i64 = 10;
/// Events per millisecond of event time, where the wall clock does not set it. Fewer in tests, which need many windows
/// and not many events in each.
pub(crate) const EVENTS_PER_MS: u64 = if cfg!(test) { 100 } else { 1_000 };

/// Names one of the jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Workload {
    /// Numbers are mapped and filtered; nothing is exchanged.
    MapFilter,
    /// Events are counted per key in tumbling windows.
    KeyedCount,
    /// Events are counted per key in sliding windows.
    SlidingCount,
    /// Words of a file are counted.
    WordCount,
    /// As `keyed-count`, paced by the wall clock.
    Latency,
}

impl Workload {
    /// The name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::MapFilter => "map-filter",
            Self::KeyedCount => "keyed-count",
            Self::SlidingCount => "sliding-count",
            Self::WordCount => "word-count",
            Self::Latency => "latency",
        }
    }
}

/// Says how much of a workload to run; handed from `compare` to each run as it was given.
#[derive(Clone, Debug, Args)]
pub(crate) struct Parameters {
    /// The job
    #[arg(long, value_enum)]
    pub(crate) workload: Workload,
    /// Number of events (not for word-count; for latency 20 s at the rate unless told)
    #[arg(long, default_value_t = 200_000_000, default_value_if("workload", "latency", "4000000"), value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) events: u64,
    /// Number of different keys
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) keys: u64,
    /// Events per second of the latency workload
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rate: u64,
    /// Milliseconds between the checkpoints of watershed-checkpointed
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) interval_ms: u64,
    /// Size of the word file, in bytes
    #[arg(long, default_value_t = 256 << 20)]
    pub(crate) bytes: u64,
    /// Count words where they are read and exchange the counts, instead of exchanging every word
    #[arg(long)]
    pub(crate) combine: bool,
    /// The word file (default: beside the benchmark's binary, made at the first use and kept)
    #[arg(long)]
    pub(crate) text: Option<PathBuf>,
}

impl Parameters {
    /// The arguments that give a child process these parameters.
    pub(crate) fn to_arguments(&self) -> Vec<String> {
        let mut arguments = vec![format!("--workload={}", self.workload.name())];
        arguments.extend([
            format!("--events={}", self.events),
            format!("--keys={}", self.keys),
            format!("--rate={}", self.rate),
            format!("--bytes={}", self.bytes),
            format!("--interval-ms={}", self.interval_ms),
        ]);
        if self.combine {
            arguments.push("--combine".into());
        }
        arguments.extend(self.text.iter().map(|path| format!("--text={}", path.display())));
        arguments
    }

    /// What the counts of all results must add up to when `events` events were read.
    pub(crate) fn sum_expected(&self, events: u64) -> u64 {
        match self.workload {
            // The kept ones are those of the odd numbers below `events`.
            Workload::MapFilter => events / 2,
            Workload::KeyedCount | Workload::WordCount | Workload::Latency => events,
            // Each event is in every window that slides over it.
            Workload::SlidingCount => events * SLIDES.unsigned_abs(),
        }
    }
}

/// Scrambles 64 bits so that each bit of the result depends on all of them.
#[inline]
pub(crate) fn splitmix64(z: u64) -> u64 {
    let z = z.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The key of event `i`, below `keys`.
#[inline]
pub(crate) fn key_of(i: u64, keys: u64) -> u64 {
    splitmix64(i) % keys
}

/// The event time of event `i`, in ms, where the wall clock does not set it.
#[inline]
pub(crate) fn event_time_ms(i: u64) -> i64 {
    (i / EVENTS_PER_MS).cast_signed()
}

/// The start of the tumbling window that holds `time_ms`.
#[inline]
pub(crate) fn window_start_ms(time_ms: i64) -> i64 {
    time_ms - time_ms.rem_euclid(WINDOW_MS)
}

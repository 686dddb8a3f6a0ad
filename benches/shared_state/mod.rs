//! `shared-state`: what it costs to share state, and to be able to.
//!
//! | part | question | beside |
//! | --- | --- | --- |
//! | [`unused`] | what does a job pay that shares nothing? | an older program, named by `--before` |
//! | [`reads`] | records a second where each reads shared state | the same stream with a constant of its own |
//! | [`spread`] | bytes of an update for each that receives it; how long until it is there | Redis with `WAIT 2`, where it is installed |
//! | [`vectors`] | how many entries do vectors have over recoveries, joins and leaves? | the bound: three lanes for each node |
//!
//! Each run is in fresh processes, systems take turns, and no figure counts whose results are wrong.

mod node;
mod reads;
mod redis;
mod spread;
mod trio;
mod unused;
mod vectors;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::error::Error;

pub(crate) use node::{Arguments as NodeArguments, run as run_node};
pub(crate) use reads::{Arguments as ReadArguments, run as run_reads};

/// What is measured, and how much of it.
#[derive(Clone, Debug, Args)]
pub(crate) struct Arguments {
    /// The parts, in their order (default: all)
    #[arg(long, value_enum, value_delimiter = ',')]
    parts: Vec<Part>,
    /// Number of runs of each system; medians are shown
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    runs: u32,
    /// An older `watershed-bench`, for what a job pays that shares nothing
    #[arg(long)]
    before: Option<PathBuf>,
    /// Records of a run that reads, and events of one that shares nothing
    #[arg(long, default_value_t = 50_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    records: u64,
    /// Updates a second, of three nodes together
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    rate: u64,
    /// Seconds for which there are updates
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Nodes that are killed or leave, and come back
    #[arg(long, default_value_t = 12)]
    harms: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Unused,
    Reads,
    Spread,
    Vectors,
}

/// Measures what was asked for. An error if a run fails or its results are wrong.
pub(crate) fn shared_state(arguments: &Arguments) -> Result<(), Error> {
    let all = [Part::Unused, Part::Reads, Part::Spread, Part::Vectors];
    let parts = if arguments.parts.is_empty() { &all[..] } else { &arguments.parts };
    for part in parts {
        match part {
            Part::Unused => unused::measure(arguments)?,
            Part::Reads => reads::measure(arguments)?,
            Part::Spread => {
                spread::measure(arguments)?;
                redis::measure(arguments)?;
            }
            Part::Vectors => vectors::measure(arguments)?,
        }
    }
    Ok(())
}

/// The median of some figures; of two in the middle, the greater.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What `share` of some sorted figures do not exceed.
fn at_most(sorted: &[u32], share: f64) -> u32 {
    let place = (sorted.len() as f64 * share) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_tail_are_found() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert!(median(Vec::new()).is_nan());
        let sorted: Vec<u32> = (1..=100).collect();
        assert_eq!([at_most(&sorted, 0.5), at_most(&sorted, 0.99), at_most(&sorted, 1.0)], [51, 100, 100]);
        assert_eq!(at_most(&[], 0.5), 0);
    }
}

//! timely-dataflow in two processes with a worker each.

use std::time::Instant;

use timely::{CommunicationConfig, Config, WorkerConfig};

use super::Place;
use crate::system::timely::count_on;
use crate::tally::Tally;
use crate::workload::Parameters;

/// Counts this half, with the other process.
pub(super) fn work(place: &Place, parameters: &Parameters) -> (f64, Tally) {
    let addresses = place.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let communication = CommunicationConfig::Cluster {
        threads: 1,
        process: place.index,
        addresses,
        report: false,
        zerocopy: false,
    };
    let begun = Instant::now();
    let tally = count_on(Config { communication, worker: WorkerConfig::default() }, parameters);
    (begun.elapsed().as_secs_f64(), tally)
}

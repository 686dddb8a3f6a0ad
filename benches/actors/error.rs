//! What can go wrong around the measurements.

use std::io;

use crate::system::System;

/// A failure that ends the benchmark with exit code 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// A process cannot be started, or not be heard.
    #[error("cannot start a process for {system}: {source}")]
    Start { system: System, source: io::Error },
    /// The process of a measurement ended without one.
    #[error("a measurement of {system} failed ({status}); what it said is above")]
    Run { system: System, status: String },
    /// A system did not do what it was to do.
    #[error("{system}: {why}")]
    System { system: System, why: String },
    /// Figures cannot be written.
    #[error("cannot write the figures: {0}")]
    Write(io::Error),
}

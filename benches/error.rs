//! What can go wrong around a benchmark: the files it makes, the processes it starts, the results it gets.

use std::io;
use std::path::PathBuf;

use crate::system::System;

/// A failure that ends the benchmark with exit code 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Error {
    /// The word file cannot be made, read or replaced.
    #[error("cannot use the word file {path}: {source}; name another with --text")]
    Text { path: PathBuf, source: io::Error },
    /// The process of one run cannot be started.
    #[error("cannot start a run of {system}: {source}")]
    Start { system: System, source: io::Error },
    /// The workload is none for two processes.
    #[error("{system} does keyed-count only, and was asked for {}", workload.name())]
    NoSuchPair { system: System, workload: crate::workload::Workload },
    /// The process of one run ended without a measurement.
    #[error("a run of {system} failed ({status}); what it said is above")]
    Run { system: System, status: String },
    /// The kernel does not tell what a run used.
    #[error("cannot read what the process used: {0}")]
    Usage(io::Error),
    /// A run counted other events than there were, or another number of results than another system.
    #[error("wrong results, no figure above counts: {0}")]
    Wrong(String),
    /// The measurement cannot be written.
    #[error("cannot write the measurement: {0}")]
    Write(io::Error),
}

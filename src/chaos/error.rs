//! Why a rehearsal could not be held: what is not the pipeline's fault, or cannot be told from it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a rehearsal could not be held.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChaosError {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Asked(String),
    /// A file or a directory.
    #[error("{}: {error}", path.display())]
    Place {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        error: io::Error,
    },
    /// A socket of the proxy.
    #[error("the proxy cannot be opened: {0}")]
    Proxy(#[source] io::Error),
    /// A process.
    #[error("{what} cannot be started: {error}")]
    Process {
        /// Which.
        what: String,
        /// What is wrong.
        #[source]
        error: io::Error,
    },
    /// The pipeline fails without being hurt.
    #[error("the pipeline does not come to its end in one process, without any harm: {0}")]
    Undisturbed(String),
    /// The cluster does not come up, or does not take the job.
    #[error("{what}: not within {} s; the nodes say:\n{said}", within.as_secs())]
    Never {
        /// What was waited for.
        what: String,
        /// How long.
        within: Duration,
        /// The last that the nodes have said.
        said: String,
    },
    /// Somebody has had enough.
    #[error("interrupted")]
    Interrupted,
}

impl ChaosError {
    /// About a path.
    pub(crate) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> ChaosError {
        let path = path.into();
        move |error| ChaosError::Place { path, error }
    }
}

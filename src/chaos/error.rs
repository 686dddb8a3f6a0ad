//! Why a rehearsal could not be held: what is not the pipeline's fault, or cannot be told from it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::home::Home;

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
    /// What a home needs is not there.
    #[error("nodes cannot live in {home} here: {what}; {remedy}")]
    Home {
        /// Where they were to live.
        home: Home,
        /// What is missing.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// A program of the system that makes a home.
    #[error("`{command}` failed: {said}")]
    Tool {
        /// What was run.
        command: String,
        /// What it has said.
        said: String,
    },
    /// The pipeline fails without being hurt.
    #[error("the pipeline does not come to its end in one process, without any harm: {0}")]
    Undisturbed(String),
    /// What the pipeline has written undisturbed cannot be judged by its own judge.
    #[error("the audit of what the pipeline writes without any harm says nothing: {0}")]
    Audit(String),
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

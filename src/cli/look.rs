//! A state directory that a command looks at, with or without a job on it.

use std::path::Path;

use watershed_core::Epoch;
use watershed_state::StoreError;
use watershed_state::inspect::{InspectError, Offline, Which};

use super::failure::Failure;

/// Opens a directory for looking.
pub(super) fn open(path: &Path) -> Result<Offline, Failure> {
    let usage = |why: &dyn std::fmt::Display| Failure::Usage(format!("{}: {why}", path.display()));
    if !path.is_dir() {
        return Err(usage(&"there is no such directory; name the one that the job was given by --state-dir"));
    }
    // An identity or a decision log that cannot be read is reported by whoever needs it.
    let offline = Offline::open(path).map_err(|error| usage(&error))?;
    if offline.identity().is_none() && offline.meta().is_none() && !path.join("ck").is_dir() {
        return Err(usage(&"this is no state directory; name the one that the job was given by --state-dir"));
    }
    Ok(offline)
}

/// The checkpoint of a number, or the newest.
pub(super) fn which(epoch: Option<u64>) -> Which {
    epoch.map_or(Which::Newest, |epoch| Which::Epoch(Epoch(epoch)))
}

impl From<InspectError> for Failure {
    fn from(error: InspectError) -> Self {
        match error {
            InspectError::NoSuch { .. } | InspectError::NoneCompleted { .. } => {
                Failure::Usage(error.to_string())
            }
            InspectError::Output(error) => Failure::Output(error),
            error => Failure::Unable(error.to_string()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::Unable(error.to_string())
    }
}

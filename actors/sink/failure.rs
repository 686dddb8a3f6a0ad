//! What a failed call of the operating system means, for a person.

use std::io;
use std::path::Path;

use watershed_core::SinkError;

/// An error about a file or directory.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> SinkError {
    move |error| SinkError::new(path.display().to_string(), why(&error))
}

/// The reason, and what to do about it where something can be done.
pub(super) fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull => "the disk is full: make room and start again".to_owned(),
        io::ErrorKind::QuotaExceeded => "the disk quota is used up: make room and start again".to_owned(),
        io::ErrorKind::PermissionDenied => "may not be written: check its owner and permissions".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is mounted read-only".to_owned(),
        io::ErrorKind::BrokenPipe => "closed by its reader".to_owned(),
        _ => error.to_string(),
    }
}

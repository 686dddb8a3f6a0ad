//! The bytes of a file, expanded where it is compressed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use watershed_core::SourceError;

use super::find;
use super::members::{Members, MembersError};

/// An open file.
#[derive(Debug)]
pub(super) enum Input {
    Plain(File),
    Gzip(Box<Members>),
    /// Read to its end, and closed.
    Closed,
}

impl Input {
    pub(super) fn open(path: &str, gzip: bool) -> Result<Self, SourceError> {
        let file = File::open(path).map_err(|error| find::failed(path, &error))?;
        Ok(if gzip { Input::Gzip(Box::new(Members::new(file))) } else { Input::Plain(file) })
    }

    /// Goes to an offset and returns 0, or how many bytes are left to be read and dropped before it:
    /// compressed data has no short way.
    pub(super) fn seek(&mut self, path: &str, offset: u64) -> Result<u64, SourceError> {
        let Input::Plain(file) = self else { return Ok(offset) };
        let bytes = file.metadata().map_err(|error| find::failed(path, &error))?.len();
        if bytes < offset {
            return Err(shorter(path, offset));
        }
        file.seek(SeekFrom::Start(offset)).map_err(|error| find::failed(path, &error))?;
        Ok(0)
    }

    /// Reads some bytes; 0 only at the end. `offset` is where they begin.
    pub(super) fn read(&mut self, path: &str, offset: u64, into: &mut [u8]) -> Result<usize, SourceError> {
        let what = || format!("{path} at byte {offset}");
        match self {
            Input::Plain(file) => loop {
                match file.read(into) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => return read.map_err(|error| find::failed(&what(), &error)),
                }
            },
            Input::Gzip(members) => members.read(into).map_err(|error| match error {
                MembersError::Unreadable(error) => find::failed(&what(), &error),
                MembersError::Trailing { .. } => SourceError::new(path, error),
                MembersError::Truncated | MembersError::Damaged(_) => {
                    SourceError::new(format!("{} of its expanded data", what()), error)
                }
            }),
            Input::Closed => Ok(0),
        }
    }
}

/// The error about a file that has lost what was read of it before.
pub(super) fn shorter(path: &str, offset: u64) -> SourceError {
    let what = format!("{path} at byte {offset}");
    SourceError::new(what, "the file is shorter than when it was last read; restore it, or begin anew")
}

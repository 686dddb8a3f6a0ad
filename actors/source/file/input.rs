//! The bytes of a file, expanded where it is compressed.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use flate2::bufread::MultiGzDecoder;
use watershed_core::SourceError;

use super::find;

/// How much compressed data is read at once, in bytes.
const COMPRESSED_BYTES: usize = 64 * 1024;

/// An open file.
#[derive(Debug)]
pub(super) enum Input {
    Plain(File),
    Gzip(Box<MultiGzDecoder<BufReader<File>>>),
    /// Read to its end, and closed.
    Closed,
}

impl Input {
    pub(super) fn open(path: &str, gzip: bool) -> Result<Self, SourceError> {
        let file = File::open(path).map_err(|error| find::failed(path, &error))?;
        Ok(if gzip {
            let buffered = BufReader::with_capacity(COMPRESSED_BYTES, file);
            Input::Gzip(Box::new(MultiGzDecoder::new(buffered)))
        } else {
            Input::Plain(file)
        })
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
        loop {
            let read = match self {
                Input::Plain(file) => file.read(into),
                Input::Gzip(decoder) => decoder.read(into),
                Input::Closed => Ok(0),
            };
            match read {
                Ok(bytes) => return Ok(bytes),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(path, offset, &error)),
            }
        }
    }

    fn failed(&self, path: &str, offset: u64, error: &io::Error) -> SourceError {
        let what = format!("{path} at byte {offset}");
        match (self, error.kind()) {
            (Input::Gzip(_), io::ErrorKind::UnexpectedEof) => SourceError::new(
                format!("{what} of its expanded data"),
                "the gzip data ends too early: the file is truncated; get it again, or remove it",
            ),
            (Input::Gzip(_), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => SourceError::new(
                format!("{what} of its expanded data"),
                format!("the gzip data is damaged ({error}); get the file again, or remove it"),
            ),
            _ => find::failed(&what, error),
        }
    }
}

/// The error about a file that has lost what was read of it before.
pub(super) fn shorter(path: &str, offset: u64) -> SourceError {
    let what = format!("{path} at byte {offset}");
    SourceError::new(what, "the file is shorter than when it was last read; restore it, or begin anew")
}

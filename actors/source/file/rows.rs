//! The buffer between a file and its rows.

use memchr::memchr;
use watershed_core::SourceError;

use super::input::{Input, shorter};

/// How much is read at once, in bytes: enough that calls of the system cost nothing beside the rows.
const CHUNK_BYTES: usize = 256 * 1024;
/// A mark that some programs put before the first row of a UTF-8 file.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A file's bytes, as far as they have been read and not been used.
#[derive(Debug)]
pub(super) struct Rows {
    path: String,
    input: Input,
    buffer: Vec<u8>,
    begin: usize,
    filled: usize,
    /// The offset in the file of the byte at `begin`.
    offset: u64,
    ended: bool,
}

impl Rows {
    /// A file at its beginning, behind a byte order mark.
    pub(super) fn open(path: &str, gzip: bool) -> Result<Self, SourceError> {
        let input = Input::open(path, gzip)?;
        let buffer = vec![0; CHUNK_BYTES];
        Ok(Rows { path: path.to_owned(), input, buffer, begin: 0, filled: 0, offset: 0, ended: false })
    }

    /// Passes over a byte order mark at the beginning of the file.
    pub(super) fn skip_mark(&mut self) -> Result<(), SourceError> {
        while self.bytes().len() < BYTE_ORDER_MARK.len() && !self.ended {
            self.refill()?;
        }
        if self.bytes().starts_with(BYTE_ORDER_MARK) {
            self.consume(BYTE_ORDER_MARK.len());
        }
        Ok(())
    }

    /// Goes to an offset of a file that has just been opened; returns how many bytes are to be dropped first.
    pub(super) fn seek(&mut self, offset: u64) -> Result<u64, SourceError> {
        let left = self.input.seek(&self.path, offset)?;
        self.offset = offset - left;
        Ok(left)
    }

    /// What has been read and not been used.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.begin..self.filled]
    }

    /// The offset in the file of the first of the [`bytes`](Self::bytes).
    #[inline]
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether there is nothing behind the [`bytes`](Self::bytes).
    #[inline]
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Has used some bytes.
    #[inline]
    pub(super) fn consume(&mut self, bytes: usize) {
        self.begin += bytes;
        self.offset += bytes as u64;
        debug_assert!(self.begin <= self.filled);
    }

    /// Reads more, at least as much again as there is: a long row is looked at few times while it grows.
    pub(super) fn refill(&mut self) -> Result<(), SourceError> {
        self.buffer.copy_within(self.begin..self.filled, 0);
        (self.begin, self.filled) = (0, self.filled - self.begin);
        let wanted = self.filled + CHUNK_BYTES.max(self.filled);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        let offset = self.offset + self.filled as u64;
        let read = self.input.read(&self.path, offset, &mut self.buffer[self.filled..wanted])?;
        self.filled += read;
        self.ended = read == 0;
        Ok(())
    }

    /// Drops bytes up to and with the next newline, as far as they have been read; returns how many lay before
    /// the newline, and whether the newline or the end was among them.
    pub(super) fn drop_line(&mut self) -> (usize, bool) {
        let bytes = self.bytes();
        let (before, newline) = match memchr(b'\n', bytes) {
            Some(newline) => (newline, true),
            None => (bytes.len(), false),
        };
        self.consume(before + usize::from(newline));
        (before, newline || self.ended)
    }

    /// Gives file and memory back; there is nothing more to read.
    pub(super) fn close(&mut self) {
        (self.input, self.buffer) = (Input::Closed, Vec::new());
        (self.begin, self.filled, self.ended) = (0, 0, true);
    }

    /// The error about a file that ends before the place where reading was to go on.
    pub(super) fn shorter(&self) -> SourceError {
        shorter(&self.path, self.offset)
    }
}

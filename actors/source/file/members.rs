//! Gzip data: members, one behind the other, and nothing else.
//!
//! A gzip file is a sequence of members (RFC 1952, section 2.2). What follows a member that is complete is the next
//! one or the end; where it is neither, the data has not been cut short but has something else behind it, and the
//! two have different cures.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::GzDecoder;

/// How much compressed data is read at once, in bytes.
const COMPRESSED_BYTES: usize = 64 * 1024;
/// The first two bytes of every member.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Expands the members of a file.
#[derive(Debug)]
pub(super) struct Members {
    /// None only while one member takes the place of another.
    member: Option<GzDecoder<BufReader<File>>>,
    ended: bool,
}

/// Why gzip data cannot be read to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum MembersError {
    #[error("the gzip data ends too early: the file is truncated; get it again, or remove it")]
    Truncated,
    #[error("the gzip data is damaged ({0}); get the file again, or remove it")]
    Damaged(io::Error),
    #[error(
        "the gzip data is complete, and {bytes} bytes that are no gzip data follow it; cut them off, or get the \
         file again"
    )]
    Trailing { bytes: u64 },
    #[error("{0}")]
    Unreadable(io::Error),
}

impl Members {
    pub(super) fn new(file: File) -> Self {
        let file = BufReader::with_capacity(COMPRESSED_BYTES, file);
        Members { member: Some(GzDecoder::new(file)), ended: false }
    }

    /// Reads some bytes; 0 only at the end.
    pub(super) fn read(&mut self, into: &mut [u8]) -> Result<usize, MembersError> {
        while !self.ended {
            let member = self.member.as_mut().expect("there is a member between two calls");
            match member.read(into) {
                Ok(0) => self.next_member()?,
                Ok(bytes) => return Ok(bytes),
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::UnexpectedEof => return Err(MembersError::Truncated),
                    io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                        return Err(MembersError::Damaged(error));
                    }
                    _ => return Err(MembersError::Unreadable(error)),
                },
            }
        }
        Ok(0)
    }

    /// Goes on behind a member that is complete.
    fn next_member(&mut self) -> Result<(), MembersError> {
        let member = self.member.take().expect("there is a member between two calls");
        let mut file = member.into_inner();
        let next = file.fill_buf().map_err(MembersError::Unreadable)?;
        // A single byte may be the beginning of a member that was cut short: the decoder says so.
        let begins = next.iter().zip(MAGIC).all(|(byte, magic)| *byte == magic);
        if next.is_empty() {
            self.ended = true;
        } else if !begins {
            let bytes = io::copy(&mut file, &mut io::sink()).map_err(MembersError::Unreadable)?;
            return Err(MembersError::Trailing { bytes });
        }
        self.member = Some(GzDecoder::new(file));
        Ok(())
    }
}

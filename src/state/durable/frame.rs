//! A record in a file that is only appended to, and how a torn one is told from a damaged one.
//!
//! ```text
//!   frame := length: u32  check: u32 (CRC-32C of body)  head check: u32 (CRC-32C of the 8 bytes before)
//!            body: length bytes  end: 0xA5
//! ```
//!
//! Numbers are little-endian.
//!
//! # A torn tail, and a flipped bit
//!
//! A power loss in the middle of an append leaves a beginning of a frame at the end of the file, or a frame
//! whose last sectors are still zeros because the file grew before they were written. Nobody was told that it
//! succeeded, so it is cut off. A frame that is all there and does not fit its check is something else: somebody
//! may have relied on it. That is refused, wherever in the file it is. Two things keep the cases apart: the head
//! has a check of its own, so a flipped bit in a length does not make a whole frame look like a torn one, and a
//! frame ends with a byte that is not zero, so a whole one never looks like one that was not written yet.

use std::ops::Range;

/// Length, check and head check.
pub const HEAD_BYTES: usize = 12;

/// The last byte of a frame.
const END: u8 = 0xA5;

/// The unit in which a disk writes all or nothing.
const SECTOR_BYTES: usize = 512;

/// What is found where a frame should begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A whole frame.
    Whole {
        /// Where its body is.
        body: Range<usize>,
        /// Where the frame ends.
        end: usize,
    },
    /// A frame that was never written to its end. Nothing is behind it.
    Torn,
    /// Bytes that are not those that were written, in this part.
    Damaged(&'static str),
}

/// The frame around a body.
pub fn frame(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a body is far smaller than 4 GiB");
    let mut bytes = Vec::with_capacity(HEAD_BYTES + body.len() + 1);
    bytes.extend(length.to_le_bytes());
    bytes.extend(crc32c::crc32c(body).to_le_bytes());
    let check = crc32c::crc32c(&bytes);
    bytes.extend(check.to_le_bytes());
    bytes.extend(body);
    bytes.push(END);
    bytes
}

/// Looks at the frame at `at`, with a body of so many bytes at most. `bytes` reach to the end of the file.
pub fn read(bytes: &[u8], at: usize, body_bytes_max: usize) -> Found {
    let rest = &bytes[at..];
    let Some((length, check)) = head(rest, body_bytes_max) else {
        let torn = rest.len() < HEAD_BYTES || unwritten_from(rest).is_some();
        return if torn { Found::Torn } else { Found::Damaged("record's head") };
    };
    let end = HEAD_BYTES + length + 1;
    if rest.len() < end {
        return Found::Torn;
    }
    let body = &rest[HEAD_BYTES..end - 1];
    if rest[end - 1] == END && crc32c::crc32c(body) == check {
        return Found::Whole { body: at + HEAD_BYTES..at + end - 1, end: at + end };
    }
    // What lies behind a frame was written after it, so only its own end can be missing.
    if unwritten_from(rest).is_some_and(|from| from < end) { Found::Torn } else { Found::Damaged("record") }
}

/// How long the body is that a head announces, if it fits its own check.
pub fn body_bytes(head_bytes: &[u8; HEAD_BYTES], body_bytes_max: usize) -> Option<usize> {
    head(head_bytes, body_bytes_max).map(|(length, _)| length)
}

/// Length and check from a head that fits its own check.
fn head(rest: &[u8], body_bytes_max: usize) -> Option<(usize, u32)> {
    let head = rest.get(..HEAD_BYTES)?;
    let number =
        |from: usize| u32::from_le_bytes(head[from..from + 4].try_into().expect("four bytes were taken"));
    let length = number(0) as usize;
    (crc32c::crc32c(&head[..8]) == number(8) && length <= body_bytes_max).then(|| (length, number(4)))
}

/// From where on the file was not written though it had grown: all zeros, or zeros from where a sector begins.
fn unwritten_from(rest: &[u8]) -> Option<usize> {
    let zeros = rest.iter().rev().take_while(|byte| **byte == 0).count();
    if zeros == rest.len() {
        return Some(0);
    }
    let sector = (rest.len() - zeros).next_multiple_of(SECTOR_BYTES);
    (zeros > 0 && sector < rest.len()).then_some(sector)
}

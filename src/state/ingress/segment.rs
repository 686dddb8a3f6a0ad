//! The bytes of a segment.
//!
//! ```text
//!   segment := "WSHDINGR"  version: u32 = 1  first: u64  check: u32 (CRC-32C of the 20 bytes before)  frame*
//!   body    := first: u64  entry+
//!   entry   := positions: u32  length: u32  bytes: length, whatever the source has appended
//! ```
//!
//! Numbers are little-endian. A [frame](crate::durable::frame) is what one `fsync` made durable. Its body says at
//! which position it begins, which is where the one before it ends, so a frame that is missing is noticed.

use watershed_core::Position;
use watershed_core::spi::LogEntry;

use crate::durable::frame::{self, Found};
use crate::error::Damage;

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"WSHDINGR";

/// What a segment begins with.
pub(super) const START_BYTES: usize = 24;

/// For how many positions an entry stands, and its length.
pub(super) const ENTRY_HEAD_BYTES: usize = 8;

/// The largest entry that is written.
pub(super) const ENTRY_BYTES_MAX: usize = 64 << 20;

/// The largest body of a frame: what is pending before an entry, and the entry.
pub(super) const BODY_BYTES_MAX: usize = 256 << 20;

/// An entry that was handed over: for how many positions it stands, and its bytes.
pub(super) type Pending = (u32, Vec<u8>);

/// The name of the segment that begins at a position.
pub(super) fn name(first: u64) -> String {
    format!("{first:020}.log")
}

/// The position that a segment of this name begins at; `None` where it is no segment's name.
pub(super) fn first_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log").filter(|digits| digits.len() == 20)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// A segment without frames.
pub(super) fn start(first: u64) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(first.to_le_bytes());
    let check = crc32c::crc32c(&bytes);
    bytes.extend(check.to_le_bytes());
    bytes
}

/// Checks what a segment begins with.
pub(super) fn check_start(bytes: &[u8], first: u64) -> Result<(), Damage> {
    let kind = || Damage::Kind { expected: "segment of an ingress log" };
    let (start, _) = bytes.split_first_chunk::<START_BYTES>().ok_or_else(kind)?;
    let [magic @ .., c0, c1, c2, c3] = *start;
    if magic[..8] != MAGIC {
        return Err(kind());
    }
    if crc32c::crc32c(&magic) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(Damage::Checksum { part: "start", offset: 0 });
    }
    let found = u32::from_le_bytes([magic[8], magic[9], magic[10], magic[11]]);
    if found != VERSION {
        return Err(Damage::Version { expected: VERSION, found });
    }
    let (_, begins) = magic.split_last_chunk::<8>().expect("a start holds its position");
    match u64::from_le_bytes(*begins) {
        begins if begins == first => Ok(()),
        begins => {
            Err(Damage::Content(format!("it begins at position {begins}, and not where its name says")))
        }
    }
}

/// The frame of entries that begin at a position.
pub(super) fn frame(first: u64, entries: &[Pending]) -> Vec<u8> {
    let mut body = first.to_le_bytes().to_vec();
    for (positions, bytes) in entries {
        let length = u32::try_from(bytes.len()).expect("an entry is far smaller than 4 GiB");
        body.extend(positions.to_le_bytes());
        body.extend(length.to_le_bytes());
        body.extend(bytes);
    }
    frame::frame(&body)
}

/// The entries of a frame's body that is expected to begin at a position.
pub(super) fn entries(body: &[u8], expected: u64) -> Result<Vec<LogEntry>, Damage> {
    let short = || Damage::Content("a record of it ends within an entry".to_owned());
    let (begins, mut rest) = body.split_first_chunk::<8>().ok_or_else(short)?;
    let mut first = u64::from_le_bytes(*begins);
    if first != expected {
        return Err(Damage::Content(format!(
            "a record of it is at position {first}, where {expected} follows"
        )));
    }
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (positions, behind) = rest.split_first_chunk::<4>().ok_or_else(short)?;
        let (length, behind) = behind.split_first_chunk::<4>().ok_or_else(short)?;
        let (bytes, behind) =
            behind.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(short)?;
        let positions = u32::from_le_bytes(*positions);
        entries.push(LogEntry { first: Position(first), positions, bytes: bytes.to_vec() });
        first += u64::from(positions);
        rest = behind;
    }
    Ok(entries)
}

/// What the newest segment holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scan {
    /// The position behind its last whole frame.
    pub(super) end: u64,
    /// Where in the file that frame ends. What is behind it is a torn tail.
    pub(super) valid: usize,
}

/// Reads the newest segment, which may end in a frame that was never written whole.
pub(super) fn scan(bytes: &[u8], first: u64) -> Result<Scan, Damage> {
    check_start(bytes, first)?;
    let (mut end, mut at) = (first, START_BYTES);
    while at < bytes.len() {
        match frame::read(bytes, at, BODY_BYTES_MAX) {
            Found::Whole { body, end: behind } => {
                end = entries(&bytes[body], end)?.last().map_or(end, end_of);
                at = behind;
            }
            Found::Torn => break,
            Found::Damaged(part) => return Err(Damage::Checksum { part, offset: at as u64 }),
        }
    }
    Ok(Scan { end, valid: at })
}

/// The position behind an entry.
pub(super) fn end_of(entry: &LogEntry) -> u64 {
    entry.first.0 + u64::from(entry.positions)
}

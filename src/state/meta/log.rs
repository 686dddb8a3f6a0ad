//! The bytes of the decision log.
//!
//! ```text
//!   log    := "WSHDMETA"  version: u32 = 1  check: u32 (CRC-32C of the 12 bytes before)  record+
//!   record := length: u32  check: u32 (CRC-32C of body)  head check: u32 (CRC-32C of the 8 bytes before)
//!             body: length bytes, a `Meta` as a MessagePack map with named fields  end: 0xA5
//! ```
//!
//! Numbers are little-endian. The last record is what is decided.
//!
//! # A torn tail, and a flipped bit
//!
//! A power loss in the middle of an append leaves a beginning of a record at the end of the file, or a record
//! whose last sectors are still zeros because the file grew before they were written. Nobody was told that it
//! succeeded, so it is cut off. A record that is all there and does not fit its check is something else: it
//! may have been a decision, and cutting it off would undo what sinks have committed. That is refused,
//! wherever in the file it is. Two things keep the cases apart: the head has a check of its own, so a flipped
//! bit in a length does not make a whole record look like a torn one, and a record ends with a byte that is
//! not zero, so a whole one never looks like one that was not written yet.

use watershed_core::checkpoint::Meta;

use crate::error::Damage;
use crate::msgpack;

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"WSHDMETA";

/// What a log begins with.
const START_BYTES: usize = 16;

/// Length, check and head check.
const HEAD_BYTES: usize = 12;

/// The last byte of a record.
const END: u8 = 0xA5;

/// The unit in which a disk writes all or nothing.
const SECTOR_BYTES: usize = 512;

/// The largest record; a `Meta` has a few hundred bytes, and a few dozen for each roll-back.
pub(super) const RECORD_BYTES_MAX: usize = 1 << 20;

/// A log in which this is decided, and nothing has been before.
pub(super) fn start(meta: &Meta) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    let check = crc32c::crc32c(&bytes);
    bytes.extend(check.to_le_bytes());
    bytes.extend(record(meta));
    bytes
}

/// The bytes to append where `meta` is to be decided.
pub(super) fn record(meta: &Meta) -> Vec<u8> {
    let body = msgpack::encode(meta);
    let length = u32::try_from(body.len()).expect("a record is far smaller than 4 GiB");
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend(crc32c::crc32c(&body).to_le_bytes());
    let check = crc32c::crc32c(&bytes);
    bytes.extend(check.to_le_bytes());
    bytes.extend(body);
    bytes.push(END);
    bytes
}

/// What a log says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scan {
    /// What is decided.
    pub(super) meta: Meta,
    /// Where the last whole record ends.
    pub(super) valid: usize,
}

/// Reads a log. Bytes behind [`Scan::valid`] are a torn tail.
pub(super) fn scan(bytes: &[u8]) -> Result<Scan, Damage> {
    let kind = || Damage::Kind { expected: "decision log of Watershed" };
    let (start, _) = bytes.split_first_chunk::<START_BYTES>().ok_or_else(kind)?;
    let [magic @ .., v0, v1, v2, v3, c0, c1, c2, c3] = *start;
    if magic != MAGIC {
        return Err(kind());
    }
    if crc32c::crc32c(&start[..12]) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(Damage::Checksum { part: "start", offset: 0 });
    }
    let found = u32::from_le_bytes([v0, v1, v2, v3]);
    if found != VERSION {
        return Err(Damage::Version { expected: VERSION, found });
    }
    let mut at = START_BYTES;
    let mut newest = None;
    while at < bytes.len() {
        match read(bytes, at) {
            Ok((meta, end)) => {
                newest = Some(meta);
                at = end;
            }
            Err(_) if torn(bytes, at) => break,
            Err(damage) => return Err(damage),
        }
    }
    match newest {
        Some(meta) => Ok(Scan { meta, valid: at }),
        // A log appears under its name with its first record in it, so this is no torn one.
        None => Err(Damage::Extent { bytes: bytes.len() as u64 }),
    }
}

/// The record at `at`, and where it ends.
fn read(bytes: &[u8], at: usize) -> Result<(Meta, usize), Damage> {
    let damage = |part| Damage::Checksum { part, offset: at as u64 };
    let (length, check) = head(bytes, at).ok_or_else(|| damage("record's head"))?;
    let start = at + HEAD_BYTES;
    let record = bytes.get(start..start + length + 1).ok_or_else(|| damage("record"))?;
    let (body, end) = record.split_at(length);
    if crc32c::crc32c(body) != check || end != [END] {
        return Err(damage("record"));
    }
    let meta = msgpack::decode(body).map_err(Damage::Content)?;
    Ok((meta, start + length + 1))
}

/// Length and check from a head that fits its own check.
fn head(bytes: &[u8], at: usize) -> Option<(usize, u32)> {
    let head = bytes.get(at..at + HEAD_BYTES)?;
    let number =
        |from: usize| u32::from_le_bytes(head[from..from + 4].try_into().expect("four bytes were taken"));
    let length = number(0) as usize;
    (crc32c::crc32c(&head[..8]) == number(8) && length <= RECORD_BYTES_MAX).then(|| (length, number(4)))
}

/// Whether the record at `at`, which cannot be read, was never written to its end.
fn torn(bytes: &[u8], at: usize) -> bool {
    let rest = &bytes[at..];
    let zeros = rest.iter().rev().take_while(|byte| **byte == 0).count();
    // All zeros: the file grew and nothing was written. Otherwise the zeros must begin where a sector does.
    let unwritten = zeros > 0 && {
        let first_zero = bytes.len() - zeros;
        let sector = first_zero.next_multiple_of(SECTOR_BYTES);
        zeros == rest.len() || sector < bytes.len()
    };
    match head(bytes, at) {
        None => rest.len() < HEAD_BYTES || unwritten,
        Some((length, _)) => rest.len() < HEAD_BYTES + length + 1 || unwritten,
    }
}

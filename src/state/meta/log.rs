//! The bytes of the decision log.
//!
//! ```text
//!   log    := "WSHDMETA"  version: u32 = 1  check: u32 (CRC-32C of the 12 bytes before)  frame+
//! ```
//!
//! Numbers are little-endian. The body of a [frame](crate::durable::frame) is a `Meta` as a MessagePack map with named
//! fields; the last one is what is decided. A torn tail is a decision that nobody was told of, and is cut off; a frame
//! that is damaged may have been one that sinks have committed by, and is refused.

use watershed_core::checkpoint::Meta;

use crate::durable::frame::{self, Found};
use crate::error::Damage;
use crate::msgpack;

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"WSHDMETA";

/// What a log begins with.
const START_BYTES: usize = 16;

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
    frame::frame(&msgpack::encode(meta))
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
        match frame::read(bytes, at, RECORD_BYTES_MAX) {
            Found::Whole { body, end } => {
                newest = Some(msgpack::decode(&bytes[body]).map_err(Damage::Content)?);
                at = end;
            }
            Found::Torn => break,
            Found::Damaged(part) => return Err(Damage::Checksum { part, offset: at as u64 }),
        }
    }
    match newest {
        Some(meta) => Ok(Scan { meta, valid: at }),
        // A log appears under its name with its first record in it, so this is no torn one.
        None => Err(Damage::Extent { bytes: bytes.len() as u64 }),
    }
}

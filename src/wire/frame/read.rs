//! Reads frames from a stream of bytes.

use bytes::{Buf, BytesMut};
use watershed_core::{Epoch, Run, Sequence};

use super::{FIELDS, Frame, Header, Kind, Limits, PROTOCOL};

/// Why bytes are no frame. The stream cannot be read on: where the next frame begins is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// It does not begin as a frame does.
    #[error("a frame begins with {found:#04x} instead of an array of {FIELDS}")]
    NoFrame {
        /// Its first byte.
        found: u8,
    },
    /// It is of another version.
    #[error("a frame is of protocol {found}, and this is protocol {PROTOCOL}")]
    Protocol {
        /// Its version.
        found: u8,
    },
    /// A field is not what it should be.
    #[error("the {field} of a frame is not as it should be")]
    Field {
        /// Which.
        field: &'static str,
    },
    /// Its body is too large.
    #[error("the body of a frame has {bytes} bytes, and may have {bytes_max}")]
    TooLarge {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        bytes_max: usize,
    },
    /// Its bytes have changed on the way.
    #[error("a frame was damaged on its way: its checksum is {computed:#010x}, and it says {stated:#010x}")]
    Damaged {
        /// Of what has arrived.
        computed: u32,
        /// Of what was sent.
        stated: u32,
    },
}

/// How many bytes follow the body.
const TRAILER: usize = 5;

/// Takes the first frame out of a buffer. `None` where it is not there yet to its end; nothing is taken then.
///
/// # Errors
///
/// Where the buffer does not begin with a frame.
pub fn decode(buffer: &mut BytesMut, limits: &Limits) -> Result<Option<Frame>, FrameError> {
    let mut fields = Fields { bytes: buffer, at: 0 };
    let Some((header, length)) = fields.header(limits)? else { return Ok(None) };
    let body = fields.at;
    let end = body + length + TRAILER;
    if buffer.len() < end {
        return Ok(None);
    }
    let trailer = &buffer[body + length..end];
    if trailer[0] != 0xce {
        return Err(FrameError::Field { field: "checksum" });
    }
    let stated = u32::from_be_bytes([trailer[1], trailer[2], trailer[3], trailer[4]]);
    let computed = crc32c::crc32c(&buffer[..body + length]);
    if stated != computed {
        return Err(FrameError::Damaged { computed, stated });
    }
    let mut frame = buffer.split_to(end).freeze();
    frame.advance(body);
    frame.truncate(length);
    Ok(Some(Frame { header, body: frame, checksum: stated }))
}

/// The fields before the body, as far as they have arrived.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Fields<'_> {
    /// The header, and how many bytes the body has.
    fn header(&mut self, limits: &Limits) -> Result<Option<(Header, usize)>, FrameError> {
        let Some(first) = self.byte() else { return Ok(None) };
        if first != 0x90 | FIELDS {
            return Err(FrameError::NoFrame { found: first });
        }
        let Some(found) = self.byte() else { return Ok(None) };
        if found != PROTOCOL {
            return Err(FrameError::Protocol { found });
        }
        let Some(job) = self.narrow("job")? else { return Ok(None) };
        let Some(run) = self.narrow("run")? else { return Ok(None) };
        let Some(channel) = self.narrow("channel")? else { return Ok(None) };
        let Some(sequence) = self.uint("sequence")? else { return Ok(None) };
        let Some(epoch) = self.uint("epoch")? else { return Ok(None) };
        let Some(kind) = self.uint("kind")? else { return Ok(None) };
        let kind = Kind::of(kind).ok_or(FrameError::Field { field: "kind" })?;
        let Some(clock) = self.byte() else { return Ok(None) };
        if clock != 0xc0 {
            return Err(FrameError::Field { field: "clock" });
        }
        let Some(records) = self.narrow("records")? else { return Ok(None) };
        let Some(length) = self.length()? else { return Ok(None) };
        let bytes_max = limits.body_bytes_max(kind);
        if length > bytes_max {
            return Err(FrameError::TooLarge { bytes: length, bytes_max });
        }
        let (run, sequence, epoch) = (Run(run), Sequence(sequence), Epoch(epoch));
        Ok(Some((Header { job, run, channel, sequence, epoch, kind, records }, length)))
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied();
        self.at += usize::from(byte.is_some());
        byte
    }

    fn big_endian<const N: usize>(&mut self) -> Option<u64> {
        let bytes = self.bytes.get(self.at..self.at + N)?;
        self.at += N;
        Some(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn uint(&mut self, field: &'static str) -> Result<Option<u64>, FrameError> {
        let Some(first) = self.byte() else { return Ok(None) };
        Ok(match first {
            0..=0x7f => Some(u64::from(first)),
            0xcc => self.big_endian::<1>(),
            0xcd => self.big_endian::<2>(),
            0xce => self.big_endian::<4>(),
            0xcf => self.big_endian::<8>(),
            _ => return Err(FrameError::Field { field }),
        })
    }

    fn narrow(&mut self, field: &'static str) -> Result<Option<u32>, FrameError> {
        let wide = self.uint(field)?;
        wide.map(|value| u32::try_from(value).map_err(|_| FrameError::Field { field })).transpose()
    }

    fn length(&mut self) -> Result<Option<usize>, FrameError> {
        let Some(first) = self.byte() else { return Ok(None) };
        let length = match first {
            0xc4 => self.big_endian::<1>(),
            0xc5 => self.big_endian::<2>(),
            0xc6 => self.big_endian::<4>(),
            _ => return Err(FrameError::Field { field: "body" }),
        };
        Ok(length.map(|length| length as usize))
    }
}

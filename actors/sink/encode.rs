//! How a record becomes bytes: JSON lines, MessagePack, plain text. CSV has a file of its own.

use std::fmt::Display;
use std::io::Write as _;

use serde::Serialize;
use watershed_core::Data;

/// Turns records into bytes of a file or a connection.
///
/// One encoder is cloned for each subtask. It may keep what it needs between records, so that none of them
/// costs an allocation.
///
/// ```
/// use watershed_actors::sink::{Encode, EncodeError};
///
/// /// Writes numbers as eight bytes each.
/// #[derive(Clone)]
/// struct LittleEndian;
///
/// impl Encode<u64> for LittleEndian {
///     fn extension(&self) -> &'static str {
///         "u64"
///     }
///
///     fn encode(&mut self, record: &u64, out: &mut Vec<u8>) -> Result<(), EncodeError> {
///         out.extend_from_slice(&record.to_le_bytes());
///         Ok(())
///     }
/// }
/// ```
pub trait Encode<T>: Clone + Send + 'static {
    /// The ending of the names of such files, without the dot.
    fn extension(&self) -> &'static str;

    /// Called when a sink is opened, before anything is written: refuses records of which the type says already that the
    /// format cannot express them. The default refuses nothing.
    ///
    /// # Errors
    ///
    /// Where it refuses; the job does not start.
    fn check(&self) -> Result<(), EncodeError> {
        Ok(())
    }

    /// Whether records may be appended to a file that has been [finished](Encode::finish). Where they may not, as in
    /// formats that end with a table of contents, a sink writes a folder of parts. The default says yes.
    fn appends(&self) -> bool {
        true
    }

    /// Called before the first record of each file, and once before those that go elsewhere. `continued` says
    /// that what follows is appended to records that lie there already. The default does nothing.
    fn begin(&mut self, continued: bool) {
        let _ = continued;
    }

    /// Called for each record: appends its bytes.
    ///
    /// # Errors
    ///
    /// Where the format cannot express the record; what has been appended by then is cut off again.
    fn encode(&mut self, record: &T, out: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// Called behind the last record of each file, or where there was none: appends what a file ends with.
    /// The default appends nothing.
    fn finish(&mut self, out: &mut Vec<u8>) {
        let _ = out;
    }
}

/// A record that a format cannot express.
#[derive(Debug, thiserror::Error)]
#[error("a record cannot be written as {format}: {why}")]
pub struct EncodeError {
    format: &'static str,
    why: String,
}

impl EncodeError {
    /// An error of a format, because of `why`.
    pub fn new(format: &'static str, why: impl Display) -> Self {
        EncodeError { format, why: why.to_string() }
    }
}

/// One line of JSON for each record.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonLines;

impl<T: Data> Encode<T> for JsonLines {
    fn extension(&self) -> &'static str {
        "jsonl"
    }

    #[inline]
    fn encode(&mut self, record: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        serde_json::to_writer(&mut *out, record).map_err(|error| EncodeError::new("JSON", error))?;
        out.push(b'\n');
        Ok(())
    }
}

/// One MessagePack value for each record, one behind the other: structs are maps with the names of their
/// fields. Any MessagePack reader that reads values until the end of the file can read it.
#[derive(Clone, Copy, Debug, Default)]
pub struct MessagePack;

impl<T: Data> Encode<T> for MessagePack {
    fn extension(&self) -> &'static str {
        "msgpack"
    }

    #[inline]
    fn encode(&mut self, record: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        pack(record, out)
    }
}

/// As [`MessagePack`], with the length of each value before it: four bytes, the most significant first.
#[derive(Clone, Copy, Debug, Default)]
pub struct FramedMessagePack;

impl<T: Data> Encode<T> for FramedMessagePack {
    fn extension(&self) -> &'static str {
        "frames"
    }

    #[inline]
    fn encode(&mut self, record: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        pack(record, out)?;
        let length = u32::try_from(out.len() - start - 4)
            .map_err(|_| EncodeError::new("a MessagePack frame", "it is longer than 4 GiB"))?;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

fn pack<T: Serialize>(record: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    rmp_serde::encode::write_named(out, record).map_err(|error| EncodeError::new("MessagePack", error))
}

/// One line of text for each record, as it displays itself. Line breaks within it stay what they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextLines;

impl<T: Display> Encode<T> for TextLines {
    fn extension(&self) -> &'static str {
        "txt"
    }

    #[inline]
    fn encode(&mut self, record: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        writeln!(out, "{record}").map_err(|error| EncodeError::new("text", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Clone, Serialize, Deserialize, Data)]
    struct Reading {
        sensor: u8,
        value: Option<f64>,
    }

    const READING: Reading = Reading { sensor: 7, value: None };

    fn encoded(mut encoder: impl Encode<Reading>) -> Vec<u8> {
        let mut out = Vec::new();
        encoder.encode(&READING, &mut out).unwrap();
        out
    }

    #[test]
    fn json_lines_name_the_fields() {
        assert_eq!(encoded(JsonLines), b"{\"sensor\":7,\"value\":null}\n");
    }

    #[test]
    fn message_pack_is_a_map_with_names() {
        assert_eq!(encoded(MessagePack), b"\x82\xa6sensor\x07\xa5value\xc0");
    }

    #[test]
    fn a_frame_begins_with_its_length() {
        assert_eq!(encoded(FramedMessagePack), b"\0\0\0\x10\x82\xa6sensor\x07\xa5value\xc0");
    }
}

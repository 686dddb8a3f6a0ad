//! MessagePack of messages: read whole or not at all, and never deeper than a stack bears.

use std::io::ErrorKind;

use rmp_serde::decode::Error;
use serde::de::{self, DeserializeOwned, IgnoredAny, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How deep a message may nest.
const DEPTH_MAX: usize = 32;

/// How much is said of what cannot be read.
const SAID_MAX: usize = 512;

/// Reads one value that takes all of the bytes.
pub(crate) fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    reader.set_max_depth(DEPTH_MAX);
    // What was read may be part of what is said of it, and is not to be trusted with a line of a log.
    let value = T::deserialize(&mut reader)
        .map_err(|error| error.to_string().escape_debug().take(SAID_MAX).collect::<String>())?;
    // The reader does not say how far it has come. But at the end it finds nothing to begin with.
    match IgnoredAny::deserialize(&mut reader) {
        Err(Error::InvalidMarkerRead(error)) if error.kind() == ErrorKind::UnexpectedEof => Ok(value),
        Ok(_) | Err(_) => Err("more bytes follow it".to_owned()),
    }
}

/// As [`read`], of a value that keeps nothing of the bytes.
pub(crate) fn read_owned<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    read(bytes)
}

/// Writes a value with the names of its fields, so that a later program can have more of them.
pub(crate) fn write<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, String> {
    rmp_serde::to_vec_named(value).map_err(|error| error.to_string())
}

/// Bytes that are written as MessagePack `bin`, and read where they lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bin<'a>(pub(crate) &'a [u8]);

impl Serialize for Bin<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Bin<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrow;

        impl<'de> Visitor<'de> for Borrow {
            type Value = Bin<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_borrowed_bytes<E: de::Error>(self, bytes: &'de [u8]) -> Result<Bin<'de>, E> {
                Ok(Bin(bytes))
            }
        }

        deserializer.deserialize_bytes(Borrow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Nest(Vec<Nest>);

    #[test]
    fn what_follows_a_value_is_an_error() {
        assert_eq!(read::<u8>(&[7]), Ok(7));
        assert_eq!(read::<u8>(&[7, 7]), Err("more bytes follow it".to_owned()));
        assert!(read::<u8>(&[7, 0xc1]).is_err() && read::<u8>(&[7, 0xdf, 0xff]).is_err());
    }

    #[test]
    fn nesting_is_limited() {
        let deep: Vec<u8> = std::iter::repeat_n(0x91, 1_000).chain([0x90]).collect();
        assert!(read::<Nest>(&deep).is_err());
        assert!(read::<Nest>(&[0x91, 0x91, 0x90]).is_ok());
    }

    #[test]
    fn a_field_that_comes_twice_is_an_error() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Order {
            run: u32,
        }
        let twice = [&[0x82][..], &write("run").unwrap(), &[1], &write("run").unwrap(), &[2]].concat();
        assert_eq!(read::<Order>(&twice), Err("duplicate field `run`".to_owned()));
        let once = [&[0x81][..], &write("run").unwrap(), &[1]].concat();
        assert_eq!(read::<Order>(&once), Ok(Order { run: 1 }));
    }

    #[test]
    fn what_is_said_of_a_bad_value_fits_on_one_short_line() {
        #[derive(Debug, Deserialize)]
        enum Word {
            Known,
        }
        let word = write(&format!("two\nlines{}", "!".repeat(10_000))).unwrap();
        let said = read::<Word>(&word).unwrap_err();
        assert!(said.contains("two\\nlines") && said.len() <= SAID_MAX, "{said}");
        assert!(matches!(read(&write("Known").unwrap()), Ok(Word::Known)));
    }

    #[test]
    fn bytes_are_read_where_they_lie() {
        let written = write(&Bin(b"bytes")).unwrap();
        assert_eq!(written[0], 0xc4, "they are a bin");
        assert_eq!(read(&written), Ok(Bin(b"bytes")));
    }
}

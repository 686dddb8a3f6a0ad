//! What arrived, as an entry of an ingress log.
//!
//! A MessagePack map of one field: `rows` with the place, the number of the first row, where each ends, and the bytes;
//! `refused` with the dead letter; or the word `ended`. Each row stands for a position of the log, and so does a refused
//! one and the end.

use std::fmt;
use std::sync::Arc;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use watershed_core::spi::LogEntry;
use watershed_core::{DeadLetter, SourceError};

use super::{Chunk, Fed};

/// An entry.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Entry {
    Rows { place: String, first: u64, ends: Vec<u32>, bytes: Binary },
    Refused(DeadLetter),
    Ended,
}

/// Bytes that are MessagePack `bin`.
struct Binary(Vec<u8>);

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl Visitor<'_> for Bytes {
            type Value = Binary;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Binary, E> {
                Ok(Binary(bytes.to_vec()))
            }
        }

        from.deserialize_bytes(Bytes)
    }
}

/// How many positions this stands for, and its bytes; `None` for what is not logged.
pub(super) fn encode(fed: &Fed) -> Option<(u32, Vec<u8>)> {
    let (positions, entry) = match fed {
        Fed::Rows(chunk) => (chunk.rows.len(), rows(chunk)),
        Fed::Refused(letter) => (1, Entry::Refused(letter.clone())),
        Fed::Ended => (1, Entry::Ended),
        Fed::Failed { .. } => return None,
    };
    let positions = u32::try_from(positions).expect("a chunk has far fewer than 4 billion rows");
    Some((positions, rmp_serde::to_vec_named(&entry).expect("an entry is plain data")))
}

/// The rows close together, without what stood between them.
fn rows(chunk: &Chunk) -> Entry {
    let (mut ends, mut bytes) = (Vec::with_capacity(chunk.rows.len()), Vec::with_capacity(chunk.bytes.len()));
    for &(begin, end) in &chunk.rows {
        bytes.extend_from_slice(&chunk.bytes[begin..end]);
        ends.push(u32::try_from(bytes.len()).expect("a chunk is far smaller than 4 GiB"));
    }
    Entry::Rows { place: chunk.place.to_string(), first: chunk.first, ends, bytes: Binary(bytes) }
}

/// What an entry stands for.
pub(super) fn decode(entry: &LogEntry) -> Result<Fed, SourceError> {
    let foreign = |why: &dyn fmt::Display| {
        let position = entry.first.0;
        SourceError::lost(
            "ingress log",
            format!("the entry at position {position} is none of this source: {why}"),
        )
    };
    let decoded: Entry = rmp_serde::from_slice(&entry.bytes).map_err(|error| foreign(&error))?;
    let (positions, fed) = match decoded {
        Entry::Rows { place, first, ends, bytes: Binary(bytes) } => {
            let begins = [0].into_iter().chain(ends.iter().copied());
            let rows: Vec<_> =
                begins.zip(&ends).map(|(begin, &end)| (begin as usize, end as usize)).collect();
            let sound = rows.iter().all(|(begin, end)| begin <= end)
                && rows.last().is_none_or(|(_, end)| *end == bytes.len());
            if !sound {
                return Err(foreign(&"its rows do not fill its bytes"));
            }
            (rows.len(), Fed::Rows(Chunk { place: Arc::from(place), first, bytes, rows }))
        }
        Entry::Refused(letter) => (1, Fed::Refused(letter)),
        Entry::Ended => (1, Fed::Ended),
    };
    if positions != entry.positions as usize {
        return Err(foreign(&format!(
            "it stands for {positions} positions, and {} were counted",
            entry.positions
        )));
    }
    Ok(fed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use watershed_core::Position;

    fn through(fed: &Fed) -> Fed {
        let (positions, bytes) = encode(fed).unwrap();
        decode(&LogEntry { first: Position(7), positions, bytes }).unwrap()
    }

    #[test]
    fn rows_come_back_without_what_stood_between_them() {
        let rows = vec![(4, 6), (10, 10), (14, 17)];
        let chunk = Chunk { place: "peer line".into(), first: 3, bytes: b"....ab........xyz".to_vec(), rows };
        let rows = vec![(0, 2), (2, 2), (2, 5)];
        let close = Chunk { place: "peer line".into(), first: 3, bytes: b"abxyz".to_vec(), rows };
        assert_eq!(through(&Fed::Rows(chunk)), Fed::Rows(close));
        let letter = Fed::Refused(DeadLetter::new("peer line 3", "too long", b"xy"));
        assert_eq!(through(&letter), letter);
        assert_eq!(through(&Fed::Ended), Fed::Ended);
    }

    #[test]
    fn an_entry_is_golden() {
        let chunk = Chunk {
            place: "p line".into(),
            first: 1,
            bytes: b"a\nbc\n".to_vec(),
            rows: vec![(0, 2), (2, 5)],
        };
        let golden =
            b"\x81\xa4rows\x84\xa5place\xa6p line\xa5first\x01\xa4ends\x92\x02\x05\xa5bytes\xc4\x05a\nbc\n";
        assert_eq!(encode(&Fed::Rows(chunk)).unwrap(), (2, golden.to_vec()));
        assert_eq!(encode(&Fed::Ended).unwrap(), (1, b"\xa5ended".to_vec()));
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        let golden = b"\x81\xa4rows\x84\xa5place\xa0\xa5first\x01\xa4ends\x92\x02\x09\xa5bytes\xc4\x02ab";
        for (positions, bytes) in
            [(1, b"\xa5other".to_vec()), (2, golden.to_vec()), (2, b"\xa5ended".to_vec())]
        {
            let error = decode(&LogEntry { first: Position(7), positions, bytes }).unwrap_err();
            assert!(error.is_lost() && error.to_string().contains("at position 7"), "{error}");
        }
    }
}

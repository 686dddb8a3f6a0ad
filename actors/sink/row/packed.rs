//! Rows as bytes: what memory holds until the barrier, and what the checkpoint holds until the commit.

use rmp_serde::Deserializer;
use rmp_serde::decode::{Error, ReadRefReader};
use serde::{Deserialize, Serialize};

use crate::sink::row::cell::Cell;

/// Rows, one behind the other: each an array of its cells in MessagePack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Packed {
    count: u64,
    #[serde(with = "bin")]
    bytes: Vec<u8>,
}

impl Packed {
    /// Appends a row.
    pub(crate) fn push(&mut self, row: &[Cell<'_>]) {
        rmp_serde::encode::write(&mut self.bytes, row).expect("cells are MessagePack, and memory takes them");
        self.count += 1;
    }

    /// Adds the rows of another behind its own.
    #[cfg(feature = "postgres")]
    pub(crate) fn append(&mut self, mut other: Packed) {
        self.bytes.append(&mut other.bytes);
        self.count += other.count;
    }

    /// How many rows there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// How many bytes they take.
    pub(crate) fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Reads the rows in their order; an error, as the last entry, where the bytes are fewer.
    pub(crate) fn rows(&self) -> Rows<'_> {
        Rows { from: Deserializer::from_read_ref(&self.bytes), left: self.count }
    }
}

/// The rows of a [`Packed`], one at a time.
pub(crate) struct Rows<'a> {
    from: Deserializer<ReadRefReader<'a, [u8]>>,
    left: u64,
}

impl<'a> Iterator for Rows<'a> {
    type Item = Result<Vec<Cell<'a>>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let row = Vec::deserialize(&mut self.from);
        if row.is_err() {
            self.left = 0;
        }
        Some(row)
    }
}

/// Bytes as MessagePack `bin`, not as an array of numbers.
mod bin {
    use std::fmt;

    use serde::de::{Deserializer, Visitor};
    use serde::ser::Serializer;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        from.deserialize_byte_buf(BinVisitor)
    }

    struct BinVisitor;

    impl Visitor<'_> for BinVisitor {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("packed rows")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_owned())
        }

        fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
            Ok(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_out_in_the_order_in_which_they_went_in() {
        let rows = [vec![Cell::Integer(1), Cell::Text("a".into())], vec![], vec![Cell::Null]];
        let mut packed = Packed::default();
        rows.iter().for_each(|row| packed.push(row));
        let packed: Packed = rmp_serde::from_slice(&rmp_serde::to_vec_named(&packed).unwrap()).unwrap();
        assert_eq!(packed.rows().map(Result::unwrap).collect::<Vec<_>>(), rows);
    }

    #[test]
    fn what_is_cut_off_is_an_error_and_no_row() {
        let mut packed = Packed::default();
        packed.push(&[Cell::Text("long enough".into())]);
        packed.push(&[Cell::Null]);
        packed.bytes.truncate(5);
        let rows: Vec<_> = packed.rows().collect();
        assert!(matches!(rows[..], [Err(_)]), "{rows:?}");
    }
}

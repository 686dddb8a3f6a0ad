//! One value of one column, before any database has seen it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

/// A value of a column; as MessagePack, whatever MessagePack has for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Truth(bool),
    Integer(i64),
    /// A whole number that is too large for [`Cell::Integer`].
    Large(u64),
    Real(f64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
}

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Cell::Null => to.serialize_unit(),
            Cell::Truth(value) => to.serialize_bool(*value),
            Cell::Integer(value) => to.serialize_i64(*value),
            Cell::Large(value) => to.serialize_u64(*value),
            Cell::Real(value) => to.serialize_f64(*value),
            Cell::Text(value) => to.serialize_str(value),
            Cell::Bytes(value) => to.serialize_bytes(value),
        }
    }
}

impl<'de> Deserialize<'de> for Cell<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a column")
    }

    fn visit_unit<E>(self) -> Result<Cell<'de>, E> {
        Ok(Cell::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Cell<'de>, E> {
        Ok(Cell::Truth(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Cell<'de>, E> {
        Ok(Cell::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Cell<'de>, E> {
        Ok(i64::try_from(value).map_or(Cell::Large(value), Cell::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Cell<'de>, E> {
        Ok(Cell::Real(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cell<'de>, E> {
        Ok(Cell::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Cell<'de>, E> {
        Ok(Cell::Text(Cow::Borrowed(value)))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Cell<'de>, E> {
        Ok(Cell::Bytes(Cow::Owned(value.to_owned())))
    }

    fn visit_borrowed_bytes<E>(self, value: &'de [u8]) -> Result<Cell<'de>, E> {
        Ok(Cell::Bytes(Cow::Borrowed(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_comes_out_of_message_pack_as_it_went_in() {
        let cells = [
            Cell::Null,
            Cell::Truth(true),
            Cell::Integer(-1),
            Cell::Integer(i64::MAX),
            Cell::Large(u64::MAX),
            Cell::Real(0.5),
            Cell::Text("é".into()),
            Cell::Bytes(vec![0, 255].into()),
        ];
        let bytes = rmp_serde::to_vec(&cells).unwrap();
        assert_eq!(rmp_serde::from_slice::<Vec<Cell<'_>>>(&bytes).unwrap(), cells);
    }
}

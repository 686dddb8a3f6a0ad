//! A record as the cells of a row.

use std::fmt;

use serde::ser::{
    Error as _, Impossible, Serialize, SerializeStruct, SerializeTuple, SerializeTupleStruct, Serializer,
};

use crate::sink::row::cell::Cell;
use crate::sink::row::columns::Column;

/// Makes a row of a record: its fields go to the columns of their names, a tuple's values in their order. Columns that
/// it has no value for are `NULL`.
///
/// # Errors
///
/// Why the record is no row of these columns.
pub(crate) fn cells<T: Serialize>(record: &T, columns: &[Column]) -> Result<Vec<Cell<'static>>, RowError> {
    let mut row = Row { cells: vec![Cell::Null; columns.len()], columns, next: 0 };
    record.serialize(&mut row)?;
    Ok(row.cells)
}

/// Why a record is no row.
#[derive(Debug)]
pub(crate) enum RowError {
    /// The value has parts, and is to be written as JSON.
    Parts,
    /// It cannot be stored.
    Refused(String),
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RowError::Parts => f.write_str("a record must be a struct or a tuple to be a row"),
            RowError::Refused(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for RowError {}

impl serde::ser::Error for RowError {
    fn custom<M: fmt::Display>(why: M) -> Self {
        RowError::Refused(why.to_string())
    }
}

/// Takes a record's values in.
struct Row<'a> {
    cells: Vec<Cell<'static>>,
    columns: &'a [Column],
    next: usize,
}

impl Row<'_> {
    fn put<V: Serialize + ?Sized>(&mut self, column: usize, value: &V) -> Result<(), RowError> {
        self.cells[column] = match value.serialize(ToCell) {
            Ok(cell) => cell,
            Err(RowError::Parts) => {
                let json = serde_json::to_string(value).map_err(RowError::custom);
                Cell::Text(json.map_err(|why| self.refused(column, &why))?.into())
            }
            Err(why @ RowError::Refused(_)) => return Err(self.refused(column, &why)),
        };
        Ok(())
    }

    fn refused(&self, column: usize, why: &RowError) -> RowError {
        RowError::Refused(format!("column {:?}: {why}", self.columns[column].name))
    }

    fn put_next<V: Serialize + ?Sized>(&mut self, value: &V) -> Result<(), RowError> {
        let column = self.next;
        self.next += 1;
        if column >= self.columns.len() {
            return Err(RowError::Refused(format!("a record has more than {column} values")));
        }
        self.put(column, value)
    }

    fn put_named<V: Serialize + ?Sized>(&mut self, name: &str, value: &V) -> Result<(), RowError> {
        // Fields come in the order of the columns as a rule.
        let column = match self.columns.get(self.next) {
            Some(column) if column.name == name => self.next,
            _ => self.columns.iter().position(|column| column.name == name).ok_or_else(|| {
                RowError::Refused(format!("has no column for the field {name:?}: say .columns(..)"))
            })?,
        };
        self.next = column + 1;
        self.put(column, value)
    }
}

/// Refuses what the method's value is.
macro_rules! refuse {
    ($($method:ident($($argument:ty),*) -> $result:ty;)*) => {$(
        fn $method(self, $(_: $argument),*) -> Result<$result, RowError> {
            Err(RowError::Parts)
        }
    )*};
}

impl<'r, 'a> Serializer for &'r mut Row<'a> {
    type Ok = ();
    type Error = RowError;
    type SerializeSeq = Impossible<(), RowError>;
    type SerializeTuple = &'r mut Row<'a>;
    type SerializeTupleStruct = &'r mut Row<'a>;
    type SerializeTupleVariant = Impossible<(), RowError>;
    type SerializeMap = Impossible<(), RowError>;
    type SerializeStruct = &'r mut Row<'a>;
    type SerializeStructVariant = Impossible<(), RowError>;

    refuse! {
        serialize_bool(bool) -> ();
        serialize_i8(i8) -> ();
        serialize_i16(i16) -> ();
        serialize_i32(i32) -> ();
        serialize_i64(i64) -> ();
        serialize_u8(u8) -> ();
        serialize_u16(u16) -> ();
        serialize_u32(u32) -> ();
        serialize_u64(u64) -> ();
        serialize_f32(f32) -> ();
        serialize_f64(f64) -> ();
        serialize_char(char) -> ();
        serialize_str(&str) -> ();
        serialize_bytes(&[u8]) -> ();
        serialize_none() -> ();
        serialize_unit() -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_unit_variant(&'static str, u32, &'static str) -> ();
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }

    fn serialize_some<V: Serialize + ?Sized>(self, _: &V) -> Result<(), RowError> {
        Err(RowError::Parts)
    }

    fn serialize_newtype_struct<V: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &V,
    ) -> Result<(), RowError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<V: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &V,
    ) -> Result<(), RowError> {
        Err(RowError::Parts)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, RowError> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, RowError> {
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, RowError> {
        Ok(self)
    }
}

impl SerializeTuple for &mut Row<'_> {
    type Ok = ();
    type Error = RowError;

    fn serialize_element<V: Serialize + ?Sized>(&mut self, value: &V) -> Result<(), RowError> {
        self.put_next(value)
    }

    fn end(self) -> Result<(), RowError> {
        Ok(())
    }
}

impl SerializeTupleStruct for &mut Row<'_> {
    type Ok = ();
    type Error = RowError;

    fn serialize_field<V: Serialize + ?Sized>(&mut self, value: &V) -> Result<(), RowError> {
        self.put_next(value)
    }

    fn end(self) -> Result<(), RowError> {
        Ok(())
    }
}

impl SerializeStruct for &mut Row<'_> {
    type Ok = ();
    type Error = RowError;

    fn serialize_field<V: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &V,
    ) -> Result<(), RowError> {
        self.put_named(name, value)
    }

    fn end(self) -> Result<(), RowError> {
        Ok(())
    }
}

/// Makes a cell of one value.
struct ToCell;

macro_rules! cell {
    ($($method:ident($value:ty) => $cell:ident as $stored:ty;)*) => {$(
        fn $method(self, value: $value) -> Result<Cell<'static>, RowError> {
            Ok(Cell::$cell(<$stored>::from(value)))
        }
    )*};
}

impl Serializer for ToCell {
    type Ok = Cell<'static>;
    type Error = RowError;
    type SerializeSeq = Impossible<Cell<'static>, RowError>;
    type SerializeTuple = Impossible<Cell<'static>, RowError>;
    type SerializeTupleStruct = Impossible<Cell<'static>, RowError>;
    type SerializeTupleVariant = Impossible<Cell<'static>, RowError>;
    type SerializeMap = Impossible<Cell<'static>, RowError>;
    type SerializeStruct = Impossible<Cell<'static>, RowError>;
    type SerializeStructVariant = Impossible<Cell<'static>, RowError>;

    cell! {
        serialize_bool(bool) => Truth as bool;
        serialize_i8(i8) => Integer as i64;
        serialize_i16(i16) => Integer as i64;
        serialize_i32(i32) => Integer as i64;
        serialize_i64(i64) => Integer as i64;
        serialize_u8(u8) => Integer as i64;
        serialize_u16(u16) => Integer as i64;
        serialize_u32(u32) => Integer as i64;
        serialize_f32(f32) => Real as f64;
        serialize_f64(f64) => Real as f64;
    }

    fn serialize_u64(self, value: u64) -> Result<Cell<'static>, RowError> {
        Ok(i64::try_from(value).map_or(Cell::Large(value), Cell::Integer))
    }

    fn serialize_char(self, value: char) -> Result<Cell<'static>, RowError> {
        Ok(Cell::Text(value.to_string().into()))
    }

    fn serialize_str(self, value: &str) -> Result<Cell<'static>, RowError> {
        Ok(Cell::Text(value.to_owned().into()))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<Cell<'static>, RowError> {
        Ok(Cell::Bytes(value.to_owned().into()))
    }

    fn serialize_none(self) -> Result<Cell<'static>, RowError> {
        Ok(Cell::Null)
    }

    fn serialize_some<V: Serialize + ?Sized>(self, value: &V) -> Result<Cell<'static>, RowError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Cell<'static>, RowError> {
        Ok(Cell::Null)
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<Cell<'static>, RowError> {
        Ok(Cell::Text(name.into()))
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Cell<'static>, RowError> {
        Ok(Cell::Text(variant.into()))
    }

    fn serialize_newtype_struct<V: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &V,
    ) -> Result<Cell<'static>, RowError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<V: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &V,
    ) -> Result<Cell<'static>, RowError> {
        Err(RowError::Parts)
    }

    refuse! {
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct(&'static str, usize) -> Self::SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant;
    }
}

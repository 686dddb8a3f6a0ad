//! A record as the parameters of an SQL statement, without a copy in between.

use std::fmt;

use rusqlite::types::Null;
use rusqlite::{Statement, ToSql};
use serde::ser::{
    Error as _, Impossible, Serialize, SerializeStruct, SerializeTuple, SerializeTupleStruct, Serializer,
};

/// Why a record is no row.
#[derive(Debug)]
pub(super) enum CellError {
    /// The value has parts, and is to be written as JSON.
    Parts,
    /// It cannot be stored.
    Refused(String),
}

impl fmt::Display for CellError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CellError::Parts => f.write_str("a record must be a struct or a tuple to be a row"),
            CellError::Refused(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for CellError {}

impl serde::ser::Error for CellError {
    fn custom<M: fmt::Display>(why: M) -> Self {
        CellError::Refused(why.to_string())
    }
}

/// Binds a record's fields to the parameters of a statement: parameter `i + 1` is column `i`.
pub(super) struct Row<'a, 's> {
    pub(super) statement: &'a mut Statement<'s>,
    pub(super) columns: &'a [String],
    next: usize,
}

impl<'a, 's> Row<'a, 's> {
    pub(super) fn new(statement: &'a mut Statement<'s>, columns: &'a [String]) -> Self {
        Row { statement, columns, next: 0 }
    }

    fn bind<V: Serialize + ?Sized>(&mut self, column: usize, value: &V) -> Result<(), CellError> {
        match value.serialize(Cell { statement: self.statement, parameter: column + 1 }) {
            Err(CellError::Parts) => {
                let json = serde_json::to_string(value).map_err(CellError::custom)?;
                Cell { statement: self.statement, parameter: column + 1 }.bind(json)
            }
            Err(CellError::Refused(why)) => {
                Err(CellError::Refused(format!("column {:?}: {why}", self.columns[column])))
            }
            Ok(()) => Ok(()),
        }
    }

    fn bind_next<V: Serialize + ?Sized>(&mut self, value: &V) -> Result<(), CellError> {
        let column = self.next;
        self.next += 1;
        if column >= self.columns.len() {
            return Err(CellError::Refused(format!("a record has more than {column} values")));
        }
        self.bind(column, value)
    }

    fn bind_named<V: Serialize + ?Sized>(&mut self, name: &str, value: &V) -> Result<(), CellError> {
        // Fields come in the order of the columns as a rule.
        let column = match self.columns.get(self.next) {
            Some(column) if column == name => self.next,
            _ => self.columns.iter().position(|column| column == name).ok_or_else(|| {
                CellError::Refused(format!("has no column for the field {name:?}: say .columns(..)"))
            })?,
        };
        self.next = column + 1;
        self.bind(column, value)
    }
}

/// Refuses what the method's value is.
macro_rules! refuse {
    ($($method:ident($($argument:ty),*) -> $result:ty;)*) => {$(
        fn $method(self, $(_: $argument),*) -> Result<$result, CellError> {
            Err(CellError::Parts)
        }
    )*};
}

impl<'a, 's> Serializer for Row<'a, 's> {
    type Ok = ();
    type Error = CellError;
    type SerializeSeq = Impossible<(), CellError>;
    type SerializeTuple = Row<'a, 's>;
    type SerializeTupleStruct = Row<'a, 's>;
    type SerializeTupleVariant = Impossible<(), CellError>;
    type SerializeMap = Impossible<(), CellError>;
    type SerializeStruct = Row<'a, 's>;
    type SerializeStructVariant = Impossible<(), CellError>;

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

    fn serialize_some<V: Serialize + ?Sized>(self, _: &V) -> Result<(), CellError> {
        Err(CellError::Parts)
    }

    fn serialize_newtype_struct<V: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &V,
    ) -> Result<(), CellError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<V: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &V,
    ) -> Result<(), CellError> {
        Err(CellError::Parts)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, CellError> {
        Ok(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, CellError> {
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, CellError> {
        Ok(self)
    }
}

impl SerializeTuple for Row<'_, '_> {
    type Ok = ();
    type Error = CellError;

    fn serialize_element<V: Serialize + ?Sized>(&mut self, value: &V) -> Result<(), CellError> {
        self.bind_next(value)
    }

    fn end(self) -> Result<(), CellError> {
        Ok(())
    }
}

impl SerializeTupleStruct for Row<'_, '_> {
    type Ok = ();
    type Error = CellError;

    fn serialize_field<V: Serialize + ?Sized>(&mut self, value: &V) -> Result<(), CellError> {
        self.bind_next(value)
    }

    fn end(self) -> Result<(), CellError> {
        Ok(())
    }
}

impl SerializeStruct for Row<'_, '_> {
    type Ok = ();
    type Error = CellError;

    fn serialize_field<V: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &V,
    ) -> Result<(), CellError> {
        self.bind_named(name, value)
    }

    fn end(self) -> Result<(), CellError> {
        Ok(())
    }
}

/// Binds one value to one parameter.
struct Cell<'a, 's> {
    statement: &'a mut Statement<'s>,
    parameter: usize,
}

impl Cell<'_, '_> {
    fn bind(self, value: impl ToSql) -> Result<(), CellError> {
        self.statement.raw_bind_parameter(self.parameter, value).map_err(CellError::custom)
    }
}

/// Binds a value as another type that holds it.
macro_rules! bind {
    ($($method:ident($value:ty) as $stored:ty;)*) => {$(
        fn $method(self, value: $value) -> Result<(), CellError> {
            self.bind(<$stored>::from(value))
        }
    )*};
}

impl Serializer for Cell<'_, '_> {
    type Ok = ();
    type Error = CellError;
    type SerializeSeq = Impossible<(), CellError>;
    type SerializeTuple = Impossible<(), CellError>;
    type SerializeTupleStruct = Impossible<(), CellError>;
    type SerializeTupleVariant = Impossible<(), CellError>;
    type SerializeMap = Impossible<(), CellError>;
    type SerializeStruct = Impossible<(), CellError>;
    type SerializeStructVariant = Impossible<(), CellError>;

    bind! {
        serialize_bool(bool) as i64;
        serialize_i8(i8) as i64;
        serialize_i16(i16) as i64;
        serialize_i32(i32) as i64;
        serialize_i64(i64) as i64;
        serialize_u8(u8) as i64;
        serialize_u16(u16) as i64;
        serialize_u32(u32) as i64;
        serialize_f32(f32) as f64;
        serialize_f64(f64) as f64;
        serialize_str(&str) as &str;
        serialize_bytes(&[u8]) as &[u8];
    }

    fn serialize_u64(self, value: u64) -> Result<(), CellError> {
        let fits = i64::try_from(value);
        self.bind(fits.map_err(|_| CellError::Refused(format!("{value} is too large for SQLite")))?)
    }

    fn serialize_char(self, value: char) -> Result<(), CellError> {
        self.bind(&*value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_none(self) -> Result<(), CellError> {
        self.bind(Null)
    }

    fn serialize_some<V: Serialize + ?Sized>(self, value: &V) -> Result<(), CellError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), CellError> {
        self.bind(Null)
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), CellError> {
        self.bind(name)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), CellError> {
        self.bind(variant)
    }

    fn serialize_newtype_struct<V: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &V,
    ) -> Result<(), CellError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<V: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &V,
    ) -> Result<(), CellError> {
        Err(CellError::Parts)
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

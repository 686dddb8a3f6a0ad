//! The values of one column of a row group.

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedColumnWriter;
use parquet::schema::types::Type;

use crate::sink::fields::Kind;
use crate::sink::row::cell::Cell;

/// The values of a column, without those that are missing.
pub(super) struct Values {
    /// For each record 1 where its value is there, and 0 where it is missing.
    there: Vec<i16>,
    kept: Kept,
}

enum Kept {
    Truth(Vec<bool>),
    Integer(Vec<i64>),
    Real(Vec<f64>),
    Text(Vec<ByteArray>),
    Bytes(Vec<ByteArray>),
}

impl Values {
    /// The column for fields of a kind.
    pub(super) fn of(kind: Kind) -> Values {
        let kept = match kind {
            Kind::Truth => Kept::Truth(Vec::new()),
            Kind::Integer => Kept::Integer(Vec::new()),
            Kind::Real => Kept::Real(Vec::new()),
            Kind::Bytes => Kept::Bytes(Vec::new()),
            Kind::Text | Kind::Other => Kept::Text(Vec::new()),
        };
        Values { there: Vec::new(), kept }
    }

    /// The column in the schema.
    pub(super) fn field(&self, name: &str) -> Result<Type, ParquetError> {
        let (physical, logical) = match &self.kept {
            Kept::Truth(_) => (Physical::BOOLEAN, None),
            Kept::Integer(_) => (Physical::INT64, None),
            Kept::Real(_) => (Physical::DOUBLE, None),
            Kept::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kept::Bytes(_) => (Physical::BYTE_ARRAY, None),
        };
        let field = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
        field.with_logical_type(logical).build()
    }

    /// Why the column has no place for a value.
    pub(super) fn check(&self, cell: &Cell<'_>) -> Result<(), String> {
        match (&self.kept, cell) {
            (_, Cell::Null)
            | (Kept::Truth(_), Cell::Truth(_))
            | (Kept::Integer(_), Cell::Integer(_))
            | (Kept::Real(_), Cell::Real(_) | Cell::Integer(_) | Cell::Large(_))
            | (Kept::Bytes(_), Cell::Bytes(_))
            | (
                Kept::Text(_),
                Cell::Text(_) | Cell::Truth(_) | Cell::Integer(_) | Cell::Large(_) | Cell::Real(_),
            ) => Ok(()),
            (Kept::Integer(_), Cell::Large(value)) => {
                Err(format!("{value} is too large for 64 bits with a sign"))
            }
            (_, cell) => Err(format!("a value is written as {cell:?}, and its type reads another kind")),
        }
    }

    /// Takes a value in that has been checked; says how much memory it needs, in bytes.
    pub(super) fn push(&mut self, cell: Cell<'_>) -> usize {
        self.there.push(i16::from(cell != Cell::Null));
        let text = |text: String| ByteArray::from(text.into_bytes());
        let kept = &mut self.kept;
        match (kept, cell) {
            (_, Cell::Null) => return size_of::<i16>(),
            (Kept::Truth(values), Cell::Truth(value)) => values.push(value),
            (Kept::Integer(values), Cell::Integer(value)) => values.push(value),
            (Kept::Real(values), Cell::Real(value)) => values.push(value),
            (Kept::Real(values), Cell::Integer(value)) => values.push(value as f64),
            (Kept::Real(values), Cell::Large(value)) => values.push(value as f64),
            (Kept::Text(values), Cell::Truth(value)) => values.push(text(value.to_string())),
            (Kept::Text(values), Cell::Integer(value)) => values.push(text(value.to_string())),
            (Kept::Text(values), Cell::Large(value)) => values.push(text(value.to_string())),
            (Kept::Text(values), Cell::Real(value)) => values.push(text(value.to_string())),
            (Kept::Text(values), Cell::Text(value)) => return long(values, value.into_owned().into_bytes()),
            (Kept::Bytes(values), Cell::Bytes(value)) => return long(values, value.into_owned()),
            (_, cell) => unreachable!("{cell:?} has been checked"),
        }
        2 * size_of::<u64>()
    }

    /// Writes what is kept, and forgets it.
    pub(super) fn write(&mut self, to: &mut SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let there = &mut self.there;
        match &mut self.kept {
            Kept::Truth(values) => write::<BoolType>(to, values, there),
            Kept::Integer(values) => write::<Int64Type>(to, values, there),
            Kept::Real(values) => write::<DoubleType>(to, values, there),
            Kept::Text(values) | Kept::Bytes(values) => write::<ByteArrayType>(to, values, there),
        }
    }
}

fn long(values: &mut Vec<ByteArray>, bytes: Vec<u8>) -> usize {
    let size = bytes.len() + size_of::<ByteArray>();
    values.push(bytes.into());
    size
}

fn write<D: DataType>(
    to: &mut SerializedColumnWriter<'_>,
    values: &mut Vec<D::T>,
    there: &mut Vec<i16>,
) -> Result<(), ParquetError> {
    to.typed::<D>().write_batch(values, Some(there), None)?;
    values.clear();
    there.clear();
    Ok(())
}

//! Records as Parquet: columns, compressed, with types.

mod column;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::sink::parquet::column::Values;
use crate::sink::row::columns::{Column, columns};
use crate::sink::row::record::cells;
use crate::sink::{Encode, EncodeError};

/// How many records become a row group, which readers skip or read as one.
const GROUP_ROWS: usize = 128 * 1024;
/// How much memory of values ends a row group sooner, in bytes.
const GROUP_BYTES: usize = 32 * 1024 * 1024;
/// How many row groups a file can have: their number has 16 bits.
const GROUPS_MAX: usize = i16::MAX as usize;

/// A [Parquet](https://parquet.apache.org) file of columns, compressed with Snappy.
///
/// A struct's fields become columns, all of which may be missing: whole numbers as `INT64`, reals as `DOUBLE`, truth as
/// `BOOLEAN`, bytes as `BYTE_ARRAY`, and all else as text (`STRING`), where unit variants are their names, and anything
/// that has parts is JSON. A record that is no struct has no names for its columns, and is refused at the start; so
/// is, when it comes, a whole number that is too large for 64 bits with a sign.
///
/// Such a file ends with a table of what is in it, so nothing can be added to one: a sink writes a folder of
/// [parts](crate::sink::Files::in_parts), and each checkpoint ends a part. Few checkpoints make few files. Records are
/// gathered in memory until they are a row group of 128 Ki records, or of some 32 MiB; a part that
/// [rolls](crate::sink::Files::rolling_bytes) by its length does so behind a row group.
#[derive(Default)]
pub struct Parquet {
    open: Option<Open>,
}

impl Clone for Parquet {
    /// Another encoder, at the beginning of a file.
    fn clone(&self) -> Self {
        Parquet::default()
    }
}

/// A file that is being written.
struct Open {
    columns: Vec<Column>,
    values: Vec<Values>,
    rows: usize,
    bytes: usize,
    groups: usize,
    writer: SerializedFileWriter<Vec<u8>>,
}

impl<T: Serialize + DeserializeOwned> Encode<T> for Parquet {
    fn extension(&self) -> &'static str {
        "parquet"
    }

    fn check(&self) -> Result<(), EncodeError> {
        Open::new::<T>().map(drop)
    }

    fn appends(&self) -> bool {
        false
    }

    fn begin(&mut self, continued: bool) {
        assert!(!continued, "nothing can be added to a Parquet file, and the format says so");
        self.open = None;
    }

    fn encode(&mut self, record: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let open = match &mut self.open {
            Some(open) => open,
            closed => closed.insert(Open::new::<T>()?),
        };
        open.push(record)?;
        if open.rows >= GROUP_ROWS || open.bytes >= GROUP_BYTES {
            open.end_group().map_err(refused)?;
            open.hand_over(out).map_err(refused)?;
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        let opened = self.open.take().map_or_else(Open::new::<T>, Ok);
        let open = opened.expect("a type without columns is refused at the start");
        // Values have been looked at one by one, and a vector takes all that is written.
        out.append(&mut open.end().expect("what was gathered can be written"));
    }
}

fn refused(why: impl std::fmt::Display) -> EncodeError {
    EncodeError::new("Parquet", why)
}

impl Open {
    fn new<T: DeserializeOwned>() -> Result<Open, EncodeError> {
        let columns = columns::<T>(None, &[]).map_err(|_| {
            refused("its type does not name its columns: map it to a struct that derives Serialize and Deserialize")
        })?;
        let values: Vec<Values> = columns.iter().map(|column| Values::of(column.kind)).collect();
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = schema(&columns, &values)
            .and_then(|schema| SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties)));
        Ok(Open { columns, values, rows: 0, bytes: 0, groups: 0, writer: writer.map_err(refused)? })
    }

    /// Takes a record in; nothing of it where it is refused.
    fn push(&mut self, record: &impl Serialize) -> Result<(), EncodeError> {
        if self.groups == GROUPS_MAX {
            return Err(refused(format!("a file has at most {GROUPS_MAX} row groups: let parts roll")));
        }
        let row = cells(record, &self.columns).map_err(refused)?;
        for ((values, cell), column) in self.values.iter().zip(&row).zip(&self.columns) {
            values.check(cell).map_err(|why| refused(format!("column {:?}: {why}", column.name)))?;
        }
        for (values, cell) in self.values.iter_mut().zip(row) {
            self.bytes += values.push(cell);
        }
        self.rows += 1;
        Ok(())
    }

    /// Writes what was gathered as a row group.
    fn end_group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        for values in &mut self.values {
            let mut column = group.next_column()?.expect("the schema has a column for each");
            values.write(&mut column)?;
            column.close()?;
        }
        group.close()?;
        (self.rows, self.bytes) = (0, 0);
        self.groups += 1;
        Ok(())
    }

    /// Hands over the bytes that are written so far.
    fn hand_over(&mut self, out: &mut Vec<u8>) -> Result<(), ParquetError> {
        self.writer.flush()?;
        // The writer counts what has passed through it, and does not look at the vector.
        out.append(self.writer.inner_mut());
        Ok(())
    }

    /// Writes what is left, and the end. The bytes that have not been handed over.
    fn end(mut self) -> Result<Vec<u8>, ParquetError> {
        if self.rows > 0 {
            self.end_group()?;
        }
        self.writer.into_inner()
    }
}

fn schema(columns: &[Column], values: &[Values]) -> Result<TypePtr, ParquetError> {
    let fields = columns.iter().zip(values).map(|(column, values)| values.field(&column.name).map(Arc::new));
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    Ok(Arc::new(Type::group_type_builder("record").with_fields(fields).build()?))
}

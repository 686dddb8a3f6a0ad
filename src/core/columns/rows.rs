//! A column of rows: values that have no columns of their own, one behind the other as MessagePack.
//!
//! Where all that a value is made of is known to be [plain](Data::is_plain), a struct is an array of its fields. Else it
//! is a map by their names, since serde's attributes can leave a field out, and then only its name tells which one.

use serde::Deserialize;

use super::{ColumnError, ColumnReader, ColumnWriter, ROW_DEPTH_MAX, nesting};
use crate::Data;

const PART: &str = "rows";

/// Appends one column.
pub(crate) fn write<'a, T: Data>(
    count: usize,
    values: impl Iterator<Item = &'a T>,
    columns: &mut ColumnWriter<'_>,
) {
    let write = if T::is_plain() { rmp_serde::encode::write } else { rmp_serde::encode::write_named };
    columns.column(|out| {
        let begin = out.len();
        for value in values {
            write(out, value).expect("records are Data, which serde can write");
        }
        // Refused here, where it is known whose record it is, rather than by each who reads it.
        if !T::is_plain()
            && let Err(error) = nesting::check(count, &out[begin..])
        {
            panic!("a record cannot be written: {error}");
        }
    });
}

/// Reads one column.
pub(crate) fn read<T: Data>(rows: usize, columns: &ColumnReader<'_>) -> Result<Vec<T>, ColumnError> {
    let bytes = columns.column(PART)?;
    // A row has a byte at least, so more of them are a lie, and given no memory.
    if rows > bytes.len() {
        return Err(ColumnError::Short { part: PART });
    }
    // What is plain ends somewhere. Anything else may hold itself, which the depth of rmp-serde does not see in enums.
    if !T::is_plain() {
        nesting::check(rows, bytes)?;
    }
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
    deserializer.set_max_depth(ROW_DEPTH_MAX);
    let mut values = Vec::with_capacity(rows);
    for row in 0..rows {
        let value = T::deserialize(&mut deserializer)
            .map_err(|error| ColumnError::Row { row, reason: error.to_string() })?;
        values.push(value);
    }
    match bool::deserialize(&mut deserializer) {
        // There is not even the first byte of another value.
        Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => Ok(values),
        Ok(_) | Err(_) => Err(ColumnError::Row { row: rows, reason: "there are only so many".to_owned() }),
    }
}

//! A column that says which values are there, and the columns of those that are.

use super::{ColumnError, ColumnReader, ColumnWriter};
use crate::Data;

const PART: &str = "presence";

/// Appends one column and those of the values.
pub(crate) fn write<'a, T: Data>(
    count: usize,
    values: impl Iterator<Item = &'a Option<T>> + Clone,
    columns: &mut ColumnWriter<'_>,
) {
    columns.fixed(count, values.clone().map(|value| [u8::from(value.is_some())]));
    let present = values.filter_map(Option::as_ref);
    T::write_columns(present.clone().count(), present, columns);
}

/// Reads one column and those of the values.
pub(crate) fn read<T: Data>(
    count: usize,
    columns: &ColumnReader<'_>,
) -> Result<impl Iterator<Item = Option<T>>, ColumnError> {
    let presence = columns.fixed::<1>(PART, count)?;
    if presence.iter().any(|[byte]| *byte > 1) {
        return Err(ColumnError::Value { kind: PART });
    }
    let present = presence.iter().filter(|[byte]| *byte == 1).count();
    let mut values = T::read_columns(present, columns)?;
    let next = move |[byte]: &[u8; 1]| {
        (*byte == 1).then(|| values.next().expect("a column holds as many values as were asked of it"))
    };
    Ok(presence.iter().map(next))
}

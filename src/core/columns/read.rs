//! Reads the parts of a batch.

use std::cell::Cell;

use super::ColumnError;

/// The array of a batch, as far as it has not been read.
///
/// It is read through a shared reference, so that the values of one column can be at hand while the next is read.
#[derive(Debug)]
pub struct ColumnReader<'a> {
    rest: Cell<&'a [u8]>,
    /// How many parts the array says that it has.
    stated: usize,
    /// How many of them have been read.
    parts: Cell<usize>,
    records: usize,
}

impl<'a> ColumnReader<'a> {
    /// Begins to read an array.
    pub(super) fn begin(bytes: &'a [u8]) -> Result<Self, ColumnError> {
        let rest = Cell::new(bytes);
        let stated = u16::from_be_bytes(head(&rest, 0xdc, "array")?);
        let records = u32::from_be_bytes(head(&rest, 0xce, "number of records")?);
        Ok(ColumnReader { rest, stated: usize::from(stated), parts: Cell::new(1), records: records as usize })
    }

    /// How many records the batch says that it has.
    pub(super) fn records(&self) -> usize {
        self.records
    }

    /// The bytes of the next column.
    pub(super) fn column(&self, part: &'static str) -> Result<&'a [u8], ColumnError> {
        let length = u32::from_be_bytes(head(&self.rest, 0xc6, part)?) as usize;
        let (column, rest) = self.rest.get().split_at_checked(length).ok_or(ColumnError::Short { part })?;
        self.rest.set(rest);
        self.parts.set(self.parts.get() + 1);
        Ok(column)
    }

    /// The next column, which has `count` values of one width.
    pub(super) fn fixed<const N: usize>(
        &self,
        part: &'static str,
        count: usize,
    ) -> Result<&'a [[u8; N]], ColumnError> {
        let column = self.column(part)?;
        let (values, rest) = column.as_chunks();
        if values.len() != count || !rest.is_empty() {
            return Err(ColumnError::Length { part, found: column.len(), expected: count as u64 * N as u64 });
        }
        Ok(values)
    }

    /// Checks that there is nothing left.
    pub(super) fn finish(&self) -> Result<(), ColumnError> {
        let (found, expected, bytes) = (self.stated, self.parts.get(), self.rest.get().len());
        if found != expected {
            return Err(ColumnError::Parts { found, expected });
        }
        if bytes > 0 {
            return Err(ColumnError::Trailing { part: "last column", bytes });
        }
        Ok(())
    }
}

/// Takes a marker and the number behind it.
fn head<const N: usize>(rest: &Cell<&[u8]>, marker: u8, part: &'static str) -> Result<[u8; N], ColumnError> {
    let (&found, behind) = rest.get().split_first().ok_or(ColumnError::Short { part })?;
    if found != marker {
        return Err(ColumnError::Marker { part, found });
    }
    let (number, behind) = behind.split_first_chunk().ok_or(ColumnError::Short { part })?;
    rest.set(behind);
    Ok(*number)
}

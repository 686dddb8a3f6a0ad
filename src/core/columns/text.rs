//! Two columns of texts: how many bytes each has, and the bytes of all of them.

use super::{ColumnError, ColumnReader, ColumnWriter};

const LENGTHS: &str = "lengths of texts";
const BYTES: &str = "texts";

/// Appends two columns.
pub(crate) fn write<'a, T: AsRef<str> + 'a>(
    count: usize,
    values: impl Iterator<Item = &'a T> + Clone,
    columns: &mut ColumnWriter<'_>,
) {
    let lengths = values.clone().map(|text| {
        let bytes = text.as_ref().len();
        u32::try_from(bytes).expect("a text has fewer than 2^32 bytes").to_le_bytes()
    });
    columns.fixed(count, lengths);
    columns.column(|out| values.for_each(|text| out.extend_from_slice(text.as_ref().as_bytes())));
}

/// Reads two columns.
pub(crate) fn read<'a, T: From<&'a str> + 'a>(
    count: usize,
    columns: &ColumnReader<'a>,
) -> Result<impl Iterator<Item = T> + use<'a, T>, ColumnError> {
    let lengths = columns.fixed(LENGTHS, count)?.iter().map(|length| u32::from_le_bytes(*length) as usize);
    let bytes = columns.column(BYTES)?;
    let expected = lengths.clone().map(|length| length as u64).sum();
    if bytes.len() as u64 != expected {
        return Err(ColumnError::Length { part: BYTES, found: bytes.len(), expected });
    }
    let invalid = ColumnError::Value { kind: "text" };
    // Once over all of them, which is faster than one by one; then none may begin within a character.
    let mut rest = str::from_utf8(bytes).map_err(|_| invalid.clone())?;
    let mut ends = lengths.clone().scan(0, |end, length| {
        *end += length;
        Some(*end)
    });
    if !bytes.is_ascii() && !ends.all(|end| rest.is_char_boundary(end)) {
        return Err(invalid);
    }
    Ok(lengths.map(move |length| {
        let (text, behind) = rest.split_at(length);
        rest = behind;
        T::from(text)
    }))
}

//! Rows of CSV (RFC 4180): a header that names the fields of a serde type, quotes where a field needs them.

use std::marker::PhantomData;

use csv::{ByteRecord, DeserializeErrorKind, ErrorKind};
use csv_core::Terminator;
use memchr::{memchr, memchr_iter};
use watershed_core::{Data, excerpt};

use super::{Decode, Refusal, without_terminator};

/// How much of a column's name a message quotes, in bytes.
const NAME_BYTES_MAX: usize = 64;

/// A row is a `T`, its fields found by the names in the file's header; blank rows are nothing.
///
/// A row with more or fewer fields than the header is refused. An empty field is `None` where `T` has an
/// `Option`.
#[derive(Debug)]
pub struct CsvRow<T> {
    delimiter: u8,
    missing: Option<String>,
    with_header: bool,
    quoted_newlines: bool,
    columns: Option<ByteRecord>,
    row: ByteRecord,
    scratch: Scratch,
    of: PhantomData<fn() -> T>,
}

/// Room for the fields of a row with quotes.
#[derive(Clone, Debug, Default)]
struct Scratch {
    fields: Vec<u8>,
    ends: Vec<usize>,
}

impl<T> Default for CsvRow<T> {
    fn default() -> Self {
        CsvRow {
            delimiter: b',',
            missing: None,
            with_header: true,
            quoted_newlines: true,
            columns: None,
            row: ByteRecord::new(),
            scratch: Scratch::default(),
            of: PhantomData,
        }
    }
}

impl<T> Clone for CsvRow<T> {
    fn clone(&self) -> Self {
        CsvRow {
            delimiter: self.delimiter,
            missing: self.missing.clone(),
            with_header: self.with_header,
            quoted_newlines: self.quoted_newlines,
            columns: self.columns.clone(),
            row: ByteRecord::new(),
            scratch: Scratch::default(),
            of: PhantomData,
        }
    }
}

impl<T> CsvRow<T> {
    /// Takes another byte than the comma between fields.
    #[must_use]
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = delimiter;
        self
    }

    /// Reads a field that is exactly this (`NA`) as an empty one, which is `None` for an `Option`.
    #[must_use]
    pub fn missing(mut self, mark: &str) -> Self {
        self.missing = Some(mark.to_owned());
        self
    }

    /// Says that files have no header: these are the names of the columns.
    #[must_use]
    pub fn columns<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.columns = Some(names.into_iter().map(str::as_bytes).collect());
        self.with_header = false;
        self
    }

    /// Promises that no field has a newline in it: each line is a row, and large files may be read in parts.
    #[must_use]
    pub fn rows_are_lines(mut self) -> Self {
        self.quoted_newlines = false;
        self
    }

    /// Takes a row apart into fields.
    fn split(&mut self, row: &[u8]) -> Result<(), Refusal> {
        self.row.clear();
        let missing = self.missing.as_deref().map(str::as_bytes);
        let mut push = |field: &[u8]| {
            let known = missing.is_none_or(|mark| mark != field);
            self.row.push_field(if known { field } else { b"" });
        };
        if memchr(b'"', row).is_none() {
            let mut begin = 0;
            for end in memchr_iter(self.delimiter, row) {
                push(&row[begin..end]);
                begin = end + 1;
            }
            push(&row[begin..]);
            return Ok(());
        }
        if quotes(row, self.delimiter, |_| false) == Quotes::Open {
            return Err(Refusal::torn("a quote that is never closed"));
        }
        let Scratch { fields, ends } = &mut self.scratch;
        // A field is never longer than its quoted form, and n bytes make at most n + 1 fields.
        fields.resize(row.len() + 1, 0);
        ends.resize(row.len() + 2, 0);
        let mut reader = csv_core::ReaderBuilder::new()
            .delimiter(self.delimiter)
            .terminator(Terminator::Any(b'\n'))
            .build();
        let (_, read, written, count) = reader.read_record(row, fields, ends);
        assert_eq!(read, row.len(), "a row has no newline outside quotes, and there is room for its fields");
        // An empty input tells the reader that the row is over.
        let (_, _, _, last) = reader.read_record(&[], &mut fields[written..], &mut ends[count..]);
        let count = count + last;
        let mut begin = 0;
        for end in &ends[..count] {
            push(&fields[begin..*end]);
            begin = *end;
        }
        Ok(())
    }
}

impl<T: Data> Decode for CsvRow<T> {
    type Out = T;

    fn decode(&mut self, bytes: &[u8], emit: &mut impl FnMut(T)) -> Result<(), Refusal> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.split(bytes)?;
        if let Some(columns) = &self.columns
            && columns.len() != self.row.len()
        {
            let (found, wanted) = (self.row.len(), columns.len());
            return Err(Refusal::torn(format!("{found} fields where the header has {wanted}")));
        }
        let value = self.row.deserialize(self.columns.as_ref());
        emit(value.map_err(|error| Refusal::because(reason(&error, self.columns.as_ref())))?);
        Ok(())
    }

    #[inline]
    fn row_end(&self, bytes: &[u8]) -> Option<usize> {
        let newline = memchr(b'\n', bytes)? + 1;
        if !self.quoted_newlines || memchr(b'"', &bytes[..newline]).is_none() {
            return Some(newline);
        }
        match quotes(bytes, self.delimiter, |byte| byte == b'\n') {
            Quotes::Found(newline) => Some(newline + 1),
            Quotes::Closed | Quotes::Open => None,
        }
    }

    fn rows_are_lines(&self) -> bool {
        !self.quoted_newlines
    }

    fn wants_header(&self) -> bool {
        self.with_header
    }

    fn header(&mut self, row: &[u8]) -> Result<(), Refusal> {
        let missing = self.missing.take();
        let split = self.split(without_terminator(row));
        self.missing = missing;
        split?;
        if let Some(name) = self.row.iter().find(|name| str::from_utf8(name).is_err()) {
            let name = String::from_utf8_lossy(name);
            let name = excerpt(&name, NAME_BYTES_MAX);
            let why = format!("the name {name} in the header is not UTF-8; is this a file of CSV?");
            return Err(Refusal::because(why));
        }
        self.columns = Some(self.row.clone());
        Ok(())
    }
}

/// What the quotes of some bytes leave behind.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Quotes {
    /// The byte that was looked for is here, outside quotes.
    Found(usize),
    /// It is not there, and no quote is open.
    Closed,
    /// It is not there, and a quote is open.
    Open,
}

/// Looks for a byte outside quotes. A quote begins a quoted field only where the field begins.
fn quotes(bytes: &[u8], delimiter: u8, wanted: impl Fn(u8) -> bool) -> Quotes {
    #[derive(PartialEq)]
    enum At {
        FieldStart,
        Plain,
        Quoted,
        /// Behind a quote within quotes: the end of the quotes, or the first half of a doubled one.
        Quote,
    }
    let mut at = At::FieldStart;
    for (index, byte) in bytes.iter().enumerate() {
        at = match (at, *byte) {
            (At::Quoted, b'"') => At::Quote,
            (At::Quoted, _) | (At::Quote | At::FieldStart, b'"') => At::Quoted,
            (_, byte) if wanted(byte) => return Quotes::Found(index),
            (_, byte) if byte == delimiter => At::FieldStart,
            (At::Quote | At::FieldStart | At::Plain, _) => At::Plain,
        };
    }
    if at == At::Quoted { Quotes::Open } else { Quotes::Closed }
}

/// What `csv` says, with the column's name and without the place, which it does not know.
fn reason(error: &csv::Error, columns: Option<&ByteRecord>) -> String {
    let ErrorKind::Deserialize { err, .. } = error.kind() else { return error.to_string() };
    let column = err.field().and_then(|field| columns?.get(usize::try_from(field).ok()?));
    let what = match err.kind() {
        DeserializeErrorKind::InvalidUtf8(error) => format!("not UTF-8 ({error})"),
        kind => kind.to_string(),
    };
    match column {
        Some(column) => {
            format!("{what} in column {}", excerpt(&String::from_utf8_lossy(column), NAME_BYTES_MAX))
        }
        None => what,
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::super::decoded;
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
    struct Reading {
        sensor: String,
        value: Option<f64>,
    }

    fn reader() -> CsvRow<Reading> {
        let mut rows = CsvRow::default().missing("NA");
        rows.header(b"unused,value,sensor\r\n").unwrap();
        rows
    }

    fn reading(sensor: &str, value: Option<f64>) -> Result<Vec<Reading>, String> {
        Ok(vec![Reading { sensor: sensor.to_owned(), value }])
    }

    #[test]
    fn fields_are_found_by_name_with_quotes_or_without() {
        assert_eq!(decoded(&mut reader(), b"0,1.5,a"), reading("a", Some(1.5)));
        assert_eq!(
            decoded(&mut reader(), b"0,1.5,\"a \"\"b\"\", c\nd\""),
            reading("a \"b\", c\nd", Some(1.5))
        );
        assert_eq!(decoded(&mut reader(), b"0,\"1.5\",x\"y"), reading("x\"y", Some(1.5)));
        assert_eq!(decoded(&mut reader(), b""), Ok(vec![]));
    }

    #[test]
    fn the_mark_of_a_missing_value_and_an_empty_field_are_none() {
        assert_eq!(decoded(&mut reader(), b"0,NA,a"), reading("a", None));
        assert_eq!(decoded(&mut reader(), b"0,,\"a\""), reading("a", None));
    }

    #[test]
    fn bad_rows_are_refused_with_a_reason_that_names_the_column() {
        let reason = |row: &[u8]| decoded(&mut reader(), row).unwrap_err();
        assert_eq!(reason(b"0,1.5"), "2 fields where the header has 3");
        assert_eq!(reason(b"0,1.5,\"a\",b"), "4 fields where the header has 3");
        assert_eq!(reason(b"0,x,a"), "invalid float literal in column value");
        assert_eq!(reason(b"0,1,\"a"), "a quote that is never closed");
        assert!(reason(b"0,1,a\xff").contains("UTF-8"), "{}", reason(b"0,1,a\xff"));
    }

    #[test]
    fn a_header_that_is_no_text_is_refused_in_a_short_line() {
        let header = b"\xff".repeat(400_000);
        let why = CsvRow::<Reading>::default().header(&header).unwrap_err().to_string();
        assert!(why.ends_with("(1200000 bytes) in the header is not UTF-8; is this a file of CSV?"), "{why}");
        assert!(why.len() < 200, "{} bytes", why.len());
    }

    #[test]
    fn a_row_ends_at_the_first_newline_outside_quotes() {
        let end = |bytes: &[u8]| reader().row_end(bytes);
        assert_eq!(end(b"a,b\nc"), Some(4));
        assert_eq!(end(b"a,\"b\nc\"\nd"), Some(8));
        assert_eq!(end(b"a,\"b\"\"\nc\"\nd"), Some(10));
        assert_eq!(
            end(b"a,5\" x\nd"),
            Some(7),
            "a quote within a field that has none at its start is a letter"
        );
        assert_eq!(end(b"a,\"b\nc\n"), None);
        assert_eq!(reader().rows_are_lines().row_end(b"a,\"b\nc\"\nd"), Some(5));
    }

    #[test]
    fn files_without_a_header_have_their_columns_named() {
        let mut rows = CsvRow::<Reading>::default().delimiter(b';').columns(["sensor", "value"]);
        assert_eq!(decoded(&mut rows, b"a;2"), reading("a", Some(2.0)));
    }
}

//! Records as comma-separated values, with a header.

use std::cell::Cell;
use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::sink::fields::fields;
use crate::sink::{Encode, EncodeError};

/// One line of comma-separated values for each record, quoted where need be; each file begins with the names of
/// the fields.
///
/// A struct's fields become columns; `None` is an empty field. A tuple has no names, and so no header. What
/// does not fit a table (a map, a struct within a struct) is an error.
///
/// A file without records has its header too, as far as the type tells it: the names under which the
/// struct's fields are *read*, in the order of declaration.
#[derive(Default)]
pub struct Csv {
    writer: Option<csv::Writer<Tray>>,
    continued: bool,
}

/// Where the `csv` crate puts its bytes, to be taken from there.
#[derive(Default)]
struct Tray(Cell<Vec<u8>>);

impl io::Write for Tray {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.get_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Clone for Csv {
    /// Another encoder, at the beginning of a file.
    fn clone(&self) -> Self {
        Csv::default()
    }
}

impl<T: Serialize + DeserializeOwned> Encode<T> for Csv {
    fn extension(&self) -> &'static str {
        "csv"
    }

    fn begin(&mut self, continued: bool) {
        self.writer = None;
        self.continued = continued;
    }

    #[inline]
    fn encode(&mut self, record: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let continued = self.continued;
        let writer = self.writer.get_or_insert_with(|| {
            csv::WriterBuilder::new().has_headers(!continued).from_writer(Tray::default())
        });
        writer.serialize(record).map_err(|error| EncodeError::new("CSV", error))?;
        writer.flush().expect("a vector takes all that is written");
        let tray = &writer.get_ref().0;
        let mut bytes = tray.take();
        out.extend_from_slice(&bytes);
        bytes.clear();
        tray.set(bytes);
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if self.writer.is_some() || self.continued {
            return;
        }
        if let Some(fields) = fields::<T>() {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer
                .write_record(fields.iter().map(|field| field.name))
                .expect("a vector takes all that is written");
            out.extend(writer.into_inner().expect("a vector takes all that is written"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Clone, Serialize, Deserialize)]
    struct Row {
        name: String,
        mean: Option<f64>,
    }

    fn row(name: &str, mean: Option<f64>) -> Row {
        Row { name: name.to_owned(), mean }
    }

    fn encoded(continued: bool, rows: &[Row]) -> String {
        let (mut csv, mut out) = (Csv::default(), Vec::new());
        Encode::<Row>::begin(&mut csv, continued);
        for row in rows {
            csv.encode(row, &mut out).unwrap();
        }
        Encode::<Row>::finish(&mut csv, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_header_comes_once_and_fields_are_quoted_where_need_be() {
        let rows = [row("a,\"b\"\n", None), row("c", Some(0.5))];
        assert_eq!(encoded(false, &rows), "name,mean\n\"a,\"\"b\"\"\n\",\nc,0.5\n");
    }

    #[test]
    fn a_file_without_records_is_its_header() {
        assert_eq!(encoded(false, &[]), "name,mean\n");
    }

    #[test]
    fn what_is_appended_has_no_header() {
        assert_eq!(encoded(true, &[row("c", None)]), "c,\n");
        assert_eq!(encoded(true, &[]), "");
    }

    #[test]
    fn a_record_that_is_no_row_is_an_error() {
        let map = std::collections::BTreeMap::from([("a".to_owned(), 1)]);
        let error = Csv::default().encode(&map, &mut Vec::new()).unwrap_err().to_string();
        assert!(error.starts_with("a record cannot be written as CSV: "), "{error}");
    }
}

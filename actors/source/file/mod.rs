//! Files of rows: text lines, CSV, JSON lines; plain or compressed by gzip.

mod cut;
mod find;
mod input;
mod members;
mod reader;
mod rows;

pub use cut::FileRange;
pub use reader::FileReader;

use std::path::{Path, PathBuf};

use watershed_core::{Position, Source, SourceError};

use super::decode::{CsvRow, Decode, Json, Text};
use super::pace::{self, Pace};

/// The longest row that is read unless told otherwise, in bytes.
pub const ROW_BYTES_MAX: usize = 1024 * 1024;

/// Files whose lines are text. Each line is a `String`, without its line end.
///
/// ```no_run
/// use watershed_actors::source::{Lines, Parse, Words};
///
/// let lines = Lines::at("notes.txt");
/// let words = Lines::at("books/*.txt").decode(Words);
/// let numbers = Lines::at("numbers.txt.gz").decode(Parse::by(str::parse::<u64>));
/// ```
pub type Lines = Files<Text>;

/// Files of CSV with a header: each row is a `T`, by serde.
///
/// ```no_run
/// use serde::{Deserialize, Serialize};
/// use watershed_actors::source::Csv;
/// use watershed_core::Data;
///
/// #[derive(Clone, Serialize, Deserialize, Data)]
/// struct Flight {
///     origin: String,
///     dep_delay: Option<f64>,
/// }
///
/// let flights = Csv::<Flight>::at("flights.csv.gz").missing("NA");
/// ```
pub type Csv<T> = Files<CsvRow<T>>;

/// Files of JSON lines: each line is a `T`, by serde.
pub type JsonLines<T> = Files<Json<T>>;

/// Reads the rows of files.
///
/// Each file is a split; a large one that is not compressed and whose rows are lines is cut into one split
/// a subtask. A row belongs to the split in which it begins. The position of a split is a byte offset in
/// the file, for a compressed one in what it expands to.
///
/// A row that cannot be understood, or is longer than the [limit](Files::row_bytes_max), becomes a dead
/// letter with its file and line, and harms no other. A file that cannot be read, or whose compressed data
/// is damaged or ends too early, ends the job.
#[derive(Clone, Debug)]
pub struct Files<D> {
    paths: Vec<PathBuf>,
    extension: Option<String>,
    decoder: D,
    cutting: Cutting,
    row_bytes_max: usize,
    per_second: Option<f64>,
}

/// Into what large files are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cutting {
    /// One part a subtask.
    BySubtask,
    /// Parts of so many bytes.
    Bytes(u64),
    /// Not at all.
    Whole,
}

impl<D: Decode + Default> Files<D> {
    /// Reads what is at `path`: a file, all files of a directory (those within directories in it and those
    /// whose names begin with a dot excepted), or what fits a pattern of `*`, `?`, `[ab]` and `**`.
    pub fn at(path: impl AsRef<Path>) -> Self {
        Files {
            paths: vec![path.as_ref().to_owned()],
            extension: None,
            decoder: D::default(),
            cutting: Cutting::BySubtask,
            row_bytes_max: ROW_BYTES_MAX,
            per_second: None,
        }
    }
}

impl<D> Files<D> {
    /// Reads what is at another path too.
    #[must_use]
    pub fn and(mut self, path: impl AsRef<Path>) -> Self {
        self.paths.push(path.as_ref().to_owned());
        self
    }

    /// Leaves out files of a directory or pattern that have another extension; `csv` lets `a.csv` and
    /// `a.csv.gz` in.
    #[must_use]
    pub fn extension(mut self, extension: &str) -> Self {
        self.extension = Some(extension.trim_start_matches('.').to_owned());
        self
    }

    /// Makes something else of each row.
    pub fn decode<E: Decode>(self, decoder: E) -> Files<E> {
        let Files { paths, extension, cutting, row_bytes_max, per_second, .. } = self;
        Files { paths, extension, decoder, cutting, row_bytes_max, per_second }
    }

    /// Sets rows of more bytes aside instead of keeping them in memory; [`ROW_BYTES_MAX`] unless told.
    #[must_use]
    pub fn row_bytes_max(mut self, bytes: usize) -> Self {
        self.row_bytes_max = bytes;
        self
    }

    /// Replays so many records a second, over all files together, each in the measure of its size.
    ///
    /// # Panics
    ///
    /// Where the rate is not a number above 0.
    #[must_use]
    pub fn per_second(mut self, records: f64) -> Self {
        self.per_second = Some(pace::checked(records));
        self
    }

    /// Reads each file from its beginning to its end, by one subtask.
    #[must_use]
    pub fn whole(mut self) -> Self {
        self.cutting = Cutting::Whole;
        self
    }
}

impl<D: Decode> Files<D> {
    /// Cuts files that are not compressed into splits of so many bytes.
    ///
    /// # Panics
    ///
    /// Where `bytes` is 0, or where rows may have newlines in them (see [`Csv::rows_are_lines`]).
    #[must_use]
    pub fn split_bytes(mut self, bytes: u64) -> Self {
        assert!(bytes > 0, "a split has at least a byte");
        assert!(self.decoder.rows_are_lines(), "rows that may have newlines cannot be found from the middle");
        self.cutting = Cutting::Bytes(bytes);
        self
    }
}

impl<T> Csv<T> {
    /// Takes another byte than the comma between fields.
    #[must_use]
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.decoder = self.decoder.delimiter(delimiter);
        self
    }

    /// Reads a field that is exactly this (`NA`) as an empty one, which is `None` for an `Option`.
    #[must_use]
    pub fn missing(mut self, mark: &str) -> Self {
        self.decoder = self.decoder.missing(mark);
        self
    }

    /// Says that the files have no header: these are the names of the columns.
    #[must_use]
    pub fn columns<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.decoder = self.decoder.columns(names);
        self
    }

    /// Promises that no field has a newline in it: each line is a row, and large files are read in parts.
    #[must_use]
    pub fn rows_are_lines(mut self) -> Self {
        self.decoder = self.decoder.rows_are_lines();
        self
    }
}

impl<D: Decode> Source for Files<D> {
    type Out = D::Out;
    type Split = FileRange;
    type Reader = FileReader<D>;

    fn splits(&self, parallelism: u32) -> Result<Vec<FileRange>, SourceError> {
        let files = find::files(&self.paths, self.extension.as_deref())?;
        let part = match self.cutting {
            Cutting::Bytes(bytes) => Some(bytes),
            Cutting::BySubtask if self.decoder.rows_are_lines() => None,
            Cutting::BySubtask | Cutting::Whole => Some(u64::MAX),
        };
        let mut ranges = Vec::new();
        for file in files {
            cut::cut(file, part, parallelism, &mut ranges);
        }
        cut::share_out(&mut ranges);
        Ok(ranges)
    }

    fn open(&self, split: &FileRange, from: Option<Position>) -> Result<FileReader<D>, SourceError> {
        let pace = self.per_second.map(|rate| Pace::new(rate * split.share));
        FileReader::open(split, from, self.decoder.clone(), self.row_bytes_max, pace)
    }

    fn describe(&self, split: &FileRange) -> String {
        split.to_string()
    }
}

#[cfg(test)]
mod tests;

//! Prints what comes on standard output.

use std::fmt::{Debug, Display};
use std::io;
use std::marker::PhantomData;

use watershed_core::{Data, Epoch, EventTime, Sink, SinkError, SinkPlace, Writer};

use crate::sink::{escape, failure};

/// How much is gathered at most before it is printed, in bytes.
const BUFFER_BYTES: usize = 64 * 1024;

/// Prints each record as a line on standard output.
///
/// Lines are printed whole, whenever the stream pauses; those of several subtasks mix. What is printed
/// cannot be taken back: after a failure, a record may be printed again. Control characters within a
/// record are printed as escapes, so that a record is one line and steers no terminal.
///
/// ```
/// use watershed_actors::sink::Print;
/// use watershed_core::{KeyGroups, Pipeline, testing::Numbers};
///
/// let pipeline = Pipeline::new("numbers", KeyGroups::default());
/// pipeline.source(Numbers::up_to(10)).sink(Print::display().labelled("number"));
/// ```
pub struct Print<T, L> {
    line: L,
    label: String,
    of: PhantomData<fn(T)>,
}

/// How a record becomes a line.
pub trait Line<T>: Clone + Send + 'static {
    /// Appends the record, without a line break.
    ///
    /// # Errors
    ///
    /// Where it cannot be put into words, with the reason.
    fn append(&mut self, record: &T, out: &mut Vec<u8>) -> Result<(), String>;
}

/// As its author sees it: [`Debug`].
#[derive(Clone, Debug, Default)]
pub struct AsDebug(String);

/// As its reader sees it: [`Display`].
#[derive(Clone, Debug, Default)]
pub struct AsDisplay(String);

/// As JSON.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsJson;

impl<T: Debug> Print<T, AsDebug> {
    /// Prints records with [`Debug`].
    pub fn debug() -> Self {
        Print::lines(AsDebug::default())
    }
}

impl<T: Display> Print<T, AsDisplay> {
    /// Prints records with [`Display`].
    pub fn display() -> Self {
        Print::lines(AsDisplay::default())
    }
}

impl<T: Data> Print<T, AsJson> {
    /// Prints records as JSON.
    pub fn json() -> Self {
        Print::lines(AsJson)
    }
}

impl<T, L: Line<T>> Print<T, L> {
    /// Prints records as lines of your own.
    pub fn lines(line: L) -> Self {
        Print { line, label: String::new(), of: PhantomData }
    }

    /// Begins each line with `label: `, to tell several streams apart.
    #[must_use]
    pub fn labelled(mut self, label: &str) -> Self {
        let mut escaped = Vec::new();
        escape::escape_into(&mut escaped, label);
        self.label = String::from_utf8_lossy(&escaped).into_owned() + ": ";
        self
    }
}

impl<T, L: Clone> Clone for Print<T, L> {
    fn clone(&self) -> Self {
        Print { line: self.line.clone(), label: self.label.clone(), of: PhantomData }
    }
}

impl<T: Debug> Line<T> for AsDebug {
    fn append(&mut self, record: &T, out: &mut Vec<u8>) -> Result<(), String> {
        append_escaped(&mut self.0, format_args!("{record:?}"), out)
    }
}

impl<T: Display> Line<T> for AsDisplay {
    fn append(&mut self, record: &T, out: &mut Vec<u8>) -> Result<(), String> {
        append_escaped(&mut self.0, format_args!("{record}"), out)
    }
}

impl<T: Data> Line<T> for AsJson {
    fn append(&mut self, record: &T, out: &mut Vec<u8>) -> Result<(), String> {
        escape::json_into(out, record).map_err(|error| error.to_string())
    }
}

/// Appends formatted text with its control characters as escapes; `text` lends its room.
fn append_escaped(
    text: &mut String,
    arguments: std::fmt::Arguments<'_>,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    text.clear();
    std::fmt::write(text, arguments).map_err(|_| "its formatter failed".to_owned())?;
    escape::escape_into(out, text);
    Ok(())
}

impl<T: Data, L: Line<T>> Sink for Print<T, L> {
    type In = T;
    type Staged = ();
    type Writer = PrintWriter<T, L, io::Stdout>;

    const PRINTS: bool = true;

    fn open(&self, _place: &SinkPlace) -> Result<Self::Writer, SinkError> {
        Ok(PrintWriter::new(self.clone(), "standard output", io::stdout()))
    }
}

/// Prints for one subtask.
pub struct PrintWriter<T, L, W> {
    print: Print<T, L>,
    name: &'static str,
    to: W,
    buffer: Vec<u8>,
}

impl<T, L, W: io::Write> PrintWriter<T, L, W> {
    fn new(print: Print<T, L>, name: &'static str, to: W) -> Self {
        PrintWriter { print, name, to, buffer: Vec::with_capacity(BUFFER_BYTES) }
    }

    fn print(&mut self) -> Result<(), SinkError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let written = self.to.write_all(&self.buffer).and_then(|()| self.to.flush());
        // What was refused once is not tried again: part of it may have been printed.
        self.buffer.clear();
        written.map_err(|error| SinkError::new(self.name, failure::why(&error)))
    }
}

impl<T: Data, L: Line<T>, W: io::Write + Send + 'static> Writer for PrintWriter<T, L, W> {
    type In = T;
    type Staged = ();

    fn write(&mut self, record: T, _time: EventTime) -> Result<(), SinkError> {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(self.print.label.as_bytes());
        if let Err(why) = self.print.line.append(&record, &mut self.buffer) {
            self.buffer.truncate(start);
            return Err(SinkError::new(self.name, format!("a record cannot be printed: {why}")));
        }
        self.buffer.push(b'\n');
        if self.buffer.len() >= BUFFER_BYTES { self.print() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.print()
    }

    fn prepare(&mut self, _epoch: Epoch) -> Result<Option<()>, SinkError> {
        self.print()?;
        Ok(None)
    }

    fn commit(&mut self, _staged: ()) -> Result<(), SinkError> {
        Ok(())
    }

    fn abort(&mut self, _staged: ()) -> Result<(), SinkError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed<L: Line<String>>(print: Print<String, L>, records: &[&str]) -> String {
        let mut writer = PrintWriter::new(print, "a vector", Vec::new());
        for record in records {
            writer.write((*record).to_owned(), EventTime::MIN).unwrap();
        }
        assert!(writer.to.is_empty());
        writer.flush().unwrap();
        String::from_utf8(writer.to).unwrap()
    }

    #[test]
    fn each_record_is_one_line_in_each_form() {
        assert_eq!(printed(Print::debug(), &["a\n", "b"]), "\"a\\n\"\n\"b\"\n");
        assert_eq!(printed(Print::display(), &["a\n\u{1b}", "b"]), "a\\n\\u{1b}\nb\n");
        assert_eq!(printed(Print::json().labelled("x"), &["a\n\u{9b}"]), "x: \"a\\n\\u009b\"\n");
    }

    #[test]
    fn a_closed_pipe_is_an_error_that_says_so() {
        let (reader, pipe) = io::pipe().unwrap();
        drop(reader);
        let mut writer = PrintWriter::new(Print::display(), "standard output", pipe);
        writer.write("a".to_owned(), EventTime::MIN).unwrap();
        assert_eq!(writer.flush().unwrap_err().to_string(), "standard output: closed by its reader");
        writer.flush().unwrap();
    }

    #[test]
    fn a_full_device_is_an_error_that_says_so() {
        let full = std::fs::File::create("/dev/full").unwrap();
        let mut writer = PrintWriter::new(Print::display(), "standard output", full);
        writer.write("a".to_owned(), EventTime::MIN).unwrap();
        let error = writer.prepare(Epoch(1)).unwrap_err().to_string();
        assert_eq!(error, "standard output: the disk is full: make room and start again");
    }
}

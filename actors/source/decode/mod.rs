//! From bytes to records: what a file's row, a line of a socket or a message means.
//!
//! A decoder is chosen apart from where the bytes come from, so that every kind of input can carry every
//! format. It sees the bytes in the reader's buffer, not a copy, and may make several records of them or none.

mod csv_row;
mod json;
mod message_pack;
mod text;
mod words;

pub use csv_row::CsvRow;
pub use json::Json;
pub use message_pack::{MESSAGE_DEPTH_MAX, MessagePack};
pub use text::{Parse, Text};
pub use words::Words;

use memchr::memchr;
use watershed_core::Data;

/// Makes records of bytes.
///
/// ```
/// use watershed_actors::source::{Decode, Refusal};
///
/// /// Temperatures, several a line: `21.5 22 19.75`.
/// #[derive(Clone)]
/// struct Temperatures;
///
/// impl Decode for Temperatures {
///     type Out = f64;
///     fn decode(&mut self, row: &[u8], emit: &mut impl FnMut(f64)) -> Result<(), Refusal> {
///         let text = str::from_utf8(row).map_err(Refusal::because)?;
///         let numbers: Result<Vec<f64>, _> = text.split_whitespace().map(str::parse).collect();
///         numbers.map_err(Refusal::because)?.into_iter().for_each(emit);
///         Ok(())
///     }
/// }
/// ```
pub trait Decode: Clone + Send + 'static {
    /// What comes out.
    type Out: Data;

    /// Called for each row, line or message, without its terminator: emits its records, or refuses it
    /// before it has emitted any. What is refused becomes a dead letter.
    ///
    /// # Errors
    ///
    /// Where the bytes cannot be understood.
    fn decode(&mut self, bytes: &[u8], emit: &mut impl FnMut(Self::Out)) -> Result<(), Refusal>;

    /// Where the first row of `bytes` ends, its terminator included; `None` where `bytes` has only a part
    /// of it. `bytes` begins at a row. The default: behind the first newline.
    #[inline]
    fn row_end(&self, bytes: &[u8]) -> Option<usize> {
        memchr(b'\n', bytes).map(|newline| newline + 1)
    }

    /// Whether each line is a row, so that a file may be read from the middle. The default: yes.
    fn rows_are_lines(&self) -> bool {
        true
    }

    /// Whether the first row of each file is a header, which goes to [`Decode::header`]. The default: no.
    fn wants_header(&self) -> bool {
        false
    }

    /// Called with a file's header before its rows, whichever part of the file will be read.
    ///
    /// # Errors
    ///
    /// Where the header cannot be understood: the file cannot be read then.
    fn header(&mut self, row: &[u8]) -> Result<(), Refusal> {
        let _ = row;
        Ok(())
    }
}

/// Why bytes could not be understood, for a person.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    reason: String,
    torn: bool,
}

impl Refusal {
    /// A refusal for this reason.
    pub fn because(reason: impl ToString) -> Self {
        Refusal { reason: reason.to_string(), torn: false }
    }

    /// A refusal of a row that may be no row at all: where it has several lines, only the first is set
    /// aside, and reading goes on with the second.
    pub fn torn(reason: impl ToString) -> Self {
        Refusal { reason: reason.to_string(), torn: true }
    }

    /// Whether the bytes may be no row at all.
    pub fn is_torn(&self) -> bool {
        self.torn
    }
}

/// The bytes of a line without its `\n` or `\r\n`.
#[inline]
pub(super) fn without_terminator(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Decodes one piece of bytes by itself, in tests.
#[cfg(test)]
fn decoded<D: Decode>(decoder: &mut D, bytes: &[u8]) -> Result<Vec<D::Out>, String> {
    let mut out = Vec::new();
    decoder.decode(bytes, &mut |value| out.push(value)).map_err(|refusal| refusal.to_string())?;
    Ok(out)
}

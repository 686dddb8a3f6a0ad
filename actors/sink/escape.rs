//! Text from the outside, made harmless for a terminal and a log.
//!
//! A record may hold line breaks, which forge further lines, and control sequences, which steer the
//! terminal that shows them. Both are written as escapes.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Whether a character does something other than to be seen.
fn is_active(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Adds text with what is [active](is_active) in it as escapes (`\n`, `\u{1b}`).
pub(super) fn escape_into(out: &mut Vec<u8>, text: &str) {
    let mut rest = text;
    while let Some(place) = rest.find(is_active) {
        out.extend_from_slice(&rest.as_bytes()[..place]);
        let active = rest[place..].chars().next().expect("a character was found there");
        out.extend(active.escape_default().map(|ascii| ascii as u8));
        rest = &rest[place + active.len_utf8()..];
    }
    out.extend_from_slice(rest.as_bytes());
}

/// Adds a value as one line of JSON without active characters: they are written as `\u001b`, which any
/// reader of JSON turns back into what they were.
pub(super) fn json_into<T: Serialize>(out: &mut Vec<u8>, value: &T) -> serde_json::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Harmless))
}

/// Writes compact JSON, with what JSON itself leaves active in a string as escapes.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        let mut rest = text;
        while let Some(place) = rest.find(is_active) {
            writer.write_all(&rest.as_bytes()[..place])?;
            let active = rest[place..].chars().next().expect("a character was found there");
            for unit in active.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[place + active.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_line_and_steers_no_terminal() {
        let mut out = Vec::new();
        escape_into(&mut out, "a\nb\u{1b}[31m\u{9b}é\u{202e}");
        assert_eq!(String::from_utf8(out).unwrap(), "a\\nb\\u{1b}[31m\\u{9b}é\\u{202e}");
    }

    #[test]
    fn json_without_active_characters_reads_back_as_what_it_was() {
        let text = "a\nb\u{1b}\u{7f}\u{9b}é\u{2028}\u{202e}\"";
        let mut out = Vec::new();
        json_into(&mut out, &text).unwrap();
        assert!(!String::from_utf8(out.clone()).unwrap().chars().any(is_active));
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }
}

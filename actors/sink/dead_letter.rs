//! Dead letters as lines that a person can read without harm.

use std::fmt;

use serde::Serialize;
use watershed_core::DeadLetter;

use crate::sink::{Encode, EncodeError, escape};

/// One line of JSON for each dead letter.
///
/// `operator`, `origin` and `reason` say what happened; `text` holds the refused bytes where they are UTF-8, and
/// otherwise `hex` does, two digits a byte. Control characters and those that turn the direction of writing are
/// escaped, so that what somebody sent can neither forge a line nor steer the terminal that shows it.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeadLetterLines;

impl Encode<DeadLetter> for DeadLetterLines {
    fn extension(&self) -> &'static str {
        "jsonl"
    }

    fn encode(&mut self, letter: &DeadLetter, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let text = std::str::from_utf8(&letter.bytes).ok();
        let line = Line {
            operator: &letter.operator,
            origin: &letter.origin,
            reason: &letter.reason,
            text,
            hex: text.is_none().then_some(Hex(&letter.bytes)),
        };
        escape::json_into(out, &line).map_err(|error| EncodeError::new("JSON", error))?;
        out.push(b'\n');
        Ok(())
    }
}

#[derive(Serialize)]
struct Line<'a> {
    operator: &'a str,
    origin: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hex: Option<Hex<'a>>,
}

/// Bytes as hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Hex<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        DeadLetterLines.encode(&DeadLetter::new("a.csv line 2", "no number", bytes), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_kept_as_text_without_its_power() {
        let expected = "{\"operator\":\"\",\"origin\":\"a.csv line 2\",\"reason\":\"no number\",\
                        \"text\":\"x\\n\\u001b[2J\\u009bé\"}\n";
        assert_eq!(line("x\n\u{1b}[2J\u{9b}é".as_bytes()), expected);
    }

    #[test]
    fn bytes_that_are_no_text_are_kept_as_digits() {
        assert!(line(b"\xff\x0a").ends_with("\"reason\":\"no number\",\"hex\":\"ff0a\"}\n"));
    }
}

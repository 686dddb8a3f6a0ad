//! The words of a text, without an allocation for each.

use compact_str::CompactString;

use super::{Decode, Refusal};

/// A line is its words: maximal runs of ASCII letters, digits and apostrophes, in lower case.
///
/// Any other byte separates words, so no text is refused. Words of up to 24 bytes are kept in place.
#[derive(Clone, Copy, Debug, Default)]
pub struct Words;

/// The lower-case form of each byte of a word, 0 for a byte that separates.
const LOWER: [u8; 256] = {
    let mut lower = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let letter = byte as u8;
        if letter.is_ascii_alphanumeric() || letter == b'\'' {
            lower[byte] = letter.to_ascii_lowercase();
        }
        byte += 1;
    }
    lower
};

impl Decode for Words {
    type Out = CompactString;

    #[inline]
    fn decode(&mut self, bytes: &[u8], emit: &mut impl FnMut(CompactString)) -> Result<(), Refusal> {
        const SHORT: usize = 24;
        let mut rest = bytes.iter().map(|byte| LOWER[usize::from(*byte)]);
        while let Some(first) = rest.by_ref().find(|letter| *letter != 0) {
            let (mut short, mut len) = ([0; SHORT], 1);
            short[0] = first;
            let mut overflow = 0;
            for letter in rest.by_ref().take_while(|letter| *letter != 0) {
                if len < SHORT {
                    short[len] = letter;
                    len += 1;
                } else {
                    overflow = letter;
                    break;
                }
            }
            let mut word = CompactString::from(ascii(&short[..len]));
            if overflow != 0 {
                word.push(char::from(overflow));
                word.extend(rest.by_ref().take_while(|letter| *letter != 0).map(char::from));
            }
            emit(word);
        }
        Ok(())
    }
}

#[inline]
fn ascii(letters: &[u8]) -> &str {
    str::from_utf8(letters).expect("letters, digits and apostrophes are ASCII")
}

#[cfg(test)]
mod tests {
    use super::super::decoded;
    use super::*;

    #[test]
    fn words_are_runs_of_letters_digits_and_apostrophes_in_lower_case() {
        let words = decoded(&mut Words, b"  Don't panic: 42,\xc3\xa9t\xe9 -- x").unwrap();
        assert_eq!(words, ["don't", "panic", "42", "t", "x"]);
        assert_eq!(decoded(&mut Words, b" .,\t"), Ok(vec![]));
    }

    #[test]
    fn words_of_any_length_stay_whole() {
        for length in [1, 23, 24, 25, 26, 100] {
            let line = format!("{} b", "A".repeat(length));
            let words = decoded(&mut Words, line.as_bytes()).unwrap();
            assert_eq!(words, ["a".repeat(length), "b".to_owned()]);
        }
    }
}

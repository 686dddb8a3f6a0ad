//! Input that could not be used: kept, with where it came from and why.

use serde::{Deserialize, Serialize};

use crate::{Data, MESSAGE_BYTES_MAX, excerpt};

/// A piece of input that was set aside, so that it harms nothing else and can be looked at later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Data)]
pub struct DeadLetter {
    /// The uid of the operator that refused it.
    pub operator: String,
    /// Where it came from, for a person: `flights.csv line 12`.
    pub origin: String,
    /// Why it was refused; says how long the input was where it is not all there.
    pub reason: String,
    /// The input itself, as it was read; cut off after [`DeadLetter::BYTES_MAX`].
    pub bytes: Vec<u8>,
}

impl DeadLetter {
    /// How much of a refused piece of input is kept, in bytes.
    pub const BYTES_MAX: usize = 64 * 1024;

    /// A letter from an operator that is filled in by the runtime.
    pub fn new(origin: impl Into<String>, reason: impl Into<String>, bytes: &[u8]) -> Self {
        DeadLetter::beginning(origin, reason, bytes, bytes.len() as u64)
    }

    /// A letter about input of `length` bytes, of which these are the first: the reason says so.
    pub fn beginning(
        origin: impl Into<String>,
        reason: impl Into<String>,
        bytes: &[u8],
        length: u64,
    ) -> Self {
        let bytes = &bytes[..bytes.len().min(DeadLetter::BYTES_MAX)];
        let mut reason = excerpt(&reason.into(), MESSAGE_BYTES_MAX).into_owned();
        if (bytes.len() as u64) < length {
            reason += &format!("; cut to the first {} of {length} bytes", bytes.len());
        }
        DeadLetter { operator: String::new(), origin: origin.into(), reason, bytes: bytes.to_vec() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_says_that_it_was_cut_and_how_long_the_input_was() {
        let long = vec![b'x'; DeadLetter::BYTES_MAX + 1];
        let letter = DeadLetter::new("a.csv line 2", "no number", &long);
        assert_eq!(letter.bytes.len(), 65_536);
        assert_eq!(letter.reason, "no number; cut to the first 65536 of 65537 bytes");
        let letter = DeadLetter::new("a.csv line 2", "no number", &long[1..]);
        assert_eq!((letter.bytes.len(), letter.reason.as_str()), (65_536, "no number"));
        let letter = DeadLetter::beginning("a.csv line 2", "too long", b"abc", 1_000_000);
        assert_eq!(letter.reason, "too long; cut to the first 3 of 1000000 bytes");
    }

    #[test]
    fn a_reason_that_quotes_the_input_is_bounded() {
        let letter = DeadLetter::new("a.csv line 2", "x".repeat(400_000), b"");
        assert!(letter.reason.len() < 1100, "{} bytes", letter.reason.len());
    }
}

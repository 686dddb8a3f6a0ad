//! Cuts what messages quote: input may be as long as it likes, a message may not.

use std::borrow::Cow;

/// How much a message says of one thing at most, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1024;

/// A text as a message may quote it: whole, or its beginning and how long it is.
///
/// ```
/// use watershed_core::excerpt;
///
/// assert_eq!(excerpt("short", 10), "short");
/// assert_eq!(excerpt("größer als erlaubt", 4), "grö.. (20 bytes)");
/// ```
pub fn excerpt(text: &str, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max {
        return Cow::Borrowed(text);
    }
    let end = (0..=bytes_max).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    Cow::Owned(format!("{}.. ({} bytes)", &text[..end], text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_never_falls_within_a_character() {
        for bytes_max in 0..6 {
            let cut = excerpt("aß🦀b", bytes_max);
            assert!(cut.ends_with(".. (8 bytes)"), "{cut}");
            assert!(cut.len() <= bytes_max + ".. (8 bytes)".len(), "{cut}");
        }
        assert_eq!(excerpt("aß🦀b", 8), "aß🦀b");
    }
}

//! Words of up to 15 bytes as two numbers, cut out of text without a loop over their bytes.

use super::table::Key;

/// Bytes that are looked at together.
const BYTES: usize = 16;
/// The lowest bit of each byte.
const ONES: u128 = u128::from_ne_bytes([1; BYTES]);

/// A word of 1 to 15 bytes, filled up with zeros; no byte of a word is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    low: u64,
    high: u64,
}

impl Word {
    fn new(bytes: u128) -> Self {
        Self { low: bytes as u64, high: (bytes >> 64) as u64 }
    }

    /// The bytes of the word, and behind them the zeros.
    pub(super) fn padded(self) -> [u8; BYTES] {
        (u128::from(self.high) << 64 | u128::from(self.low)).to_le_bytes()
    }
}

impl Key for Word {
    #[inline]
    fn hash(self) -> u64 {
        // Folds the product: each bit of both halves reaches the middle, where high meets low.
        let product =
            u128::from(self.low ^ 0x9E37_79B9_7F4A_7C15) * u128::from(self.high ^ 0xD6E8_FEB8_6659_FD93);
        let word = Self::new(product);
        word.low ^ word.high
    }
}

/// Hands over the words of a block in order: short ones to `short`, those of 16 bytes and more to `long`.
#[inline]
pub(super) fn for_each_word(block: &[u8], mut short: impl FnMut(Word), mut long: impl FnMut(&[u8])) {
    let mut at = 0;
    while let Some(bytes) = block[at..].first_chunk::<BYTES>() {
        let bytes = u128::from_le_bytes(*bytes);
        // The highest bit of each byte that is at most a space; above the lowest such byte there may be others.
        let gaps = bytes.wrapping_sub(ONES * 0x21) & !bytes & (ONES * 0x80);
        if gaps == 0 {
            let length = block[at..].iter().position(|byte| *byte <= b' ').unwrap_or(block.len() - at);
            long(&block[at..at + length]);
            at += length;
            continue;
        }
        let bits = gaps.trailing_zeros() - 7;
        if bits > 0 {
            short(Word::new(bytes & ((1 << bits) - 1)));
        }
        at += bits as usize / 8 + 1;
    }
    // The last bytes, again as sixteen.
    for word in crate::text::words_of(&block[at.min(block.len())..]) {
        let mut bytes = [0; BYTES];
        bytes[..word.len()].copy_from_slice(word);
        short(Word::new(u128::from_le_bytes(bytes)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_all_lengths_come_whole_and_in_order() {
        for separator in [&b" "[..], b"\n", b" \n\t"] {
            let letters = b"w\xc3\x7f\xff!\x80a".repeat(9);
            let words: Vec<&[u8]> = (1..40).chain([3, 1]).map(|length| &letters[..length]).collect();
            let text = words.join(separator);
            let found = std::cell::RefCell::new(Vec::new());
            for_each_word(
                &text,
                |word| {
                    let bytes = word.padded();
                    let length = bytes.iter().position(|byte| *byte == 0).unwrap();
                    found.borrow_mut().push(bytes[..length].to_vec());
                },
                |word| found.borrow_mut().push(word.to_vec()),
            );
            assert_eq!(found.into_inner(), words);
        }
    }
}

//! Bodies that take fewer bytes on a slow link.
//!
//! A compressed body is one MessagePack value, an extension, which tells it from every other body:
//!
//! ```text
//! ext 32, always in five bytes, and its type TYPE
//!   length   how many bytes it expands to: 4 bytes, little-endian
//!   block    an LZ4 block
//! ```
//!
//! Its kind in the header is that of what is inside. There is no compression within compression.

use std::borrow::Cow;

use lz4_flex::block;

/// The type of the extension: an L.
pub const TYPE: u8 = b'L';

/// What a compressed body begins with, but for its lengths.
const MARKER: u8 = 0xc9;
/// The marker, the length of the extension, its type, and the length inside.
const HEAD_BYTES: usize = 10;
/// No byte of a block expands to more.
const RATIO_MAX: usize = 256;

/// Why a compressed body cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpandError {
    /// It ends too early, or does not end where it says.
    #[error("a compressed body has {found} bytes, and says that it has {stated}")]
    Length {
        /// How many it has.
        found: usize,
        /// How many it should have.
        stated: usize,
    },
    /// It would be too large.
    #[error("a compressed body expands to {bytes} bytes, and may expand to {bytes_max}")]
    TooLarge {
        /// How many bytes it says that it expands to.
        bytes: usize,
        /// How many it may.
        bytes_max: usize,
    },
    /// It is no LZ4 block, or expands to another length than it says.
    #[error("a compressed body is no LZ4 block of the length that it says")]
    Block,
    /// It holds a compressed body.
    #[error("a compressed body holds another one")]
    Nested,
}

/// Whether a body is a compressed one.
pub fn is_compressed(body: &[u8]) -> bool {
    body.first() == Some(&MARKER) && body.get(5) == Some(&TYPE)
}

/// Appends a body to `out`: compressed where that makes it shorter, else as it is.
pub fn compress(body: &[u8], out: &mut Vec<u8>) {
    let begin = out.len();
    let expanded = u32::try_from(body.len()).expect("a body keeps to its limit");
    out.resize(begin + HEAD_BYTES + block::get_maximum_output_size(body.len()), 0);
    let place = &mut out[begin + HEAD_BYTES..];
    let block =
        block::compress_into(body, place).expect("there is room for the longest block of such a body");
    if HEAD_BYTES + block >= body.len() {
        out.truncate(begin);
        out.extend_from_slice(body);
        return;
    }
    out.truncate(begin + HEAD_BYTES + block);
    let head = &mut out[begin..begin + HEAD_BYTES];
    let length = u32::try_from(block + 4).expect("a block is shorter than the body that it holds");
    head[0] = MARKER;
    head[1..5].copy_from_slice(&length.to_be_bytes());
    head[5] = TYPE;
    head[6..].copy_from_slice(&expanded.to_le_bytes());
}

/// The body as it was before it was compressed, which it need not have been.
///
/// # Errors
///
/// Where a compressed body is broken, or expands to more than `bytes_max`. That is known before there is room for it.
pub fn expand(body: &[u8], bytes_max: usize) -> Result<Cow<'_, [u8]>, ExpandError> {
    if !is_compressed(body) {
        return Ok(Cow::Borrowed(body));
    }
    let Some((head, block)) = body.split_first_chunk::<HEAD_BYTES>() else {
        return Err(ExpandError::Length { found: body.len(), stated: HEAD_BYTES });
    };
    let stated = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize + HEAD_BYTES - 4;
    if stated != body.len() {
        return Err(ExpandError::Length { found: body.len(), stated });
    }
    let bytes = u32::from_le_bytes([head[6], head[7], head[8], head[9]]) as usize;
    let bytes_max = bytes_max.min(block.len().saturating_mul(RATIO_MAX));
    if bytes > bytes_max {
        return Err(ExpandError::TooLarge { bytes, bytes_max });
    }
    let mut expanded = vec![0; bytes];
    let written = block::decompress_into(block, &mut expanded);
    if !written.is_ok_and(|written| written == bytes) {
        return Err(ExpandError::Block);
    }
    if is_compressed(&expanded) {
        return Err(ExpandError::Nested);
    }
    Ok(Cow::Owned(expanded))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compressed(body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        compress(body, &mut out);
        out
    }

    /// A compressed body, whatever is in it.
    fn forged(bytes: u32, block: &[u8]) -> Vec<u8> {
        let mut out = vec![MARKER];
        out.extend((block.len() as u32 + 4).to_be_bytes());
        out.push(TYPE);
        out.extend(bytes.to_le_bytes());
        out.extend_from_slice(block);
        out
    }

    #[test]
    fn a_body_comes_back_as_it_was() {
        let body = b"one word and one word and one word and one word".repeat(100);
        let small = compressed(&body);
        assert!(is_compressed(&small) && small.len() * 10 < body.len(), "{} bytes", small.len());
        assert_eq!(expand(&small, body.len()), Ok(Cow::Borrowed(&body[..])));
    }

    #[test]
    fn a_body_that_would_not_be_shorter_stays_as_it_is() {
        for body in [&b""[..], b"short", &[0xdc, 0, 2]] {
            assert_eq!(compressed(body), body);
            assert!(matches!(expand(body, 0), Ok(Cow::Borrowed(same)) if same == body));
        }
    }

    #[test]
    fn what_expands_to_too_much_is_refused_before_there_is_room_for_it() {
        let small = compressed(&[7; 10_000]);
        let refused = ExpandError::TooLarge { bytes: 10_000, bytes_max: 9_999 };
        assert_eq!(expand(&small, 9_999), Err(refused));
        let refused = ExpandError::TooLarge { bytes: 1 << 30, bytes_max: 2 * RATIO_MAX };
        assert_eq!(expand(&forged(1 << 30, &[0x10, 0]), usize::MAX), Err(refused));
    }

    #[test]
    fn what_is_broken_is_refused() {
        let small = compressed(&[7; 1_000]);
        for length in 6..small.len() {
            assert!(expand(&small[..length], 1_000).is_err(), "cut at {length}");
        }
        let behind = [&small[..], &[0]].concat();
        let refused = ExpandError::Length { found: small.len() + 1, stated: small.len() };
        assert_eq!(expand(&behind, 1_000), Err(refused));
        // One literal, and said to be two.
        assert_eq!(expand(&forged(2, &[0x10, 0]), 1_000), Err(ExpandError::Block));
        assert_eq!(expand(&forged(1, &[0xff]), 1_000), Err(ExpandError::Block));
    }

    #[test]
    fn there_is_no_compression_within_compression() {
        let inner = compressed(&[7; 1_000]);
        let block = block::compress(&inner);
        let outer = forged(inner.len() as u32, &block);
        assert_eq!(expand(&outer, 1 << 20), Err(ExpandError::Nested));
    }
}

//! Steps over MessagePack without recursion and without copying.

/// Why bytes are not the MessagePack that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// A value goes on behind the end.
    #[error("MessagePack that goes on behind its end")]
    Short,
    /// There is something behind the value.
    #[error("bytes behind the end of the MessagePack value")]
    Trailing,
    /// It nests deeper than allowed.
    #[error("MessagePack that nests deeper than is allowed")]
    Deep,
    /// The one byte that means nothing.
    #[error("a byte that is no MessagePack")]
    Reserved,
    /// A string that is no UTF-8.
    #[error("MessagePack text that is no UTF-8")]
    Text,
}

/// The first bytes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// So many bytes follow that hold the value, or none where the head holds it.
    Scalar { bytes: u64 },
    /// So many bytes of text follow.
    Text { bytes: u64 },
    /// So many values follow.
    Array { items: u64 },
    /// So many pairs of values follow.
    Map { pairs: u64 },
}

/// Reads a head, and where it ends.
pub(crate) fn head(bytes: &[u8], at: usize) -> Result<(Head, usize), Malformed> {
    let marker = *bytes.get(at).ok_or(Malformed::Short)?;
    let wide = |width: usize| -> Result<(u64, usize), Malformed> {
        let end = at + 1 + width;
        let digits = bytes.get(at + 1..end).ok_or(Malformed::Short)?;
        Ok((digits.iter().fold(0, |number, digit| number << 8 | u64::from(*digit)), end))
    };
    let scalar = |bytes: u64| Ok((Head::Scalar { bytes }, at + 1));
    let length = |width, make: fn(u64) -> Head| wide(width).map(|(length, end)| (make(length), end));
    let low = |mask: u8| u64::from(marker & mask);
    match marker {
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => scalar(0),
        0x80..=0x8f => Ok((Head::Map { pairs: low(0x0f) }, at + 1)),
        0x90..=0x9f => Ok((Head::Array { items: low(0x0f) }, at + 1)),
        0xa0..=0xbf => Ok((Head::Text { bytes: low(0x1f) }, at + 1)),
        0xc1 => Err(Malformed::Reserved),
        0xc4 => length(1, |bytes| Head::Scalar { bytes }),
        0xc5 => length(2, |bytes| Head::Scalar { bytes }),
        0xc6 => length(4, |bytes| Head::Scalar { bytes }),
        // An extension has one byte of type behind its length.
        0xc7 => length(1, |bytes| Head::Scalar { bytes: bytes + 1 }),
        0xc8 => length(2, |bytes| Head::Scalar { bytes: bytes + 1 }),
        0xc9 => length(4, |bytes| Head::Scalar { bytes: bytes + 1 }),
        0xcc | 0xd0 => scalar(1),
        0xcd | 0xd1 => scalar(2),
        0xca | 0xce | 0xd2 => scalar(4),
        0xcb | 0xcf | 0xd3 => scalar(8),
        0xd4 => scalar(2),
        0xd5 => scalar(3),
        0xd6 => scalar(5),
        0xd7 => scalar(9),
        0xd8 => scalar(17),
        0xd9 => length(1, |bytes| Head::Text { bytes }),
        0xda => length(2, |bytes| Head::Text { bytes }),
        0xdb => length(4, |bytes| Head::Text { bytes }),
        0xdc => length(2, |items| Head::Array { items }),
        0xdd => length(4, |items| Head::Array { items }),
        0xde => length(2, |pairs| Head::Map { pairs }),
        0xdf => length(4, |pairs| Head::Map { pairs }),
    }
}

/// Where the value ends that begins at `at`.
pub(crate) fn end(bytes: &[u8], at: usize, depth_max: usize) -> Result<usize, Malformed> {
    let mut at = at;
    // How many values are still to come at each level that is open.
    let mut open: Vec<u64> = vec![1];
    while let Some(left) = open.last_mut() {
        let Some(rest) = left.checked_sub(1) else {
            open.pop();
            continue;
        };
        *left = rest;
        let (head, next) = head(bytes, at)?;
        at = next;
        let inside = match head {
            Head::Scalar { bytes: length } => {
                at = skip(bytes, at, length)?;
                continue;
            }
            Head::Text { bytes: length } => {
                let end = skip(bytes, at, length)?;
                str::from_utf8(&bytes[at..end]).map_err(|_| Malformed::Text)?;
                at = end;
                continue;
            }
            Head::Array { items } => items,
            Head::Map { pairs } => pairs * 2,
        };
        if open.len() > depth_max {
            return Err(Malformed::Deep);
        }
        open.push(inside);
    }
    Ok(at)
}

fn skip(bytes: &[u8], at: usize, length: u64) -> Result<usize, Malformed> {
    let rest = (bytes.len() - at) as u64;
    if length > rest { Err(Malformed::Short) } else { Ok(at + length as usize) }
}

/// Checks that the bytes are one whole value.
pub(crate) fn whole(bytes: &[u8], depth_max: usize) -> Result<(), Malformed> {
    if end(bytes, 0, depth_max)? == bytes.len() { Ok(()) } else { Err(Malformed::Trailing) }
}

/// The bytes of the items of an array; `None` where the value is no array.
pub(crate) fn items(bytes: &[u8], depth_max: usize) -> Result<Option<Vec<&[u8]>>, Malformed> {
    let (Head::Array { items: count }, start) = head(bytes, 0)? else { return Ok(None) };
    split(bytes, start, count, depth_max).map(Some)
}

/// The bytes of the keys and values of a map; `None` where the value is no map.
pub(crate) fn pairs(bytes: &[u8], depth_max: usize) -> Result<Option<Vec<(&[u8], &[u8])>>, Malformed> {
    let (Head::Map { pairs: count }, start) = head(bytes, 0)? else { return Ok(None) };
    let values = split(bytes, start, count * 2, depth_max)?;
    Ok(Some(values.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()))
}

fn split(bytes: &[u8], start: usize, count: u64, depth_max: usize) -> Result<Vec<&[u8]>, Malformed> {
    // Each value takes a byte at least, so a length that promises more is a lie, and given no memory.
    if count > (bytes.len() - start) as u64 {
        return Err(Malformed::Short);
    }
    let mut at = start;
    let mut found = Vec::with_capacity(count as usize);
    for _ in 0..count {
        let next = end(bytes, at, depth_max)?;
        found.push(&bytes[at..next]);
        at = next;
    }
    if at == bytes.len() { Ok(found) } else { Err(Malformed::Trailing) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_value_is_walked_to_its_end() {
        let bytes = rmp_serde::to_vec_named(&(1_u64, "text", vec![(2_i8, Some(0.5_f64)); 3])).unwrap();
        assert_eq!(end(&bytes, 0, 4), Ok(bytes.len()));
        assert_eq!(items(&bytes, 4).unwrap().unwrap().len(), 3);
    }

    #[test]
    fn depth_counts_the_levels_that_are_open() {
        assert_eq!(whole(&[0x91, 0x91, 0x90], 3), Ok(()));
        assert_eq!(whole(&[0x91, 0x91, 0x90], 2), Err(Malformed::Deep));
    }

    #[test]
    fn every_cut_and_every_lie_is_found() {
        let bytes = rmp_serde::to_vec_named(&("text", vec![1_u32, 70_000], b"bytes")).unwrap();
        for length in 0..bytes.len() {
            assert!(whole(&bytes[..length], 8).is_err(), "cut at {length}");
        }
        let lies: [(&[u8], Malformed); 6] = [
            (&[0xdd, 0xff, 0xff, 0xff, 0xff], Malformed::Short),
            (&[0xdf, 0xff, 0xff, 0xff, 0xff, 0xc0], Malformed::Short),
            (&[0xc6, 0xff, 0xff, 0xff, 0xff], Malformed::Short),
            (&[0xc1], Malformed::Reserved),
            (&[0xc0, 0xc0], Malformed::Trailing),
            (&[0xa1, 0xff], Malformed::Text),
        ];
        for (bytes, expected) in lies {
            assert_eq!(whole(bytes, 8), Err(expected));
        }
        assert_eq!(items(&[0xdd, 0xff, 0xff, 0xff, 0xff, 0xc0], 8), Err(Malformed::Short));
        assert_eq!(pairs(&[0xdf, 0xff, 0xff, 0xff, 0xff, 0xc0], 8), Err(Malformed::Short));
    }
}

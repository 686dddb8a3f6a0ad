//! How deep MessagePack nests, found without recursion: what recurses into it afterwards has its stack bounded.

use super::{ColumnError, ROW_DEPTH_MAX};

/// Checks that `bytes` are `rows` values and nothing more, none of which nests deeper than it may.
pub(crate) fn check(rows: usize, bytes: &[u8]) -> Result<(), ColumnError> {
    let mut rest = bytes;
    // How many values are still to come at each level that is open. The first is that of the rows.
    let mut open = [0_u64; ROW_DEPTH_MAX + 1];
    open[0] = rows as u64;
    let mut level = 0;
    let broken = |reason: &str, left: u64| {
        Err(ColumnError::Row { row: rows.saturating_sub(left as usize + 1), reason: reason.to_owned() })
    };
    loop {
        if open[level] == 0 {
            if level == 0 {
                break;
            }
            level -= 1;
            continue;
        }
        open[level] -= 1;
        let Some((skip, inside)) = step(&mut rest) else {
            return broken("it is no MessagePack, or it ends too early", open[0]);
        };
        let Some(behind) = usize::try_from(skip).ok().and_then(|skip| rest.get(skip..)) else {
            return broken("it ends too early", open[0]);
        };
        rest = behind;
        if inside > 0 {
            level += 1;
            if level > ROW_DEPTH_MAX {
                return Err(ColumnError::Deep { depth_max: ROW_DEPTH_MAX });
            }
            open[level] = inside;
        }
    }
    if rest.is_empty() { Ok(()) } else { Err(ColumnError::Trailing { part: "rows", bytes: rest.len() }) }
}

/// Takes the first bytes of a value: how many more bytes it has, and how many values are inside.
fn step(rest: &mut &[u8]) -> Option<(u64, u64)> {
    let marker = *rest.split_off_first()?;
    let mut wide = |width: usize| -> Option<u64> {
        let digits = rest.split_off(..width)?;
        Some(digits.iter().fold(0, |number, digit| number << 8 | u64::from(*digit)))
    };
    Some(match marker {
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => (0, 0),
        0x80..=0x8f => (0, u64::from(marker & 0x0f) * 2),
        0x90..=0x9f => (0, u64::from(marker & 0x0f)),
        0xa0..=0xbf => (u64::from(marker & 0x1f), 0),
        0xc1 => return None,
        0xc4 | 0xd9 => (wide(1)?, 0),
        0xc5 | 0xda => (wide(2)?, 0),
        0xc6 | 0xdb => (wide(4)?, 0),
        // An extension has one byte of type behind its length.
        0xc7 => (wide(1)? + 1, 0),
        0xc8 => (wide(2)? + 1, 0),
        0xc9 => (wide(4)? + 1, 0),
        0xcc | 0xd0 => (1, 0),
        0xcd | 0xd1 | 0xd4 => (2, 0),
        0xd5 => (3, 0),
        0xca | 0xce | 0xd2 => (4, 0),
        0xd6 => (5, 0),
        0xcb | 0xcf | 0xd3 => (8, 0),
        0xd7 => (9, 0),
        0xd8 => (17, 0),
        0xdc => (0, wide(2)?),
        0xdd => (0, wide(4)?),
        0xde => (0, wide(2)? * 2),
        0xdf => (0, wide(4)? * 2),
    })
}

//! Bytes that are no batch.

use serde::{Deserialize, Serialize};

use super::*;

/// A chain as long as the bytes make it. serde's enums recurse without counting how deep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Link {
    End,
    More(Box<Link>),
}

impl Data for Link {}

/// The MessagePack of a chain of so many links.
fn chain(links: usize) -> Vec<u8> {
    [b"\x81\xa4More".repeat(links), b"\xa3End".to_vec()].concat()
}

/// A batch of one record with one column.
fn of_long_column(column: &[u8]) -> Vec<u8> {
    let mut bytes = of_columns(&[]);
    bytes[2] += 1;
    bytes.push(0xc6);
    bytes.extend((column.len() as u32).to_be_bytes());
    bytes.extend_from_slice(column);
    bytes
}

type Records = (u64, String, Option<bool>, char, Vec<u16>);

fn records() -> Vec<Records> {
    let one = |number: u64| (number, "ä".repeat(number as usize), Some(true), 'x', vec![1, 2]);
    vec![one(1), one(2), one(0)]
}

/// A batch of one record with these columns.
fn of_columns(columns: &[&[u8]]) -> Vec<u8> {
    let mut bytes = vec![0xdc, 0, 2 + columns.len() as u8, 0xce, 0, 0, 0, 1];
    for column in [&[0; 8][..]].iter().chain(columns) {
        bytes.extend([0xc6, 0, 0, 0, column.len() as u8]);
        bytes.extend_from_slice(column);
    }
    bytes
}

#[test]
fn every_cut_is_refused() {
    let bytes = encoded(&records());
    for length in 0..bytes.len() {
        assert!(decoded::<Records>(&bytes[..length]).is_err(), "cut at {length}");
    }
}

#[test]
fn what_follows_behind_the_end_is_refused() {
    let mut bytes = encoded(&records());
    bytes.push(0xc0);
    assert_eq!(decoded::<Records>(&bytes), Err(ColumnError::Trailing { part: "last column", bytes: 1 }));
}

#[test]
fn the_records_of_another_type_are_refused() {
    assert_eq!(decoded::<(u64, u64)>(&encoded(&[1_u64])), Err(ColumnError::Short { part: "u64" }));
    assert_eq!(
        decoded::<u64>(&encoded(&[(1_u64, 1_u64)])),
        Err(ColumnError::Parts { found: 4, expected: 3 })
    );
    let narrow = ColumnError::Length { part: "u64", found: 4, expected: 8 };
    assert_eq!(decoded::<u64>(&encoded(&[1_u32])), Err(narrow));
}

#[test]
fn a_count_is_believed_only_where_there_are_as_many_times() {
    let mut bytes = encoded(&[(), ()]);
    bytes[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
    let expected = u64::from(u32::MAX) * 8;
    assert_eq!(decoded::<()>(&bytes), Err(ColumnError::Length { part: "event times", found: 16, expected }));
}

#[test]
fn values_that_a_type_does_not_have_are_refused() {
    let none = |kind| ColumnError::Value { kind };
    assert_eq!(decoded::<bool>(&of_columns(&[&[2]])), Err(none("bool")));
    assert_eq!(decoded::<char>(&of_columns(&[&0xd800_u32.to_le_bytes()])), Err(none("char")));
    assert_eq!(decoded::<Option<()>>(&of_columns(&[&[2]])), Err(none("presence")));
    let nanos = [[0; 8].as_slice(), &1_000_000_000_u32.to_le_bytes()].concat();
    assert_eq!(decoded::<std::time::Duration>(&of_columns(&[&nanos])), Err(none("Duration")));
    assert_eq!(decoded::<String>(&of_columns(&[&[1, 0, 0, 0], &[0xff]])), Err(none("text")));
}

#[test]
fn a_text_begins_and_ends_between_characters() {
    let lengths = [1_u32, 1].map(u32::to_le_bytes).concat();
    let two = of_columns(&[&lengths, "ä".as_bytes()]);
    let mut bytes = two.clone();
    bytes[7] = 2;
    bytes.splice(8..21, [&[0xc6, 0, 0, 0, 16][..], &[0; 16]].concat());
    assert_eq!(decoded::<String>(&bytes), Err(ColumnError::Value { kind: "text" }));
}

#[test]
fn rows_that_are_too_many_or_too_few_are_refused() {
    assert!(matches!(
        decoded::<Vec<u8>>(&of_columns(&[&[0x90, 0x90]])),
        Err(ColumnError::Row { row: 1, .. })
    ));
    assert_eq!(decoded::<Vec<u8>>(&of_columns(&[&[]])), Err(ColumnError::Short { part: "rows" }));
    assert!(matches!(decoded::<Vec<u8>>(&of_columns(&[&[0x91]])), Err(ColumnError::Row { row: 0, .. })));
    assert!(matches!(
        decoded::<Vec<u8>>(&of_columns(&[&[0xdd, 0xff, 0xff, 0xff, 0xff]])),
        Err(ColumnError::Row { .. })
    ));
}

#[test]
fn a_row_that_nests_too_deep_is_refused_before_anything_recurses_into_it() {
    let read = decoded::<Link>(&of_long_column(&chain(ROW_DEPTH_MAX - 1)));
    assert_eq!(read.unwrap().len(), 1);
    for links in [ROW_DEPTH_MAX + 1, 1_000_000] {
        let refused = ColumnError::Deep { depth_max: ROW_DEPTH_MAX };
        assert_eq!(decoded::<Link>(&of_long_column(&chain(links))), Err(refused));
    }
}

#[test]
#[should_panic(expected = "nests deeper than 128 levels")]
fn a_record_that_nobody_would_read_is_not_written() {
    encoded(&[(0..=ROW_DEPTH_MAX).fold(Link::End, |link, _| Link::More(Box::new(link)))]);
}

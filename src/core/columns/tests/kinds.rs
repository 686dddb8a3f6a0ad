//! Which columns a type has.

use std::collections::BTreeMap;
use std::time::Duration;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::*;
use crate::{Position, ProcessingTime, Watermark};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
struct Pair<A, B> {
    first: A,
    second: B,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
struct Wrapper(u64);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
struct Nothing {}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
enum Event {
    Read { sensor: u32, values: Vec<Option<f64>> },
    Lost,
}

/// A record that holds itself, by way of a box.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
struct Chain {
    number: u8,
    next: Option<Box<Link>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Link {
    End,
    More(Box<Link>),
}

impl Data for Link {}

fn reading(sensor: u32) -> Event {
    Event::Read { sensor, values: vec![None, Some(0.5)] }
}

#[test]
fn numbers_times_and_truth_come_back_from_both_ends_of_their_range() {
    macro_rules! ends {
        ($($kind:ty),*) => {$( assert_round_trip(&[<$kind>::MIN, <$kind>::MAX]); )*};
    }
    ends!(
        u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64, char, EventTime, Watermark
    );
    assert_round_trip(&[true, false]);
    assert_round_trip(&[Duration::ZERO, Duration::MAX]);
    assert_round_trip(&[ProcessingTime::from_millis(-5), ProcessingTime::from_millis(5)]);
    assert_round_trip(&[Position(7)]);
    let not_a_number = decoded::<f64>(&encoded(&[f64::NAN])).unwrap();
    assert_eq!(not_a_number[0].to_bits(), f64::NAN.to_bits());
}

#[test]
fn texts_come_back_with_their_bounds() {
    assert_round_trip(&["", "a", "äöü", "\0", "🦀"].map(str::to_owned));
    assert_round_trip(&["", "longer than what is kept in place of a pointer", "ß"].map(CompactString::from));
}

#[test]
fn what_is_missing_has_no_place_in_the_columns_of_what_is_there() {
    assert_round_trip(&[Some(Some(1_u64)), Some(None), None]);
    assert_eq!(columns_of(&[Some(Some(1_u8)), Some(None), None]), [vec![1, 1, 0], vec![1, 0], vec![1]]);
}

#[test]
fn a_struct_has_the_columns_of_its_fields_and_no_more() {
    let values =
        [Pair { first: Wrapper(1), second: Some("a".to_owned()) }, Pair { first: Wrapper(2), second: None }];
    assert_round_trip(&values);
    assert_eq!(columns_of(&values), columns_of(&[(1_u64, Some("a".to_owned())), (2, None)]));
}

#[test]
fn what_says_nothing_is_still_counted() {
    assert_round_trip(&[(), (), ()]);
    assert_round_trip(&[Nothing {}, Nothing {}]);
    assert_round_trip(&[((), Nothing {})]);
    assert_eq!(columns_of(&[(), ()]), [] as [Vec<u8>; 0]);
}

#[test]
fn whatever_has_no_columns_goes_by_rows() {
    assert_round_trip(&[reading(7), Event::Lost]);
    assert_round_trip(&[vec![1_u8, 2], vec![]]);
    assert_round_trip(&[(1_u8, BTreeMap::from([(2_u64, "b".to_owned())])), (3, BTreeMap::new())]);
    assert_round_trip(&[Pair { first: reading(1), second: 2_u8 }]);
    assert_eq!(columns_of(&[vec![1_u8, 2], vec![]]), [[0x92, 1, 2, 0x90]]);
}

#[test]
fn a_record_may_hold_itself() {
    let next = Some(Box::new(Link::More(Box::new(Link::End))));
    assert_round_trip(&[Chain { number: 1, next }, Chain { number: 2, next: None }]);
}

mod attributes {
    //! What serde is told changes what is written, and nothing is lost by it.

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
    struct LeavesOut {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        first: Option<u8>,
        second: u8,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
    struct Skips {
        #[serde(skip)]
        cache: u64,
        kept: u64,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
    struct Flattens {
        name: u8,
        #[serde(flatten)]
        rest: LeavesOut,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
    #[serde(try_from = "u8")]
    struct Percent(u8);

    impl TryFrom<u8> for Percent {
        type Error = String;

        fn try_from(value: u8) -> Result<Self, String> {
            if value > 100 { Err(format!("{value} is more than all of it")) } else { Ok(Percent(value)) }
        }
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
    #[serde(tag = "kind")]
    enum Tagged {
        One { value: u8 },
        Other { name: String },
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Renamed {
        #[serde(alias = "old_name")]
        long_name: u64,
        #[serde(default)]
        other: u64,
    }

    #[test]
    fn a_field_that_is_left_out_takes_no_place_of_another() {
        let values = [LeavesOut { first: None, second: 1 }, LeavesOut { first: Some(2), second: 3 }];
        assert_round_trip(&values);
        assert_round_trip(&[values.to_vec()]);
        assert_round_trip(&values.clone().map(|value| (1_u8, value)));
        assert_round_trip(&values.map(|rest| Flattens { name: 9, rest }));
    }

    #[test]
    fn what_is_skipped_is_as_serde_makes_it() {
        let read = decoded::<Skips>(&encoded(&[Skips { cache: 5, kept: 6 }]));
        assert_eq!(read, Ok(vec![Skips { cache: 0, kept: 6 }]));
    }

    #[test]
    fn what_checks_itself_is_checked() {
        assert_round_trip(&[Percent(0), Percent(100)]);
        assert!(matches!(decoded::<Percent>(&encoded(&[1_u8, 101])), Err(ColumnError::Row { row: 1, .. })));
    }

    #[test]
    fn enums_that_are_told_apart_otherwise_come_back() {
        assert_round_trip(&[Tagged::One { value: 1 }, Tagged::Other { name: "x".to_owned() }]);
    }

    #[test]
    fn names_alone_cost_nothing() {
        let renamed = [Renamed { long_name: 1, other: 2 }];
        assert_round_trip(&renamed);
        assert_eq!(columns_of(&renamed), columns_of(&[(1_u64, 2_u64)]));
    }
}

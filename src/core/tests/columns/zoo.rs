//! One record type of every kind, and batches of them.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::time::Duration;

use compact_str::CompactString;
use proptest::collection::{btree_map, hash_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use watershed_core::columns::{BatchCodec, ColumnError};
use watershed_core::{AnyBatch, Batch, Data, Either, EventTime, Position, Record, Watermark};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
pub(crate) struct Reading<P> {
    pub(crate) sensor: CompactString,
    pub(crate) place: Option<P>,
    pub(crate) value: f64,
    pub(crate) tags: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
pub(crate) struct Wrapper(pub(crate) Option<Option<char>>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
pub(crate) enum Event {
    Read(Reading<(i32, i32)>),
    Lost { sensor: u32, since: Option<EventTime> },
    Silent,
}

/// Fields that are left out where they hold nothing: its rows have names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
pub(crate) struct Sparse {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) first: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) second: Option<String>,
}

/// What holds itself, and so is not known to end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Tree {
    Leaf(i64),
    Node(Vec<Tree>),
}

impl Data for Tree {}

pub(crate) type Numbers = (u8, u16, u32, u64, u128, usize);
pub(crate) type Signed = (i8, i16, i32, i64, i128, isize);
pub(crate) type Rest = (bool, char, f32, f64, Duration, (EventTime, Watermark, Position));
pub(crate) type Texts = (String, CompactString, Option<String>);
pub(crate) type Collections = (Vec<Option<u16>>, BTreeMap<String, Vec<u8>>, HashMap<u64, bool>, Box<u8>);
pub(crate) type Mixed = (u32, Sparse, Either<Event, Wrapper>);

/// A batch as bytes.
pub(crate) fn encoded<T: Data>(records: &[Record<T>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let batch = AnyBatch::new(Box::new(records.iter().cloned().collect::<Batch<T>>()));
    BatchCodec::of::<T>().encode(&batch, &mut bytes);
    bytes
}

/// The records of bytes.
pub(crate) fn decoded<T: Data>(bytes: &[u8]) -> Result<Vec<Record<T>>, ColumnError> {
    let codec = BatchCodec::of::<T>();
    let mut batch = codec.decode(bytes, codec.empty())?;
    assert_eq!(batch.records(), batch.downcast_ref::<T>().len(), "a batch says how many records it has");
    Ok(batch.downcast_mut().drain().collect())
}

/// A few records of a type, with times.
pub(crate) fn records<T: Data + Debug>(
    values: impl Strategy<Value = T>,
) -> impl Strategy<Value = Vec<Record<T>>> {
    let record =
        (values, any::<i64>()).prop_map(|(value, millis)| Record::new(value, EventTime::from_millis(millis)));
    vec(record, 0..20)
}

/// Numbers that are not the one number that is not itself.
fn equal_to_itself() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("equal to itself", |number| !number.is_nan())
}

fn time() -> impl Strategy<Value = EventTime> {
    any::<i64>().prop_map(EventTime::from_millis)
}

fn compact() -> impl Strategy<Value = CompactString> {
    any::<String>().prop_map(CompactString::from)
}

pub(crate) fn numbers() -> impl Strategy<Value = Numbers> {
    any::<Numbers>()
}

pub(crate) fn signed() -> impl Strategy<Value = Signed> {
    any::<Signed>()
}

pub(crate) fn rest() -> impl Strategy<Value = Rest> {
    let whole = any::<i16>().prop_map(f32::from);
    let times = (time(), time().prop_map(Watermark), any::<u64>().prop_map(Position));
    let duration =
        (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos));
    (any::<bool>(), any::<char>(), whole, equal_to_itself(), duration, times)
}

pub(crate) fn texts() -> impl Strategy<Value = Texts> {
    (any::<String>(), compact(), option::of(any::<String>()))
}

pub(crate) fn collections() -> impl Strategy<Value = Collections> {
    let map = btree_map(any::<String>(), vec(any::<u8>(), 0..4), 0..4);
    let unordered = hash_map(any::<u64>(), any::<bool>(), 0..4);
    (vec(option::of(any::<u16>()), 0..6), map, unordered, any::<u8>().prop_map(Box::new))
}

pub(crate) fn reading<P: Clone + Debug>(
    place: impl Strategy<Value = P>,
) -> impl Strategy<Value = Reading<P>> {
    let parts = (compact(), option::of(place), equal_to_itself(), vec(any::<String>(), 0..3));
    parts.prop_map(|(sensor, place, value, tags)| Reading { sensor, place, value, tags })
}

pub(crate) fn wrapper() -> impl Strategy<Value = Wrapper> {
    option::of(option::of(any::<char>())).prop_map(Wrapper)
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        reading(any::<(i32, i32)>()).prop_map(Event::Read),
        (any::<u32>(), option::of(time())).prop_map(|(sensor, since)| Event::Lost { sensor, since }),
        Just(Event::Silent),
    ]
}

pub(crate) fn sparse() -> impl Strategy<Value = Sparse> {
    (option::of(any::<u64>()), option::of(any::<String>()))
        .prop_map(|(first, second)| Sparse { first, second })
}

/// Some of it goes by rows, where serde cannot tell what is missing from what is missing within: none of that here.
pub(crate) fn mixed() -> impl Strategy<Value = Mixed> {
    let known = option::of(any::<char>().prop_map(Some)).prop_map(Wrapper);
    let either = prop_oneof![event().prop_map(Either::Left), known.prop_map(Either::Right)];
    (any::<u32>(), sparse(), either)
}

pub(crate) fn tree() -> impl Strategy<Value = Tree> {
    let leaf = any::<i64>().prop_map(Tree::Leaf);
    leaf.prop_recursive(8, 32, 4, |inner| vec(inner, 0..4).prop_map(Tree::Node))
}

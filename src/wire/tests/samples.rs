//! Headers and records of several kinds, and what a reader in another language should make of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use watershed_core::columns::BatchCodec;
use watershed_core::{AnyBatch, Batch, Data, Epoch, EventTime, Record, Run, Sequence};
use watershed_wire::{Header, Kind};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
pub(crate) struct Reading {
    pub(crate) sensor: String,
    pub(crate) place: Option<(f64, f32)>,
    pub(crate) state: State,
    pub(crate) note: Option<Option<String>>,
    pub(crate) history: Vec<u16>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
pub(crate) struct State {
    pub(crate) is_last: bool,
    pub(crate) grade: char,
    pub(crate) since: EventTime,
    pub(crate) lasted: Duration,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Data)]
pub(crate) enum Event {
    Read { sensor: u32, values: Vec<Option<f64>> },
    Renamed(String),
    Lost,
}

/// A header that has integers of all lengths.
pub(crate) fn header(kind: Kind, channel: u32) -> Header {
    let (run, sequence, epoch) = (Run(300), Sequence(70_000), Epoch(u64::MAX));
    Header { job: 7, run, channel, sequence, epoch, kind, records: 200 }
}

/// A batch as bytes.
pub(crate) fn encoded<T: Data>(records: &[Record<T>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let batch = AnyBatch::new(Box::new(records.iter().cloned().collect::<Batch<T>>()));
    BatchCodec::of::<T>().encode(&batch, &mut bytes);
    bytes
}

fn timed<T>(values: impl IntoIterator<Item = T>) -> Vec<Record<T>> {
    let times = [i64::MIN, -1, 0, 1_357_034_400_000, i64::MAX].into_iter().cycle();
    values
        .into_iter()
        .zip(times)
        .map(|(value, time)| Record::new(value, EventTime::from_millis(time)))
        .collect()
}

pub(crate) fn numbers() -> Vec<Record<(u64, i128)>> {
    timed([(0, i128::MIN), (u64::MAX, -1), (0x0123_4567_89ab_cdef, i128::MAX)])
}

pub(crate) fn number_types() -> Value {
    json!({ "fields": ["u64", "i128"] })
}

pub(crate) fn number_fields(&(first, second): &(u64, i128)) -> Value {
    json!([first, second.to_string()])
}

pub(crate) fn readings() -> Vec<Record<Reading>> {
    let state = |is_last, grade, millis| State {
        is_last,
        grade,
        since: EventTime::from_millis(millis),
        lasted: Duration::new(millis.unsigned_abs(), 999_999_999),
    };
    let note = |text: &str| Some(Some(text.to_owned()));
    timed([
        Reading {
            sensor: "käse".to_owned(),
            place: Some((0.1, -0.5)),
            state: state(true, 'ß', -5),
            note: note(""),
            history: vec![1, 2, 65_535],
        },
        Reading {
            sensor: String::new(),
            place: None,
            state: state(false, '🦀', i64::MAX),
            note: Some(None),
            history: vec![],
        },
        Reading {
            sensor: "\0\u{7ff}".to_owned(),
            place: Some((f64::MAX, f32::MIN_POSITIVE)),
            state: state(false, '\0', 0),
            note: None,
            history: vec![300],
        },
    ])
}

pub(crate) fn reading_types() -> Value {
    let state = json!({ "fields": ["bool", "char", "EventTime", "Duration"] });
    let place = json!({ "option": { "fields": ["f64", "f32"] } });
    json!({ "fields": ["String", place, state, { "option": { "option": "String" } }, "rows"] })
}

pub(crate) fn reading_fields(reading: &Reading) -> Value {
    let Reading { sensor, place, state, note, history } = reading;
    let State { is_last, grade, since, lasted } = state;
    let lasted = json!({ "secs": lasted.as_secs(), "nanos": lasted.subsec_nanos() });
    let place = place.map(|(first, second)| (first, f64::from(second)));
    json!([sensor, place, [is_last, grade, since.as_millis(), lasted], note, history])
}

pub(crate) fn events() -> Vec<Record<Event>> {
    let read = Event::Read { sensor: 70_000, values: vec![None, Some(0.5)] };
    timed([read, Event::Renamed("x".to_owned()), Event::Lost])
}

/// An event as the row that it is written as.
pub(crate) fn event_row(event: &Event) -> Value {
    match event {
        Event::Read { sensor, values } => json!({ "Read": [sensor, values] }),
        Event::Renamed(name) => json!({ "Renamed": name }),
        Event::Lost => json!("Lost"),
    }
}

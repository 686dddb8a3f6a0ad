//! Batches, written and read.

mod broken;
mod kinds;

use std::fmt::Debug;

use super::*;
use crate::{AnyBatch, Batch, Data, EventTime, Record};

/// A batch of these values, whose first happened a millisecond before 1970, and each a millisecond after the one before.
fn batch<T: Data>(values: &[T]) -> AnyBatch {
    let record = |(value, millis): (&T, i64)| Record::new(value.clone(), EventTime::from_millis(millis));
    AnyBatch::new(Box::new(values.iter().zip(-1..).map(record).collect::<Batch<T>>()))
}

fn encoded<T: Data>(values: &[T]) -> Vec<u8> {
    let mut bytes = Vec::new();
    BatchCodec::of::<T>().encode(&batch(values), &mut bytes);
    bytes
}

fn read<T: Data>(bytes: &[u8]) -> Result<Vec<Record<T>>, ColumnError> {
    let codec = BatchCodec::of::<T>();
    let mut batch = codec.decode(bytes, codec.empty())?;
    assert_eq!(batch.records(), batch.downcast_ref::<T>().len());
    Ok(batch.downcast_mut().drain().collect())
}

fn decoded<T: Data>(bytes: &[u8]) -> Result<Vec<T>, ColumnError> {
    Ok(read(bytes)?.into_iter().map(|record| record.value).collect())
}

#[track_caller]
fn assert_round_trip<T: Data + PartialEq + Debug>(values: &[T]) {
    let written = batch(values);
    let written: Vec<&Record<T>> = written.downcast_ref().iter().collect();
    assert_eq!(read(&encoded(values)).unwrap().iter().collect::<Vec<_>>(), written);
}

/// The parts of a batch behind its times.
fn columns_of<T: Data>(values: &[T]) -> Vec<Vec<u8>> {
    let bytes = encoded(values);
    let columns = ColumnReader::begin(&bytes).unwrap();
    let count = u16::from_be_bytes([bytes[1], bytes[2]]) - 1;
    (0..count).map(|_| columns.column("column").unwrap().to_vec()).skip(1).collect()
}

#[test]
fn what_a_batch_held_before_is_gone_when_it_is_read_into() {
    let codec = BatchCodec::of::<u8>();
    let read = codec.decode(&encoded(&[1_u8, 2]), batch(&[3_u8, 4, 5])).unwrap();
    let values: Vec<u8> = read.downcast_ref::<u8>().iter().map(|record| record.value).collect();
    assert_eq!((read.records(), values), (2, vec![1, 2]));
    let cleared = codec.clear(read);
    assert_eq!((cleared.records(), cleared.downcast_ref::<u8>().len()), (0, 0));
}

#[test]
fn a_batch_is_laid_out_as_it_is_described() {
    let batch = encoded(&[(1_u16, "ä".to_owned(), Some(true)), (2, String::new(), None)]);
    let expected = [
        &b"\xdc\x00\x07"[..],
        b"\xce\x00\x00\x00\x02",
        b"\xc6\x00\x00\x00\x10\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\xc6\x00\x00\x00\x04\x01\x00\x02\x00",
        b"\xc6\x00\x00\x00\x08\x02\x00\x00\x00\x00\x00\x00\x00",
        b"\xc6\x00\x00\x00\x02\xc3\xa4",
        b"\xc6\x00\x00\x00\x02\x01\x00",
        b"\xc6\x00\x00\x00\x01\x01",
    ];
    assert_eq!(batch, expected.concat());
}

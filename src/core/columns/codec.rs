//! Batches as bytes, where their record type is not known.

use std::fmt;

use super::{ColumnError, ColumnReader, ColumnWriter};
use crate::{AnyBatch, Batch, Data, EventTime, Record};

const TIMES: &str = "event times";

/// What can be done to the batches of one record type by somebody who does not know it.
///
/// These are plain functions, made where the plan is drawn, so that the runtime writes and reads batches without being
/// generic over their records.
#[derive(Clone, Copy)]
pub struct BatchCodec {
    empty: fn() -> AnyBatch,
    encode: fn(&AnyBatch, &mut Vec<u8>),
    decode: fn(&[u8], AnyBatch) -> Result<AnyBatch, ColumnError>,
    clear: fn(AnyBatch) -> AnyBatch,
    halve: fn(AnyBatch) -> (AnyBatch, AnyBatch),
}

impl BatchCodec {
    /// The codec of batches of `T`.
    pub fn of<T: Data>() -> Self {
        BatchCodec {
            empty: || AnyBatch::new(Box::<Batch<T>>::default()),
            encode: encode::<T>,
            decode: decode::<T>,
            clear: |batch| emptied(batch.downcast::<T>()),
            halve: halve::<T>,
        }
    }

    /// A batch without records.
    pub fn empty(&self) -> AnyBatch {
        (self.empty)()
    }

    /// Appends a batch to `out`, as one MessagePack value.
    ///
    /// # Panics
    ///
    /// Where a record cannot be written by serde, and where the batch is of another record type.
    pub fn encode(&self, batch: &AnyBatch, out: &mut Vec<u8>) {
        (self.encode)(batch, out);
    }

    /// Reads a batch that [`BatchCodec::encode`] has written. What `into` holds is dropped, and its room is used again.
    ///
    /// The memory that this takes is bounded by the length of `bytes`, whatever they say.
    ///
    /// # Errors
    ///
    /// Where `bytes` are not one whole batch of this record type, and nothing more.
    pub fn decode(&self, bytes: &[u8], into: AnyBatch) -> Result<AnyBatch, ColumnError> {
        (self.decode)(bytes, into)
    }

    /// Drops the records of a batch and keeps its room.
    pub fn clear(&self, batch: AnyBatch) -> AnyBatch {
        (self.clear)(batch)
    }

    /// Cuts a batch in two: its first half, and the rest.
    pub fn halve(&self, batch: AnyBatch) -> (AnyBatch, AnyBatch) {
        (self.halve)(batch)
    }
}

impl fmt::Debug for BatchCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BatchCodec")
    }
}

fn emptied<T: Data>(mut batch: Box<Batch<T>>) -> AnyBatch {
    batch.clear();
    AnyBatch::new(batch)
}

fn halve<T: Data>(batch: AnyBatch) -> (AnyBatch, AnyBatch) {
    let mut first = batch.downcast::<T>();
    let rest = Box::new(first.split_off(first.len() / 2));
    (AnyBatch::new(first), AnyBatch::new(rest))
}

fn encode<T: Data>(batch: &AnyBatch, out: &mut Vec<u8>) {
    let batch = batch.downcast_ref::<T>();
    let records = batch.len();
    let mut columns = ColumnWriter::begin(records, out);
    columns.fixed(records, batch.iter().map(|record| record.time.as_millis().to_le_bytes()));
    T::write_columns(records, batch.iter().map(|record| &record.value), &mut columns);
    columns.finish();
}

fn decode<T: Data>(bytes: &[u8], into: AnyBatch) -> Result<AnyBatch, ColumnError> {
    let mut batch = into.downcast::<T>();
    batch.clear();
    let columns = ColumnReader::begin(bytes)?;
    let records = columns.records();
    let times = columns.fixed(TIMES, records)?.iter().map(|time| i64::from_le_bytes(*time));
    let values = T::read_columns(records, &columns)?;
    columns.finish()?;
    let records = values.zip(times).map(|(value, time)| Record::new(value, EventTime::from_millis(time)));
    batch.extend(records);
    Ok(AnyBatch::new(batch))
}

//! Records, and the batches in which they are handed over.

use std::any::Any;

use serde::{Deserialize, Serialize};

use crate::{Data, EventTime, Shape};

/// One value with the time at which it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Record<T> {
    /// What happened.
    pub value: T,
    /// When it happened.
    pub time: EventTime,
}

impl<T> Record<T> {
    /// A value that happened at a time.
    pub const fn new(value: T, time: EventTime) -> Self {
        Record { value, time }
    }
}

/// A record's value beside the key by which its stream is partitioned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyed<K, T> {
    /// The key.
    pub key: K,
    /// The value.
    pub value: T,
}

/// A value of one of two inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Either<L, R> {
    /// From the first input.
    Left(L),
    /// From the second input.
    Right(R),
}

impl<L: Data, R: Data> Data for Either<L, R> {
    fn shape() -> Shape {
        Shape::generic("Either", &[L::shape(), R::shape()])
    }
}

/// Records of one channel that are handed over together.
///
/// Value and time lie side by side: a record is written with one store behind one check and read with one
/// load, which measured faster than two columns.
#[derive(Clone, Debug)]
pub struct Batch<T>(Vec<Record<T>>);

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Batch(Vec::new())
    }
}

impl<T> Batch<T> {
    /// An empty batch with room for so many records.
    pub fn with_capacity(records: usize) -> Self {
        Batch(Vec::with_capacity(records))
    }

    /// Adds a record at the end.
    #[inline(always)]
    pub fn push(&mut self, value: T, time: EventTime) {
        self.0.push(Record { value, time });
    }

    /// How many records the batch holds.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the batch holds no record.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the records from a place on out.
    pub fn split_off(&mut self, at: usize) -> Batch<T> {
        Batch(self.0.split_off(at))
    }

    /// Drops the records and keeps the room.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The records, first to last.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Record<T>> + Clone {
        self.0.iter()
    }

    /// Takes the records out, first to last, and keeps the room.
    #[inline]
    pub fn drain(&mut self) -> impl ExactSizeIterator<Item = Record<T>> {
        self.0.drain(..)
    }
}

impl<T> Extend<Record<T>> for Batch<T> {
    #[inline]
    fn extend<I: IntoIterator<Item = Record<T>>>(&mut self, records: I) {
        self.0.extend(records);
    }
}

impl<T> FromIterator<Record<T>> for Batch<T> {
    fn from_iter<I: IntoIterator<Item = Record<T>>>(records: I) -> Self {
        Batch(records.into_iter().collect())
    }
}

/// A batch whose record type is known only to the two ends of its channel.
///
/// It lets the runtime carry batches without being generic over their records: one cast a batch. The box
/// travels back to the sender with the credit, so a channel in steady state allocates nothing.
pub struct AnyBatch {
    batch: Box<dyn Any + Send>,
    records: usize,
}

impl AnyBatch {
    /// Hides the type of a batch.
    pub fn new<T: Send + 'static>(batch: Box<Batch<T>>) -> Self {
        AnyBatch { records: batch.len(), batch }
    }

    /// How many records the batch held when its type was hidden.
    pub fn records(&self) -> usize {
        self.records
    }

    /// The batch, to look at. Panics as [`AnyBatch::downcast_mut`] does.
    pub fn downcast_ref<T: 'static>(&self) -> &Batch<T> {
        self.batch.downcast_ref().expect("both ends of a channel agree on its record type")
    }

    /// The batch again.
    ///
    /// # Panics
    ///
    /// Where its records are of another type: the plan connected two ends that do not fit.
    pub fn downcast_mut<T: 'static>(&mut self) -> &mut Batch<T> {
        self.batch.downcast_mut().expect("both ends of a channel agree on its record type")
    }

    /// The batch again, by value. Panics as [`AnyBatch::downcast_mut`] does.
    pub fn downcast<T: 'static>(self) -> Box<Batch<T>> {
        self.batch.downcast().expect("both ends of a channel agree on its record type")
    }
}

impl std::fmt::Debug for AnyBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AnyBatch({} records)", self.records)
    }
}

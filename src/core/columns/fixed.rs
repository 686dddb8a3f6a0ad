//! A column of values that all have the same number of bytes: numbers, times, truth.

use std::time::Duration;

use super::{ColumnError, ColumnReader, ColumnWriter};
use crate::causal::HybridTime;
use crate::{Counter, Epoch, EventTime, Position, ProcessingTime, Round, Run, Site, VertexId, Watermark};

/// A value of `N` bytes, little-endian.
pub(crate) trait Fixed<const N: usize>: Copy {
    /// What errors call it.
    const NAME: &'static str;

    /// Its bytes.
    fn to_bytes(self) -> [u8; N];

    /// The value again; `None` where the type has no such value. What is always `Some` costs nothing.
    fn from_bytes(bytes: [u8; N]) -> Option<Self>;
}

/// Appends one column.
#[inline]
pub(crate) fn write<'a, T: Fixed<N> + 'a, const N: usize>(
    count: usize,
    values: impl Iterator<Item = &'a T>,
    columns: &mut ColumnWriter<'_>,
) {
    columns.fixed(count, values.map(|value| value.to_bytes()));
}

/// Reads one column.
#[inline]
pub(crate) fn read<'a, T: Fixed<N> + 'a, const N: usize>(
    count: usize,
    columns: &ColumnReader<'a>,
) -> Result<impl Iterator<Item = T> + use<'a, T, N>, ColumnError> {
    let column = columns.fixed(T::NAME, count)?;
    if !column.iter().all(|bytes| T::from_bytes(*bytes).is_some()) {
        return Err(ColumnError::Value { kind: T::NAME });
    }
    Ok(column.iter().map(|bytes| T::from_bytes(*bytes).expect("the whole column has been checked")))
}

macro_rules! number {
    ($($kind:ident: $bytes:literal),*) => {$(
        impl Fixed<$bytes> for $kind {
            const NAME: &'static str = stringify!($kind);

            #[inline(always)]
            fn to_bytes(self) -> [u8; $bytes] {
                self.to_le_bytes()
            }

            #[inline(always)]
            fn from_bytes(bytes: [u8; $bytes]) -> Option<Self> {
                Some(<$kind>::from_le_bytes(bytes))
            }
        }
    )*};
}

number!(u8: 1, u16: 2, u32: 4, u64: 8, u128: 16, i8: 1, i16: 2, i32: 4, i64: 8, i128: 16, f32: 4, f64: 8);

/// Values that are written as a number: how it is got, and how they are made of it.
macro_rules! as_number {
    ($($kind:ident as $number:ident in $bytes:literal: $get:expr, $make:expr;)*) => {$(
        impl Fixed<$bytes> for $kind {
            const NAME: &'static str = stringify!($kind);

            #[inline(always)]
            fn to_bytes(self) -> [u8; $bytes] {
                let get: fn($kind) -> $number = $get;
                get(self).to_le_bytes()
            }

            #[inline(always)]
            fn from_bytes(bytes: [u8; $bytes]) -> Option<Self> {
                let make: fn($number) -> Option<$kind> = $make;
                make(<$number>::from_le_bytes(bytes))
            }
        }
    )*};
}

as_number! {
    bool as u8 in 1: u8::from, |byte| (byte < 2).then_some(byte == 1);
    char as u32 in 4: u32::from, char::from_u32;
    usize as u64 in 8: |value| value as u64, |number| usize::try_from(number).ok();
    isize as i64 in 8: |value| value as i64, |number| isize::try_from(number).ok();
    EventTime as i64 in 8: EventTime::as_millis, |millis| Some(EventTime::from_millis(millis));
    ProcessingTime as i64 in 8: ProcessingTime::as_millis, |millis| Some(ProcessingTime::from_millis(millis));
    Watermark as i64 in 8: |mark| mark.0.as_millis(), |millis| Some(Watermark(EventTime::from_millis(millis)));
    Position as u64 in 8: |position| position.0, |number| Some(Position(number));
    VertexId as u32 in 4: |vertex| vertex.0, |number| Some(VertexId(number));
    Run as u32 in 4: |run| run.0, |number| Some(Run(number));
    Epoch as u64 in 8: |epoch| epoch.0, |number| Some(Epoch(number));
    Site as u16 in 2: |site| site.0, |number| Some(Site(number));
    Counter as u64 in 8: |counter| counter.0, |number| Some(Counter(number));
    Round as u64 in 8: |round| round.0, |number| Some(Round(number));
    HybridTime as u64 in 8: |time| time.0, |number| Some(HybridTime(number));
}

/// Seconds in 8 bytes, and behind them nanoseconds in 4.
impl Fixed<12> for Duration {
    const NAME: &'static str = "Duration";

    fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.as_secs().to_le_bytes());
        bytes[8..].copy_from_slice(&self.subsec_nanos().to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; 12]) -> Option<Self> {
        let (seconds, nanos) = bytes.split_first_chunk()?;
        let (seconds, nanos) = (u64::from_le_bytes(*seconds), u32::from_le_bytes(*nanos.first_chunk()?));
        (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))
    }
}

//! Batches as bytes: how records are laid out where they cross from one process to another.
//!
//! A batch is one MessagePack array, so that any MessagePack reader can take it apart:
//!
//! ```text
//! array    array 16, always in three bytes
//!   0      records   uint 32, always in five bytes
//!   1      times     bin 32: event times in milliseconds, 8 bytes each
//!   2 ..   columns   bin 32 each, as the record type lays them out
//! ```
//!
//! | type | columns |
//! | --- | --- |
//! | `u8` .. `u128`, `i8` .. `i128`, `f32`, `f64` | one: the numbers, each in its bytes |
//! | `usize`, `isize` | as `u64`, `i64` |
//! | `bool`, `char` | one: a byte 0 or 1; the code point as `u32` |
//! | `EventTime`, `ProcessingTime`, `Watermark`, `Position` | as the number inside, 8 bytes |
//! | `Duration` | one: seconds in 8 bytes and nanoseconds in 4 |
//! | `String`, `CompactString` | two: the number of bytes of each as `u32`; the bytes of all of them as UTF-8 |
//! | `Option<T>` | one that has a byte 0 or 1 for each value, and the columns of those that are there |
//! | `()` | none |
//! | tuple, struct that derives `Data` | those of the fields, one after the other |
//! | anything else | one: the values as MessagePack, one behind the other (*rows*) |
//!
//! All numbers are little-endian. Rows are what `rmp-serde` writes: an enum is the name of its variant, or a map of that
//! name to what the variant holds; a struct is an array of its fields where all that the row is made of derives `Data`
//! and has no attribute of serde that changes what is written, else it is a map by the names of the fields. A struct with
//! such an attribute (`skip`, `with`, `flatten`, `try_from`, ...) has no columns but goes by rows, as serde writes it.
//!
//! Whoever reads does not trust the writer: no length is believed before the bytes are there, no value is made that its
//! type does not have, and what is left over is an error.

mod codec;
mod error;
pub(crate) mod fixed;
pub(crate) mod nesting;
pub(crate) mod optional;
mod read;
pub(crate) mod rows;
#[cfg(test)]
mod tests;
pub(crate) mod text;
mod write;

pub use codec::BatchCodec;
pub use error::ColumnError;
#[doc(hidden)]
pub use read::ColumnReader;
#[doc(hidden)]
pub use write::ColumnWriter;

/// How deep a row may nest: what nests deeper is refused where it is read.
pub const ROW_DEPTH_MAX: usize = 128;

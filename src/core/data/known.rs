//! Numbers, texts and times as [`Data`].

use std::time::Duration;

use compact_str::CompactString;

use crate::causal::HybridTime;
use crate::columns::{self, ColumnError, ColumnReader, ColumnWriter};
use crate::{
    Counter, Data, Epoch, EventTime, Position, ProcessingTime, Round, Run, Shape, Site, VertexId, Watermark,
};

/// What a type of this crate, or of the standard library, is called, and the columns that it has.
macro_rules! known {
    ($($kind:ty: $name:literal in $columns:ident;)*) => {$(
        impl Data for $kind {
            fn shape() -> Shape {
                Shape::named($name)
            }

            fn is_plain() -> bool {
                true
            }

            fn write_columns<'a>(
                count: usize,
                values: impl Iterator<Item = &'a Self> + Clone,
                columns: &mut ColumnWriter<'_>,
            ) {
                columns::$columns::write(count, values, columns);
            }

            fn read_columns(
                count: usize,
                columns: &ColumnReader<'_>,
            ) -> Result<impl Iterator<Item = Self>, ColumnError> {
                columns::$columns::read(count, columns)
            }
        }
    )*};
}

known! {
    bool: "bool" in fixed;
    char: "char" in fixed;
    u8: "u8" in fixed;
    u16: "u16" in fixed;
    u32: "u32" in fixed;
    u64: "u64" in fixed;
    u128: "u128" in fixed;
    usize: "usize" in fixed;
    i8: "i8" in fixed;
    i16: "i16" in fixed;
    i32: "i32" in fixed;
    i64: "i64" in fixed;
    i128: "i128" in fixed;
    isize: "isize" in fixed;
    f32: "f32" in fixed;
    f64: "f64" in fixed;
    String: "String" in text;
    CompactString: "String" in text;
    EventTime: "EventTime" in fixed;
    ProcessingTime: "ProcessingTime" in fixed;
    Watermark: "Watermark" in fixed;
    Position: "Position" in fixed;
    VertexId: "VertexId" in fixed;
    Run: "Run" in fixed;
    Round: "Round" in fixed;
    Epoch: "Epoch" in fixed;
    Site: "Site" in fixed;
    Counter: "Counter" in fixed;
    HybridTime: "HybridTime" in fixed;
    Duration: "Duration" in fixed;
}

/// What says nothing has no column.
impl Data for () {
    fn shape() -> Shape {
        Shape::named("()")
    }

    fn is_plain() -> bool {
        true
    }

    fn write_columns<'a>(_: usize, _: impl Iterator<Item = &'a Self> + Clone, _: &mut ColumnWriter<'_>) {}

    fn read_columns(count: usize, _: &ColumnReader<'_>) -> Result<impl Iterator<Item = Self>, ColumnError> {
        Ok(std::iter::repeat_n((), count))
    }
}

//! Why bytes are no batch.

/// Why bytes cannot be read as a batch of the records that were asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ColumnError {
    /// Something ends before all of it is there.
    #[error("a batch ends within its {part}")]
    Short {
        /// What ends.
        part: &'static str,
    },
    /// Something is of another kind.
    #[error("a batch has the byte {found:#04x} where its {part} begins")]
    Marker {
        /// What was asked for.
        part: &'static str,
        /// What it began with.
        found: u8,
    },
    /// The number of columns is another.
    #[error(
        "a batch has {found} parts, and its record type has {expected}: both ends must run the same program"
    )]
    Parts {
        /// How many it has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
    /// A column is not as long as its records ask for.
    #[error("a batch has {found} bytes of {part}, and its records ask for {expected}")]
    Length {
        /// Which column.
        part: &'static str,
        /// How many bytes it has.
        found: usize,
        /// How many it should have.
        expected: u64,
    },
    /// Something follows.
    #[error("{bytes} bytes follow behind a batch's {part}")]
    Trailing {
        /// Behind what.
        part: &'static str,
        /// How many.
        bytes: usize,
    },
    /// A value that its type does not have.
    #[error("a batch has a {kind} that is none")]
    Value {
        /// The type.
        kind: &'static str,
    },
    /// A row that cannot be read.
    #[error("row {row} of a batch cannot be read: {reason}")]
    Row {
        /// Which one, from 0.
        row: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Rows nest too deep.
    #[error("a row of a batch nests deeper than {depth_max} levels")]
    Deep {
        /// How deep they may.
        depth_max: usize,
    },
}

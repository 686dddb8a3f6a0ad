//! Exits: files, tables, sockets, and collections for tests.
//!
//! | sink | what becomes of a record | after a failure |
//! | --- | --- | --- |
//! | [`Files`] | CSV, JSON lines, MessagePack, Parquet (feature `parquet`) or a format of your own, in a file or a folder of parts | once |
//! | [`SqliteTable`] | a row of a table | once |
//! | `PostgresTable` (feature `postgres`) | a row of a table | once, or written again over itself |
//! | [`Collect`] | an entry of a vector | once |
//! | [`TcpSink`] | a line or a frame on a connection | sent again, or lost with the peer |
//! | [`DeadLetterFile`] | a line of JSON, at once | kept, and taken back where the job goes on |
//! | [`Print`] | a line on standard output | printed again |
//! | [`Fold`] | a part of a sum, for measurements | folded again |
//! | [`Discard`] | nothing | |
//!
//! *Once* is a promise of two-phase commit: what is written becomes visible when it is committed, and a job without
//! checkpoints commits once, at its end. [`DeadLetterFile`] keeps what could not be used, also where the job fails. A
//! sink of your own
//! implements [`Sink`](watershed_core::Sink); [`verify_sink`](watershed_core::testing::verify_sink) checks it.

mod claim;
mod collect;
mod csv;
mod dead_letter;
mod dead_letter_file;
mod discard;
mod encode;
mod escape;
mod failure;
mod fields;
mod files;
mod fold;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "postgres")]
mod postgres;
mod print;
mod row;
mod sqlite;
mod tcp;

pub use collect::{Collect, CollectWriter, Collected, CollectedEpoch};
pub use csv::Csv;
pub use dead_letter::DeadLetterLines;
pub use dead_letter_file::{DeadLetterFile, DeadLetterWriter, KeptUpTo};
pub use discard::Discard;
pub use encode::{Encode, EncodeError, FramedMessagePack, JsonLines, MessagePack, TextLines};
pub use files::{Files, FilesWriter, StagedFiles};
pub use fold::{Fold, FoldWriter, Folded};
#[cfg(feature = "parquet")]
pub use parquet::Parquet;
#[cfg(feature = "postgres")]
pub use postgres::{
    InDoubt, Lost, Mode, PostgresTable, PostgresWriter, PreparedTransactions, StagedOutput, StagedTransaction,
};
pub use print::{AsDebug, AsDisplay, AsJson, Line, Print, PrintWriter};
pub use row::staged::StagedRows;
pub use sqlite::{SqliteTable, SqliteWriter};
pub use tcp::{TcpSink, TcpWriter};

//! Exits: files, tables, sockets, and collections for tests.

mod collect;
mod csv;
mod dead_letter;
mod discard;
mod encode;
mod escape;
mod failure;
mod fields;
mod files;
mod fold;
mod print;
mod sqlite;
mod tcp;

pub use collect::{Collect, CollectWriter, Collected, CollectedEpoch};
pub use csv::Csv;
pub use dead_letter::DeadLetterLines;
pub use discard::Discard;
pub use encode::{Encode, EncodeError, FramedMessagePack, JsonLines, MessagePack, TextLines};
pub use files::{Files, FilesWriter, StagedFiles};
pub use fold::{Fold, FoldWriter, Folded};
pub use print::{AsDebug, AsDisplay, AsJson, Line, Print, PrintWriter};
pub use sqlite::{SqliteTable, SqliteWriter, StagedRows};
pub use tcp::{TcpSink, TcpWriter};

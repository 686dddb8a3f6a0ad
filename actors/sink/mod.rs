//! Exits: files, tables, sockets, and collections for tests.

mod collect;
mod csv;
mod discard;
mod encode;
mod escape;
mod failure;
mod fields;
mod files;
mod fold;
mod print;

pub use collect::{Collect, CollectWriter, Collected, CollectedEpoch};
pub use csv::Csv;
pub use discard::Discard;
pub use encode::{Encode, EncodeError, FramedMessagePack, JsonLines, MessagePack, TextLines};
pub use files::{Files, FilesWriter, StagedFiles};
pub use fold::{Fold, FoldWriter, Folded};
pub use print::{AsDebug, AsDisplay, AsJson, Line, Print, PrintWriter};

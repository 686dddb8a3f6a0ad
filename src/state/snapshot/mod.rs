//! The file of a snapshot: one layer of one subtask's state, whole or what has changed.
//!
//! # The bytes
//!
//! All numbers are little-endian. A file is a start, frames, and nothing behind them:
//!
//! ```text
//!   file    := start frame(H) frame(B)* frame(I) frame(E)
//!   start   := "WSHDSNAP"  version: u32 = 1
//!   frame   := kind: u8    length: u32    check: u32    body: length bytes
//! ```
//!
//! `check` is the CRC-32C of the frame's own offset in the file (u64), its kind, its length and its body. The
//! offset is in it so that a frame that has moved is found as well as one that has changed.
//!
//! | kind | body |
//! | --- | --- |
//! | `H` | the [`Header`]: a MessagePack map with named fields |
//! | `B` | a block: the next 65,536 bytes of the data; only the last block may be shorter, and none is empty |
//! | `I` | the index: a MessagePack map, see below |
//! | `E` | the end: the offset of the index frame (u64) and the length of the whole file (u64) |
//!
//! The data is all pieces, one behind the other, each one MessagePack value. The index says where which is:
//!
//! ```text
//!   {"bytes": length of the data,
//!    "sections": [{"path": ["window-1", "state", "panes"],    the uid of the stage, then the names of the parts
//!                  "changes": true,                           left out where the pieces are whole
//!                  "groups": [[group, length], ..],           its pieces by key group, ascending
//!                  "whole": [length, ..]}, ..]}               its pieces of the whole subtask
//! ```
//!
//! Sections come in the order of their paths, in a section first the groups and then the whole pieces, and a
//! piece begins where the one before it ends. So the byte `x` of the data is in block `x / 65536`, and a
//! reader that wants some key groups can seek: the last 25 bytes are the end frame, which leads to the index.
//!
//! # Reading it elsewhere
//!
//! Any program with a MessagePack library can read a snapshot: skip 12 bytes, then read frames, put the
//! bodies of the `B` frames together, decode the `I` frame, and cut. Pieces are what the state's own type
//! wrote: a keyed map an array of `[key, value]`, timers an array of `[time, key]`; each pane is a keyed map in a
//! part named by its start. Records are maps with named fields.
//!
//! A layer of changes is to be laid over the layers that the manifest lists before it. In a section of
//! changes a group's piece is a map of two arrays, `put` and `removed`; see
//! [`Changed`](watershed_core::state::Changed). Every other section stands in the place of the older one of
//! its path, and one that is not there any more is gone.
//!
//! # Believing it
//!
//! The reader takes nothing on trust: the length and the hash over the whole file are compared with what the
//! manifest says, then every check, then that the pieces fill the data to the byte and are MessagePack of at
//! most
//! [`DEPTH_MAX`] levels. The golden files beside this module pin version 1.

mod format;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use crate::msgpack::DEPTH_MAX;
pub use format::{BLOCK_BYTES, FORMAT_VERSION, Header};
pub use reader::{PieceAt, SectionAt, Snapshot};
pub use watershed_core::state::{Layer, LayerKind};
pub use writer::write;

//! MessagePack frames: what crosses a link between two nodes, and how large it may be.
//!
//! A stream of frames is a stream of MessagePack arrays, so any MessagePack reader can read what was captured from a
//! link. A frame names its channel and its place in it, says what its body is, and ends with a checksum over all of it.
//!
//! This crate knows no socket and no record type. The body of a batch is laid out by the record types themselves, in
//! columns, see [`watershed_core::columns`]. The README of this crate has the whole format in one place, for whoever writes
//! a reader in another language.

#[cfg(feature = "lz4")]
pub mod compress;
mod frame;

pub use frame::{Draft, Frame, FrameError, Header, Kind, Limits, PROTOCOL, decode};

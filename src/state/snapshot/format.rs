//! The words of the file format, shared by its writer and its reader.

use serde::{Deserialize, Serialize};
use watershed_core::state::LayerKind;
use watershed_core::{Epoch, KeyGroups, Lineage, Run, SubtaskId};

/// The version that is written, and the only one that is read.
pub const FORMAT_VERSION: u32 = 1;

/// How many bytes of data a block holds; the last one may hold fewer.
pub const BLOCK_BYTES: usize = 64 << 10;

/// What a file begins with.
pub(super) const MAGIC: [u8; 8] = *b"WSHDSNAP";

/// The magic and the version.
pub(super) const START_BYTES: usize = 12;

/// A frame's kind, length and check.
pub(super) const FRAME_HEAD_BYTES: usize = 9;

/// Whose layer it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The job's name.
    pub job: String,
    /// The history that it belongs to.
    pub lineage: Lineage,
    /// The checkpoint that it was saved for.
    pub epoch: Epoch,
    /// The execution that saved it.
    pub run: Run,
    /// Whose state it is.
    pub subtask: SubtaskId,
    /// Into how many groups the keys are divided.
    pub key_groups: KeyGroups,
    /// Whether it stands alone.
    pub kind: LayerKind,
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum FrameKind {
    Header = b'H',
    Block = b'B',
    Index = b'I',
    End = b'E',
}

/// Where which piece is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Index {
    pub(super) bytes: u64,
    pub(super) sections: Vec<Section>,
}

/// One node of the tree of parts.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Section {
    pub(super) path: Vec<String>,
    /// Whether the pieces by key group are changes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) changes: bool,
    pub(super) groups: Vec<(u16, u64)>,
    pub(super) whole: Vec<u64>,
}

/// The check of a frame.
pub(super) fn check(offset: u64, kind: u8, body: &[u8]) -> u32 {
    let length = u32::try_from(body.len()).expect("a frame is shorter than 4 GiB");
    let check = crc32c::crc32c(&offset.to_le_bytes());
    let check = crc32c::crc32c_append(check, &[kind]);
    let check = crc32c::crc32c_append(check, &length.to_le_bytes());
    crc32c::crc32c_append(check, body)
}

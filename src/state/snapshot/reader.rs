//! Reads a layer's file, and believes none of it before it is proved.

use std::collections::BTreeMap;

use bytes::Bytes;
use watershed_core::state::{Layer, Sections};
use watershed_core::{KeyGroup, KeyGroupRange};

use crate::error::Damage;
use crate::msgpack::{self, DEPTH_MAX};
use crate::snapshot::format::{
    BLOCK_BYTES, FORMAT_VERSION, FRAME_HEAD_BYTES, FrameKind, Header, Index, MAGIC, START_BYTES, Section,
    check,
};

/// A snapshot's file whose every byte has been checked.
#[derive(Clone, Debug)]
pub struct Snapshot {
    blocks: Blocks,
    header: Header,
    sections: Vec<SectionAt>,
}

/// The data of a file, in blocks.
#[derive(Clone, Debug)]
struct Blocks {
    file: Bytes,
    /// Where the first block's frame begins.
    at: usize,
}

/// A node of the tree of parts, and where its pieces are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionAt {
    /// The uid of the stage, then the names of the parts.
    pub path: Vec<String>,
    /// Whether the pieces by key group are changes.
    pub changes: bool,
    /// The pieces by key group, ascending.
    pub groups: Vec<(KeyGroup, PieceAt)>,
    /// The pieces of the whole subtask.
    pub whole: Vec<PieceAt>,
}

/// Where a piece is in the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PieceAt {
    /// Its first byte, counted over the blocks' bodies.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
}

impl Snapshot {
    /// Opens a file, and checks all of its frames, its index and the MessagePack of each piece.
    ///
    /// The hash over the file is not compared here: the [store](crate::CheckpointStore::get) does, which
    /// knows what it should be.
    ///
    /// # Errors
    ///
    /// Where any byte of it is not as it was written.
    pub fn open(file: Bytes) -> Result<Snapshot, Damage> {
        let mut frames = Frames::start(&file)?;
        let header = frames.body(FrameKind::Header)?;
        let header: Header = msgpack::decode(header).map_err(Damage::Content)?;
        let blocks_at = frames.at;
        let data_bytes = frames.blocks()?;
        let index_at = frames.at;
        let index: Index = msgpack::decode(frames.body(FrameKind::Index)?).map_err(Damage::Content)?;
        let end = frames.body(FrameKind::End)?;
        let expected: Vec<u8> =
            [index_at as u64, file.len() as u64].into_iter().flat_map(u64::to_le_bytes).collect();
        if frames.at != file.len() || end != expected {
            return Err(Damage::Extent { bytes: file.len() as u64 });
        }
        let sections = locate(index, data_bytes, header.key_groups.count())?;
        let snapshot = Snapshot { blocks: Blocks { file, at: blocks_at }, header, sections };
        snapshot.check_pieces()?;
        Ok(snapshot)
    }

    /// Whose layer it is.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// All nodes of the tree, in the order of their paths.
    pub fn sections(&self) -> &[SectionAt] {
        &self.sections
    }

    /// How long the file is.
    pub fn bytes(&self) -> u64 {
        self.blocks.file.len() as u64
    }

    /// The bytes of a piece.
    pub fn piece(&self, piece: PieceAt) -> Vec<u8> {
        self.blocks.piece(piece)
    }

    /// The layer, whole. Pieces of key groups are copied out of the file when somebody comes to them.
    pub fn layer(&self) -> Layer {
        self.read(|_| true, true)
    }

    /// The layer's key groups inside `range`, and its whole pieces where `whole` is true.
    pub fn part(&self, range: &KeyGroupRange, whole: bool) -> Layer {
        self.read(|group| range.contains(group), whole)
    }

    fn read(&self, wanted: impl Fn(KeyGroup) -> bool, whole: bool) -> Layer {
        let mut stages: BTreeMap<String, Sections> = BTreeMap::new();
        for section in &self.sections {
            let (uid, parts) = section.path.split_first().expect("a path that was opened has a uid");
            let stage = stages.entry(uid.clone()).or_default();
            let part = parts.iter().fold(stage, |part, name| part.part(name));
            if section.changes {
                part.begin_changes();
            }
            for (group, piece) in section.groups.iter().filter(|(group, _)| wanted(*group)) {
                if section.changes {
                    part.put_change_bytes(*group, self.piece(*piece));
                } else {
                    let (blocks, piece) = (self.blocks.clone(), *piece);
                    part.put_made(*group, move || blocks.piece(piece));
                }
            }
            for piece in section.whole.iter().filter(|_| whole) {
                part.add_whole_bytes(self.piece(*piece));
            }
        }
        Layer { kind: self.header.kind, stages }
    }

    fn check_pieces(&self) -> Result<(), Damage> {
        for section in &self.sections {
            let groups = section.groups.iter().map(|(_, piece)| *piece);
            for piece in groups.chain(section.whole.iter().copied()) {
                msgpack::walk::whole(&self.piece(piece), DEPTH_MAX).map_err(|malformed| {
                    Damage::Content(format!("a piece of {} is {malformed}", section.path.join("/")))
                })?;
            }
        }
        Ok(())
    }
}

impl Blocks {
    fn piece(&self, piece: PieceAt) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(piece.bytes as usize);
        let (mut at, end) = (piece.offset as usize, (piece.offset + piece.bytes) as usize);
        while at < end {
            let (block, skip) = (at / BLOCK_BYTES, at % BLOCK_BYTES);
            let start = self.at + block * (FRAME_HEAD_BYTES + BLOCK_BYTES) + FRAME_HEAD_BYTES + skip;
            let length = (BLOCK_BYTES - skip).min(end - at);
            bytes.extend_from_slice(&self.file[start..start + length]);
            at += length;
        }
        bytes
    }
}

/// Lays the lengths end to end, and checks that they fill the data and come in order.
fn locate(index: Index, data_bytes: u64, key_groups: u16) -> Result<Vec<SectionAt>, Damage> {
    let wrong = |what: &str| Damage::Content(format!("its index {what}"));
    if index.bytes != data_bytes {
        return Err(wrong("tells of another amount of data"));
    }
    let mut offset = 0_u64;
    let mut place = |bytes: u64| {
        let at = PieceAt { offset, bytes };
        offset = offset.checked_add(bytes).filter(|end| *end <= data_bytes)?;
        Some(at)
    };
    let mut sections: Vec<SectionAt> = Vec::with_capacity(index.sections.len());
    for Section { path, changes, groups, whole } in index.sections {
        if path.is_empty() || path.len() > DEPTH_MAX {
            return Err(wrong("has a section without a name, or too deep"));
        }
        if sections.last().is_some_and(|last| last.path >= path) {
            return Err(wrong("does not go up"));
        }
        let ascending = groups.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if !ascending || groups.last().is_some_and(|(group, _)| *group >= key_groups) {
            return Err(wrong("has key groups that are not there or not in order"));
        }
        let groups: Option<Vec<_>> =
            groups.into_iter().map(|(group, bytes)| Some((KeyGroup(group), place(bytes)?))).collect();
        let whole: Option<Vec<_>> = whole.into_iter().map(&mut place).collect();
        let (Some(groups), Some(whole)) = (groups, whole) else {
            return Err(wrong("points behind the data"));
        };
        sections.push(SectionAt { path, changes, groups, whole });
    }
    if offset == data_bytes { Ok(sections) } else { Err(wrong("leaves data unnamed")) }
}

/// The frames of a file, from its start.
struct Frames<'a> {
    file: &'a [u8],
    at: usize,
}

impl<'a> Frames<'a> {
    fn start(file: &'a [u8]) -> Result<Frames<'a>, Damage> {
        let kind = || Damage::Kind { expected: "snapshot of Watershed" };
        let start = file.get(..START_BYTES).ok_or_else(kind)?;
        let (magic, version) = start.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(kind());
        }
        let found = u32::from_le_bytes(version.try_into().expect("a version is four bytes"));
        if found != FORMAT_VERSION {
            return Err(Damage::Version { expected: FORMAT_VERSION, found });
        }
        Ok(Frames { file, at: START_BYTES })
    }

    /// The kind and the body of the next frame, checked.
    fn next(&mut self) -> Result<(u8, &'a [u8]), Damage> {
        let short = Damage::Extent { bytes: self.file.len() as u64 };
        let rest = &self.file[self.at..];
        let Some((head, rest)) = rest.split_first_chunk::<FRAME_HEAD_BYTES>() else { return Err(short) };
        let [kind, l0, l1, l2, l3, c0, c1, c2, c3] = *head;
        let Some(body) = rest.get(..u32::from_le_bytes([l0, l1, l2, l3]) as usize) else { return Err(short) };
        if check(self.at as u64, kind, body) != u32::from_le_bytes([c0, c1, c2, c3]) {
            return Err(Damage::Checksum { part: "frame", offset: self.at as u64 });
        }
        self.at += FRAME_HEAD_BYTES + body.len();
        Ok((kind, body))
    }

    fn body(&mut self, kind: FrameKind) -> Result<&'a [u8], Damage> {
        let at = self.at;
        match self.next()? {
            (found, body) if found == kind as u8 => Ok(body),
            (found, _) => Err(Damage::Content(format!(
                "the frame at byte {at} is of kind {:?} instead of {:?}",
                char::from(found),
                char::from(kind as u8)
            ))),
        }
    }

    /// Goes over the blocks, and returns how much data they hold.
    fn blocks(&mut self) -> Result<u64, Damage> {
        let mut bytes = 0;
        let mut last = false;
        while self.file.get(self.at) == Some(&(FrameKind::Block as u8)) {
            let at = self.at;
            let (_, body) = self.next()?;
            if last || body.is_empty() || body.len() > BLOCK_BYTES {
                return Err(Damage::Content(format!(
                    "the block at byte {at} has no length that it may have"
                )));
            }
            last = body.len() < BLOCK_BYTES;
            bytes += body.len() as u64;
        }
        Ok(bytes)
    }
}

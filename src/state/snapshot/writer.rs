//! Writes a layer as a file, in one pass.

use std::collections::BTreeMap;
use std::io::{self, Write};

use watershed_core::state::Sections;

use crate::msgpack::{self, DEPTH_MAX, walk};
use crate::snapshot::format::{
    BLOCK_BYTES, FORMAT_VERSION, FRAME_HEAD_BYTES, FrameKind, Header, Index, MAGIC, START_BYTES, Section,
    check,
};

/// Writes the file of a layer; holds no more than a block of it at a time.
///
/// # Errors
///
/// Where `out` fails, and with [`io::ErrorKind::InvalidInput`] where the layer could not be read again: a
/// piece or the tree of parts nests too deep, or the index would be longer than a frame can say.
pub fn write(header: &Header, stages: &BTreeMap<String, Sections>, out: impl Write) -> io::Result<()> {
    let mut frames = Frames { out, offset: 0 };
    frames.start()?;
    frames.frame(FrameKind::Header, &msgpack::encode(header))?;
    let mut data = Data { frames, block: Vec::with_capacity(BLOCK_BYTES), bytes: 0 };
    let mut sections = Vec::new();
    let mut path = Vec::new();
    for (uid, stage) in stages {
        path.push(uid.clone());
        section(stage, &mut path, &mut data, &mut sections)?;
        path.pop();
    }
    let bytes = data.bytes;
    data.finish(&Index { bytes, sections })
}

fn section<W: Write>(
    state: &Sections,
    path: &mut Vec<String>,
    data: &mut Data<W>,
    sections: &mut Vec<Section>,
) -> io::Result<()> {
    let refuse = |what: &str| {
        let what = format!("{what}, in the state {}", path.join("/"));
        Err(io::Error::new(io::ErrorKind::InvalidInput, what))
    };
    if path.len() > DEPTH_MAX {
        return refuse("parts nest deeper than is allowed");
    }
    let pieces = state.group_bytes().map(|(_, piece)| piece).chain(state.whole_bytes());
    for piece in pieces {
        if let Err(malformed) = walk::whole(piece, DEPTH_MAX) {
            return refuse(&malformed.to_string());
        }
    }
    let mut groups = Vec::with_capacity(state.group_bytes().len());
    for (group, piece) in state.group_bytes() {
        data.piece(piece)?;
        groups.push((group.0, piece.len() as u64));
    }
    let mut whole = Vec::with_capacity(state.whole_bytes().len());
    for piece in state.whole_bytes() {
        data.piece(piece)?;
        whole.push(piece.len() as u64);
    }
    sections.push(Section { path: path.clone(), groups, whole });
    for (name, part) in state.parts() {
        path.push(name.to_owned());
        section(part, path, data, sections)?;
        path.pop();
    }
    Ok(())
}

/// The data, cut into blocks.
struct Data<W> {
    frames: Frames<W>,
    block: Vec<u8>,
    bytes: u64,
}

impl<W: Write> Data<W> {
    fn piece(&mut self, mut piece: &[u8]) -> io::Result<()> {
        self.bytes += piece.len() as u64;
        while !piece.is_empty() {
            let (now, later) = piece.split_at(piece.len().min(BLOCK_BYTES - self.block.len()));
            self.block.extend_from_slice(now);
            piece = later;
            if self.block.len() == BLOCK_BYTES {
                self.frames.frame(FrameKind::Block, &self.block)?;
                self.block.clear();
            }
        }
        Ok(())
    }

    fn finish(mut self, index: &Index) -> io::Result<()> {
        if !self.block.is_empty() {
            self.frames.frame(FrameKind::Block, &self.block)?;
        }
        let at = self.frames.offset;
        self.frames.frame(FrameKind::Index, &msgpack::encode(index))?;
        let bytes = self.frames.offset + (FRAME_HEAD_BYTES + 16) as u64;
        let end: Vec<u8> = at.to_le_bytes().into_iter().chain(bytes.to_le_bytes()).collect();
        self.frames.frame(FrameKind::End, &end)?;
        self.frames.out.flush()
    }
}

/// The frames, and how far the file has come.
struct Frames<W> {
    out: W,
    offset: u64,
}

impl<W: Write> Frames<W> {
    fn start(&mut self) -> io::Result<()> {
        self.out.write_all(&MAGIC)?;
        self.out.write_all(&FORMAT_VERSION.to_le_bytes())?;
        self.offset = START_BYTES as u64;
        Ok(())
    }

    fn frame(&mut self, kind: FrameKind, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len()).map_err(|_| {
            io::Error::new(io::ErrorKind::InvalidInput, "the index of a snapshot exceeds 4 GiB")
        })?;
        self.out.write_all(&[kind as u8])?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(&check(self.offset, kind as u8, body).to_le_bytes())?;
        self.out.write_all(body)?;
        self.offset += FRAME_HEAD_BYTES as u64 + u64::from(length);
        Ok(())
    }
}

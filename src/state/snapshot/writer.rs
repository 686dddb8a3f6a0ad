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
    let at = path.join("/");
    let refuse = |what: &str| {
        let what = format!("{what}, in the state {at}");
        io::Error::new(io::ErrorKind::InvalidInput, what)
    };
    if path.len() > DEPTH_MAX {
        return Err(refuse("parts nest deeper than is allowed"));
    }
    if state.layers_of_changes() > 1 {
        return Err(refuse("there is more than one layer"));
    }
    let changes = state.layers_of_changes() == 1;
    let mut put = |piece: &[u8]| match walk::whole(piece, DEPTH_MAX) {
        Ok(()) => data.piece(piece).map(|()| piece.len() as u64),
        Err(malformed) => Err(refuse(&malformed.to_string())),
    };
    let changed = state.change_bytes().map(|(group, piece)| (group, piece.into()));
    let mut groups = Vec::new();
    for (group, piece) in state.group_bytes().chain(changed) {
        groups.push((group.0, put(&piece)?));
    }
    let whole = state.whole_bytes().map(put).collect::<io::Result<_>>()?;
    sections.push(Section { path: path.clone(), changes, groups, whole });
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

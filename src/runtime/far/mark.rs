//! The bodies of the frames of a channel.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use watershed_core::columns::{BatchCodec, ColumnError};
use watershed_core::{AnyBatch, Origin, Watermark};
use watershed_protocol::causal::{ClockError, FrameClock};
use watershed_wire::compress::{self, ExpandError};

use crate::element::{Barrier, Element, Ending};

/// An element of a channel that counts as no batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Mark {
    Watermark(Watermark),
    Idle,
    Active,
    Barrier(Barrier),
    End(Ending),
    /// A batch that needs no credit, as MessagePack.
    Rest(Vec<u8>),
}

/// Records as they came over a link.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    pub(crate) body: Bytes,
    /// How many the sender says there are.
    pub(crate) records: u32,
    /// The checksum of the frame that brought them.
    pub(crate) checksum: u32,
}

/// Why what came over a link cannot be read, though it arrived as it was sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FarError {
    /// The part around the batch.
    #[error("an element of a channel cannot be read: {0}")]
    Element(#[from] rmp_serde::decode::Error),
    /// The batch.
    #[error(transparent)]
    Batch(#[from] ColumnError),
    /// The header and the batch say different things.
    #[error("a batch has {found} records, and its frame says {stated}")]
    Count {
        /// How many it has.
        found: usize,
        /// How many the frame says.
        stated: u32,
    },
    /// It does not begin as the records of a channel do, or something follows.
    #[error("records of a channel are an array of three")]
    Form,
    /// A compressed body.
    #[error(transparent)]
    Expand(#[from] ExpandError),
    /// What the sender says that it has seen of shared state.
    #[error(transparent)]
    Clock(#[from] ClockError),
}

/// How many bytes a body of records may expand to: what it may have where it is not compressed.
pub(super) const BODY_BYTES_MAX: usize = 16 << 20;

/// How deep what is read may nest.
const DEPTH_MAX: usize = 8;

/// The marker of an array of three.
const THREE: u8 = 0x93;

/// Appends the body of a frame of records. Where the batch begins.
pub(super) fn put_records(
    batch: &AnyBatch,
    watermark: Watermark,
    origin: Option<Origin>,
    codec: BatchCodec,
    out: &mut Vec<u8>,
) -> usize {
    out.push(THREE);
    put(&watermark, out);
    put(&origin, out);
    let begin = out.len();
    codec.encode(batch, out);
    begin
}

/// Appends the body of an element that is no batch.
pub(super) fn put_mark(element: &Element, codec: BatchCodec, out: &mut Vec<u8>) {
    let mark = match element {
        Element::Watermark(watermark) => Mark::Watermark(*watermark),
        Element::Idle => Mark::Idle,
        Element::Active => Mark::Active,
        Element::Barrier(barrier) => Mark::Barrier(*barrier),
        Element::End(ending) => Mark::End(*ending),
        Element::Rest(batch) => {
            let mut bytes = Vec::new();
            codec.encode(batch, &mut bytes);
            return put_rest(&bytes, out);
        }
        Element::Batch { .. } | Element::Packed(_) => unreachable!("a batch is written as records"),
        Element::Seen(_) | Element::SeenFar { .. } => unreachable!("a clock has frames of its own"),
    };
    put(&mark, out);
}

/// Appends the body of records that need no credit.
pub(super) fn put_rest(batch: &[u8], out: &mut Vec<u8>) {
    put(&Mark::Rest(batch.to_vec()), out);
}

/// Appends a value as MessagePack.
pub(super) fn put(value: &impl Serialize, out: &mut Vec<u8>) {
    rmp_serde::encode::write(out, value).expect("plain data can be written to memory");
}

/// Reads an element that is no batch.
pub(super) fn read_mark(body: &[u8], codec: BatchCodec) -> Result<Element, FarError> {
    let mut rest = body;
    let mark = read(&mut rest)?;
    if !rest.is_empty() {
        return Err(FarError::Form);
    }
    Ok(match mark {
        Mark::Watermark(watermark) => Element::Watermark(watermark),
        Mark::Idle => Element::Idle,
        Mark::Active => Element::Active,
        Mark::Barrier(barrier) => Element::Barrier(barrier),
        Mark::End(ending) => Element::End(ending),
        Mark::Rest(bytes) => Element::Rest(codec.decode(&bytes, codec.empty())?),
    })
}

/// Reads what the sender of the frames behind it has seen of shared state.
pub(super) fn read_clock(mut body: &[u8]) -> Result<FrameClock, FarError> {
    let clock = read(&mut body)?;
    if body.is_empty() { Ok(clock) } else { Err(FarError::Form) }
}

fn read<T: for<'a> Deserialize<'a>>(rest: &mut &[u8]) -> Result<T, rmp_serde::decode::Error> {
    let mut reader = rmp_serde::Deserializer::new(rest);
    reader.set_max_depth(DEPTH_MAX);
    T::deserialize(&mut reader)
}

impl Packed {
    /// The records, in the room of an emptied batch.
    pub(crate) fn unpack(
        &self,
        codec: BatchCodec,
        room: AnyBatch,
    ) -> Result<(AnyBatch, Watermark, Option<Origin>), FarError> {
        let body = compress::expand(&self.body, BODY_BYTES_MAX)?;
        let Some((&THREE, mut rest)) = body.split_first() else { return Err(FarError::Form) };
        let watermark = read(&mut rest)?;
        let origin = read(&mut rest)?;
        let batch = codec.decode(rest, room)?;
        let (found, stated) = (batch.records(), self.records);
        if found != stated as usize {
            return Err(FarError::Count { found, stated });
        }
        Ok((batch, watermark, origin))
    }
}

//! The way of one channel over a link, in one of its directions.

use std::cell::RefCell;
use std::ops::Range;

use watershed_core::columns::BatchCodec;
use watershed_core::{AnyBatch, Epoch, Run, Sequence, Watermark};
use watershed_link::FrameSender;
use watershed_protocol::causal::FrameClock;
use watershed_wire::{Draft, Header, Kind, compress};

use super::mark::{BODY_BYTES_MAX, put, put_mark, put_records, put_rest};
use crate::element::Element;

/// The way of one channel over a link: its elements, or the credit that comes back for them.
///
/// What is sent on a link that is down is dropped: the run is over then, and whoever watches the link says so.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) sender: FrameSender,
    pub(crate) job: u32,
    pub(crate) run: Run,
    pub(crate) channel: u32,
    pub(crate) codec: BatchCodec,
    /// Where bodies of records are written before they are compressed, if they are to be.
    pub(crate) compress: Option<RefCell<Vec<u8>>>,
}

/// How many bytes a batch may have on a link before it is cut. Together with the credit of a channel this bounds what
/// waits for a slow node. A single record may have more, up to the limit of frames.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// An element as it will travel.
pub(crate) struct Framed {
    frame: Vec<u8>,
    /// Where its body is, and where in that, once it is expanded, the batch begins; if it has one.
    batch: Option<(Range<usize>, usize)>,
    /// Whether it needs no credit.
    is_free: bool,
    pub(crate) watermark: Watermark,
}

impl Framed {
    pub(crate) fn is_batch(&self) -> bool {
        self.batch.is_some()
    }

    pub(crate) fn is_free(&self) -> bool {
        self.is_free
    }
}

impl Route {
    /// Writes an element into a frame. What is left of its batch, emptied, and the checksum under which it travels.
    ///
    /// # Errors
    ///
    /// The element again, where it is a batch that is too large for one frame, and can be cut.
    pub(crate) fn frame(
        &self,
        sequence: Sequence,
        epoch: Epoch,
        element: Element,
    ) -> Result<(Framed, Option<(AnyBatch, u32)>), Element> {
        let mut frame = self.sender.buffer();
        let Element::Batch { batch, watermark, origin } = element else {
            let watermark = match element {
                Element::Watermark(watermark) => watermark,
                _ => Watermark::MIN,
            };
            let draft = self.begin(Kind::Element, sequence, epoch, 0, &mut frame);
            put_mark(&element, self.codec, &mut frame);
            let _ = draft.finish(&mut frame);
            return Ok((Framed { frame, batch: None, is_free: false, watermark }, None));
        };
        let draft = self.begin(Kind::Records, sequence, epoch, batch.records(), &mut frame);
        let body = frame.len();
        let mut expanded = self.compress.as_ref().map(RefCell::borrow_mut);
        let (out, from) = match &mut expanded {
            Some(expanded) => {
                expanded.clear();
                (&mut **expanded, 0)
            }
            None => (&mut frame, body),
        };
        let batch_at = put_records(&batch, watermark, origin, self.codec, out) - from;
        if out.len() - from - batch_at > BATCH_BYTES_MAX && batch.records() > 1 {
            return Err(Element::Batch { batch, watermark, origin });
        }
        if let Some(expanded) = expanded {
            compress::compress(&expanded, &mut frame);
        }
        let range = body..frame.len();
        let checksum = draft.finish(&mut frame);
        let framed = Framed { frame, batch: Some((range, batch_at)), is_free: false, watermark };
        Ok((framed, Some((self.codec.clear(batch), checksum))))
    }

    /// Writes what the sender of the frames behind it has seen of shared state.
    pub(crate) fn frame_clock(&self, sequence: Sequence, epoch: Epoch, clock: &FrameClock) -> Framed {
        let mut frame = self.sender.buffer();
        let draft = self.begin(Kind::Clock, sequence, epoch, 0, &mut frame);
        put(clock, &mut frame);
        let _ = draft.finish(&mut frame);
        Framed { frame, batch: None, is_free: true, watermark: Watermark::MIN }
    }

    /// Sends what was written before.
    pub(crate) fn send(&self, framed: Framed) {
        let _ = self.sender.send(framed.frame);
    }

    /// Sends the batch of an element that has waited for credit as one that needs none.
    pub(crate) fn send_rest(&self, sequence: Sequence, epoch: Epoch, framed: &Framed) {
        let Some((body, batch_at)) = &framed.batch else { return };
        let body = compress::expand(&framed.frame[body.clone()], BODY_BYTES_MAX);
        let body = body.expect("what was compressed here expands");
        let mut frame = self.sender.buffer();
        let draft = self.begin(Kind::Element, sequence, epoch, 0, &mut frame);
        put_rest(&body[*batch_at..], &mut frame);
        let _ = draft.finish(&mut frame);
        let _ = self.sender.send(frame);
    }

    /// Gives the credit of a batch of so many records back, or of a control element where there are none: the frame of
    /// this place among those that give credit of the channel back.
    pub(crate) fn give_back(&self, sequence: Sequence, records: usize) {
        let mut frame = self.sender.buffer();
        let _ = self.begin(Kind::Credit, sequence, Epoch(0), records, &mut frame).finish(&mut frame);
        let _ = self.sender.send(frame);
    }

    fn begin(
        &self,
        kind: Kind,
        sequence: Sequence,
        epoch: Epoch,
        records: usize,
        frame: &mut Vec<u8>,
    ) -> Draft {
        let records = u32::try_from(records).expect("a batch has no more records than its limit");
        let (job, run, channel) = (self.job, self.run, self.channel);
        Draft::begin(&Header { job, run, channel, sequence, epoch, kind, records }, frame)
    }
}

//! What crosses a channel, and the messages that carry it between actors.

use actix::Message;
use serde::{Deserialize, Serialize};
use watershed_core::{AnyBatch, ChannelId, Epoch, Origin, Sequence, Watermark};
use watershed_protocol::causal::FrameClock;

use crate::far::Packed;
use crate::shared::Seen;

/// What crosses a channel, in order.
#[derive(Debug)]
pub(crate) enum Element {
    /// Records, and the watermark behind which none is left.
    Batch { batch: AnyBatch, watermark: Watermark, origin: Option<Origin> },
    /// A watermark with no records.
    Watermark(Watermark),
    /// Nothing comes for now.
    Idle,
    /// Something comes again.
    Active,
    /// What came before belongs to this checkpoint, what follows does not.
    Barrier(Barrier),
    /// Nothing will ever come again.
    End(Ending),
    /// Records as they came over a link.
    Packed(Packed),
    /// What the sender of whatever follows has seen of shared state. It needs no credit: there is at most one before
    /// each element that does.
    Seen(Seen),
    /// The same as it came over a link, in a frame of this epoch.
    SeenFar { clock: FrameClock, epoch: Epoch },
    /// Records that are sent without credit, and do not come back: the dead letters of a job that has failed.
    Rest(AnyBatch),
}

/// Where a checkpoint cuts the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Barrier {
    pub(crate) epoch: Epoch,
    /// The newest checkpoint that was complete when this one began.
    pub(crate) completed: Option<Epoch>,
}

/// How a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ending {
    /// All input has been read.
    Complete,
    /// Somebody asked for the end: what has been read is finished, open windows stay open.
    Cancelled,
}

/// An element for a subtask.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Deliver {
    pub(crate) channel: ChannelId,
    pub(crate) sequence: Sequence,
    pub(crate) element: Element,
}

/// Credit for a sender.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct GiveBack {
    pub(crate) edge: usize,
    pub(crate) receiver: u32,
    pub(crate) returned: Returned,
}

/// What a receiver gives back.
#[derive(Debug)]
pub(crate) enum Returned {
    /// An emptied batch, and its credit.
    Batch(AnyBatch),
    /// The credit of a batch that came back when it was sent over a link.
    Credit { records: usize },
    /// The place of a control element.
    Control,
}

//! The receiving ends of a subtask's channels.

use std::collections::VecDeque;

use watershed_core::causal::VectorClock;
use watershed_core::checkpoint::{ChannelCut, ChannelKey};
use watershed_core::{AnyBatch, ChannelId, Epoch, Origin, PortId, Sequence, SubtaskId, Watermark};
use watershed_protocol::causal::{ClockReader, FrameClock};
use watershed_protocol::{
    Alignment, AlignmentEffect, AlignmentEvent, Grant, Machine, Outcome, Tick, WatermarkEffect,
    WatermarkEvent, WatermarkMerge,
};

use crate::config::Config;
use crate::deploy::Inlet;
use crate::element::{Element, Ending, GiveBack, Returned};
use crate::far::{FarError, Packed, Route};
use crate::vigil::Post;

/// All channels that lead to a subtask, and what has arrived on them.
pub(crate) struct Inbounds {
    channels: Vec<Inbound>,
    /// What has arrived, in the order of arrival. Bounded by the credit of the channels.
    arrived: VecDeque<(ChannelId, Element)>,
    alignment: Option<Alignment>,
    alignments: Vec<AlignmentEffect>,
    merge: WatermarkMerge,
    effects: Vec<WatermarkEffect>,
    /// How many channels have not ended.
    open: usize,
    /// Complete, until a channel says otherwise.
    ending: Ending,
}

/// How the sending end of a channel is reached.
pub(crate) enum Back {
    /// It lives in this process.
    Near(Post<GiveBack>),
    /// It lives on another node.
    Far {
        route: Route,
        /// Emptied batches, to be filled with what comes next.
        spare: Vec<AnyBatch>,
        /// The place of the next frame of credit.
        next: Sequence,
    },
}

/// The receiving end of one channel.
struct Inbound {
    inlet: Inlet,
    back: Back,
    grant: Grant,
    expected: Sequence,
    /// What has been taken in.
    records: u64,
    batches: u64,
    sum: u64,
    /// Reads what the sender, on another node, has seen of shared state.
    clock: ClockReader,
    /// What has arrived behind the barrier of a checkpoint that is being aligned, while that lasts.
    held: Option<VecDeque<Element>>,
}

impl Inbounds {
    /// The channels of a run before which epochs up to `after` were handed out.
    pub(crate) fn new(
        inlets: Vec<(Inlet, Back)>,
        config: &Config,
        after: Epoch,
        clock: &ClockReader,
    ) -> Self {
        let merge = WatermarkMerge::new(inlets.len(), None);
        let open = |(inlet, back)| Inbound {
            inlet,
            back,
            grant: Grant::new(config.credit_batches, config.credit_control),
            expected: Sequence(0),
            records: 0,
            batches: 0,
            sum: 0,
            clock: clock.clone(),
            held: None,
        };
        let alignment = (!inlets.is_empty()).then(|| Alignment::new(inlets.len(), None).after(after));
        Inbounds {
            open: inlets.len(),
            channels: inlets.into_iter().map(open).collect(),
            arrived: VecDeque::new(),
            alignment,
            alignments: Vec::new(),
            merge,
            effects: Vec::new(),
            ending: Ending::Complete,
        }
    }

    /// Whether nothing waits here.
    pub(crate) fn is_empty(&self) -> bool {
        self.arrived.is_empty()
    }

    /// Takes in what a message brought.
    ///
    /// # Panics
    ///
    /// Where the sender skips a number or sends without credit: both ends are ours.
    pub(crate) fn arrive(&mut self, channel: ChannelId, sequence: Sequence, element: Element) {
        let inbound = &mut self.channels[channel.0 as usize];
        inbound.expect(sequence);
        let granted = match element {
            Element::Batch { .. } | Element::Packed(_) => inbound.grant.data_arrived(),
            Element::Watermark(_)
            | Element::Idle
            | Element::Active
            | Element::Barrier(_)
            | Element::End(_) => inbound.grant.control_arrived(),
            Element::Rest(_) | Element::Seen(_) | Element::SeenFar { .. } => Outcome::Applied,
        };
        assert_eq!(granted, Outcome::Applied, "a sender sends against credit only");
        self.arrived.push_back((channel, element));
    }

    /// Takes note of an element that comes without a message.
    ///
    /// # Panics
    ///
    /// As [`Inbounds::arrive`].
    pub(crate) fn in_place(&mut self, channel: ChannelId, sequence: Sequence) {
        self.channels[channel.0 as usize].expect(sequence);
    }

    /// Counts a batch that came in place and could not be fed at once as one that was sent.
    pub(crate) fn keep(&mut self, channel: ChannelId) {
        let granted = self.channels[channel.0 as usize].grant.data_arrived();
        assert_eq!(granted, Outcome::Applied, "all credit was home");
    }

    /// The next element to be worked on. Those of channels that have passed the barrier are held back.
    pub(crate) fn next(&mut self) -> Option<(ChannelId, Element)> {
        loop {
            let (channel, element) = self.arrived.pop_front()?;
            match &mut self.channels[channel.0 as usize].held {
                Some(held) => held.push_back(element),
                None => return Some((channel, element)),
            }
        }
    }

    /// Whether a channel is held back behind its barrier.
    pub(crate) fn is_held(&self, channel: ChannelId) -> bool {
        self.channels[channel.0 as usize].held.is_some()
    }

    /// Counts a batch that is taken in.
    pub(crate) fn count(&mut self, channel: ChannelId, batch: &AnyBatch) {
        let inbound = &mut self.channels[channel.0 as usize];
        inbound.records += batch.records() as u64;
        inbound.batches += 1;
    }

    /// The records of a batch that came over a link.
    pub(crate) fn unpack(
        &mut self,
        channel: ChannelId,
        packed: &Packed,
    ) -> Result<(AnyBatch, Watermark, Option<Origin>), FarError> {
        let inbound = &mut self.channels[channel.0 as usize];
        let Back::Far { route, spare, .. } = &mut inbound.back else {
            unreachable!("what comes from this process is not packed")
        };
        let room = spare.pop().unwrap_or_else(|| route.codec.empty());
        let unpacked = packed.unpack(route.codec, room)?;
        inbound.sum = inbound.sum.wrapping_add(u64::from(packed.checksum));
        Ok(unpacked)
    }

    /// What the sender of a channel on another node has seen of shared state.
    pub(crate) fn read_clock(
        &mut self,
        channel: ChannelId,
        clock: &FrameClock,
    ) -> Result<&VectorClock, FarError> {
        Ok(self.channels[channel.0 as usize].clock.read(clock)?)
    }

    /// What has been taken in on each channel.
    pub(crate) fn cuts(&self, to: SubtaskId) -> Vec<ChannelCut> {
        let cut = |(channel, inbound): (u32, &Inbound)| ChannelCut {
            channel: ChannelKey { to, channel: ChannelId(channel) },
            records: inbound.records,
            batches: inbound.batches,
            sum: inbound.sum,
        };
        (0..).zip(&self.channels).map(cut).collect()
    }

    /// Tells the alignment of an event. The checkpoint whose cut is complete with it, if one is.
    pub(crate) fn align(&mut self, event: AlignmentEvent) -> Option<Epoch> {
        let alignment = self.alignment.as_mut()?;
        // It has no time-out, so time does not matter.
        let outcome = alignment.on(Tick(0), event, &mut self.alignments);
        assert!(outcome != Outcome::Unexpected, "both ends of a channel are ours");
        let mut cut = None;
        for effect in std::mem::take(&mut self.alignments) {
            match effect {
                AlignmentEffect::Block(channel) => {
                    self.channels[channel.0 as usize].held = Some(VecDeque::new());
                }
                AlignmentEffect::Unblock(channel) => {
                    let held = self.channels[channel.0 as usize].held.take().unwrap_or_default();
                    held.into_iter().rev().for_each(|element| self.arrived.push_front((channel, element)));
                }
                AlignmentEffect::Snapshot(epoch) => cut = Some(epoch),
                // The coordinator knows: it has begun another one, or given this one up.
                AlignmentEffect::Abandon(_) => {}
                AlignmentEffect::Overtake { .. }
                | AlignmentEffect::StopRecording(_)
                | AlignmentEffect::Complete(_) => unreachable!("alignment has no time-out here"),
            }
        }
        cut
    }

    /// Takes note that a channel has ended; the way all of them have, after the last.
    pub(crate) fn end(&mut self, ending: Ending) -> Option<Ending> {
        self.open -= 1;
        if ending == Ending::Cancelled {
            self.ending = Ending::Cancelled;
        }
        (self.open == 0).then_some(self.ending)
    }

    /// Which port a channel belongs to.
    pub(crate) fn port(&self, channel: ChannelId) -> PortId {
        self.channels[channel.0 as usize].inlet.port
    }

    /// Gives an emptied batch back to its sender, and the credit with it.
    pub(crate) fn give_back_batch(&mut self, channel: ChannelId, batch: AnyBatch) {
        let inbound = &mut self.channels[channel.0 as usize];
        inbound.grant.give_back(1, 0);
        let Inlet { edge, receiver, .. } = inbound.inlet;
        match &mut inbound.back {
            Back::Near(to) => to.send(GiveBack { edge, receiver, returned: Returned::Batch(batch) }),
            Back::Far { route, spare, next } => {
                route.give_back(*next, batch.records());
                next.0 += 1;
                spare.push(route.codec.clear(batch));
            }
        }
    }

    /// Gives the credit of a control element back.
    pub(crate) fn give_back_control(&mut self, channel: ChannelId) {
        let inbound = &mut self.channels[channel.0 as usize];
        inbound.grant.give_back(0, 1);
        let Inlet { edge, receiver, .. } = inbound.inlet;
        match &mut inbound.back {
            Back::Near(to) => to.send(GiveBack { edge, receiver, returned: Returned::Control }),
            Back::Far { route, next, .. } => {
                route.give_back(*next, 0);
                next.0 += 1;
            }
        }
    }

    /// Tells the watermark merge of an event, and returns what it wants done.
    pub(crate) fn merge(&mut self, event: WatermarkEvent) -> std::vec::Drain<'_, WatermarkEffect> {
        // Idleness comes from the senders here, so the merge has no deadlines and time does not matter.
        let outcome = self.merge.on(Tick(0), event, &mut self.effects);
        assert!(
            !matches!(outcome, Outcome::Unexpected),
            "a channel is silent after its end, but sent {event:?}"
        );
        self.effects.drain(..)
    }
}

impl Inbound {
    fn expect(&mut self, sequence: Sequence) {
        assert_eq!(sequence, self.expected, "a channel keeps its order and loses nothing");
        self.expected.0 += 1;
    }
}

//! Where the frames of a run go that arrive at a node.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use watershed_core::columns::BatchCodec;
use watershed_core::{ChannelId, Sequence};
use watershed_link::{Intake, NodeName};
use watershed_wire::{Frame, Header, Kind};

use super::mark::{Packed, read_clock, read_mark};
use crate::element::{Deliver, Element, GiveBack, Returned};
use crate::vigil::Post;

/// The channels of one run that come from other nodes to this one, and those that lead to them.
#[derive(Default)]
pub(crate) struct RunIntake {
    /// By the number of the channel in the run.
    inflows: BTreeMap<u32, Inflow>,
    outflows: BTreeMap<u32, Outflow>,
}

/// A channel whose receiver is here.
pub(crate) struct Inflow {
    node: String,
    to: Post<Deliver>,
    channel: ChannelId,
    codec: BatchCodec,
    next: AtomicU64,
}

/// A channel whose sender is here.
pub(crate) struct Outflow {
    node: String,
    to: Post<GiveBack>,
    edge: usize,
    receiver: u32,
    next: AtomicU64,
}

impl Inflow {
    pub(crate) fn new(node: String, to: Post<Deliver>, channel: ChannelId, codec: BatchCodec) -> Self {
        Inflow { node, to, channel, codec, next: AtomicU64::new(0) }
    }
}

impl Outflow {
    pub(crate) fn new(node: String, to: Post<GiveBack>, edge: usize, receiver: u32) -> Self {
        Outflow { node, to, edge, receiver, next: AtomicU64::new(0) }
    }
}

/// Whether a frame is the next of its direction of a channel.
///
/// Frames of a channel come on one connection, whose thread is the only one that counts here.
fn follows(next: &AtomicU64, header: &Header) -> Result<(), String> {
    let (expected, sequence) = (Sequence(next.fetch_add(1, Relaxed)), header.sequence);
    if sequence == expected {
        return Ok(());
    }
    let what = if header.kind == Kind::Credit { "credit" } else { "frame" };
    Err(format!("{what} {sequence} of channel {} came instead of {expected}", header.channel))
}

impl RunIntake {
    /// Adds a channel whose receiver is here.
    pub(crate) fn flows_in(&mut self, number: u32, inflow: Inflow) {
        self.inflows.insert(number, inflow);
    }

    /// Adds a channel whose sender is here.
    pub(crate) fn flows_out(&mut self, number: u32, outflow: Outflow) {
        self.outflows.insert(number, outflow);
    }

    /// Whether no channel of the run crosses a link here.
    pub(crate) fn is_empty(&self) -> bool {
        self.inflows.is_empty() && self.outflows.is_empty()
    }
}

impl Intake for RunIntake {
    /// Frames of a channel arrive as they were sent, in either direction, or the link is given up: a gap would be a loss
    /// of records, or of credit for which the sender would wait for ever; what came twice would be doubled, or be credit
    /// for room that the receiver does not have.
    fn frame(&self, from: &NodeName, frame: Frame) -> Result<(), String> {
        let Frame { header, body, checksum } = frame;
        let number = header.channel;
        let stranger = || format!("node {from} has no end of channel {number} of run {}", header.run);
        match header.kind {
            Kind::Records | Kind::Element | Kind::Clock => {
                let inflow = self.inflows.get(&number).filter(|inflow| inflow.node == from.as_str());
                let inflow = inflow.ok_or_else(stranger)?;
                follows(&inflow.next, &header)?;
                let element = match header.kind {
                    Kind::Records => Ok(Element::Packed(Packed { body, records: header.records, checksum })),
                    Kind::Clock => {
                        read_clock(&body).map(|clock| Element::SeenFar { clock, epoch: header.epoch })
                    }
                    _ => read_mark(&body, inflow.codec),
                };
                let element = element.map_err(|error| error.to_string())?;
                inflow.to.send(Deliver { channel: inflow.channel, sequence: header.sequence, element });
            }
            Kind::Credit => {
                let outflow = self.outflows.get(&number).filter(|outflow| outflow.node == from.as_str());
                let Outflow { to, edge, receiver, next, .. } = outflow.ok_or_else(stranger)?;
                follows(next, &header)?;
                let returned = match header.records {
                    0 => Returned::Control,
                    records => Returned::Credit { records: records as usize },
                };
                to.send(GiveBack { edge: *edge, receiver: *receiver, returned });
            }
            Kind::Hello | Kind::Ping | Kind::Message => {
                return Err(format!("a frame of kind {:?} names a channel", header.kind));
            }
        }
        Ok(())
    }
}

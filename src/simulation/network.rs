//! The network: frames that are late, lost, repeated and out of order, and links that break.
//!
//! Channels go over links that keep the order, as TCP does: a frame that is lost breaks the link, and both of its ends are
//! told, some time later. Messages go each on its own.

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::BytesMut;
use watershed_core::{Epoch, Run, Sequence};
use watershed_wire::{Draft, Frame, Header, Kind, Limits, decode};

use crate::agenda::Happening;
use crate::message::Message;
use crate::record::encode;
use crate::world::World;

/// How long it takes until the ends of a broken link know it, at most.
const BREAK_NOTICED: u64 = 150;

/// The state of all links.
#[derive(Clone, Debug, Default)]
pub(crate) struct Network {
    /// By how many faults a direction is cut.
    pub(crate) cuts: BTreeMap<(usize, usize), u32>,
    /// When the last frame of a channel arrives that was sent over a link.
    pub(crate) last: BTreeMap<(usize, usize), u64>,
    /// How many messages of a hundred are lost, and how many come twice.
    pub(crate) loss: u64,
    /// How long a message is under way, at most.
    pub(crate) delay: u64,
}

impl Network {
    /// Whether nothing gets from one node to another.
    pub(crate) fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cuts.get(&(from, to)).is_some_and(|cuts| *cuts > 0)
    }
}

/// The header of a frame that carries a message.
fn message_header() -> Header {
    Header {
        job: 1,
        run: Run(0),
        channel: 0,
        sequence: Sequence(0),
        epoch: Epoch(0),
        kind: Kind::Message,
        records: 0,
    }
}

impl World {
    /// Sends a message, which may come, or come twice.
    pub(crate) fn send(&mut self, from: usize, to: usize, message: &Message) {
        let mut bytes = Vec::new();
        Draft::write(&message_header(), &encode(message), &mut bytes);
        let bytes: Rc<[u8]> = bytes.into();
        self.tally.messages += 1;
        let (loss, slowest) = (self.network.loss, self.network.delay);
        if from == to {
            self.later(0, Happening::Frame { from, to, bytes });
            return;
        }
        let copies = 1 + u64::from(self.chance.hit(loss));
        for _ in 0..copies {
            let delay = self.chance.between(1, slowest.max(1));
            if !self.chance.hit(loss) && !self.network.is_cut(from, to) {
                self.later(delay, Happening::Frame { from, to, bytes: bytes.clone() });
            }
        }
    }

    /// Sends a message to every node, the own one too.
    pub(crate) fn send_to_all(&mut self, from: usize, message: &Message) {
        for to in 0..self.nodes.len() {
            self.send(from, to, message);
        }
    }

    /// Sends a frame of a channel, behind all that was sent over the same link.
    pub(crate) fn send_on_link(&mut self, from: usize, to: usize, bytes: Rc<[u8]>, may_repeat: bool) {
        let delay = if from == to { 1 } else { self.chance.between(1, 6) };
        let breaks = from != to && self.chance.hit(self.network.loss / 10);
        if self.network.is_cut(from, to) || breaks {
            for (at, other) in [(from, to), (to, from)] {
                let delay = self.chance.between(1, BREAK_NOTICED);
                self.later(delay, Happening::LinkBroken { at, other });
            }
            return;
        }
        let last = self.network.last.get(&(from, to)).copied().unwrap_or(0);
        let at = last.max(self.now + delay);
        self.network.last.insert((from, to), at);
        self.agenda.enter(at, Happening::Frame { from, to, bytes: bytes.clone() });
        // A link that is made anew may bring again what is in a sequence.
        if may_repeat && self.chance.hit(self.network.loss / 4) {
            self.agenda.enter(at + delay, Happening::Frame { from, to, bytes });
        }
    }
}

/// Reads one frame, as a link does.
pub(crate) fn read(bytes: &[u8]) -> Frame {
    let mut buffer = BytesMut::from(bytes);
    let frame = decode(&mut buffer, &Limits::default()).expect("a frame is as it was sent");
    frame.expect("a frame is whole")
}

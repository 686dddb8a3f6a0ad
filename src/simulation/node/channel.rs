//! The two ends of a channel: sequence, credit, and what a checkpoint counts.

use std::collections::VecDeque;
use std::rc::Rc;

use watershed_core::causal::VectorClock;
use watershed_core::checkpoint::{ChannelCut, ChannelKey};
use watershed_core::{Epoch, Run, Sequence, SubtaskId};
use watershed_protocol::causal::{ClockError, ClockReader, ClockWriter, FrameClock};
use watershed_protocol::{Credit, Grant};
use watershed_wire::{Draft, Header, Kind};

use crate::graph::Channel;
use crate::record::{Element, Record, decode, encode};

/// How many batches and how many other elements may be under way on a channel.
const CREDIT: (u32, u32) = (2, 2);

/// How many sites and lanes a clock may name.
const SITES_MAX: u16 = 8;
const LANES_MAX: usize = 4096;

/// What has gone through one end of a channel in this run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Passed {
    records: u64,
    batches: u64,
    sum: u64,
}

impl Passed {
    fn batch(&mut self, records: u32, checksum: u32) {
        self.records += u64::from(records);
        self.batches += 1;
        self.sum = self.sum.wrapping_add(u64::from(checksum));
    }

    pub(crate) fn cut(self, channel: ChannelKey) -> ChannelCut {
        ChannelCut { channel, records: self.records, batches: self.batches, sum: self.sum }
    }
}

/// A frame that waits for credit.
#[derive(Debug)]
struct Waiting {
    bytes: Rc<[u8]>,
    needs: Needs,
    is_barrier: bool,
}

/// The credit that a frame needs: what was seen of shared state belongs to the batch behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    Data,
    Control,
    Nothing,
}

/// The sending end.
#[derive(Debug)]
pub(crate) struct Outlet {
    pub(crate) number: u32,
    pub(crate) to: SubtaskId,
    pub(crate) key: ChannelKey,
    run: Run,
    sequence: u64,
    waiting: VecDeque<Waiting>,
    credit: Credit,
    clock: ClockWriter,
    pub(crate) sent: Passed,
}

impl Outlet {
    pub(crate) fn new(number: u32, key: ChannelKey, run: Run) -> Outlet {
        let credit = Credit::new(CREDIT.0, CREDIT.1);
        let sent = Passed::default();
        let (waiting, clock) = (VecDeque::new(), ClockWriter::new());
        Outlet { number, to: key.to, key, run, sequence: 0, waiting, credit, clock, sent }
    }

    fn frame(&mut self, kind: Kind, epoch: Epoch, records: u32, body: &[u8]) -> (Rc<[u8]>, u32) {
        let sequence = Sequence(self.sequence);
        self.sequence += 1;
        let header = Header { job: 1, run: self.run, channel: self.number, sequence, epoch, kind, records };
        let mut bytes = Vec::new();
        let checksum = Draft::write(&header, body, &mut bytes);
        (bytes.into(), checksum)
    }

    /// Enters what the subtask has seen of shared state, where it is news.
    pub(crate) fn seen(&mut self, epoch: Epoch, clock: &VectorClock, settled: Epoch) {
        let news = self.clock.stamp(clock, settled);
        if news != FrameClock::None {
            let (bytes, _) = self.frame(Kind::Clock, epoch, 0, &encode(&news));
            self.waiting.push_back(Waiting { bytes, needs: Needs::Nothing, is_barrier: false });
        }
    }

    /// Enters a batch; its place in the channel.
    pub(crate) fn batch(&mut self, epoch: Epoch, records: &[Record]) -> u64 {
        let sequence = self.sequence;
        let count = records.len() as u32;
        let (bytes, checksum) = self.frame(Kind::Records, epoch, count, &encode(&records));
        self.sent.batch(count, checksum);
        self.waiting.push_back(Waiting { bytes, needs: Needs::Data, is_barrier: false });
        sequence
    }

    /// Enters an element that holds no records.
    pub(crate) fn element(&mut self, epoch: Epoch, element: Element) {
        let (bytes, _) = self.frame(Kind::Element, epoch, 0, &encode(&element));
        let is_barrier = matches!(element, Element::Barrier { .. });
        self.waiting.push_back(Waiting { bytes, needs: Needs::Control, is_barrier });
    }

    /// Takes out the frames that there is credit for. `overtakes` lets barriers go first, as a mutant wants it.
    pub(crate) fn ready(&mut self, overtakes: bool) -> Vec<Rc<[u8]>> {
        let mut ready = Vec::new();
        if overtakes && let Some(place) = self.waiting.iter().position(|waiting| waiting.is_barrier) {
            let barrier = self.waiting.remove(place).expect("it was found there");
            self.waiting.push_front(barrier);
        }
        while let Some(first) = self.waiting.front() {
            let has_credit = match first.needs {
                Needs::Data => self.credit.take_data(),
                Needs::Control => self.credit.take_control(),
                Needs::Nothing => true,
            };
            if !has_credit {
                break;
            }
            ready.extend(self.waiting.pop_front().map(|waiting| waiting.bytes));
        }
        ready
    }

    pub(crate) fn is_free(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(crate) fn returned(&mut self, data: u32, control: u32) -> bool {
        self.credit.returned(data, control) == watershed_protocol::Outcome::Applied
    }
}

/// What has arrived and was not worked on.
#[derive(Debug)]
pub(crate) enum Arrived {
    Batch { records: Vec<Record>, checksum: u32, sequence: u64 },
    Clock { clock: FrameClock, epoch: Epoch },
    Element(Element),
}

/// The receiving end.
#[derive(Debug)]
pub(crate) struct Inlet {
    pub(crate) number: u32,
    pub(crate) from: SubtaskId,
    pub(crate) key: ChannelKey,
    pub(crate) arrived: VecDeque<Arrived>,
    expected: u64,
    grant: Grant,
    pub(crate) is_blocked: bool,
    clock: ClockReader,
    pub(crate) received: Passed,
}

/// What became of a frame that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    Taken,
    Again,
    /// One before it has not come.
    Gap,
    /// There was no credit for it.
    Uncredited,
}

impl Inlet {
    pub(crate) fn new(number: u32, channel: &Channel, run: Run) -> Inlet {
        let (grant, received) = (Grant::new(CREDIT.0, CREDIT.1), Passed::default());
        let (arrived, clock) = (VecDeque::new(), ClockReader::new(run, SITES_MAX, LANES_MAX));
        let Channel { from, key } = *channel;
        Inlet { number, from, key, arrived, expected: 0, grant, is_blocked: false, clock, received }
    }

    /// What the sender has seen of shared state.
    pub(crate) fn read_clock(&mut self, clock: &FrameClock) -> Result<&VectorClock, ClockError> {
        self.clock.read(clock)
    }

    /// Takes in a frame. `is_blind` does without the sequence, as mutants want it.
    pub(crate) fn take(&mut self, header: &Header, body: &[u8], checksum: u32, is_blind: bool) -> Arrival {
        if !is_blind {
            match header.sequence.0.cmp(&self.expected) {
                std::cmp::Ordering::Less => return Arrival::Again,
                std::cmp::Ordering::Greater => return Arrival::Gap,
                std::cmp::Ordering::Equal => {}
            }
        }
        self.expected = header.sequence.0 + 1;
        if header.kind == Kind::Clock {
            self.arrived.push_back(Arrived::Clock { clock: decode(body), epoch: header.epoch });
            return Arrival::Taken;
        }
        let is_data = header.kind == Kind::Records;
        let granted = if is_data { self.grant.data_arrived() } else { self.grant.control_arrived() };
        if granted != watershed_protocol::Outcome::Applied && !is_blind {
            return Arrival::Uncredited;
        }
        self.arrived.push_back(if is_data {
            Arrived::Batch { records: decode(body), checksum, sequence: header.sequence.0 }
        } else {
            Arrived::Element(decode(body))
        });
        Arrival::Taken
    }

    /// A batch is about to be worked on.
    pub(crate) fn counts(&mut self, records: u32, checksum: u32) {
        self.received.batch(records, checksum);
    }

    /// Gives back the credit of what has been worked on: how much of data, and of control.
    pub(crate) fn give_back(&mut self, is_data: bool) -> (u32, u32) {
        let back = (u32::from(is_data), u32::from(!is_data));
        if self.grant.data_held() >= back.0 && self.grant.control_held() >= back.1 {
            self.grant.give_back(back.0, back.1);
            back
        } else {
            (0, 0)
        }
    }
}

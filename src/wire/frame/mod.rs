//! One frame: a header, a body, a checksum.
//!
//! ```text
//! array of 11
//!   0  protocol   1 byte, see PROTOCOL
//!   1  job        number of the job in its cluster, 0 where the frame belongs to none
//!   2  run        number of the run, 0 likewise
//!   3  channel    number of the channel in the run
//!   4  sequence   place of the frame in its channel, from 0; credit, which goes the other way, counts for itself
//!   5  epoch      what the sender counts this frame to: the epoch of the last barrier that it sent, and one
//!   6  kind       see Kind
//!   7  reserved   nil; what a sender has seen of shared state goes ahead in a frame of kind Clock
//!   8  records    how many records the body holds
//!   9  body       bin
//!  10  checksum   uint 32, always in five bytes: CRC32C of all bytes of the frame before it
//! ```
//!
//! Integers are written in the shortest form. The reader checks the length of the body against its limit as soon as the
//! length is there, before it has room made for it.

mod read;
mod write;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use watershed_core::{Epoch, Run, Sequence};

pub use read::{FrameError, decode};
pub use write::Draft;

/// The version of the frames. A link between nodes that speak different ones is refused when it is made.
pub const PROTOCOL: u8 = 1;

/// How many elements the array of a frame has.
const FIELDS: u8 = 11;

/// What a frame says of itself before its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The number of the job in its cluster; 0 for frames of the cluster itself.
    pub job: u32,
    /// The run of the job; 0 likewise.
    pub run: Run,
    /// The number of the channel in the run.
    pub channel: u32,
    /// The place of the frame in its channel, from 0. Credit, which goes the other way, counts for itself.
    pub sequence: Sequence,
    /// What the sender counts the frame to: the epoch of the last barrier it sent, and one.
    pub epoch: Epoch,
    /// What the body is.
    pub kind: Kind,
    /// How many records the body holds.
    pub records: u32,
}

/// What the body of a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The introduction of a node, and its answer. The first frame on a link.
    Hello = 0,
    /// A sign of life, without body.
    Ping = 1,
    /// A message for a named actor, or the answer to one.
    Message = 2,
    /// Records of a channel.
    Records = 3,
    /// A barrier, a watermark, an end: an element of a channel that holds no records.
    Element = 4,
    /// Credit for the sending end of a channel.
    Credit = 5,
    /// What the sender has seen of shared state.
    Clock = 6,
}

impl Kind {
    /// All kinds, by their numbers.
    pub const ALL: [Kind; 7] =
        [Kind::Hello, Kind::Ping, Kind::Message, Kind::Records, Kind::Element, Kind::Credit, Kind::Clock];

    fn of(number: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// A frame that has been read, and whose checksum was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it says of itself.
    pub header: Header,
    /// Its body.
    pub body: Bytes,
    /// The checksum over all of it that it came with, and that was right.
    pub checksum: u32,
}

/// How large frames may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest body of a frame that carries no records, in bytes. Default: 1 MiB.
    pub control_bytes_max: usize,
    /// The largest body of a frame of records, in bytes. Default: 16 MiB.
    pub records_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { control_bytes_max: 1 << 20, records_bytes_max: 16 << 20 }
    }
}

impl Limits {
    /// The largest body of a kind.
    pub fn body_bytes_max(&self, kind: Kind) -> usize {
        match kind {
            Kind::Records => self.records_bytes_max,
            Kind::Hello | Kind::Ping | Kind::Message | Kind::Element | Kind::Credit | Kind::Clock => {
                self.control_bytes_max
            }
        }
    }
}

//! The ingress log: what arrived, on the disk before the stream saw it.
//!
//! ```text
//!   state directory
//!   └── ingress/
//!       └── UID-SPLIT/                      the log of one split of a source
//!           ├── lock                        held by whoever has it open
//!           ├── 00000000000000000000.log    segments, each named after the position that it begins at
//!           └── 00000000000000131072.log
//! ```
//!
//! A log is a sequence of positions (rows, say), of which each entry stands for one or more. What is appended is
//! gathered for a moment and committed in groups: one frame, one `fsync`, and only then is it durable, read, and
//! acknowledged to whoever wants that. The bytes are described in the module `segment` beside this one.
//!
//! ```text
//!   append --> pending --(5 ms, or 1 MiB)--> frame --> write --> fsync --> durable --> ring --> next
//!     ^                                                                     |
//!     '--- waits while more is pending than one frame holds                 |
//!                         forget (behind a checkpoint) <--------------------'
//! ```
//!
//! The rules:
//!
//! - **Reading** goes through the files, live as after a crash, so there is one way in and the page cache is the queue.
//!   A stream that is slower than its senders leaves the rest on the disk.
//! - **A torn tail** is cut off when a log is opened, since nobody was told of it. Whatever else is not what was
//!   written is an error that names the file and the place.
//! - **What was read at opening is written anew** (the newest segment): the process that wrote it may have died before
//!   its sync, or because of it, and a second sync of the same pages would promise nothing.
//! - **A failed `fsync` ends the job**, see [`SyncFailure`](crate::SyncFailure). A full disk fails the append and
//!   takes back what was written of it.
//! - **Segments go** when all of them lies before what the job's own checkpoints may go back to. Savepoints do not hold
//!   them: a savepoint that is restored when its part of the log is gone is refused, and nothing is skipped.
//! - **A log that has reached its limit** takes no more until a checkpoint lets it go on: senders are held back.

mod committer;
mod error;
mod input;
mod log;
mod output;
mod segment;
mod shared;
#[cfg(test)]
mod tests;

pub use error::IngressError;
pub use log::{IngressLog, IngressLogs};

use std::time::Duration;

/// The bounds of an ingress log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IngressLimits {
    /// How much the log of a split may take up on the disk, in bytes; senders are held back at it. Default: 10 GiB.
    pub log_bytes_max: u64,
    /// How long a segment gets before the next is begun, in bytes; at most a quarter of the log. What is let go of goes
    /// by segments, and the newest is written anew when a log is opened. Default: 16 MiB.
    pub segment_bytes: u64,
    /// How much is made durable at once, in bytes, about. Default: 1 MiB.
    pub commit_bytes: usize,
    /// How long what has arrived waits for more before it is made durable. Default: 5 ms.
    pub commit_within: Duration,
}

impl Default for IngressLimits {
    fn default() -> Self {
        IngressLimits {
            log_bytes_max: 10 << 30,
            segment_bytes: 16 << 20,
            commit_bytes: 1 << 20,
            commit_within: Duration::from_millis(5),
        }
    }
}

impl IngressLimits {
    /// The length at which the next segment is begun: the newest is never let go of, so a log has several.
    fn segment_bytes(&self) -> u64 {
        self.segment_bytes.min(self.log_bytes_max / 4)
    }
}

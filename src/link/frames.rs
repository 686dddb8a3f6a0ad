//! Sends the frames of running jobs.

use std::sync::Arc;

use crate::connection::Outgoing;
use crate::error::LinkDown;
use crate::name::NodeName;

/// Sends frames over one connection. Once that has ended it never works again, so that no frame is sent behind a gap:
/// ask [`Links::frames`](crate::Links::frames) for the next.
#[derive(Clone, Debug)]
pub struct FrameSender {
    outgoing: Arc<Outgoing>,
}

impl FrameSender {
    pub(crate) fn new(outgoing: Arc<Outgoing>) -> Self {
        FrameSender { outgoing }
    }

    /// An empty buffer for frames, one that was used before where there is one.
    pub fn buffer(&self) -> Vec<u8> {
        self.outgoing.queue.buffer()
    }

    /// Hands whole frames over to be written, in the order of the calls. Never waits. More than
    /// [`LinkConfig::write_queue_bytes_max`](crate::LinkConfig::write_queue_bytes_max) breaks the link.
    ///
    /// # Errors
    ///
    /// Where the connection has ended.
    pub fn send(&self, frames: Vec<u8>) -> Result<(), LinkDown> {
        self.outgoing.send(frames)
    }

    /// The node at the other end.
    pub fn peer(&self) -> &NodeName {
        &self.outgoing.peer
    }
}

//! Reads what a peer sends.

use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};
use watershed_wire::{Frame, Kind, decode};

use crate::connection::{Incoming, PING};
use crate::core::Core;
use crate::messages::{self, InHand};
use crate::name::NodeName;
use crate::report::DownReason;
use crate::traffic::Traffic;

/// How much room is made for one read.
const READ_BYTES: usize = 256 << 10;

/// The least room that is worth a read.
const ROOM_BYTES_MIN: usize = 32 << 10;

/// Where the frames of one connection go.
pub(crate) struct Receiver {
    pub(crate) core: Arc<Core>,
    pub(crate) in_hand: InHand,
    pub(crate) node: NodeName,
    pub(crate) incoming: Arc<Incoming>,
    pub(crate) traffic: Arc<Traffic>,
}

impl Receiver {
    /// Reads until the connection ends; why it did.
    pub(crate) async fn run(
        &self,
        reader: &mut (impl AsyncRead + Unpin + ?Sized),
        buffer: &mut BytesMut,
    ) -> DownReason {
        // SUBTLE: the peer may be up for itself before it is for this node, and ask at once. The answer goes over the
        // other connection, so nothing is taken before that is there.
        self.incoming.up.notified().await;
        loop {
            let had_frame = match self.take_all(buffer) {
                Ok(had_frame) => had_frame,
                Err(reason) => return reason,
            };
            self.incoming.heard(!buffer.is_empty(), had_frame);
            if buffer.capacity() - buffer.len() < ROOM_BYTES_MIN {
                buffer.reserve(READ_BYTES);
            }
            match reader.read_buf(buffer).await {
                Ok(0) => return DownReason::Ended("the peer closed it".to_owned()),
                Ok(bytes) => self.traffic.read(bytes),
                Err(error) => return DownReason::Ended(error.to_string()),
            }
            self.core.lookout.event();
        }
    }

    /// Takes all frames that have arrived. Whether there was one.
    fn take_all(&self, buffer: &mut BytesMut) -> Result<bool, DownReason> {
        let mut had_frame = false;
        while let Some(frame) = decode(buffer, &self.core.config.frames)
            .map_err(|error| DownReason::Violated(error.to_string()))?
        {
            had_frame = true;
            self.traffic.frame();
            self.take(frame)?;
        }
        Ok(had_frame)
    }

    fn take(&self, frame: Frame) -> Result<(), DownReason> {
        match frame.header.kind {
            Kind::Records | Kind::Element | Kind::Credit | Kind::Clock => {
                self.core.take_in(&self.node, frame).map_err(DownReason::Refused)
            }
            Kind::Message => messages::take(&self.core, &self.in_hand, &self.node, &frame.body),
            Kind::Ping => {
                if let Some(outgoing) = self.core.peers.outgoing(&self.node) {
                    let sequence = frame.header.sequence.0;
                    if frame.header.channel == PING {
                        outgoing.pong(sequence);
                    } else {
                        outgoing.answered(sequence);
                    }
                }
                Ok(())
            }
            Kind::Hello => Err(DownReason::Violated("it introduced itself twice".to_owned())),
        }
    }
}

//! Takes a stream of bytes apart into the frames of a link.

use bytes::BytesMut;
use serde::Deserialize;
use watershed_wire::{Draft, FrameError, Header, Kind, Limits, decode};

/// A frame, and the bytes in which it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) header: Header,
    pub(super) bytes: Vec<u8>,
}

/// Why a stream is not read on.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLink {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("a frame is written in another way than this version writes it")]
    Otherwise,
}

/// What has arrived and is no whole frame yet.
#[derive(Debug, Default)]
pub(super) struct Frames {
    buffer: BytesMut,
    limits: Limits,
}

/// As much of a node's introduction as it takes to know its name.
#[derive(Deserialize)]
struct Introduction {
    node: String,
}

impl Frames {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, if it is there to its end.
    pub(super) fn next(&mut self) -> Result<Option<Raw>, NoLink> {
        let Some(frame) = decode(&mut self.buffer, &self.limits)? else { return Ok(None) };
        let mut bytes = Vec::new();
        // There is one way to write a frame, and the checksum says whether it was the one.
        let checksum = Draft::write(&frame.header, &frame.body, &mut bytes);
        if checksum != frame.checksum {
            return Err(NoLink::Otherwise);
        }
        Ok(Some(Raw { header: frame.header, bytes }))
    }
}

/// The name of the node that introduces itself in a frame, if one does.
pub(super) fn introduced(raw: &Raw) -> Option<String> {
    if raw.header.kind != Kind::Hello {
        return None;
    }
    let mut buffer = BytesMut::from(&raw.bytes[..]);
    let frame = decode(&mut buffer, &Limits::default()).ok()??;
    Some(rmp_serde::from_slice::<Introduction>(&frame.body).ok()?.node)
}

#[cfg(test)]
mod tests {
    use watershed_core::{Epoch, Run, Sequence};

    use super::*;

    fn written(kind: Kind, body: &[u8]) -> Vec<u8> {
        let (run, sequence, epoch) = (Run(3), Sequence(700), Epoch(9));
        let header = Header { job: 1, run, channel: 200, sequence, epoch, kind, records: 0 };
        let mut bytes = Vec::new();
        Draft::write(&header, body, &mut bytes);
        bytes
    }

    #[test]
    fn a_stream_in_pieces_is_the_frames_that_were_written() {
        let (first, second) = (written(Kind::Records, &[7; 300]), written(Kind::Credit, b""));
        let mut frames = Frames::default();
        let mut found = Vec::new();
        for byte in first.iter().chain(&second) {
            frames.push(&[*byte]);
            found.extend(frames.next().expect("these are frames").map(|raw| raw.bytes));
        }
        assert_eq!(found, [first, second]);
    }

    #[test]
    fn a_stream_that_is_no_link_is_not_read_on() {
        let mut frames = Frames::default();
        frames.push(b"GET / HTTP/1.0\r\n\r\n");
        assert!(frames.next().is_err());
    }

    #[test]
    fn a_node_is_known_by_its_introduction() {
        let hello = rmp_serde::to_vec_named(&serde_json::json!({ "cluster": "c", "node": "n7" }));
        let hello = hello.expect("it is plain data");
        let raw = |kind| Raw {
            bytes: written(kind, &hello),
            header: Header {
                job: 0,
                run: Run(0),
                channel: 0,
                sequence: Sequence(0),
                epoch: Epoch(0),
                kind,
                records: 0,
            },
        };
        assert_eq!(introduced(&raw(Kind::Hello)).as_deref(), Some("n7"));
        assert_eq!(introduced(&raw(Kind::Message)), None);
    }
}

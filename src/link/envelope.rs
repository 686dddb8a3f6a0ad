//! The bodies of frames that carry messages.

use serde::{Deserialize, Serialize};
use watershed_core::{Epoch, Run, Sequence};
use watershed_wire::{Draft, Header, Kind};

use crate::error::Fault;
use crate::msgpack::Bin;

/// What one node says to another, in MessagePack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Envelope<'a> {
    /// A message for an actor, at most once.
    Tell {
        actor: &'a str,
        message: &'a str,
        #[serde(borrow)]
        payload: Bin<'a>,
    },
    /// A message that wants an [`Envelope::Answer`] of the same number.
    Ask {
        id: u64,
        within_ms: u64,
        actor: &'a str,
        message: &'a str,
        #[serde(borrow)]
        payload: Bin<'a>,
    },
    /// The answer of an actor, or why there is none.
    Answer {
        id: u64,
        #[serde(borrow)]
        answer: Answer<'a>,
    },
    /// Whether an actor takes such messages; answered with [`Answer::Found`].
    Find { id: u64, actor: &'a str, message: &'a str },
    /// Wants to be told by [`Envelope::Gone`] when an actor is no more.
    Watch { id: u64, actor: &'a str },
    /// The actor of a watch is no more.
    Gone { id: u64, unknown: bool },
    /// Good-bye.
    Leave,
}

/// What comes back of an ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer<'a> {
    /// What the actor answered.
    Done(#[serde(borrow)] Bin<'a>),
    /// Why it did not.
    Failed(Fault),
    /// Whether there is such an actor.
    Found(bool),
}

/// The header of frames that belong to no job.
pub(crate) fn header(kind: Kind, channel: u32, sequence: u64) -> Header {
    let sequence = Sequence(sequence);
    Header { job: 0, run: Run(0), channel, sequence, epoch: Epoch(0), kind, records: 0 }
}

impl Envelope<'_> {
    /// Appends the frame of it to a buffer.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let draft = Draft::begin(&header(Kind::Message, 0, 0), out);
        rmp_serde::encode::write(out, self).expect("an envelope is plain data, and memory is not full");
        draft.finish(out);
    }

    /// The frame of it.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use watershed_wire::{Limits, decode};

    use super::*;
    use crate::msgpack;

    #[test]
    fn an_envelope_is_read_as_it_was_written() {
        let (actor, message, payload) = ("a", "m", Bin(&[1, 2, 3]));
        let envelopes = [
            Envelope::Tell { actor, message, payload },
            Envelope::Ask { id: 7, within_ms: 5, actor, message, payload },
            Envelope::Answer { id: 7, answer: Answer::Done(payload) },
            Envelope::Answer { id: 7, answer: Answer::Failed(Fault::Undecodable("why".to_owned())) },
            Envelope::Answer { id: 7, answer: Answer::Found(true) },
            Envelope::Find { id: 7, actor, message },
            Envelope::Watch { id: 7, actor },
            Envelope::Gone { id: 7, unknown: true },
            Envelope::Leave,
        ];
        for envelope in envelopes {
            let mut buffer = BytesMut::from(&envelope.frame()[..]);
            let frame = decode(&mut buffer, &Limits::default()).unwrap().unwrap();
            assert_eq!(msgpack::read(&frame.body), Ok(envelope));
        }
    }
}

//! What a subtask says of its side of a checkpoint.

use serde::{Deserialize, Serialize};

use crate::checkpoint::{ObjectRef, SharedCut, Staged};
use crate::{ChannelId, KeyGroupRange, Position, SplitId, SubtaskId};

/// The vote of a subtask that is prepared: its state and its output up to the barrier are durable.
///
/// `prepared` is the only vote; a subtask that cannot prepare declines with a reason instead.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Vote {
    /// Who votes.
    pub subtask: SubtaskId,
    /// The hash of the plan it runs.
    pub plan: u64,
    /// The objects that hold its state, oldest first: a full one, and what has changed since, again and again.
    pub snapshot: Vec<ObjectRef>,
    /// The key groups that it owns, where its input is keyed.
    pub key_groups: Option<KeyGroupRange>,
    /// What had come in on each of its channels before the barrier.
    pub received: Vec<ChannelCut>,
    /// What had gone out on each of its channels before the barrier.
    pub sent: Vec<ChannelCut>,
    /// What an unaligned checkpoint recorded: sent before the sender's barrier, not received before its own.
    pub in_flight: Vec<InFlight>,
    /// Where a source's splits stand.
    pub splits: Vec<SplitCut>,
    /// All that its sink has prepared and not yet been told to commit, oldest first: this epoch's and, where
    /// an earlier one was given up or its order to commit was lost, that one's too.
    pub staged: Vec<Staged>,
    /// Whether it has come to its end with this epoch: nothing will follow.
    pub finished: bool,
    /// Its side of the cut through shared state, where the job has any.
    ///
    /// Stays the last field, and takes no byte where it is absent: what was written before there was shared state is
    /// read, and what a job without it writes is what it always wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<Box<SharedCut>>,
}

/// Names a channel for both of its ends: the receiver, and the receiver's number for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChannelKey {
    /// The receiver.
    pub to: SubtaskId,
    /// The receiver's number for it.
    pub channel: ChannelId,
}

/// How much has passed one end of a channel in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChannelCut {
    /// The channel.
    pub channel: ChannelKey,
    /// How many records.
    pub records: u64,
    /// How many batches.
    pub batches: u64,
    /// The wrapping sum of the batches' checksums; 0 where the channel carries none.
    pub sum: u64,
}

/// What was under way on a channel across an unaligned cut.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InFlight {
    /// The channel, and how much was under way.
    pub cut: ChannelCut,
    /// The recorded batches.
    pub object: ObjectRef,
}

/// Where a split stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SplitCut {
    /// The split's number in the order in which the source listed it.
    pub split: SplitId,
    /// The source's own description of it, as MessagePack: a job that comes back reads these splits, whatever
    /// the source would list by then.
    pub description: Vec<u8>,
    /// The next record to read.
    pub position: Position,
    /// Whether it has been read to its end.
    pub ended: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causal::{Lane, VectorClock};
    use crate::checkpoint::SiteShare;
    use crate::{Counter, Epoch, Run, Site, VertexId};

    fn vote() -> Vote {
        Vote {
            subtask: SubtaskId { vertex: VertexId(1), index: 2 },
            plan: 3,
            snapshot: Vec::new(),
            key_groups: None,
            received: Vec::new(),
            sent: Vec::new(),
            in_flight: Vec::new(),
            splits: Vec::new(),
            staged: Vec::new(),
            finished: false,
            shared: None,
        }
    }

    #[test]
    fn a_vote_without_shared_state_is_what_it_was_before_there_was_any() {
        let bytes = rmp_serde::to_vec(&vote()).unwrap();
        assert_eq!(bytes, [0x9a, 0x92, 1, 2, 3, 0x90, 0xc0, 0x90, 0x90, 0x90, 0x90, 0x90, 0xc2]);
        assert_eq!(rmp_serde::from_slice::<Vote>(&bytes).unwrap(), vote());
        let named = rmp_serde::to_vec_named(&vote()).unwrap();
        assert_eq!(named[0], 0x8a, "ten fields");
        assert_eq!(rmp_serde::from_slice::<Vote>(&named).unwrap(), vote());
    }

    #[test]
    fn a_vote_with_shared_state_comes_back_in_either_form() {
        let session =
            VectorClock::from(vec![(Lane { run: Run(1), epoch: Epoch(2), site: Site(3) }, Counter(4))]);
        let shared = SharedCut { site: Site(3), session, share: Some(SiteShare::default()) };
        let vote = Vote { shared: Some(Box::new(shared)), ..vote() };
        for bytes in [rmp_serde::to_vec(&vote).unwrap(), rmp_serde::to_vec_named(&vote).unwrap()] {
            assert_eq!(rmp_serde::from_slice::<Vote>(&bytes).unwrap(), vote);
        }
    }
}

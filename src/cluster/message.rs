//! What the nodes of a cluster ask each other, and how it is written.
//!
//! MessagePack with named fields. Peers are authenticated, but may be of another version, or broken: nesting is
//! bounded, and what does not fit is an error.

use std::collections::BTreeMap;
use std::sync::Arc;

use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::decided::{ClusterChange, ClusterState, Refusal};
use crate::group::{Seat, Types};

/// How deep a message may nest.
const DEPTH_MAX: usize = 96;

/// A question.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// A word of consensus to the holder of a seat.
    Raft {
        /// The seat.
        to: Seat,
        /// The word.
        word: Box<Word>,
    },
    /// Do you know this seat?
    Knock {
        /// The cluster it is meant for.
        cluster: String,
        /// The asker's seat.
        seat: Seat,
    },
    /// What is decided?
    Read,
    /// Decide this.
    Propose(ClusterChange),
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// To a word of consensus.
    Raft(Box<Reply>),
    /// The word was for someone else, or consensus has stopped here.
    Absent,
    /// To a knock.
    Seat {
        /// The answerer's seat.
        seat: Seat,
        /// Whether it has never taken part in anything.
        pristine: bool,
    },
    /// To [`Ask::Read`] and [`Ask::Propose`]: this is decided.
    Decided(Decided),
    /// To [`Ask::Read`] and [`Ask::Propose`]: nothing was done, ask that one.
    NotLeader(Option<String>),
    /// To [`Ask::Propose`]: nothing was done.
    Failed(String),
    /// To [`Ask::Propose`]: nobody knows whether it is decided.
    Unknown(String),
    /// The question is for a coordinator of the same cluster, and this is none.
    Wrong,
}

/// What is decided, as of an instant between question and answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Decided {
    /// Who answers.
    pub(crate) leader: String,
    /// Its reign.
    pub(crate) term: u64,
    /// The nodes that have a vote, and their seats.
    pub(crate) voters: BTreeMap<String, Seat>,
    /// Why what was proposed is not decided.
    pub(crate) refusal: Option<Refusal>,
    /// What is.
    pub(crate) state: Arc<ClusterState>,
}

/// A word of consensus.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Word {
    Append(AppendEntriesRequest<Types>),
    Vote(VoteRequest<Seat>),
    Snapshot(InstallSnapshotRequest<Types>),
}

/// What consensus answers to it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Append(AppendEntriesResponse<Seat>),
    Vote(VoteResponse<Seat>),
    Snapshot(InstallSnapshotResponse<Seat>),
    /// The parts of a snapshot do not follow each other: send it from the beginning.
    Mismatch(openraft::error::SnapshotMismatch),
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("words of the cluster are plain data, and a vector takes all bytes")
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
    deserializer.set_max_depth(DEPTH_MAX);
    T::deserialize(&mut deserializer).map_err(|error| error.to_string())
}

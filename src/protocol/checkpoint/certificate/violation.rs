//! How votes fail to be a consistent cut: which subtask, channel or split, and both figures.

use std::fmt;

use watershed_core::checkpoint::ChannelKey;
use watershed_core::{Position, SplitId, SubtaskId, VertexId};

/// What is wrong with a set of votes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// K4.
    #[error("subtask {0} has not voted")]
    VoteMissing(SubtaskId),
    /// K4.
    #[error("subtask {0} has voted twice")]
    VoteTwice(SubtaskId),
    /// K4.
    #[error("subtask {0} has voted and is no part of the job")]
    Stranger(SubtaskId),
    /// K4.
    #[error("subtask {subtask} runs plan {found:016x}, and the job plan {expected:016x}")]
    OtherPlan {
        /// Who.
        subtask: SubtaskId,
        /// Its plan.
        found: u64,
        /// The job's.
        expected: u64,
    },
    /// K4.
    #[error("subtask {subtask} of keyed vertex {} owns no key groups", subtask.vertex)]
    NotKeyed {
        /// Who.
        subtask: SubtaskId,
    },
    /// K4.
    #[error("key groups of vertex {vertex}: subtask {subtask} begins at group {found} instead of {expected}")]
    KeyGroups {
        /// Whose.
        vertex: VertexId,
        /// The first subtask, by its range, where they do not meet.
        subtask: SubtaskId,
        /// Where its range begins.
        found: u16,
        /// Where the one before it ended.
        expected: u16,
    },
    /// K4.
    #[error("key groups of vertex {vertex}: they end at group {found} instead of {expected}")]
    KeyGroupsEnd {
        /// Whose.
        vertex: VertexId,
        /// Where the last range ends.
        found: u16,
        /// How many groups there are.
        expected: u16,
    },
    /// K1.
    #[error("subtask {subtask} reports {end} channel {}:{}, which is not its own", channel.to, channel.channel)]
    WrongEnd {
        /// Who.
        subtask: SubtaskId,
        /// Which end it claims to be.
        end: End,
        /// The channel.
        channel: ChannelKey,
    },
    /// K1.
    #[error("channel {}:{} is no part of the job, and was reported {end}", channel.to, channel.channel)]
    UnknownChannel {
        /// Which end reported it.
        end: End,
        /// The channel.
        channel: ChannelKey,
    },
    /// K1.
    #[error("channel {}:{} was reported twice {end}", channel.to, channel.channel)]
    ReportedTwice {
        /// Which end.
        end: End,
        /// The channel.
        channel: ChannelKey,
    },
    /// K1.
    #[error("channel {}:{} was not reported {end}", channel.to, channel.channel)]
    NotReported {
        /// Which end.
        end: End,
        /// The channel.
        channel: ChannelKey,
    },
    /// K1.
    #[error(
        "channel {}:{}: {measure} sent {sent}, received {received}, in flight {in_flight}",
        channel.to,
        channel.channel
    )]
    Channel {
        /// The channel.
        channel: ChannelKey,
        /// What does not add up.
        measure: Measure,
        /// What had gone in.
        sent: u64,
        /// What had come out.
        received: u64,
        /// What the checkpoint recorded as under way.
        in_flight: u64,
    },
    /// K5.
    #[error("split {split} of source {vertex} stands at {found}, and stood at {previous} before")]
    WentBack {
        /// The source.
        vertex: VertexId,
        /// The split.
        split: SplitId,
        /// Where it stands.
        found: Position,
        /// Where it stood in the previous checkpoint.
        previous: Position,
    },
    /// K5.
    #[error("split {split} of source {vertex} is read by {} and by {}", subtasks.0, subtasks.1)]
    SplitTwice {
        /// The source.
        vertex: VertexId,
        /// The split.
        split: SplitId,
        /// Its readers.
        subtasks: (SubtaskId, SubtaskId),
    },
    /// K5.
    #[error("split {split} of source {vertex} stood at {previous} before, and is read by nobody")]
    SplitForgotten {
        /// The source.
        vertex: VertexId,
        /// The split.
        split: SplitId,
        /// Where it stood in the previous checkpoint.
        previous: Position,
    },
}

/// One end of a channel, or its middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// By its sender.
    Sent,
    /// By its receiver.
    Received,
    /// By the record of what was under way.
    InFlight,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::Sent => "as sent",
            End::Received => "as received",
            End::InFlight => "as in flight",
        })
    }
}

/// What is counted on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Records.
    Records,
    /// Batches.
    Batches,
    /// The sum of the batches' checksums.
    Sum,
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Measure::Records => "records",
            Measure::Batches => "batches",
            Measure::Sum => "checksums",
        })
    }
}

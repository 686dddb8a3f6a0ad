//! How votes fail to be a consistent cut: which subtask, channel, lane or split, and both figures.

use std::fmt;

use watershed_core::causal::{Dot, Lane};
use watershed_core::checkpoint::ChannelKey;
use watershed_core::{Counter, Epoch, Position, Run, Site, SplitId, SubtaskId, VertexId};

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
    /// K2 or K3.
    #[error("subtask {subtask} {mention} {lane}, and the checkpoint is of run {run}")]
    OtherRun {
        /// Who.
        subtask: SubtaskId,
        /// How it names the lane.
        mention: Mention,
        /// The lane.
        lane: Lane,
        /// The run that is cut.
        run: Run,
    },
    /// K2 or K3.
    #[error("subtask {subtask} {mention} {lane}, and the checkpoint ends with epoch {epoch}")]
    Beyond {
        /// Who.
        subtask: SubtaskId,
        /// How it names the lane.
        mention: Mention,
        /// The lane.
        lane: Lane,
        /// The checkpoint.
        epoch: Epoch,
    },
    /// K2 or K3.
    #[error("subtask {subtask} {mention} {dot}, and the checkpoint ends that lane with update {last}")]
    Orphan {
        /// Who.
        subtask: SubtaskId,
        /// How it names the update.
        mention: Mention,
        /// The update.
        dot: Dot,
        /// The last one of its lane that is in the cut.
        last: Counter,
    },
    /// K3.
    #[error("subtask {0} says nothing of shared state, and others do")]
    NothingShared(SubtaskId),
    /// K3.
    #[error("site {site}, on which subtask {subtask} lives, does not tell what it has shared")]
    ShareMissing {
        /// The site.
        site: Site,
        /// One of its subtasks.
        subtask: SubtaskId,
    },
    /// K3.
    #[error("subtask {} and subtask {} both tell what site {site} has shared", subtasks.0, subtasks.1)]
    ShareTwice {
        /// The site.
        site: Site,
        /// Who tells it.
        subtasks: (SubtaskId, SubtaskId),
    },
    /// K3.
    #[error("subtask {subtask} of site {site} closes {lane}, which is not its own")]
    NotOwn {
        /// Who.
        subtask: SubtaskId,
        /// Where it lives.
        site: Site,
        /// The lane.
        lane: Lane,
    },
    /// K3.
    #[error(
        "site {site} is restored from shared state of epoch {found}, and the checkpoint ends with epoch {epoch}"
    )]
    BaseBeyond {
        /// The site.
        site: Site,
        /// Its base.
        found: Epoch,
        /// The checkpoint.
        epoch: Epoch,
    },
    /// K3.
    #[error(
        "site {site} is restored from a log of epoch {found}, which does not lie behind {} and up to epoch {epoch}",
        before.map_or("the beginning".to_owned(), |before| format!("epoch {before}"))
    )]
    LogOutside {
        /// The site.
        site: Site,
        /// The log.
        found: Epoch,
        /// What is restored before it.
        before: Option<Epoch>,
        /// The checkpoint.
        epoch: Epoch,
    },
    /// K3.
    #[error("site {site} had made {made} updates before the cut, and its log holds {saved}")]
    Unsaved {
        /// The site.
        site: Site,
        /// How many updates its lanes had.
        made: u64,
        /// How many are saved.
        saved: u64,
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

/// How a vote comes to name a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mention {
    /// Its task had seen updates of it.
    Seen,
    /// Its site tells where the lane ended.
    Closed,
    /// Updates of its site depend on updates of it.
    Needed,
}

impl fmt::Display for Mention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mention::Seen => "has seen",
            Mention::Closed => "closes",
            Mention::Needed => "saves updates that depend on",
        })
    }
}

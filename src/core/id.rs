//! Names and numbers, each its own type, so that one can never be taken for another.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Data;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// A vertex of one plan, counted from 0 in the order in which the pipeline named them.
    VertexId(u32)
);
number!(
    /// Which of a vertex's inputs a channel belongs to, counted from 0.
    PortId(u16)
);
number!(
    /// One input channel of one subtask, counted from 0 over all of its ports.
    ChannelId(u32)
);
number!(
    /// The number of a checkpoint, and of all data before its barrier.
    Epoch(u64)
);
number!(
    /// The number of one execution of a job, one more at each recovery or rescale. Older ones are fenced.
    Run(u32)
);
number!(
    /// A job's history: restoring an older checkpoint by hand forks a new one.
    Lineage(u32)
);
number!(
    /// The number of a leader's reign, one more at each election. Older ones are fenced.
    Term(u64)
);
number!(
    /// The number of a node within one run: the place of its crew in the run's assignment. A site has one life; what was
    /// lost comes back in a later run.
    Site(u16)
);
number!(
    /// The number of an update within its lane, from 1; 0 stands for none.
    Counter(u64)
);
number!(
    /// A shared state of one plan, counted from 0 in the order in which the pipeline named them.
    SharedId(u32)
);
number!(
    /// The number of a round of votes. Later rounds have greater numbers.
    Round(u64)
);
number!(
    /// The number of an element on one channel, counted from 0.
    Sequence(u64)
);
number!(
    /// Which split of a source, counted from 0 in the order in which the source listed them.
    SplitId(u32)
);
number!(
    /// How far a split has been read: the source's own ordered measure (byte offset, record number, log
    /// sequence number) of the next record to read. Never goes back within a run.
    Position(u64)
);

/// Which job is meant, among all that ever had its name: the same over its runs, and nobody else's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub String);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One parallel instance of a vertex's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Data)]
pub struct SubtaskId {
    /// The vertex.
    pub vertex: VertexId,
    /// Which instance, from 0 to the vertex's parallelism, exclusive.
    pub index: u32,
}

impl fmt::Display for SubtaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.vertex, self.index)
    }
}

/// Where a batch comes from: the last record of a source that had a part in it.
///
/// Rides with every batch so that a failure can name how far the input had been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The source's vertex.
    pub vertex: VertexId,
    /// The split being read.
    pub split: SplitId,
    /// The position just behind the record.
    pub position: Position,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "split {} of source vertex {} near position {}", self.split, self.vertex, self.position)
    }
}

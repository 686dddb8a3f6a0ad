//! The splits of a source's subtask: those it is to read, and those it reads.

use watershed_core::checkpoint::SplitCut;
use watershed_core::task::Split;
use watershed_core::{Position, ProcessingTime, SplitId, Watermark};

/// A split that is being read. Its place in the list is its number within the subtask.
pub(crate) struct OpenSplit {
    pub(crate) id: SplitId,
    pub(crate) split: Split,
    pub(crate) readiness: Readiness,
    pub(crate) watermark: Watermark,
}

impl OpenSplit {
    pub(crate) fn begin(assigned: Assigned) -> Self {
        let Assigned { id, split, .. } = assigned;
        OpenSplit { id, split, readiness: Readiness::Ready, watermark: Watermark::MIN }
    }
}

/// A split that a subtask is to read.
#[derive(Clone, Debug)]
pub(crate) struct Assigned {
    pub(crate) id: SplitId,
    pub(crate) split: Split,
    /// From where. 0 is the beginning of any split, whatever its source's measure.
    pub(crate) from: Position,
    /// Whether it has been read to its end.
    pub(crate) ended: bool,
}

impl Assigned {
    /// Where a reader begins.
    pub(crate) fn start(&self) -> Option<Position> {
        (self.from > Position(0)).then_some(self.from)
    }

    pub(crate) fn cut(&self) -> SplitCut {
        let (split, description) = (self.id, self.split.bytes.clone());
        SplitCut { split, description, position: self.from, ended: self.ended }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    /// Until a wake-up.
    Pending,
    Later(ProcessingTime),
    Ended,
}

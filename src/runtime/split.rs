//! The splits of a source's subtask: those it is to read, and those it reads.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use watershed_core::checkpoint::SplitCut;
use watershed_core::task::Split;
use watershed_core::{Epoch, Position, ProcessingTime, SplitId, Watermark};

/// A split that is being read. Its place in the list is its number within the subtask.
pub(crate) struct OpenSplit {
    pub(crate) id: SplitId,
    pub(crate) split: Split,
    pub(crate) readiness: Readiness,
    pub(crate) watermark: Watermark,
    /// Where it stood at the cuts that the job may go back to; the first is where the run began.
    stood: BTreeMap<Epoch, Position>,
}

impl OpenSplit {
    pub(crate) fn begin(assigned: Assigned) -> Self {
        let Assigned { id, split, from, .. } = assigned;
        let stood = BTreeMap::from([(Epoch(0), from)]);
        OpenSplit { id, split, readiness: Readiness::Ready, watermark: Watermark::MIN, stood }
    }

    /// Notes where it stands at a cut.
    pub(crate) fn stands(&mut self, epoch: Epoch, position: Position) {
        self.stood.insert(epoch, position);
    }

    /// Where it stood at the oldest cut that is needed when nothing before an epoch is. All of a run's checkpoints lie
    /// behind the one that the run began at.
    pub(crate) fn needed_from(&mut self, before: Epoch) -> Option<Position> {
        let (&oldest, &position) = self.stood.range(..=before).next_back()?;
        self.stood = self.stood.split_off(&oldest);
        Some(position)
    }
}

/// A split that a subtask is to read.
#[derive(Clone, Debug, Serialize, Deserialize)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_begins_at_the_newest_cut_that_may_go() {
        let split = Split { name: String::new(), bytes: Vec::new() };
        let from = Position(7);
        let mut open = OpenSplit::begin(Assigned { id: SplitId(0), split, from, ended: false });
        open.stands(Epoch(65), Position(10));
        open.stands(Epoch(66), Position(20));
        open.stands(Epoch(68), Position(30));
        // The run began at an older one, which is still kept.
        assert_eq!(open.needed_from(Epoch(64)), Some(Position(7)));
        assert_eq!(open.needed_from(Epoch(66)), Some(Position(20)));
        assert_eq!(open.needed_from(Epoch(67)), Some(Position(20)));
        assert_eq!(open.needed_from(Epoch(65)), None, "it was let go of before");
    }
}

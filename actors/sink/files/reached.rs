//! How far the files of a checkpoint reach, so that what was committed behind it is noticed.
//!
//! Parts are numbered, and bytes have their place, in the order in which they are committed. A job that goes on from a
//! checkpoint commits once more what that one names as staged, and nothing can lie behind it: what was committed was decided,
//! and a run begins behind the newest decision. Where something does, the decision was lost.

use std::collections::BTreeMap;
use std::fs;

use watershed_core::{Lineage, SinkError};

use crate::sink::files::layout::{Layout, Target};
use crate::sink::files::staged::StagedFiles;

/// How far staged files reach.
#[derive(Debug, Default)]
pub(super) struct Reached {
    /// The last part of each subtask that has one.
    parts: BTreeMap<u32, u32>,
    /// Where the one file ends.
    end: Option<u64>,
}

impl Reached {
    /// Takes note of what is committed, where it is of this history: another one begins before what is there already.
    pub(super) fn note(&mut self, staged: &StagedFiles, lineage: Lineage, layout: &Layout) {
        if staged.lineage != Some(lineage) {
            return;
        }
        for file in &staged.files {
            match &file.target {
                Target::File => self.end = self.end.max(Some(file.offset + file.length)),
                Target::Part(name) => {
                    if let Some((subtask, number)) = layout.numbers_of(name) {
                        let last = self.parts.entry(subtask).or_default();
                        *last = number.max(*last);
                    }
                }
            }
        }
    }

    /// Demands that nothing lies behind it.
    pub(super) fn demand_last(&self, layout: &Layout) -> Result<(), SinkError> {
        let later = |(subtask, number, _): &(u32, u32, String)| {
            self.parts.get(subtask).is_some_and(|last| number > last)
        };
        let part = layout.parts()?.into_iter().find(later);
        let part = part.map(|(.., name)| layout.folder().join(name));
        let length = fs::metadata(layout.file()).map(|found| found.len()).unwrap_or_default();
        let file = self.end.filter(|end| length > *end).map(|_| layout.file());
        let Some(path) = part.or(file) else { return Ok(()) };
        let why = "holds what was committed behind the newest checkpoint that is known to be decided: the decision log has \
                   lost its end, or is an older copy, and what follows would be written a second time. Bring the \
                   newest log back, or begin anew";
        Err(SinkError::lost(path.display().to_string(), why))
    }
}

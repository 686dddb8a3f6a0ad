//! What a job goes on from, for whoever starts it.

use std::fmt;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;
use watershed_core::Epoch;
use watershed_core::checkpoint::Manifest;
use watershed_state::inspect::{Offline, Which};

use crate::job::state::wait;

/// A checkpoint that a job goes on from, or with which it has come to its end.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Resumed {
    checkpoint: Epoch,
    lineage: u32,
    /// When it was taken, as RFC 3339.
    taken_at: String,
    /// How many splits the sources had.
    splits: usize,
    /// How many of them had been read to their ends.
    splits_ended: usize,
    /// Whether a person goes back to it, rather than on.
    back: bool,
    /// Whether the job has come to its end with it.
    #[serde(skip)]
    finished: bool,
}

impl Resumed {
    /// Looks at what a job would go on from. Where that cannot be read there is nothing to say yet: whoever opens the
    /// directory says what is wrong with it.
    pub(super) fn from(directory: &Path, back_to: Option<Epoch>) -> Option<Self> {
        if !directory.is_dir() {
            return None;
        }
        let offline = Offline::open(directory).ok()?;
        let which = back_to.map_or(Which::Newest, Which::Epoch);
        let (_, manifest) = wait(offline.manifest(which)).ok()?;
        let finished = back_to.is_none() && offline.meta().is_some_and(|meta| meta.finished);
        Some(Resumed::at(&manifest, back_to.is_some(), finished))
    }

    fn at(manifest: &Manifest, back: bool, finished: bool) -> Self {
        let splits = || manifest.votes.iter().flat_map(|vote| &vote.splits);
        let taken_at = Timestamp::from_millisecond(manifest.taken_at);
        Resumed {
            checkpoint: manifest.epoch,
            lineage: manifest.lineage.0,
            taken_at: taken_at.map_or("at no time".to_owned(), |time| format!("{time:.0}")),
            splits: splits().count(),
            splits_ended: splits().filter(|split| split.ended).count(),
            back,
            finished,
        }
    }

    /// The checkpoint.
    pub(super) fn checkpoint(&self) -> Epoch {
        self.checkpoint
    }
}

impl fmt::Display for Resumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Resumed { checkpoint, lineage, taken_at, splits, splits_ended, back, finished } = self;
        if *finished {
            return write!(f, "checkpoint {checkpoint} (lineage {lineage}) was the job's last");
        }
        let direction = if *back { "back to" } else { "on from" };
        write!(
            f,
            "going {direction} checkpoint {checkpoint} (lineage {lineage}), taken {taken_at}; {splits_ended} of {splits} \
             splits had been read to the end"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_says_in_a_line_where_it_begins() {
        let on = Resumed {
            checkpoint: Epoch(71),
            lineage: 0,
            taken_at: "2013-01-01T10:00:00Z".to_owned(),
            splits: 4,
            splits_ended: 1,
            back: false,
            finished: false,
        };
        let place =
            "checkpoint 71 (lineage 0), taken 2013-01-01T10:00:00Z; 1 of 4 splits had been read to the end";
        assert_eq!(on.to_string(), format!("going on from {place}"));
        assert_eq!(Resumed { back: true, ..on.clone() }.to_string(), format!("going back to {place}"));
        let last = Resumed { finished: true, ..on };
        assert_eq!(last.to_string(), "checkpoint 71 (lineage 0) was the job's last");
    }
}

//! In whose name a message of the checkpoint protocol is sent.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};
use watershed_core::{Lineage, Run, Term};

/// The reign and the run that a message belongs to. Every message carries one, and whoever has seen a higher
/// one refuses it.
///
/// Ordered by term, then by run; the lineage only names the history, since each run belongs to one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Authority {
    /// The reign of the coordinator.
    pub term: Term,
    /// The execution of the job.
    pub run: Run,
    /// The history that the run belongs to.
    pub lineage: Lineage,
}

impl Ord for Authority {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.term, self.run, self.lineage).cmp(&(other.term, other.run, other.lineage))
    }
}

impl PartialOrd for Authority {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "term {}, run {}, lineage {}", self.term, self.run, self.lineage)
    }
}

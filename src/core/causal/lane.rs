//! Who made an update, in which epoch of which run.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Counter, Data, Epoch, Run, Site};

/// The updates that the tasks of one site make in one epoch of a run.
///
/// The order is that of pruning: what an older run or epoch did comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Data)]
pub struct Lane {
    /// The run.
    pub run: Run,
    /// The epoch of the task that makes the update: that of the last barrier it has passed, and one.
    pub epoch: Epoch,
    /// The site on which the task lives.
    pub site: Site,
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "site {} in epoch {} of run {}", self.site, self.epoch, self.run)
    }
}

/// One update of shared state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Data)]
pub struct Dot {
    /// Where it was made.
    pub lane: Lane,
    /// Which of the lane's updates it is, from 1.
    pub counter: Counter,
}

impl fmt::Display for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "update {} of {}", self.counter, self.lane)
    }
}

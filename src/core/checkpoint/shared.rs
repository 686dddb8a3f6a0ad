//! What a vote says of the state that all subtasks of a job share.
//!
//! Shared state has no barrier of its own. Its cut is a set of whole lanes: all that was updated in the epochs up to the
//! checkpoint's. That this is a cut is proved from two things that every site tells: where its lanes ended, and what its
//! tasks had seen of all lanes when they passed the barrier.
//!
//! ```text
//!   every subtask:            session   <=  finals of all sites     nobody has seen what is not in the cut
//!   the last one of a site:   deps      <=  finals of all sites     nothing in the cut hangs on what is not in it
//!                             log of the epoch = updates 1..=final of each of the site's lanes
//! ```

use serde::{Deserialize, Serialize};

use crate::causal::VectorClock;
use crate::checkpoint::ObjectRef;
use crate::{Epoch, Site};

/// A subtask's side of the cut through shared state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SharedCut {
    /// Where the subtask lives.
    pub site: Site,
    /// What it had seen before its barrier, in lanes of this run. Lanes up to the newest checkpoint that it knew to be
    /// complete may be left out.
    pub session: VectorClock,
    /// What its site has to say: in the vote of the site's subtask that was the last to pass the barrier, since by then
    /// nobody can add to the site's lanes up to the epoch.
    pub share: Option<SiteShare>,
}

/// What a site adds to a checkpoint of shared state: what its own tasks have updated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SiteShare {
    /// The last update of each lane of this site in this run, of those above the newest checkpoint that the site knew to
    /// be complete and up to this one. What it does not name had no update.
    pub finals: VectorClock,
    /// All that the updates of these lanes depend on, in lanes of this run.
    pub deps: VectorClock,
    /// What is restored first: everything that the site stands for, up to an epoch.
    pub base: Option<SharedBase>,
    /// What is restored behind it, oldest first, and all of later epochs than the base. What is of this checkpoint's own
    /// epoch holds the updates of `finals` and no others; the rest was written for checkpoints that are complete.
    pub logs: Vec<SharedLog>,
}

/// Shared state in one piece.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SharedBase {
    /// The checkpoint for which it was written.
    pub epoch: Epoch,
    /// Where it is.
    pub object: ObjectRef,
}

/// Updates of shared state, one by one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SharedLog {
    /// The checkpoint for which it was written.
    pub epoch: Epoch,
    /// Where it is.
    pub object: ObjectRef,
    /// How many updates it holds.
    pub updates: u64,
}

impl SiteShare {
    /// All objects that the share needs, in the order in which they are restored.
    pub fn objects(&self) -> impl Iterator<Item = &ObjectRef> {
        self.base.iter().map(|base| &base.object).chain(self.logs.iter().map(|log| &log.object))
    }
}

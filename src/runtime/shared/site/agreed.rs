//! What the nodes of the job have agreed on, made an update of the site.
//!
//! It comes from outside the stream, as what clients write does, and belongs to the newest epoch that a task of the site is
//! in: that lane is open, since a site's lanes are closed by the last of its tasks to pass a barrier.

use std::sync::Arc;

use watershed_core::SharedId;
use watershed_core::checkpoint::Agreement;
use watershed_core::shared::AGREED;
use watershed_protocol::causal::ReplicaEvent;

use super::{Operation, SiteReplica};
use crate::clock;

/// Whether an agreement has become an update.
pub(crate) enum Said {
    /// All sites have it, or will.
    Yes,
    /// The site makes no updates yet: it has not heard of most others.
    NotYet,
}

impl SiteReplica {
    /// Makes an agreement an update, where the site does not have it already. Refuses, in words, what is none of the job's.
    pub(crate) fn say_agreed(&self, agreement: &Agreement) -> Result<Said, String> {
        let name = &agreement.register.state;
        let place = self.tables.iter().position(|table| table.name() == name);
        let place = place.ok_or_else(|| format!("the job has no shared state {name:?}"))?;
        let agrees = self.tables[place].agrees();
        let agrees = agrees.ok_or_else(|| format!("the values of {name:?} are not agreed on"))?;
        self.with(|state, now| {
            if agrees.has(agreement).map_err(|error| error.to_string())? {
                return Ok(Said::Yes);
            }
            if !state.machine.is_ready() {
                return Ok(Said::NotYet);
            }
            let epoch = state.newest_epoch();
            // The clock may be found wrong for a while.
            let Ok(stamp) = state.machine.stamp(now, clock::now(), epoch, AGREED) else {
                return Ok(Said::NotYet);
            };
            let delta = agrees.agree(&stamp, agreement).map_err(|error| error.to_string())?;
            let (shared, key) = (SharedId(place as u32), agreement.register.key.clone());
            let delta = Arc::new(Operation { shared, key, delta });
            state.feed(self, now, ReplicaEvent::Wrote { stamp, delta });
            Ok(Said::Yes)
        })
    }
}

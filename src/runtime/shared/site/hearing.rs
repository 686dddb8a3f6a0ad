//! What a replica hears of the other sites. For tests that must notice, it can be told to hear it otherwise.

use std::sync::Arc;

use watershed_core::causal::VectorClock;
use watershed_core::{Run, Site};
use watershed_protocol::causal::{ReplicaEvent, Update};

use super::SiteReplica;
use crate::breakage::{Breakage, is_broken};
use crate::shared::{Operation, Word};

impl SiteReplica {
    /// Hears a word of another site.
    pub(crate) fn hear(&self, from: Site, word: Word) {
        self.with(|state, now| match word {
            Word::Updates(updates) => {
                for update in updates.into_iter().map(heard) {
                    state.feed(self, now, ReplicaEvent::Heard { from, update });
                }
            }
            Word::Gossip { gossip, based } => {
                let is_believed = state.feed(self, now, ReplicaEvent::Gossip { from, gossip });
                // One that is not known to be complete here is told of again.
                if is_believed && based <= state.kept.completed {
                    state.kept.based = state.kept.based.max(based);
                }
            }
            Word::Pull(gap) => {
                state.feed(self, now, ReplicaEvent::Pulled { by: from, gap });
            }
            Word::Answer { lane, updates } => {
                let updates = updates.into_iter().map(heard).collect();
                state.feed(self, now, ReplicaEvent::Answered { from, lane, updates });
            }
        });
    }

    /// Hears a word of a run that is over: nothing comes of it. SUBTLE: where that rule is broken the machine is not asked. It
    /// would take no update of another run either, and could not be made to without a change of its own.
    pub(crate) fn hear_zombie(&self, run: Run, word: &[u8]) {
        if !is_broken(Breakage::Fence) {
            return;
        }
        let _state = self.lock();
        let read = Word::read(word, run, self.sites());
        let Ok(Word::Updates(updates) | Word::Answer { updates, .. }) = read else { return };
        for update in updates {
            let operation = update.delta.as_ref();
            let Some(table) = self.tables.get(operation.shared.0 as usize) else { continue };
            let applied = table.apply(&update.stamp, &operation.key, &operation.delta);
            tracing::warn!(stamp = ?update.stamp, ?applied, "an update of a run that is over is applied");
        }
    }
}

/// An update, as the machine hears it.
fn heard(update: Update<Arc<Operation>>) -> Update<Arc<Operation>> {
    if is_broken(Breakage::Causes) {
        return Update { deps: VectorClock::new(), ..update };
    }
    update
}
